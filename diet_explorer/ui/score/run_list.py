"""Runs as a list with their state and the ways to go on from there."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from diet_explorer.drawing import words
from diet_explorer.drawing.plain import escape
from diet_explorer.scoring import catalogue
from diet_explorer.store.in_words import counted
from diet_explorer.store.runs import ACTIVE
from diet_explorer.training.config import RunConfig
from diet_explorer.ui.drawing.markup import bar
from diet_explorer.ui.shell.bin import draw_menu
from diet_explorer.ui.shell.picker import STATUS_WORDS, model_title, short_title
from diet_explorer.ui.shell.view import View
from diet_explorer.workspace.run import Run

_SYMBOLS = {"queued": "◷", "running": "▶", "interrupted": "◇", "succeeded": "✓", "failed": "✕", "cancelled": "◼"}


def status_words(run: Run) -> str:
    """A run's status with its symbol."""
    return f"{_SYMBOLS[run.status]} {STATUS_WORDS[run.status]}"


def draw_run_list(runs: Sequence[Run], *, key: str, with_dataset: bool = True, selected: str | None = None) -> None:
    """One line per run: what, state, what has landed, and links to its progress and its examples.

    Parameters
    ----------
    key : str
        Each line is the element ``<key>-<run id>``.
    with_dataset : bool
        Whether the dataset's name is part of the line.
    selected : str, optional
        Id of the run to mark.
    """
    for run in runs:
        with st.container(
            key=f"{key}-{run.id}",
            horizontal=with_dataset,
            wrap=not with_dataset,
            vertical_alignment="center",
            gap="xsmall",
        ):
            st.html(_line(run, with_dataset, run.id == selected), width="stretch")
            view = View(dataset=run.record.dataset_id, run=run.id)
            with st.container(horizontal=True, width="content" if with_dataset else "stretch", gap="xsmall"):
                st.page_link(
                    "pages/score.py", label="Progress", icon=":material/monitoring:", query_params=view.to_query()
                )
                st.page_link(
                    "pages/browse.py",
                    label="Browse",
                    icon=":material/format_list_numbered:",
                    query_params=view.to_query(),
                    disabled=not run.checkpoints(),
                )
                draw_menu(f"run:{run.id}", run.name, key=f"{key}-{run.id}")


def settings_words(run: Run) -> str:
    """A run's settings in one line."""
    config = run.config
    grand = {"all": "GraNd over all parameters", "head": "GraNd of the classifier", "off": "no GraNd"}[config.grand]
    trained = f"{model_title(config.model)} · {epochs_words(config)} · {counted(config.seeds, 'seed')}"
    if run.is_imported:
        return f"{trained} · outputs recorded by another program"
    return f"{trained} · batch {config.batch_size} · {grand}" + (
        f" · on a diet of {100 * config.diet:g} %" if config.diet < 1 else ""
    )


def epochs_words(config: RunConfig) -> str:
    """How long a run trains."""
    return f"{config.ends_at:g} epochs" if config.ends_at is not None else counted(config.epochs, "epoch")


def _line(run: Run, with_dataset: bool, selected: bool) -> str:
    name = f"<b>{escape(run.dataset.name)}</b> · " if with_dataset else ""
    landed = sum(len(points) for points in run.landed().values())
    planned = len(run.config.checkpoints) * run.config.seeds
    detail = [short_title(run), epochs_words(run.config), words.moment(run.record.created_at)]
    if run.status in ("failed", "interrupted") and run.error:
        detail.append(run.error)
    elif run.checkpoints():
        detail.append(f"scored {catalogue.checkpoint_title(run.checkpoints()[-1])}")
    meter = f'<span class="de-meter">{bar(landed / planned)}</span>' if run.status in ACTIVE else ""
    return (
        f'<div class="de-run{" de-selected" if selected else ""}"><p>{name}{escape(status_words(run))} {meter}</p>'
        f'<p class="de-quiet">{escape(" · ".join(detail))}</p></div>'
    )
