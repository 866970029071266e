"""Browse: ranked examples, worst first, with filters and the card of one example."""

from __future__ import annotations

import streamlit as st

from diet_explorer.store.runs import ACTIVE
from diet_explorer.ui.browse_parts import draw_card, draw_explanation, draw_list, draw_toolbar
from diet_explorer.ui.empty import empty_state
from diet_explorer.ui.filter_bar import draw_filters
from diet_explorer.ui.frame import run_page
from diet_explorer.ui.selection import Selection
from diet_explorer.ui.view import View


def body(selection: Selection) -> None:
    """Draw the table beside the filters, or beside the card of the example that is open."""
    dataset, run, checkpoint = selection.dataset, selection.run, selection.checkpoint
    if dataset is None:
        empty_state(
            "No examples yet",
            "Here the examples of a dataset will be ranked, the hardest first. Start with the sample or your own.",
            page="pages/home.py",
            action="Go to Home",
        )
        return
    if run is None:
        empty_state(
            f"{dataset.name} has not been scored yet",
            "Scoring trains a model on the dataset and records how hard each example is on the way.",
            page="pages/score.py",
            action="Score this dataset",
            view=View(dataset=dataset.id),
        )
        return
    if checkpoint is None:
        _nothing_landed(selection)
        return
    if selection.view.example is None:
        left, right = st.columns([2, 1], gap="medium")
        with left:
            total = draw_toolbar(selection, dataset, run, checkpoint)
            draw_list(selection, run, checkpoint, total)
        with right, st.container(key="filters", gap="small"):
            draw_filters(selection, dataset, run, checkpoint)
            draw_explanation(selection, dataset)
    else:
        left, right = st.columns([9, 11], gap="medium")
        with left:
            total = draw_toolbar(selection, dataset, run, checkpoint, narrow=True)
            draw_list(selection, run, checkpoint, total)
        with right:
            draw_card(selection, dataset, run, checkpoint, total)


def _nothing_landed(selection: Selection) -> None:
    run = selection.run
    if run is not None and run.status in ACTIVE:
        left, right = st.columns([2, 1], gap="medium")
        with left, st.container(key="first-scores"):
            st.html(
                '<div class="de-empty" role="status"><h3>The first scores are being computed</h3>'
                "<p>The model is loaded, then every example is scored before training starts. "
                "Ranked examples appear here by themselves.</p></div>"
            )
            st.html(_skeleton(380))
        with right:
            st.html(_skeleton(490))
        return
    empty_state(
        "This run ended before its first scores",
        (run.error if run and run.error else "It was cancelled early.") + " Resume it, or start another one.",
        page="pages/score.py",
        action="See the run",
        view=View(run=run.id if run else None),
    )


def _skeleton(height: int) -> str:
    # without a shimmer: the browser would draw it all the time, on the cores that compute the scores
    return f'<div class="de-skeleton" style="height:{height}px" aria-hidden="true"></div>'


run_page(
    "Browse",
    "Read the examples that the model finds hardest or doubts most, and see why.",
    body,
)
