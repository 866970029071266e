"""Help: the documentation, as it comes with the program, and the tour."""

from __future__ import annotations

import streamlit as st

from diet_explorer.ui.help.page import draw_lists, draw_text
from diet_explorer.ui.shell.frame import run_plain_page
from diet_explorer.ui.shell.tour import draw_tour_start
from diet_explorer.ui.shell.view import read_view


def body() -> None:
    """Draw one page of the documentation on the left, the tour and the list of all pages on the right."""
    place = read_view().topic or "index"
    left, right = st.columns([2, 1], gap="large")
    with left:
        document = draw_text(place)
    with right, st.container(key="help-lists"):
        draw_tour_start()
        draw_lists(document, place.partition("#")[0])


run_plain_page("Help", "Read what everything means and how it is done; no network is needed.", body)
