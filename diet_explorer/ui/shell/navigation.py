"""Which pages there are, in which groups."""

from __future__ import annotations

from pathlib import Path

import streamlit as st
from streamlit.navigation.page import StreamlitPage

ICON = Path(__file__).with_name("icon.svg")
_DRAWN = "navigation-drawn"


def draw_navigation() -> StreamlitPage:
    """Draw the navigation into the sidebar; the page that the address names.

    The pages have no icons: Streamlit makes the icon of the open page the favicon and fetches it from the network.
    """
    st.session_state[_DRAWN] = True
    return st.navigation(
        {
            "Data": [
                st.Page("pages/home.py", title="Home", default=True),
                st.Page("pages/datasets.py", title="Datasets"),
                st.Page("pages/score.py", title="Score"),
                st.Page("pages/bin.py", title="Bin"),
            ],
            "Explore": [
                st.Page("pages/browse.py", title="Browse"),
                st.Page("pages/distributions.py", title="Distributions"),
                st.Page("pages/data_map.py", title="Data map"),
                st.Page("pages/embedding_map.py", title="Embedding map"),
            ],
            "Clean": [
                st.Page("pages/audit.py", title="Audit"),
            ],
            "Ship": [
                st.Page("pages/prune.py", title="Prune & export"),
                st.Page("pages/proof.py", title="Proof"),
            ],
            "Learn": [
                st.Page("pages/help.py", title="Help"),
            ],
        },
        expanded=True,
    )


def ensure_navigation() -> None:
    """Run the app's entry file where Streamlit ran a page on its own.

    The first session of a server process that opens a link to a page meets Streamlit's older convention, by which
    a file in ``pages/`` runs without the entry file. Declaring the navigation ends that for the process.
    """
    if _DRAWN not in st.session_state:
        draw_navigation()
        st.rerun()
