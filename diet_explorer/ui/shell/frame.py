"""The frame of every page: title, purpose, context bar, running job, and the boundary that catches errors."""

from __future__ import annotations

import atexit
import gc
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from diet_explorer.drawing.plain import escape
from diet_explorer.errors import DeletedError, DietExplorerError, StoreAwayError
from diet_explorer.scoring import catalogue
from diet_explorer.ui.shell.bin import draw_deleted, draw_undo
from diet_explorer.ui.shell.boundary import as_text, error_boundary, show_error, timed
from diet_explorer.ui.shell.empty_states import scored
from diet_explorer.ui.shell.explanations import draw_explanation
from diet_explorer.ui.shell.job_line import draw_job_line
from diet_explorer.ui.shell.navigation import ensure_navigation
from diet_explorer.ui.shell.person import draw_person, must_sign_in
from diet_explorer.ui.shell.picker import draw_picker, run_title
from diet_explorer.ui.shell.selection import Selection, refine, resolve
from diet_explorer.ui.shell.tour import draw_tour
from diet_explorer.ui.shell.view import forget, read_view
from diet_explorer.ui.shell.workspace import open_workspace
from diet_explorer.workspace.dataset import Dataset
from diet_explorer.workspace.run import Run

_STYLE = Path(__file__).with_name("style.css")
_CHIPS = 8

# After every run of a page Streamlit looks for garbage in all that there is; the libraries loaded by now are none.
gc.collect()
gc.freeze()
atexit.register(gc.unfreeze)


def run_page(title: str, purpose: str, body: Callable[[Selection], None]) -> None:
    """Draw the frame and, where the address can be resolved, the body.

    Parameters
    ----------
    title, purpose : str
        The page's name, and one sentence on what it is for.
    body : callable
        Draws what is below the frame; its errors show as messages.
    """
    job = _draw_head(title, purpose)
    with timed(title), error_boundary():
        if must_sign_in():
            return
        selection = _resolved()
        if selection is None:
            return
        draw_picker(selection)
        with job:
            draw_job_line(selection)
        draw_context_bar(selection)
        draw_undo()
        draw_tour(title, selection)
        body(selection)


def run_plain_page(title: str, purpose: str, body: Callable[[], None]) -> None:
    """Draw a page that is about the workspace as a whole, whatever the address names; see `run_page`."""
    _draw_head(title, purpose)
    with timed(title), error_boundary():
        if must_sign_in():
            return
        with suppress(DietExplorerError):
            draw_picker(resolve(read_view()))
        draw_undo()
        body()


def run_scored_page(
    title: str, purpose: str, body: Callable[[Selection, Dataset, Run, float], None], what: str
) -> None:
    """Draw a page about the scores of a run, or the way to them where there are none; see `run_page`.

    Parameters
    ----------
    body : callable
        Draws what is below the frame; gets the dataset, the run and the checkpoint of the selection as well.
    what : str
        What the page shows, as the begin of a sentence ("The examples, the hardest first,").
    """

    def scored_body(selection: Selection) -> None:
        chosen = scored(selection, what)
        if chosen is not None:
            body(selection, *chosen)

    run_page(title, purpose, scored_body)


def _draw_head(title: str, purpose: str) -> DeltaGenerator:
    """Draw title and purpose; gives the place for the job line."""
    ensure_navigation()
    st.html(_STYLE)
    header, job = st.columns([2, 1], vertical_alignment="bottom", gap="medium")
    with header, st.container(key="page-top", gap=None):
        with st.container(key="page-title", horizontal=True, vertical_alignment="center", gap="small"):
            st.html(f'<div class="de-title"><h1>{escape(title)}</h1></div>', width="content")
            draw_explanation(title)
        st.html(f'<p class="de-purpose">{escape(purpose)}</p>')
    return job


def _resolved() -> Selection | None:
    open_workspace()  # its errors are no fault of the address
    try:
        return resolve(read_view())
    except DeletedError as error:
        draw_undo()
        draw_deleted(error)
        return None
    except StoreAwayError:  # no fault of the address either
        raise
    except DietExplorerError as error:
        show_error(error, key="link-error")
        st.button("Start from a clean address", key="forget-link", on_click=forget, icon=":material/restart_alt:")
        return None


def draw_context_bar(selection: Selection) -> None:
    """One line: dataset, run, score, checkpoint, seed; then the filter's conditions, each removable; who decides."""
    facts = []
    if selection.dataset:
        facts.append(("dataset", selection.dataset.name))
    if selection.run:
        facts.append(("run", run_title(selection.run)))
    if selection.checkpoint is not None:
        facts.append(("score", selection.score.title))
        facts.append(("checkpoint", catalogue.checkpoint_title(selection.checkpoint)))
        facts.append(("seed", "mean" if selection.seed is None else str(selection.seed)))
    if not facts:
        facts.append(("dataset", "none yet"))
    line = "".join(f'<span><span class="de-key">{key}</span> <b>{escape(value)}</b></span>' for key, value in facts)
    with st.container(key="context-bar", horizontal=True, vertical_alignment="center", gap="small"):
        st.html(f'<div class="de-context">{line}</div>', width="content")
        chips = selection.where.describe() if selection.run else []
        for number, (words, without) in enumerate(chips[:_CHIPS]):
            st.button(
                as_text(words),
                key=f"chip-{number}",
                icon=":material/close:",
                icon_position="right",
                on_click=refine,
                args=(without,),
            )
        if len(chips) > _CHIPS:
            st.html(f'<span class="de-quiet">and {len(chips) - _CHIPS} more</span>', width="content")
        draw_person(open_workspace().context.audit_log)
