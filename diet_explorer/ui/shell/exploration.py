"""What the pages that explore a run ask the library, cached like the queries in `library`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
import streamlit as st

from diet_explorer.analysis.comparison import ComparisonSummary
from diet_explorer.analysis.filters import ExampleFilter
from diet_explorer.analysis.ranking import Ranking
from diet_explorer.analysis.stability import ScoreWarning
from diet_explorer.analysis.statistics import CheckpointStatistics
from diet_explorer.ui.shell.library import stamp, where_key
from diet_explorer.ui.shell.view import Box
from diet_explorer.workspace.run import Run

_ENTRIES = 256
_MAPS = 16  # a map's points take some megabytes
_EXTENT_BINS = (80, 60)


@dataclass(frozen=True)
class Ranked:
    """One ranking: a run at a checkpoint, of one seed or of the mean over seeds."""

    run: Run
    checkpoint: float
    seed: int | None

    @property
    def key(self) -> tuple[object, ...]:
        """What results are cached under."""
        return self.run.id, stamp(self.run), self.checkpoint, self.seed

    def ranking(self) -> Ranking:
        """The ranking itself."""
        return self.run.ranking(self.checkpoint, self.seed)


@dataclass(frozen=True)
class Pair:
    """A score in two runs of one dataset, each at a checkpoint of its own."""

    run: Run
    other: Run
    score: str
    checkpoint: float
    other_checkpoint: float
    seed: int | None

    @property
    def key(self) -> tuple[object, ...]:
        """What results are cached under."""
        runs = (self.run.id, stamp(self.run), self.other.id, stamp(self.other))
        return *runs, self.score, self.checkpoint, self.other_checkpoint, self.seed


def compared(pair: Pair, where: ExampleFilter, limit: int | None, offset: int) -> pd.DataFrame:
    """See `Run.dynamics.compare`."""
    return _compared(pair, pair.key, where_key(where), where, limit, offset)


def comparison_summary(pair: Pair) -> ComparisonSummary:
    """See `Run.dynamics.compare_summary`."""
    return _comparison_summary(pair, pair.key)


def statistics(run: Run, checkpoint: float, seed: int | None) -> CheckpointStatistics:
    """See `Run.dynamics.statistics`."""
    return _statistics(run, run.id, run.store.stamp(), checkpoint, seed)


def warnings(run: Run, checkpoint: float, seed: int | None, score: str) -> list[ScoreWarning]:
    """See `Run.dynamics.warnings`."""
    return _warnings(run, run.id, run.store.stamp(), checkpoint, seed, score)


def stability(run: Run, score: str, seed: int | None) -> pd.DataFrame:
    """See `Run.dynamics.stability`."""
    return _stability(run, run.id, run.store.stamp(), score, seed)


def neighbours(run: Run, row: int) -> pd.DataFrame:
    """Nearest examples of one, nearest first; empty where they are not known. See `Run.maps.neighbours`."""
    return run.maps.neighbours(row)


def points(
    selection: Ranked, x: str, y: str, columns: Sequence[str], where: ExampleFilter, limit: int, box: Box | None
) -> pd.DataFrame:
    """See `Ranking.points`."""
    return _points(selection, selection.key, x, y, tuple(columns), where_key(where), where, limit, box)


def density(
    selection: Ranked, x: str, y: str, where: ExampleFilter, bins: tuple[int, int], box: Box | None
) -> pd.DataFrame:
    """See `Ranking.density`."""
    return _density(selection, selection.key, x, y, where_key(where), where, bins, box)


def extent(selection: Ranked, x: str, y: str) -> Box:
    """Least and greatest x, least and greatest y of all examples of all splits."""
    cells = density(selection, x, y, ExampleFilter(splits=()), _EXTENT_BINS, None)
    ends: list[float] = []
    for name, number in zip(("x", "y"), _EXTENT_BINS, strict=True):
        low, high = float(cells[name].min()), float(cells[name].max())
        half = (high - low) / (number - 1) / 2
        ends += [low - half, high + half]
    return ends[0], ends[1], ends[2], ends[3]


@st.cache_resource(max_entries=_ENTRIES, show_spinner=False)
def _statistics(_run: Run, run_id: str, stamp: str, checkpoint: float, seed: int | None) -> CheckpointStatistics:
    return _run.dynamics.statistics(checkpoint, seed)


@st.cache_data(max_entries=_ENTRIES, show_spinner=False)
def _warnings(
    _run: Run, run_id: str, stamp: str, checkpoint: float, seed: int | None, score: str
) -> list[ScoreWarning]:
    return _run.dynamics.warnings(checkpoint, seed, score)


@st.cache_data(max_entries=_ENTRIES, show_spinner=False)
def _stability(_run: Run, run_id: str, stamp: str, score: str, seed: int | None) -> pd.DataFrame:
    return _run.dynamics.stability(score, seed)


@st.cache_data(max_entries=_MAPS, show_spinner=False)
def _points(
    _selection: Ranked,
    key: tuple[object, ...],
    x: str,
    y: str,
    columns: tuple[str, ...],
    where_text: str,
    _where: ExampleFilter,
    limit: int,
    box: Box | None,
) -> pd.DataFrame:
    return _selection.ranking().points(x, y, columns, _where, limit, box)


@st.cache_data(max_entries=_MAPS, show_spinner=False)
def _density(
    _selection: Ranked,
    key: tuple[object, ...],
    x: str,
    y: str,
    where_text: str,
    _where: ExampleFilter,
    bins: tuple[int, int],
    box: Box | None,
) -> pd.DataFrame:
    return _selection.ranking().density(x, y, _where, bins, box)


@st.cache_data(max_entries=_MAPS, show_spinner=False)
def _compared(
    _pair: Pair, key: tuple[object, ...], where_text: str, _where: ExampleFilter, limit: int | None, offset: int
) -> pd.DataFrame:
    return _pair.run.dynamics.compare(
        _pair.other,
        _pair.score,
        _pair.checkpoint,
        other_checkpoint=_pair.other_checkpoint,
        seed=_pair.seed,
        where=_where,
        limit=limit,
        offset=offset,
    )


@st.cache_data(max_entries=_ENTRIES, show_spinner=False)
def _comparison_summary(_pair: Pair, key: tuple[object, ...]) -> ComparisonSummary:
    return _pair.run.dynamics.compare_summary(
        _pair.other, _pair.score, _pair.checkpoint, other_checkpoint=_pair.other_checkpoint, seed=_pair.seed
    )
