"""Score: settings of a new run with their cost, and the progress of a run."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from diet_explorer.store.runs import ACTIVE
from diet_explorer.training.config import NEEDS, RunConfig
from diet_explorer.ui.score.cost import draw_estimate
from diet_explorer.ui.score.run_form import draw_form, fill_form
from diet_explorer.ui.score.run_list import draw_run_list, settings_words
from diet_explorer.ui.score.run_progress import draw_progress
from diet_explorer.ui.shell.bin import disk_use
from diet_explorer.ui.shell.boundary import error_boundary
from diet_explorer.ui.shell.controls import draw_tabs
from diet_explorer.ui.shell.empty_states import empty_state
from diet_explorer.ui.shell.frame import run_page
from diet_explorer.ui.shell.selection import Selection
from diet_explorer.ui.shell.view import View, change, write
from diet_explorer.ui.shell.workspace import open_workspace
from diet_explorer.workspace.dataset import Dataset
from diet_explorer.workspace.run import Run

_TABS = {"progress": "Progress", "new": "New run"}


def body(selection: Selection) -> None:
    """Draw one of the page's two tabs."""
    dataset, run = selection.dataset, selection.run
    if dataset is None:
        empty_state(
            "No dataset to score yet",
            "Import one first, or try the sample. Then choose a model here and start.",
            page="pages/datasets.py",
            action="Add a dataset",
            view=View(tab="add"),
        )
        return
    tab = selection.view.tab if selection.view.tab in _TABS else ("progress" if run else "new")
    draw_tabs("score-tabs", _TABS, tab)
    if tab == "new":
        _new_run(dataset)
    elif run is None:
        empty_state(
            f"{dataset.name} has no run yet",
            "Choose settings and start; progress per seed and checkpoint will be shown here.",
            page="pages/score.py",
            action="Set up a run",
            view=View(dataset=dataset.id, tab="new"),
        )
    else:
        _watch(selection, dataset, run)


_CLOSING = "The training script records nothing more then. It trains on; stop it where it runs."


def _new_run(dataset: Dataset) -> None:
    left, right = st.columns([2, 1], gap="large")
    with left, st.container(key="run-form"):
        config = draw_form(dataset)
    with right, st.container(key="run-start"):
        st.html(f"<p>Score <b>{dataset.rows:,}</b> examples of {len(dataset.classes):,} classes.</p>")
        if config is not None:
            draw_estimate(dataset, config)
        if (
            st.button(
                "Start scoring",
                key="start-run",
                type="primary",
                icon=":material/play_arrow:",
                disabled=config is None,
                width="stretch",
            )
            and config is not None
        ):
            with error_boundary("start-error"):
                _start(dataset, config)
        st.html(
            '<p class="de-quiet">The run goes on in the background: you may close this tab. '
            "Examples can be browsed from the first checkpoint on.</p>"
        )


def _start(dataset: Dataset, config: RunConfig) -> None:
    settings = {
        name: getattr(config, name)
        for name in (
            "model",
            "epochs",
            "seeds",
            "checkpoints",
            "grand",
            "batch_size",
            "max_length",
            "learning_rate",
            "diet",
            *NEEDS,
        )
    }
    run = open_workspace().score(dataset, **settings)
    write(View(dataset=dataset.id, run=run.id, tab="progress"))
    st.rerun()


def _watch(selection: Selection, dataset: Dataset, run: Run) -> None:
    left, right = st.columns([2, 1], gap="large")
    with left:
        draw_progress(run)
    with right:
        further = (
            ""
            if run.is_imported
            else f" · max length {run.config.max_length} · learning rate {run.config.learning_rate:g}"
        )
        use = disk_use(f"run:{run.id}", run.store.stamp())
        st.html(f'<p class="de-quiet">{settings_words(run)}{further} · {use} on disk</p>')
        with st.container(key="run-actions", horizontal=True, gap="small"):
            _actions(run)
        st.header("Runs of this dataset", anchor=False)
        draw_run_list(selection.runs, key="run-line", with_dataset=False, selected=run.id)


def _actions(run: Run) -> None:
    if run.status in ACTIVE:
        with error_boundary("cancel-error"):
            label, note = ("Close run", _CLOSING) if run.is_own_training else ("Cancel run", None)
            if st.button(label, key="cancel-run", icon=":material/stop:", help=note):
                run.cancel()
                st.rerun()
    elif run.status in ("failed", "interrupted", "cancelled") and not run.is_own_training:
        with error_boundary("resume-error"):
            if st.button("Resume run", key="resume-run", type="primary", icon=":material/replay:"):
                run.resume()
                st.rerun()
    if not run.is_imported:
        st.button(
            "Run again with changes", key="run-again", icon=":material/tune:", on_click=_again, args=(run.config,)
        )
    st.page_link(
        "pages/browse.py",
        label="Browse examples",
        icon=":material/format_list_numbered:",
        query_params=View(dataset=run.record.dataset_id, run=run.id).to_query(),
        disabled=not run.checkpoints(),
    )


def _again(config: RunConfig) -> None:
    fill_form(replace(config))
    change(tab="new")


run_page("Score", "Train a model on the dataset and record, on the way, how hard each example is.", body)
