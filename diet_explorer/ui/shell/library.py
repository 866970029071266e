"""What the pages ask the library: one open workspace per process, and cached query results.

Scores never change once they have landed, so a result is cached under the run's id, the stamp of what
had landed, and the arguments.
"""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from diet_explorer.analysis.card import ExampleCard
from diet_explorer.analysis.filters import ExampleFilter
from diet_explorer.config import load_settings
from diet_explorer.scoring import catalogue
from diet_explorer.ui.shell.person import NOBODY, sign_in_is_on, signed_in_person
from diet_explorer.workspace.dataset import Dataset
from diet_explorer.workspace.run import Run
from diet_explorer.workspace.workspace import Workspace

_ENTRIES = 512


def workspace() -> Workspace:
    """The workspace that the settings name, opened once per process; it checks the role of whoever has signed in."""
    settings = load_settings()
    opened = _open(settings.home, settings.database_url, settings.jobs_url)
    return opened.acting_as(signed_in_person() or NOBODY) if sign_in_is_on() else opened


@st.cache_resource(show_spinner=False)
def _open(home: str, database_url: str | None, jobs_url: str | None) -> Workspace:
    return Workspace(home, database_url=database_url, jobs_url=jobs_url)


def stamp(run: Run) -> str:
    """Changes whenever scores land, a map is drawn or a decision is taken; a key for caches."""
    return f"{run.store.stamp()} {run.maps.stamp()} {run.dataset.ledger.position()}"


def ranked(
    run: Run, by: str, checkpoint: float, seed: int | None, where: ExampleFilter, limit: int, offset: int
) -> pd.DataFrame:
    """One page of ranked examples; see `Run.ranked`."""
    return _ranked(run, run.id, stamp(run), by, checkpoint, seed, where_key(where), where, limit, offset)


def count(run: Run, checkpoint: float, seed: int | None, where: ExampleFilter) -> int:
    """How many examples a filter keeps; see `Run.count`."""
    return _count(run, run.id, stamp(run), checkpoint, seed, where_key(where), where)


def histogram(run: Run, by: str, checkpoint: float, seed: int | None, where: ExampleFilter, bins: int) -> pd.DataFrame:
    """Counts of a score; see `Run.histogram`."""
    return _histogram(run, run.id, stamp(run), by, checkpoint, seed, where_key(where), where, bins)


def card(run: Run, row: int, checkpoint: float, seed: int | None) -> tuple[ExampleCard, dict[str, float]]:
    """One example and its percentiles; see `Run.card` and `Run.percentiles`."""
    return _card(run, run.id, run.store.stamp(), row, checkpoint, seed)


def score_names(run: Run, checkpoint: float | None = None, seed: int | None = None) -> list[str]:
    """Scores at a checkpoint, in the catalogue's order; empty before the first checkpoint has landed."""
    return _score_names(run, run.id, stamp(run), checkpoint, seed) if run.checkpoints(seed) else []


def agreement(run: Run, checkpoint: float) -> pd.DataFrame:
    """How far EL2N and the gradient norms agree at a checkpoint, over the seeds that have landed."""
    return _agreement(run, run.id, stamp(run), checkpoint)


def metadata_types(dataset: Dataset) -> dict[str, str]:
    """Further columns of a dataset and their Arrow types."""
    return {entry["name"]: entry["type"] for entry in dataset.manifest.columns if entry["role"] == "metadata"}


@st.cache_data(max_entries=_ENTRIES, show_spinner=False)
def _ranked(
    _run: Run,
    run_id: str,
    stamp: str,
    by: str,
    checkpoint: float,
    seed: int | None,
    where_key: str,
    _where: ExampleFilter,
    limit: int,
    offset: int,
) -> pd.DataFrame:
    return _run.ranked(by, checkpoint, seed=seed, where=_where, limit=limit, offset=offset)


@st.cache_data(max_entries=_ENTRIES, show_spinner=False)
def _count(
    _run: Run, run_id: str, stamp: str, checkpoint: float, seed: int | None, where_key: str, _where: ExampleFilter
) -> int:
    return _run.count(_where, checkpoint, seed=seed)


@st.cache_data(max_entries=_ENTRIES, show_spinner=False)
def _histogram(
    _run: Run,
    run_id: str,
    stamp: str,
    by: str,
    checkpoint: float,
    seed: int | None,
    where_key: str,
    _where: ExampleFilter,
    bins: int,
) -> pd.DataFrame:
    return _run.histogram(by, checkpoint, seed=seed, where=_where, bins=bins)


@st.cache_data(max_entries=_ENTRIES, show_spinner=False)
def _agreement(_run: Run, run_id: str, stamp: str, checkpoint: float) -> pd.DataFrame:
    return _run.dynamics.agreement(checkpoint, names=catalogue.PAPER_NAMES)


@st.cache_resource(max_entries=_ENTRIES, show_spinner=False)
def _card(
    _run: Run, run_id: str, stamp: str, row: int, checkpoint: float, seed: int | None
) -> tuple[ExampleCard, dict[str, float]]:
    return _run.card(row), _run.percentiles(row, checkpoint, seed=seed)


@st.cache_data(max_entries=_ENTRIES, show_spinner=False)
def _score_names(_run: Run, run_id: str, stamp: str, checkpoint: float | None, seed: int | None) -> list[str]:
    return _run.score_names(checkpoint, seed)


def where_key(where: ExampleFilter) -> str:
    """A filter as a key for caches."""
    query: dict[str, Any] = where.to_query()
    return repr(sorted(query.items()))
