"""What several pages ask about a run; `asking` says how long the answers are kept."""

from __future__ import annotations

import pandas as pd

from diet_explorer.analysis.card import ExampleCard
from diet_explorer.analysis.filters import ExampleFilter
from diet_explorer.analysis.region import Box
from diet_explorer.analysis.statistics import CheckpointStatistics
from diet_explorer.ui.shell.asking import asked, landed
from diet_explorer.workspace.run import Run

_MAPS = 16  # a map's points take some megabytes
_EXTENT_BINS = (80, 60)


@asked()
def ranked(
    run: Run, by: str, checkpoint: float, seed: int | None, where: ExampleFilter, limit: int, offset: int
) -> pd.DataFrame:
    """One page of ranked examples; see `Run.ranked`."""
    return run.ranked(by, checkpoint, seed=seed, where=where, limit=limit, offset=offset)


@asked()
def count(run: Run, checkpoint: float, seed: int | None, where: ExampleFilter) -> int:
    """How many examples a filter keeps; see `Run.count`."""
    return run.count(where, checkpoint, seed=seed)


@asked()
def histogram(run: Run, by: str, checkpoint: float, seed: int | None, where: ExampleFilter, bins: int) -> pd.DataFrame:
    """Counts of a score; see `Run.histogram`."""
    return run.histogram(by, checkpoint, seed=seed, where=where, bins=bins)


@asked(landed, shared=True)
def card(run: Run, row: int, checkpoint: float, seed: int | None) -> tuple[ExampleCard, dict[str, float]]:
    """One example and its percentiles; see `Run.card` and `Run.percentiles`."""
    return run.card(row), run.percentiles(row, checkpoint, seed=seed)


@asked()
def score_names(run: Run, checkpoint: float, seed: int | None = None) -> list[str]:
    """Scores at a checkpoint, in the catalogue's order."""
    return run.score_names(checkpoint, seed)


@asked(landed, entries=256, shared=True)
def statistics(run: Run, checkpoint: float, seed: int | None) -> CheckpointStatistics:
    """See `Run.dynamics.statistics`."""
    return run.dynamics.statistics(checkpoint, seed)


@asked(entries=_MAPS)
def points(
    run: Run,
    checkpoint: float,
    seed: int | None,
    x: str,
    y: str,
    columns: tuple[str, ...],
    where: ExampleFilter,
    limit: int,
    box: Box | None,
) -> pd.DataFrame:
    """See `Ranking.points`."""
    return run.ranking(checkpoint, seed).points(x, y, columns, where, limit, box)


@asked(entries=_MAPS)
def density(
    run: Run,
    checkpoint: float,
    seed: int | None,
    x: str,
    y: str,
    where: ExampleFilter,
    bins: tuple[int, int],
    box: Box | None,
) -> pd.DataFrame:
    """See `Ranking.density`."""
    return run.ranking(checkpoint, seed).density(x, y, where, bins, box)


def extent(run: Run, checkpoint: float, seed: int | None, x: str, y: str) -> Box:
    """Least and greatest x, least and greatest y of all examples of all splits."""
    cells = density(run, checkpoint, seed, x, y, ExampleFilter(splits=()), _EXTENT_BINS, None)
    ends: list[float] = []
    for name, number in zip(("x", "y"), _EXTENT_BINS, strict=True):
        low, high = float(cells[name].min()), float(cells[name].max())
        half = (high - low) / (number - 1) / 2
        ends += [low - half, high + half]
    return ends[0], ends[1], ends[2], ends[3]
