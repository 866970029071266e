"""The switch between the faces of a page."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from diet_explorer.ui.shell.mirror import mirrored
from diet_explorer.ui.shell.view import change


def draw_faces(name: str, faces: Mapping[str, str], shown: str, field: str = "tab") -> None:
    """Draw the switch; using it writes the face's name into the URL.

    Parameters
    ----------
    name : str
        Key of the container.
    faces : mapping
        Name to title.
    shown : str
        The face of this run.
    field : str
        Field of the view that holds it.
    """
    with st.container(key=name):
        key, default = mirrored(name, shown)
        st.segmented_control(
            "What to show",
            list(faces),
            key=key,
            default=default,
            format_func=faces.__getitem__,
            required=True,
            label_visibility="collapsed",
            on_change=lambda: change(**{field: st.session_state[key]}),
        )
