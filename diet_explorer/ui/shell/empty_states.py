"""What a page shows while there is nothing to show: what will be here, and the one button that fills it."""

from __future__ import annotations

import streamlit as st

from diet_explorer.drawing.plain import escape
from diet_explorer.store.runs import ACTIVE
from diet_explorer.ui.shell.selection import Selection
from diet_explorer.ui.shell.view import View
from diet_explorer.workspace.dataset import Dataset
from diet_explorer.workspace.run import Run


def empty_state(title: str, text: str, *, page: str, action: str, view: View | None = None, key: str = "empty") -> None:
    """Draw an empty state with its one button.

    Parameters
    ----------
    page : str
        File of the page that fills this one.
    action : str
        Verb on the button.
    view : View, optional
        The view that the page opens with.
    """
    with st.container(key=key):
        st.html(f'<div class="de-empty"><h2>{escape(title)}</h2><p>{escape(text)}</p></div>')
        if st.button(action, key=f"{key}-action", type="primary", icon=":material/arrow_forward:"):
            st.switch_page(page, query_params=(view or View()).to_query())


def scored(selection: Selection, what: str) -> tuple[Dataset, Run, float] | None:
    """Dataset, run and checkpoint that a page can draw; where there is none, draws the way there.

    Parameters
    ----------
    what : str
        What the page will show, as the begin of a sentence ("The examples, the hardest first,").
    """
    dataset, run, checkpoint = selection.dataset, selection.run, selection.checkpoint
    if dataset is None:
        empty_state(
            "No examples yet",
            f"{what} will be here. Start with the sample or your own dataset.",
            page="pages/home.py",
            action="Go to Home",
        )
        return None
    if run is None:
        empty_state(
            f"{dataset.name} has not been scored yet",
            f"{what} will be here. Scoring trains a model on the dataset and records how hard each example is "
            "on the way.",
            page="pages/score.py",
            action="Score this dataset",
            view=View(dataset=dataset.id),
        )
        return None
    if checkpoint is None:
        _nothing_landed(run, what)
        return None
    return dataset, run, checkpoint


def _nothing_landed(run: Run, what: str) -> None:
    if run.status in ACTIVE:
        left, right = st.columns([2, 1], gap="medium")
        with left, st.container(key="first-scores"):
            st.html(
                '<div class="de-empty" role="status"><h2>The first scores are being computed</h2>'
                "<p>The model is loaded, then every example is scored before training starts. "
                f"{what} will appear here by themselves.</p></div>"
            )
            st.html(skeleton(380))
        with right:
            st.html(skeleton(490))
        return
    empty_state(
        "This run ended before its first scores",
        (run.error or "It was cancelled early.") + " Resume it, or start another one.",
        page="pages/score.py",
        action="See the run",
        view=View(run=run.id),
    )


def skeleton(height: int) -> str:
    """A quiet placeholder of a height in pixels."""
    # without a shimmer: the browser would draw it all the time, on the cores that compute the scores
    return f'<div class="de-skeleton" style="height:{height}px" aria-hidden="true"></div>'
