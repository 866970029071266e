"""What a page shows while there is nothing to show: what will be here, and the one button that fills it."""

from __future__ import annotations

import streamlit as st

from diet_explorer.ui.drawing.plain import escape
from diet_explorer.ui.shell.view import View


def empty_state(title: str, text: str, *, page: str, action: str, view: View | None = None, key: str = "empty") -> None:
    """Draw an empty state with its one button.

    Parameters
    ----------
    page : str
        File of the page that fills this one.
    action : str
        Verb on the button.
    view : View, optional
        The view that the page opens with.
    """
    with st.container(key=key):
        st.html(f'<div class="de-empty"><h3>{escape(title)}</h3><p>{escape(text)}</p></div>')
        if st.button(action, key=f"{key}-action", type="primary", icon=":material/arrow_forward:"):
            st.switch_page(page, query_params=(view or View()).to_query())
