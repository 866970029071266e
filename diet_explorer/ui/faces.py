"""The switch between the faces of a page."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from diet_explorer.ui.mirror import mirrored
from diet_explorer.ui.view import change


def draw_faces(name: str, faces: Mapping[str, str], shown: str) -> None:
    """Draw the switch; using it writes the face's name into the URL as `tab`.

    Parameters
    ----------
    name : str
        Key of the container.
    faces : mapping
        Name to title.
    shown : str
        The face of this run.
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
            on_change=lambda: change(tab=st.session_state[key]),
        )
