"""The order of examples by a score, in buckets of ranks: any page and any rank is found without reading the rest.

A bucket holds the positions of 16,384 examples of consecutive ranks. They are stored ascending, as compressed gaps of
one to two bytes; who needs a bucket sorts it by the score. A table of the buckets says with which key each begins, and
how many of its examples are of each class and predicted otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from diet_explorer.data.example_order import ExampleOrder
from diet_explorer.scoring import catalogue
from diet_explorer.store.ranking_files import RankingFile

BUCKET = 16_384
MOST_CLASSES = 128  # beyond, counts by class would take more room than the order itself
_HALF = np.uint64(32)
_LOW = np.uint64(0xFFFFFFFF)
_SIGN = np.uint32(0x80000000)
_CODEC = "zstd"

Positions = NDArray[np.int32]
Keys = NDArray[np.uint64]
Mask = NDArray[np.bool_]


def sort_keys(values: NDArray[np.float32], ties: NDArray[np.integer], worst: str) -> Keys:
    """Numbers that ascend as examples are ranked: from the `worst` end of the values, ties by id, NaN last."""
    turned = (-values if worst == "high" else values) + np.float32(0)  # there is one zero only
    bits = turned.view(np.uint32)
    bits = np.where(bits & _SIGN, ~bits, bits | _SIGN)
    bits[np.isnan(turned)] = np.uint32(0xFFFFFFFF)
    return (bits.astype(np.uint64) << _HALF) | ties.astype(np.uint64)


def key_below(value: float, worst: str) -> np.uint64:
    """A key that no example of this value or one further on lies below, and every other one does."""
    return np.uint64(sort_keys(np.array([value], dtype=np.float32), np.zeros(1, dtype=np.int32), worst)[0])


def values_of(keys: Keys, worst: str) -> NDArray[np.float32]:
    """The values that keys were made of."""
    bits = (keys >> _HALF).astype(np.uint32)
    turned = np.where(bits & _SIGN, bits ^ _SIGN, ~bits).view(np.float32)
    return -turned if worst == "high" else turned


def orders_of(
    columns: Mapping[str, NDArray[np.generic]], names: list[str], order: ExampleOrder, classes: int
) -> pa.RecordBatch:
    """The orders by some scores: a line per bucket, ``score`` (position in `names`), ``split`` (code), ``count``,
    ``first`` (key of its first example), ``rows`` (packed positions) and, where there are not too many classes,
    ``cells`` (how many of each class are predicted as labelled and otherwise).

    `columns` have the scores, ``label`` and ``predicted`` of the examples that `order` is about.
    """
    by_tie = np.empty(int(order.tie.max(initial=-1)) + 1, dtype=np.int32)
    by_tie[order.tie] = np.arange(len(order), dtype=np.int32)
    cell_of = _cells(columns, classes) if classes <= MOST_CLASSES else None
    lines: dict[str, list[object]] = {name: [] for name in ("score", "split", "count", "first", "rows")}
    counts: list[NDArray[np.int64]] = []
    members = [np.flatnonzero(order.splits == code) for code in range(len(order.split_names))]
    for number, name in enumerate(names):
        values, worst = np.asarray(columns[name], dtype=np.float32), catalogue.score(name).worst
        for code, own in enumerate(members):
            whole = len(own) == len(order)
            keys = sort_keys(*((values, order.tie) if whole else (values[own], order.tie[own])), worst)
            keys.sort()
            for start in range(0, len(keys), BUCKET):
                part = keys[start : start + BUCKET]
                positions = np.sort(by_tie[part & _LOW])
                entry = (number, code, len(part), int(part[0]), _packed(positions))
                for column, value in zip(lines.values(), entry, strict=True):
                    column.append(value)
                if cell_of is not None:
                    counts.append(np.bincount(cell_of[positions], minlength=2 * classes))
    kinds = (pa.int16(), pa.int8(), pa.int32(), pa.uint64(), pa.large_binary())
    arrays = {name: pa.array(lines[name], kind) for name, kind in zip(lines, kinds, strict=True)}
    if cell_of is not None:
        flat = np.concatenate(counts).astype(np.uint16) if counts else np.empty(0, np.uint16)
        arrays["cells"] = pa.FixedSizeListArray.from_arrays(pa.array(flat), 2 * max(classes, 1))
    return pa.record_batch(arrays)


@dataclass(frozen=True, eq=False)
class RankOrder:
    """How one score orders the examples of each split; positions are those in the ranking, ranks count from 0 here.

    Attributes
    ----------
    name : str
    cells : int array or None
        For each bucket, how many examples are of a class and predicted as labelled (``2 · class``) or otherwise
        (``2 · class + 1``); None where they were not counted.
    splits, counts, firsts
        Of each bucket: its split's code, how many examples it has, the key of the first.
    """

    name: str
    splits: NDArray[np.int8]
    counts: NDArray[np.int32]
    firsts: Keys
    cells: NDArray[np.uint16] | None
    _packed: pa.Array
    _ranking: RankingFile
    _ties: NDArray[np.int32]

    @classmethod
    def of(cls, ranking: RankingFile, name: str, order: ExampleOrder) -> RankOrder:
        """The order by a score that a ranking has; found anew where the file of orders does not belong to the values.

        `order` is about the ranking's examples.
        """
        lines, number = ranking.orders, ranking.scores.index(name)
        if lines is None:
            columns = {column: ranking.column(column) for column in ("label", "predicted", name)}
            lines, number = orders_of(columns, [name], order, class_count(columns["label"])), 0
        start, stop = np.searchsorted(lines["score"].to_numpy(), [number, number + 1])
        part = lines.slice(start, stop - start)
        cells = None
        if "cells" in lines.schema.names:
            width = part["cells"].type.list_size
            cells = part["cells"].flatten().to_numpy().reshape(-1, width)
        splits, counts, firsts = (part[column].to_numpy() for column in ("split", "count", "first"))
        return cls(name, splits, counts, firsts, cells, part["rows"], ranking, order.tie)

    @cached_property
    def worst(self) -> str:
        """From which end the score is ranked, "high" or "low"."""
        return catalogue.score(self.name).worst

    @cached_property
    def starts(self) -> NDArray[np.int64]:
        """The rank of each bucket's first example in its split."""
        before = np.cumsum(self.counts) - self.counts
        firsts = np.searchsorted(self.splits, self.splits)
        return np.asarray(before - before[firsts], dtype=np.int64)

    def buckets(self, split: int) -> range:
        """Numbers of a split's buckets, highest ranks first."""
        return range(*np.searchsorted(self.splits, [split, split + 1]).tolist())

    def size(self, split: int) -> int:
        """How many examples a split has."""
        own = self.buckets(split)
        return int(self.counts[own.start : own.stop].sum())

    def keys(self, positions: NDArray[np.integer]) -> Keys:
        """The keys by which examples are ordered."""
        return sort_keys(self._ranking.at(self.name, positions), self._ties[positions], self.worst)

    def members(self, bucket: int) -> Positions:
        """Positions of a bucket's examples, ascending."""
        return _unpacked(self._packed[bucket].as_buffer(), int(self.counts[bucket]))

    def ordered(self, bucket: int) -> Positions:
        """Positions of a bucket's examples, highest-ranked first."""
        positions = self.members(bucket)
        keys = self.keys(positions)
        # sorting numbers is far quicker than sorting their places, which stand in for the ties at first
        placed = np.sort((keys & ~_LOW) | np.arange(len(keys), dtype=np.uint64))
        order = placed & _LOW
        level = np.diff(placed >> _HALF) == 0
        tied = np.flatnonzero(np.r_[level, False] | np.r_[False, level])
        if len(tied):
            order[tied] = order[tied][np.argsort(keys[order[tied]])]
        return np.asarray(positions[order])

    def part(self, split: int, start: int, stop: int) -> Positions:
        """Positions of the examples of some ranks."""
        parts = []
        for bucket in self.buckets(split):
            first, last = int(self.starts[bucket]), int(self.starts[bucket] + self.counts[bucket])
            if first < stop and start < last:
                parts.append(self.ordered(bucket)[max(start - first, 0) : stop - first])
        return np.concatenate(parts) if parts else np.empty(0, dtype=np.int32)

    def below(self, split: int, key: np.uint64) -> int:
        """How many examples of a split have a smaller key: the rank of one that has it."""
        own = self.buckets(split)
        bucket = own.start + int(np.searchsorted(self.firsts[own.start : own.stop], key, side="right")) - 1
        if bucket < own.start:
            return 0
        return int(self.starts[bucket]) + int(np.count_nonzero(self.keys(self.members(bucket)) < key))

    def kept(self, of: Mask) -> NDArray[np.int64]:
        """How many examples of each bucket are of some cells."""
        if self.cells is None:
            raise ValueError("examples were not counted by class")
        return np.asarray(self.cells[:, of].sum(1, dtype=np.int64))

    def cells_at(self, positions: NDArray[np.integer]) -> NDArray[np.int64]:
        """The cell of each example."""
        return 2 * self._ranking.at("label", positions).astype(np.int64) + self._ranking.at("disagree", positions)

    def bucket_of(self, split: int, rank: int) -> int:
        """The bucket of a rank, the last one for those beyond."""
        own = self.buckets(split)
        return own.start + int(np.searchsorted(self.starts[own.start : own.stop], rank, side="right")) - 1

    def ranks_at(self, positions: NDArray[np.integer], splits: NDArray[np.integer]) -> NDArray[np.int32]:
        """Ranks from 1 on of some examples, of which the codes of the splits are known."""
        keys, owners = self.keys(positions), np.empty(len(positions), dtype=np.int64)
        for split in np.unique(splits).tolist():
            own, here = self.buckets(split), splits == split
            firsts = self.firsts[own.start : own.stop]
            owners[here] = own.start + np.searchsorted(firsts, keys[here], side="right") - 1
        ranks = np.empty(len(positions), dtype=np.int32)
        for bucket in np.unique(owners).tolist():
            chosen = owners == bucket
            members = np.sort(self.keys(self.members(bucket)))
            ranks[chosen] = self.starts[bucket] + np.searchsorted(members, keys[chosen]) + 1
        return ranks

    def ranks(self) -> NDArray[np.int32]:
        """The rank of every example within its split, from 1 on."""
        ranks = np.empty(len(self._ranking), dtype=np.int32)
        for bucket, start in enumerate(self.starts.tolist()):
            ordered = self.ordered(bucket)
            ranks[ordered] = np.arange(start + 1, start + 1 + len(ordered), dtype=np.int32)
        return ranks

    def all_of(self, split: int) -> Iterator[Positions]:
        """Positions of a split's examples, highest-ranked first, bucket by bucket."""
        return (self.ordered(bucket) for bucket in self.buckets(split))


def class_count(labels: NDArray[np.integer]) -> int:
    """How many classes the codes of some labels can mean."""
    return int(labels.max()) + 1 if len(labels) else 0


def _cells(columns: Mapping[str, NDArray[np.generic]], classes: int) -> NDArray[np.int16]:
    label, predicted = np.asarray(columns["label"]), np.asarray(columns["predicted"])
    return np.asarray(2 * label.astype(np.int16) + (label != predicted), dtype=np.int16)


def _packed(positions: Positions) -> bytes:
    gaps = np.diff(positions, prepend=np.int32(0)).astype("<u4")
    planes = np.ascontiguousarray(gaps.view(np.uint8).reshape(-1, 4).T)  # high bytes together pack to almost nothing
    packed: bytes = pa.compress(planes, codec=_CODEC, asbytes=True)
    return packed


def _unpacked(packed: pa.Buffer, count: int) -> Positions:
    planes = np.frombuffer(pa.decompress(packed, 4 * count, codec=_CODEC), dtype=np.uint8).reshape(4, count)
    gaps = np.ascontiguousarray(planes.T).view("<u4").ravel()
    return np.cumsum(gaps, dtype=np.int32)
