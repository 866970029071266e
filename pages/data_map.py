"""Data map: how confidently and how steadily the model learned each example."""

from __future__ import annotations

import streamlit as st

from diet_explorer.drawing import words
from diet_explorer.drawing.colours import TRAJECTORY_COLOURS
from diet_explorer.drawing.maps import DATA_MAP
from diet_explorer.drawing.plain import escape
from diet_explorer.scoring import catalogue
from diet_explorer.scoring.dynamics import TRAJECTORIES, TRAJECTORY_RULE
from diet_explorer.ui.drawing.markup import chip, help_mark
from diet_explorer.ui.maps.page import MapKind, draw_map_page
from diet_explorer.ui.shell import questions
from diet_explorer.ui.shell.frame import run_scored_page
from diet_explorer.ui.shell.selection import Selection
from diet_explorer.ui.shell.view import change
from diet_explorer.workspace.dataset import Dataset
from diet_explorer.workspace.run import Run

_KIND = MapKind(
    name="data",
    x="variability",
    y="confidence",
    axes=DATA_MAP,
    title="Easy, ambiguous or hard to learn?",
    colourings=("correctness", "trajectory", "label", "el2n", "forgetting", "aum", "decided"),
)


def body(selection: Selection, dataset: Dataset, run: Run, checkpoint: float) -> None:
    """Draw the map, or what is missing for it."""
    if "confidence" not in selection.scores:
        _too_early(selection)
        return
    draw_map_page(selection, dataset, run, checkpoint, _KIND, lambda: _reading(selection, run, checkpoint))


def _too_early(selection: Selection) -> None:
    later = [point for point in selection.checkpoints if point > 0]
    if later:
        reason = "How an example was learned shows from the first checkpoint after training began."
    else:
        reason = "The map appears with the first checkpoint after training began; the run is on its way there."
    with st.container(key="too-early"):
        st.html(f'<div class="de-empty"><h2>Nothing has been learned yet</h2><p>{reason}</p></div>')
        if later:
            st.button(
                f"Show {catalogue.checkpoint_title(later[-1])}",
                key="latest-checkpoint",
                type="primary",
                on_click=change,
                kwargs={"checkpoint": later[-1]},
            )


def _reading(selection: Selection, run: Run, checkpoint: float) -> None:
    counts = questions.statistics(run, checkpoint, selection.seed).trajectories()
    by_kind = counts.groupby("trajectory")["count"].sum()
    total = int(by_kind.sum())
    rows = "".join(
        f'<tr><td>{chip(kind, colour)}</td><td class="de-figure">{words.whole(by_kind.get(kind, 0))}</td>'
        f'<td class="de-figure">{words.percent(by_kind.get(kind, 0) / total if total else None)}</td></tr>'
        for kind, colour in zip(TRAJECTORIES, TRAJECTORY_COLOURS, strict=True)
    )
    title = catalogue.checkpoint_title(checkpoint)
    st.html(
        f'<h2 class="de-chart-title">How were the training examples learned? {escape(title.capitalize())} '
        f"{help_mark(TRAJECTORY_RULE)}</h2>"
        f'<table class="de-list" aria-label="Types of learning"><tbody>{rows}</tbody></table>'
        '<div class="de-read"><p><b>How to read it.</b> Each point is an example. <b>Top left</b>: easy, learned early '
        "and for good. <b>Right</b>: ambiguous, the model changed its mind. <b>Bottom left</b>: hard, the model never "
        "believed the given label; mislabelled examples gather here.</p>"
        "<p><b>What to do.</b> Draw around points to list, compare and decide about them. A click on a point opens the "
        "example.</p></div>"
    )
    last = selection.checkpoints[-1]
    if checkpoint < last:
        st.button(
            f"Use the whole training, until {catalogue.checkpoint_title(last)}",
            key="latest-checkpoint",
            on_click=change,
            kwargs={"checkpoint": last},
        )


run_scored_page(
    "Data map",
    "See which examples the model learned easily, doubted, or never believed.",
    body,
    "Every example by how it was learned",
)
