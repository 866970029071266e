"""Reasons to mistrust the chosen ranking, in plain words at the top of a page."""

from __future__ import annotations

import streamlit as st

from diet_explorer.analysis.stability import ScoreWarning
from diet_explorer.drawing.plain import escape
from diet_explorer.ui.shell.asking import asked, landed
from diet_explorer.ui.shell.selection import Selection
from diet_explorer.workspace.run import Run

_SHOWN = 3


@asked(landed)
def _warnings(run: Run, checkpoint: float, seed: int | None, score: str) -> list[ScoreWarning]:
    return run.dynamics.warnings(checkpoint, seed, score)


def draw_cautions(selection: Selection, run: Run, checkpoint: float) -> None:
    """Draw one line per reason; says so where there is none."""
    warnings = _warnings(run, checkpoint, selection.seed, selection.score.name)
    lines = [
        f'<li><b><span aria-hidden="true">!</span> {escape(entry.kind.capitalize())}</b> '
        f"<span>{escape(entry.words)}</span></li>"
        for entry in warnings[:_SHOWN]
    ]
    if len(warnings) > _SHOWN:
        lines.append(f'<li class="de-quiet">and {len(warnings) - _SHOWN} more</li>')
    calm = '<p class="de-quiet">✓ No caution: not too early, not collapsed, no class skewed.</p>'
    with st.container(key="cautions"):
        st.html(f'<ul class="de-cautions" aria-label="Cautions">{"".join(lines)}</ul>' if lines else calm)
