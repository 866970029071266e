"""Why something that waits is not taken up by a worker, and what to do about it."""

from __future__ import annotations

import streamlit as st

from diet_explorer.drawing.plain import escape
from diet_explorer.store.delay import Delay
from diet_explorer.ui.shell.boundary import as_text


def draw_delay(delay: Delay | None, *, in_a_line: bool = False) -> None:
    """Draw nothing where a worker is about to take it up, a quiet line where all are busy, else a warning.

    With `in_a_line` it is always that line.
    """
    if delay is None:
        return
    if delay.is_normal or in_a_line:
        st.html(f'<p class="de-quiet" role="status">{escape(delay.describe())}</p>')
    else:
        st.warning(as_text(delay.describe()), icon=":material/hourglass_disabled:")
