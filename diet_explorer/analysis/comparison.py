"""Two runs of one dataset, such as another model's or another seed's: which examples moved in the ranking."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from diet_explorer.analysis.filters import ExampleFilter
from diet_explorer.analysis.parts import part_of_order
from diet_explorer.analysis.ranking import Ranking
from diet_explorer.data.splits import TRAIN
from diet_explorer.scoring.statistics import SHARES, TrainOrder, agreement


@dataclass(frozen=True)
class ComparisonSummary:
    """How far two rankings agree."""

    examples: int  # training examples that both have
    spearman: float | None  # rank correlation in [-1, 1]; None where a score is constant
    overlap: dict[float, float]  # share of the highest-ranked, such as 0.01, to how much of them is the same, in [0, 1]


class Comparison:
    """A score in two rankings of the same dataset, "here" and "there"."""

    def __init__(self, here: Ranking, there: Ranking, by: str) -> None:
        self._here, self._there, self._by = here, there, by

    def page(self, where: ExampleFilter, limit: int | None, offset: int = 0) -> pd.DataFrame:
        """Examples that the filter keeps here and both rankings have, those that moved most first.

        Returns
        -------
        pandas.DataFrame
            ``row, id, text, [text_pair,] label, split``, the score ``here`` and ``there``, ``percentile_here`` and
            ``percentile_there`` (share of the split, in percent, that is less suspicious), and ``moved``, the second
            minus the first: above 0 the example is more suspicious there.
        """
        mine, theirs = self._positions
        kept = where.keeps(self._here.columns)[mine]
        mine, theirs = mine[kept], theirs[kept]
        before, after = self._percentiles[0][mine], self._percentiles[1][theirs]
        moved = after - before
        chosen = part_of_order(-np.abs(moved), np.ones(len(moved), dtype=bool), offset, limit)
        frame = self._here.details(mine[chosen], ["id", "text", *self._here.columns.pair, "label", "split"])
        frame["here"] = self._here.columns.score(self._by)[mine[chosen]]
        frame["there"] = self._there.columns.score(self._by)[theirs[chosen]]
        frame["percentile_here"], frame["percentile_there"] = before[chosen], after[chosen]
        return frame.assign(moved=moved[chosen])

    def summary(self) -> ComparisonSummary:
        """Agreement over the training examples that both have."""
        mine, theirs = self._positions
        train = self._here.columns.order.in_split(TRAIN)[mine]
        orders = []
        for ranking, positions in ((self._here, mine[train]), (self._there, theirs[train])):
            ranks = np.empty(len(positions), dtype=np.int32)
            ranks[np.argsort(ranking.columns.ranks(self._by)[positions])] = np.arange(1, len(positions) + 1)
            orders.append(TrainOrder.of(ranking.columns.score(self._by)[positions], ranks))
        spearman, *overlaps = agreement(*orders)
        shares = {share: overlap for share, overlap in zip(SHARES, overlaps, strict=True) if overlap is not None}
        return ComparisonSummary(int(np.count_nonzero(train)), spearman, shares)

    @cached_property
    def _positions(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Where the examples that both have stand in each."""
        mine, theirs = self._here.columns.examples, self._there.columns.examples
        if len(mine) == len(theirs) and np.array_equal(mine, theirs):
            every = np.arange(len(mine))
            return every, every
        _, positions, others = np.intersect1d(mine, theirs, assume_unique=True, return_indices=True)
        return positions, others

    @cached_property
    def _percentiles(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        return self._here.columns.percentiles(self._by), self._there.columns.percentiles(self._by)
