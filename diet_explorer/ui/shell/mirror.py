"""Controls that show a value kept elsewhere: in the URL, or in a form that outlives the page."""

from __future__ import annotations

from typing import TypeVar

import streamlit as st

T = TypeVar("T")


def mirrored(name: str, value: T) -> tuple[str, T]:
    """Key and default of a control that must show `value` in this run.

    The key stays as long as the control itself brought the value about, so that focus and open lists stay. When
    the value comes from elsewhere (a link, a chip, scores that landed), the control gets a new identity with the
    value as its default, instead of a new value: while a page refreshes itself, the browser may still report the
    old value of a control (or the default of one that has just appeared), which would pass for a choice of the
    user and be written into the URL.

    Parameters
    ----------
    name : str
        Stable name; put the control into a container with this key so that tests and styles find it.
    value : object
        What the control must show.

    Returns
    -------
    key : str
    default : object
        To be given to the control as its default; never set its value through the session state.
    """
    counter, default = f"generation-of-{name}", f"default-of-{name}"
    generation: int = st.session_state.get(counter, 0)
    key = f"{name}-{generation}"
    if key in st.session_state and st.session_state[key] == value:
        return key, st.session_state[default]
    st.session_state[counter] = generation + 1
    st.session_state[default] = value
    return f"{name}-{generation + 1}", value
