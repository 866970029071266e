"""Reasons to mistrust the chosen ranking, in plain words at the top of a page."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from diet_explorer.analysis.stability import ScoreWarning
from diet_explorer.ui.drawing.plain import escape

_SHOWN = 3


def draw_cautions(warnings: Sequence[ScoreWarning], *, key: str = "cautions") -> None:
    """Draw one line per reason; says so where there is none."""
    lines = [
        f'<li><b><span aria-hidden="true">!</span> {escape(entry.kind.capitalize())}</b> '
        f"<span>{escape(entry.words)}</span></li>"
        for entry in warnings[:_SHOWN]
    ]
    if len(warnings) > _SHOWN:
        lines.append(f'<li class="de-quiet">and {len(warnings) - _SHOWN} more</li>')
    calm = '<p class="de-quiet">✓ No caution: not too early, not collapsed, no class skewed.</p>'
    with st.container(key=key):
        st.html(f'<ul class="de-cautions" aria-label="Cautions">{"".join(lines)}</ul>' if lines else calm)
