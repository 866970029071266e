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
from diet_explorer.store.aside import AsideArray
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
    keys = _value_keys(values, worst).astype(np.uint64)
    keys <<= _HALF
    keys |= ties.astype(np.uint32)
    return keys


def _value_keys(values: NDArray[np.float32], worst: str) -> NDArray[np.uint32]:
    """The upper half of the keys, which the values alone decide."""
    turned = np.negative(values) if worst == "high" else values.copy()
    turned += np.float32(0)  # there is one zero only
    missing = np.flatnonzero(np.isnan(turned))
    bits = turned.view(np.uint32)
    flips = (turned.view(np.int32) >> 31).view(np.uint32)  # all bits of what is negative, the sign of the others
    flips |= _SIGN
    bits ^= flips
    bits[missing] = np.uint32(0xFFFFFFFF)
    return bits


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
    lines: dict[str, list[int]] = {name: [] for name in ("score", "split", "count", "first")}
    counts: list[NDArray[np.int64]] = []
    packed, ends = AsideArray(), [0]
    packed.add(np.empty(0, dtype=np.uint8))
    members = _Members(columns, order, classes)
    for number, name in enumerate(names):
        values, worst = np.asarray(columns[name], dtype=np.float32), catalogue.score(name).worst
        for code in range(len(order.split_names)):
            for bucket in members.buckets(code, values, worst):
                entry = (number, code, len(bucket.positions), bucket.first)
                for column, value in zip(lines.values(), entry, strict=True):
                    column.append(value)
                positions = np.frombuffer(_packed(bucket.positions), dtype=np.uint8)
                packed.add(positions)
                ends.append(ends[-1] + len(positions))
                if bucket.counts is not None:
                    counts.append(bucket.counts)
    kinds = (pa.int16(), pa.int8(), pa.int32(), pa.uint64())
    arrays = {name: pa.array(lines[name], kind) for name, kind in zip(lines, kinds, strict=True)}
    buffers = [None, pa.py_buffer(np.array(ends, dtype=np.int64)), pa.py_buffer(packed.array())]
    arrays["rows"] = pa.LargeBinaryArray.from_buffers(pa.large_binary(), len(ends) - 1, buffers)
    if members.are_counted:
        flat = np.concatenate(counts).astype(np.uint16) if counts else np.empty(0, np.uint16)
        arrays["cells"] = pa.FixedSizeListArray.from_arrays(pa.array(flat), 2 * max(classes, 1))
    return pa.record_batch(arrays)


@dataclass(frozen=True)
class _Bucket:
    positions: Positions  # ascending
    first: int  # key of the first example
    counts: NDArray[np.int64] | None  # of each cell


class _Members:
    """The examples of each split, put into buckets by one score after another.

    What is sorted are numbers of a value and a position, in which the example's cell has its place too where there is
    room: nothing is looked up in arrays of all examples afterwards, which would cost more than the sorting. So examples
    of equal values come by position at first; those on both sides of a bucket's end are put in order by their ties.
    """

    def __init__(self, columns: Mapping[str, NDArray[np.generic]], order: ExampleOrder, classes: int) -> None:
        self.are_counted = classes <= MOST_CLASSES
        self._ties, self._cell_number = order.tie, 2 * classes
        self._own = [
            None if len(order.split_names) == 1 else np.flatnonzero(order.splits == code).astype(np.int32)
            for code in range(len(order.split_names))
        ]
        self._lows = np.arange(len(order), dtype=np.uint32)
        self._cells = _cells(columns, classes) if self.are_counted else None
        width = max(self._cell_number - 1, 0).bit_length()
        self._width = width if self.are_counted and len(order).bit_length() + width <= 32 else 0
        if self._width and self._cells is not None:
            self._lows <<= np.uint32(self._width)
            self._lows |= self._cells.view(np.uint16)
            self._cells = None

    def buckets(self, code: int, values: NDArray[np.float32], worst: str) -> Iterator[_Bucket]:
        """The buckets of a split by a score, highest ranks first."""
        own = self._own[code]
        keys = _value_keys(values if own is None else values[own], worst).astype(np.uint64)
        keys <<= _HALF
        keys |= self._lows if own is None else self._lows[own]
        keys.sort()
        self._settle(keys)
        for start in range(0, len(keys), BUCKET):
            part = keys[start : start + BUCKET]
            level = part[: np.searchsorted(part, part[0] | _LOW, side="right")]
            first = int(part[0] & ~_LOW) | int(self._ties[self._positions(level)].min())
            lows = np.sort((part & _LOW).astype(np.uint32))
            positions = (lows >> np.uint32(self._width)).view(np.int32)
            yield _Bucket(positions, first, self._counted(lows, positions))

    def _positions(self, keys: Keys) -> NDArray[np.int64]:
        return ((keys & _LOW) >> np.uint64(self._width)).astype(np.int64)

    def _counted(self, lows: NDArray[np.uint32], positions: Positions) -> NDArray[np.int64] | None:
        if not self.are_counted:
            return None
        cells = lows & np.uint32((1 << self._width) - 1) if self._cells is None else self._cells[positions]
        return np.bincount(cells, minlength=self._cell_number)

    def _settle(self, keys: Keys) -> None:
        """Order by their ties the examples of equal values that lie on both sides of a bucket's end."""
        settled = 0
        for end in range(BUCKET, len(keys), BUCKET):
            value = keys[end] & ~_LOW
            if end < settled or keys[end - 1] & ~_LOW != value:
                continue
            start, settled = np.searchsorted(keys, value), int(np.searchsorted(keys, value | _LOW, side="right"))
            level = keys[start:settled]
            by_tie = self._ties[self._positions(level)].astype(np.uint64)
            by_tie <<= _HALF
            by_tie |= level & _LOW
            by_tie.sort()
            by_tie &= _LOW
            np.bitwise_or(by_tie, value, out=level)


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
