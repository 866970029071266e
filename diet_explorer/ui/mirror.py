"""Controls that show what the URL says."""

from __future__ import annotations

from typing import Any

import streamlit as st


def mirrored_key(name: str, value: Any) -> str:
    """The key of a control that must show `value` in this run.

    The key stays as long as the control itself brought the value about, so that focus and open lists stay. When
    the value comes from elsewhere (a link, a chip, scores that landed), the control gets a new identity instead
    of a new value: while a page refreshes itself, the browser may still report the old value of the old control,
    which would look like a choice of the user and be written into the URL.

    Parameters
    ----------
    name : str
        Stable name; put the control into a container with this key so that tests and styles find it.
    value : object
        What the control must show.
    """
    counter = f"generation-of-{name}"
    generation: int = st.session_state.get(counter, 0)
    key = f"{name}-{generation}"
    if key in st.session_state and st.session_state[key] == value:
        return key
    st.session_state[counter] = generation + 1
    key = f"{name}-{generation + 1}"
    st.session_state[key] = value
    return key
