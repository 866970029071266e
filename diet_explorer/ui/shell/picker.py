"""The sidebar's picker: dataset, run, score, checkpoint and seed, mirrored from the URL."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain, count

import streamlit as st

from diet_explorer.drawing.plain import cut_name
from diet_explorer.scoring import catalogue
from diet_explorer.store.in_words import counted
from diet_explorer.training.config import BUNDLED
from diet_explorer.ui.shell.controls import mirrored_select
from diet_explorer.ui.shell.selection import Selection
from diet_explorer.workspace.run import Run

MEAN = "mean"
STATUS_WORDS = {
    "queued": "waiting",
    "running": "running",
    "interrupted": "interrupted",
    "succeeded": "done",
    "failed": "failed",
    "cancelled": "cancelled",
}


def draw_picker(selection: Selection) -> None:
    """Draw the picker into the sidebar."""
    with st.sidebar, st.container(key="picker"):
        datasets = unique_titles({entry.id: entry.name for entry in selection.datasets})
        mirrored_select(
            "Dataset", list(datasets), selection.dataset and selection.dataset.id, "dataset", datasets.__getitem__
        )
        runs = unique_titles({entry.id: run_title(entry) for entry in selection.runs})
        mirrored_select("Run", list(runs), selection.run and selection.run.id, "run", runs.__getitem__)
        mirrored_select(
            "Score",
            selection.scores,
            selection.score.name,
            "score",
            score_title,
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


def score_title(name: str) -> str:
    """A score in a list: its title, and whether it is about the training so far."""
    entry = catalogue.score(name)
    return entry.title if entry.span == "checkpoint" else f"{entry.title} · over training"


def short_title(run: Run) -> str:
    """A run in a line of other things: the name that a person gave it, else model and seeds."""
    if run.given_name is not None:
        return cut_name(run.given_name)
    return f"{model_title(run.config.model)} · {counted(run.config.seeds, 'seed')}"


def run_title(run: Run) -> str:
    """A run in a list: its short title and when it was made, which stays so whatever is deleted around it."""
    return f"{short_title(run)} · {run.record.created_at.astimezone():%d %b %H:%M:%S}"


def model_title(model: str) -> str:
    """A model's name without its folder or owner."""
    return "MiniLM" if model == BUNDLED else model.rstrip("/").rsplit("/", 1)[-1]


def unique_titles(titles: Mapping[str, str]) -> dict[str, str]:
    """The same titles with a number behind those that occur twice: a select box tells options apart by title."""
    unique: dict[str, str] = {}
    taken: set[str] = set()
    for key, title in titles.items():
        candidates = chain([title], (f"{title} ({number})" for number in count(2)))
        unique[key] = next(name for name in candidates if name not in taken)
        taken.add(unique[key])
    return unique
