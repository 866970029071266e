"""The sidebar's picker: dataset, run, score, checkpoint and seed, mirrored from the URL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from diet_explorer.run import Run
from diet_explorer.scoring import catalogue
from diet_explorer.training.config import BUNDLED
from diet_explorer.ui import words
from diet_explorer.ui.mirror import mirrored_key
from diet_explorer.ui.selection import Selection
from diet_explorer.ui.view import change

MEAN = "mean"
STATUS_WORDS = {
    "queued": "waiting",
    "running": "running",
    "succeeded": "done",
    "failed": "failed",
    "cancelled": "cancelled",
}


def draw_picker(selection: Selection) -> None:
    """Draw the picker into the sidebar."""
    with st.sidebar, st.container(key="picker"):
        datasets = {entry.id: entry.name for entry in selection.datasets}
        mirrored_select("Dataset", list(datasets), selection.dataset and selection.dataset.id, "dataset", datasets.get)
        runs = {entry.id: run_title(entry) for entry in selection.runs}
        mirrored_select("Run", list(runs), selection.run and selection.run.id, "run", runs.get)
        mirrored_select(
            "Score",
            selection.scores,
            selection.score.name,
            "score",
            lambda name: catalogue.score(name).title,
            help=selection.score.help,
        )
        mirrored_select(
            "Checkpoint",
            selection.checkpoints,
            selection.checkpoint,
            "checkpoint",
            catalogue.checkpoint_title,
            help="The moment of training at which the examples were scored.",
        )
        mirrored_select(
            "Seed",
            [MEAN, *selection.seeds] if selection.seeds else [],
            MEAN if selection.seed is None else selection.seed,
            "seed",
            lambda value: "mean over seeds" if value == MEAN else f"seed {value}",
            help="One training run, or the mean over all of them.",
            to_view=lambda value: None if value == MEAN else value,
        )


def short_title(run: Run) -> str:
    """A run in a line of other things: model and seeds."""
    return f"{model_title(run.config.model)} · {words.counted(run.config.seeds, 'seed')}"


def run_title(run: Run) -> str:
    """A run in a list: age and status first, since they tell runs apart."""
    return f"{words.moment(run.record.created_at)} · {STATUS_WORDS[run.status]} · {short_title(run)}"


def model_title(model: str) -> str:
    """A model's name without its folder or owner."""
    return "MiniLM (bundled)" if model == BUNDLED else model.rstrip("/").rsplit("/", 1)[-1]


def mirrored_select(
    label: str,
    options: Sequence[Any],
    current: Any,
    name: str,
    title: Callable[[Any], Any],
    *,
    help: str | None = None,
    to_view: Callable[[Any], Any] = lambda value: value,
) -> None:
    """A select box that shows what the URL says and, when used, changes the URL.

    Parameters
    ----------
    name : str
        Field of the view; the container's key is ``pick-<name>``.
    title : callable
        From an option to what people read.
    to_view : callable
        From an option to the value in the view.
    """
    with st.container(key=f"pick-{name}"):
        key = mirrored_key(f"pick-{name}", current if current in options else None)
        st.selectbox(
            label,
            options,
            index=None,
            key=key,
            format_func=title,
            help=help,
            disabled=not options,
            required=True,
            placeholder="none yet",
            on_change=lambda: change(**{name: to_view(st.session_state[key])}),
        )
