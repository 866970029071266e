"""What a filter keeps of a ranking, in the order of a score: how many, any part of them, a place, a histogram.

Filters by split, class, disagreement, ranges of the score itself and what is not decided yet are answered from the
order's buckets; the time that takes does not grow with the number of examples. For any other filter every example is
looked at once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from typing import TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from diet_explorer.analysis.conditions import score_ends
from diet_explorer.analysis.filters import ExampleFilter
from diet_explorer.analysis.matching import Mask, RankingColumns
from diet_explorer.analysis.parts import check_part, part_of_order
from diet_explorer.scoring import catalogue
from diet_explorer.scoring.rank_order import RankOrder, key_below, values_of

Positions = NDArray[np.integer]
T = TypeVar("T", bound=np.generic)
_NONE = np.empty(0, dtype=np.int64)
_FEW = 65_536
_SAMPLE = 8_192
_BLOCK = 262_144
_SLACK = 0.01  # of all ranks: so much earlier a part is looked for than a sample says


class Listing(ABC):
    """The examples that a filter keeps, highest-ranked by one score first. Made by `listing`."""

    @property
    @abstractmethod
    def size(self) -> int:
        """How many they are."""

    @abstractmethod
    def _part(self, start: int, stop: int) -> Positions: ...
    @abstractmethod
    def place(self, position: int) -> int | None:
        """Where an example, given by its position in the ranking, stands in the list, from 0 on; None if it is not."""

    @abstractmethod
    def _counts(self, bins: int) -> tuple[float, float, NDArray[np.int64]]: ...

    def part(self, offset: int, limit: int | None) -> Positions:
        """Positions in the ranking of a part of the list; a limit of None takes all the rest."""
        check_part(offset, limit)
        stop = self.size if limit is None else min(offset + limit, self.size)
        return self._part(offset, stop) if offset < stop else np.empty(0, dtype=np.int64)

    def histogram(self, bins: int) -> pd.DataFrame:
        """Counts of the score in equal-width bins over the range it takes: ``left, right, count``."""
        if not self.size:
            return pd.DataFrame({"left": [], "right": [], "count": []})
        low, width, counts = self._counts(bins)
        frame = pd.DataFrame({"left": low + width * np.arange(bins)})
        frame["right"] = frame["left"] + width
        frame["count"] = counts
        return frame


def listing(columns: RankingColumns, by: str, where: ExampleFilter) -> Listing:
    """What a filter keeps, by a score."""
    ranges = [entry for entry in where.scores if entry.name == by]
    others = tuple(entry for entry in where.scores if entry.name != by)
    rest = replace(where, labels=(), disagree=None, scores=others, decided=())
    gone = columns.in_none_of(where.decided) if where.decided else _NONE
    if len(where.splits) == 1 and rest == ExampleFilter(splits=where.splits) and gone is not None and len(gone) <= _FEW:
        order = columns.ranked(by)
        names = columns.order.split_names
        split = names.index(where.splits[0]) if where.splits[0] in names else -1
        cells = _cells(columns, order, where)
        if not isinstance(cells, str):
            return _Indexed(columns, order, split, cells, [(entry.low, entry.high) for entry in ranges], gone)
    return _Scanned(columns, by, where)


def count(columns: RankingColumns, where: ExampleFilter) -> int:
    """How many examples a filter keeps."""
    known = [entry.name for entry in where.scores] + columns.score_names
    return listing(columns, known[0], where).size if known else int(np.count_nonzero(where.keeps(columns)))


def bins_of(values: NDArray[np.floating], low: float, width: float, bins: int) -> NDArray[np.int64]:
    """The bin of each value, of equal ones from `low` on."""
    return np.asarray(np.clip((values - low) / width, 0, bins - 1), dtype=np.int64)


def _cells(columns: RankingColumns, order: RankOrder, where: ExampleFilter) -> Mask | str | None:
    """Which cells of the order a filter keeps, None for all; "unknown" where examples were not counted by class."""
    if not where.labels and where.disagree is None:
        return None
    if order.cells is None:
        return "unknown"
    kept = np.ones((order.cells.shape[1] // 2, 2), dtype=bool)
    if where.labels:
        codes = [columns.class_code(name) for name in where.labels]
        kept[:] = np.isin(np.arange(len(kept)), codes)[:, None]
    if where.disagree is not None:
        kept[:, int(not where.disagree)] = False
    return kept.ravel()


class _Indexed(Listing):
    """By the order's buckets alone: a window of ranks of one split, of which some cells are kept, without those of some
    few positions, ascending."""

    def __init__(
        self,
        columns: RankingColumns,
        order: RankOrder,
        split: int,
        cells: Mask | None,
        ranges: list[tuple[float | None, float | None]],
        gone: Positions,
    ) -> None:
        self._columns, self._order, self._split, self._cells = columns, order, split, cells
        self._gone = gone[columns.order.splits[gone] == split]
        self._all = cells is None and not len(self._gone)
        self._start, self._stop = 0, order.size(split)
        for low, high in (score_ends(*entry) for entry in ranges):
            ends = (high, low) if order.worst == "high" else (low, high)
            if ends[0] is not None:
                self._start = max(self._start, order.below(split, key_below(float(ends[0]), order.worst)))
            if ends[1] is not None:
                beyond = np.nextafter(ends[1], np.float32(-np.inf if order.worst == "high" else np.inf))
                self._stop = min(self._stop, order.below(split, key_below(float(beyond), order.worst)))
        self._stop = max(self._start, self._stop)

    @cached_property
    def size(self) -> int:
        return self._before(self._stop) - self._before(self._start)

    def place(self, position: int) -> int | None:
        here = np.array([position])
        if self._columns.order.splits[position] != self._split or not self._keeps(here)[0]:
            return None
        rank = self._order.below(self._split, self._order.keys(here)[0])
        return self._before(rank) - self._before(self._start) if self._start <= rank < self._stop else None

    def _keeps(self, positions: Positions) -> Mask:
        kept = self._of_cells(positions)
        if len(self._gone):
            nearest = self._gone[np.minimum(np.searchsorted(self._gone, positions), len(self._gone) - 1)]
            kept &= nearest != positions
        return kept

    def _of_cells(self, positions: Positions) -> Mask:
        if self._cells is None:
            return np.ones(len(positions), dtype=bool)
        return np.asarray(self._cells[self._order.cells_at(positions)])

    @cached_property
    def _kept(self) -> NDArray[np.int64]:
        """How many of each bucket's examples are kept."""
        kept = self._order.counts.astype(np.int64) if self._cells is None else self._order.kept(self._cells)
        gone = self._gone[self._of_cells(self._gone)]
        if len(gone):
            own = self._order.buckets(self._split)
            owners = np.searchsorted(self._order.firsts[own.start : own.stop], self._order.keys(gone), side="right") - 1
            kept[own.start : own.stop] -= np.bincount(owners, minlength=len(own))
        return kept

    def _before(self, rank: int) -> int:
        """How many of those that are kept are ranked before a rank."""
        if self._all:
            return rank
        own = self._order.buckets(self._split)
        if not len(own):
            return 0
        bucket = self._order.bucket_of(self._split, rank)
        inside = rank - int(self._order.starts[bucket])
        whole = int(self._kept[own.start : bucket].sum())
        if inside >= self._order.counts[bucket]:
            return whole + int(self._kept[bucket])
        return whole + int(np.count_nonzero(self._keeps(self._order.ordered(bucket)[:inside])))

    def _inside(self, bucket: int) -> Positions:
        """Positions of what is kept of a bucket, highest-ranked first."""
        first = int(self._order.starts[bucket])
        positions = self._order.ordered(bucket)[max(self._start - first, 0) : max(self._stop - first, 0)]
        return positions[self._keeps(positions)]

    def _part(self, start: int, stop: int) -> Positions:
        own, skipped = self._order.buckets(self._split), self._before(self._start)
        ends = np.cumsum(self._kept[own.start : own.stop]) - skipped
        first = int(np.searchsorted(ends, start, side="right"))
        last = int(np.searchsorted(ends, stop, side="left"))
        buckets = range(own.start + first, own.start + min(last, len(own) - 1) + 1)
        positions = np.concatenate([self._inside(bucket) for bucket in buckets])
        before = max(int(ends[first - 1]) if first else -skipped, 0)
        return positions[start - before : stop - before]

    def _counts(self, bins: int) -> tuple[float, float, NDArray[np.int64]]:
        values = self._columns.values_at(self._order.name, self._part_ends()).astype(np.float64)
        low, high = float(values.min()), float(values.max())
        width = (high - low) / bins or 1.0
        own = self._order.buckets(self._split)
        first, last = (self._order.bucket_of(self._split, rank) for rank in (self._start, self._stop - 1))
        firsts = values_of(self._order.firsts[own.start : own.stop], self._order.worst).astype(np.float64)
        begin = bins_of(firsts, low, width, bins)
        counts = np.zeros(bins, dtype=np.int64)
        for bucket in range(first, last + 1):
            within = first < bucket < last and begin[bucket - own.start] == begin[bucket + 1 - own.start]
            if within:
                counts[begin[bucket - own.start]] += self._kept[bucket]
            else:
                inside = self._columns.values_at(self._order.name, self._inside(bucket)).astype(np.float64)
                counts += np.bincount(bins_of(inside, low, width, bins), minlength=bins)
        return low, width, counts

    def _part_ends(self) -> Positions:
        return np.concatenate([self._part(0, 1), self._part(self.size - 1, self.size)])


