"""Browse: ranked examples, worst first, with filters and the card of one example."""

from __future__ import annotations

import streamlit as st

from diet_explorer.ui.examples.filter_bar import draw_filters
from diet_explorer.ui.examples.panel import draw_card, draw_pinned
from diet_explorer.ui.examples.ranked_list import draw_explanation, draw_list, draw_toolbar
from diet_explorer.ui.shell import questions
from diet_explorer.ui.shell.frame import run_scored_page
from diet_explorer.ui.shell.selection import Selection
from diet_explorer.workspace.dataset import Dataset
from diet_explorer.workspace.run import Run


def body(selection: Selection, dataset: Dataset, run: Run, checkpoint: float) -> None:
    """Draw the table beside the filters, or beside the card of the example that is open."""
    if selection.view.example is None:
        left, right = st.columns([2, 1], gap="medium")
        with left:
            total = draw_toolbar(selection, dataset, run, checkpoint)
            draw_list(selection, run, checkpoint, total)
        with right, st.container(key="filters", gap="small"):
            draw_filters(selection, dataset, run, checkpoint)
            draw_explanation(selection, dataset)
    elif selection.view.beside is not None:
        total = questions.count(run, checkpoint, selection.seed, selection.where)
        left, right = st.columns(2, gap="medium")
        with left:
            draw_pinned(selection, dataset, run, checkpoint)
        with right:
            draw_card(selection, dataset, run, checkpoint, total)
    else:
        left, right = st.columns([9, 11], gap="medium")
        with left:
            total = draw_toolbar(selection, dataset, run, checkpoint, narrow=True)
            draw_list(selection, run, checkpoint, total, narrow=True)
        with right:
            draw_card(selection, dataset, run, checkpoint, total)


run_scored_page(
    "Browse",
    "Read the examples that the model finds hardest or doubts most, and see why.",
    body,
    "The examples, the hardest first,",
)
