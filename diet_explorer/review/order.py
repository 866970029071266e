"""What is to be reviewed, in its order, and how far that is, kept up to date by what has changed alone."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from weakref import WeakValueDictionary

import numpy as np
from numpy.typing import NDArray

from diet_explorer.review.replay import NONE, Replay
from diet_explorer.review.rules import ReviewRules

_CHUNK = 4_096
_DECIDED, _MINE, _CLOSED = (np.uint8(1 << bit) for bit in range(3))
_FLAGS = (_DECIDED, _MINE, _CLOSED)


@dataclass(frozen=True, eq=False)
class SharedOrder:
    """An order of rows, which all who review it in this process share.

    Attributes
    ----------
    rows : int32 array
        What to review first in front.
    drawn : int32 array
        The same in a random order.
    positions : int32 array
        Where each row of the dataset stands in `rows`; -1 for those that are not in it.
    """

    rows: NDArray[np.int32]
    drawn: NDArray[np.int32]
    positions: NDArray[np.int32]


_orders: WeakValueDictionary[tuple[str, int, bytes], SharedOrder] = WeakValueDictionary()
_lock = threading.Lock()


def shared_order(dataset_id: str, total: int, order: NDArray[np.integer]) -> SharedOrder:
    """An order of some of a dataset's `total` rows; the same object as long as somebody has it."""
    rows = np.ascontiguousarray(order, dtype=np.int32)
    key = (dataset_id, total, hashlib.sha256(rows.data).digest())
    with _lock:
        known = _orders.get(key)
        if known is None:
            # the same for everybody, so that two people draw on one random sample
            drawn = np.random.default_rng(list(dataset_id.encode())).permutation(len(rows))
            positions = np.full(total, NONE, dtype=np.int32)
            positions[rows] = np.arange(len(rows), dtype=np.int32)
            known = _orders[key] = SharedOrder(rows, rows[drawn], positions)
        return known


class Seen:
    """What an annotator's queue knows of the decisions about its rows; `follow` looks at those that changed alone.

    Attributes
    ----------
    totals : int array
        Rows of the order that are decided, that the annotator has decided about, that are not open to them.
    """

    def __init__(self, order: SharedOrder, annotator: str) -> None:
        self._order = order
        self._annotator = annotator
        self._begin(None)

    def _begin(self, replay: Replay | None) -> None:
        self._replay = replay
        self._rules = ReviewRules() if replay is None else replay.rules
        self._followed = 0
        self._flags: NDArray[np.uint8] = np.zeros(len(self._order.positions), dtype=np.uint8)
        self.totals: NDArray[np.int64] = np.zeros(len(_FLAGS), dtype=np.int64)
        self._starts = {False: 0, True: 0}  # before these places no row is open
        self._first = 0  # before this place every row is decided

    def follow(self, replay: Replay) -> None:
        """Look at what has changed since; the replay's lock is held."""
        if self._replay is not replay or self._rules != replay.rules:
            self._begin(replay)
        changes = replay.changes.values
        if self._followed == len(changes):
            return
        rows = np.unique(changes[self._followed :])
        self._followed = len(changes)
        rows = rows[self._order.positions[rows] != NONE]
        flags = self._flags_of(replay, rows)
        before = self._flags[rows]
        self._flags[rows] = flags
        for bit, flag in enumerate(_FLAGS):
            self.totals[bit] += int(np.count_nonzero(flags & flag)) - int(np.count_nonzero(before & flag))
        reopened = rows[(before & ~flags & (_DECIDED | _CLOSED)) != 0]
        if len(reopened):
            self._starts = {False: min(self._starts[False], int(self._order.positions[reopened].min())), True: 0}
            self._first = min(self._first, self._starts[False])

    def is_open(self, row: int) -> bool:
        """Whether a row still wants a decision of the annotator."""
        return not self._flags[row] & _CLOSED

    def open_rows(self, random: bool) -> Iterator[int]:
        """Open rows in their order, or in the random one."""
        order = self._order.drawn if random else self._order.rows
        for start in range(self._starts[random], len(order), _CHUNK):
            part = order[start : start + _CHUNK]
            part = part[(self._flags[part] & _CLOSED) == 0]
            if not len(part) and start == self._starts[random]:
                self._starts[random] = start + _CHUNK
            yield from part.tolist()

    def first_undecided(self) -> int:
        """Where the first row stands that nobody has decided about; the order's length without one."""
        rows = self._order.rows
        while self._first < len(rows):
            undecided = (self._flags[rows[self._first : self._first + _CHUNK]] & _DECIDED) == 0
            if undecided.any():
                self._first += int(undecided.argmax())
                break
            self._first += _CHUNK
        return int(min(self._first, len(rows)))

    def _flags_of(self, replay: Replay, rows: NDArray[np.int32]) -> NDArray[np.uint8]:
        decided, mine = replay.state[rows] != 0, replay.voted(self._annotator, rows)
        closed = decided
        if replay.rules.overlap > 1:
            closed = mine | (replay.votes[rows] >= replay.rules.overlap) | (replay.adjudged[rows] != NONE)
        return np.asarray(decided * _DECIDED | mine * _MINE | closed * _CLOSED, dtype=np.uint8)