class _Scanned(Listing):
    """By looking at every example once."""

    def __init__(self, columns: RankingColumns, by: str, where: ExampleFilter) -> None:
        self._columns, self._by = columns, by
        columns.score(by)  # which may not be there
        self._mask = where.keeps(columns)
        names = columns.order.split_names
        one = len(where.splits) == 1 and where.splits[0] in names
        self._split = names.index(where.splits[0]) if one else None
        self._ranked = len(where.splits) == 1

    @cached_property
    def size(self) -> int:
        return int(np.count_nonzero(self._mask))

    @cached_property
    def _order(self) -> RankOrder:
        return self._columns.ranked(self._by)

    @cached_property
    def _turned(self) -> NDArray[np.float32]:
        """What the order over several splits ascends by; ties go by row."""
        values = self._columns.score(self._by)
        return -values if catalogue.score(self._by).worst == "high" else values

    def place(self, position: int) -> int | None:
        if not self._mask[position]:
            return None
        if self._ranked:
            return self._before(position)
        values = self._turned
        before, level = self._mask & (values < values[position]), self._mask & (values == values[position])
        return int(np.count_nonzero(before) + np.count_nonzero(level[:position]))

    def _part(self, start: int, stop: int) -> Positions:
        if not self._ranked:
            return part_of_order(self._turned, self._mask, start, stop - start)
        if self.size <= _FEW:
            few = np.flatnonzero(self._mask)
            return few[np.argsort(self._order.keys(few))[start:stop]]
        before, buckets = self._from(start)
        parts, left = [], stop - before
        for bucket in buckets:
            positions = self._order.ordered(bucket)
            positions = positions[self._mask[positions]]
            parts.append(positions)
            left -= len(positions)
            if left <= 0:
                break
        return np.concatenate(parts)[start - before : stop - before]

    def _from(self, start: int) -> tuple[int, Iterator[int]]:
        """Buckets from one on that the part begins in or after, and how many kept examples come before it.

        A sample shows about where the part begins; then it is counted.
        """
        own = self._order.buckets(self._split or 0)
        step = max(1, len(self._mask) // _SAMPLE)
        sampled = np.arange(0, len(self._mask), step)
        keys = np.sort(self._order.keys(sampled[self._mask[sampled]]))
        guess = int((start / self.size - _SLACK) * len(keys))
        if guess <= 0:
            return 0, iter(own)
        firsts = self._order.firsts[own.start : own.stop]
        bucket = own.start + int(np.searchsorted(firsts, keys[guess], side="right")) - 1
        before = self._before(int(self._order.ordered(bucket)[0]))
        while before > start:
            bucket -= 1
            before -= int(np.count_nonzero(self._mask[self._order.members(bucket)]))
        return before, iter(range(bucket, own.stop))

    def _before(self, position: int) -> int:
        """How many kept examples are ranked before one."""
        values, ties = self._columns.score(self._by), self._columns.order.tie
        value, high = values[position], catalogue.score(self._by).worst == "high"
        total = 0
        for start in range(0, len(values), _BLOCK):
            part, mask = values[start : start + _BLOCK], self._mask[start : start + _BLOCK]
            total += int(np.count_nonzero((part > value if high else part < value) & mask))
            level = np.flatnonzero((part == value) & mask)
            total += int(np.count_nonzero(ties[start + level] < ties[position]))
        return total

    def _counts(self, bins: int) -> tuple[float, float, NDArray[np.int64]]:
        values = self._columns.score(self._by)[self._mask]
        low, high = float(values.min()), float(values.max())
        width = (high - low) / bins or 1.0
        counts = np.zeros(bins, dtype=np.int64)
        for start in range(0, len(values), _BLOCK):  # in blocks: they stay in the processor's cache
            block = values[start : start + _BLOCK].astype(np.float64)
            counts += np.bincount(bins_of(block, low, width, bins), minlength=bins)
        return low, width, counts
