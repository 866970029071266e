"""What holds now by a dataset's ledger: one replay for the whole process, brought up to date before it is read."""

from __future__ import annotations

import threading
from operator import attrgetter

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from diet_explorer.data.manifest import DatasetManifest
from diet_explorer.review.replay import ACTIONS, NONE, Replay
from diet_explorer.store.decisions import DECISION_STATES as STATES
from diet_explorer.store.decisions import DecisionRecords

_moment = attrgetter("at", "id")


class Current:
    """The replay that all users of a dataset's ledger in this process share; `lock` is held while it is used."""

    def __init__(self, records: DecisionRecords, manifest: DatasetManifest) -> None:
        self.lock = threading.RLock()
        self._records = records
        self._manifest = manifest
        self._replay = Replay(manifest)
        self._table: tuple[int, pa.Table] | None = None

    def replay(self) -> Replay:
        """The replay up to the last event."""
        events = self._records.since(self._replay.position)
        events.sort(key=_moment)
        if not self._replay.follows(events):  # copies of older events have come: what is latest may have changed
            self._replay = Replay(self._manifest)
            events = sorted(self._records.since(0), key=_moment)
        self._replay.extend(events)
        return self._replay

    @property
    def known(self) -> Replay:
        """The replay as it was read last; nothing is asked."""
        return self._replay

    def table(self, replay: Replay) -> pa.Table:
        """What holds after the last event; see `Ledger.table`."""
        if self._table is None or self._table[0] != replay.position:
            self._table = replay.position, _table(replay, self._manifest.classes, replay.touched())
        return self._table[1]

    def of(self, replay: Replay, rows: NDArray[np.integer]) -> pa.Table:
        """The same of some rows only."""
        return _table(replay, self._manifest.classes, np.unique(rows).astype(np.int32))

    def table_at(self, position: int) -> pa.Table:
        """What held when the ledger was at a position."""
        earlier = self.replay_at(position)
        return _table(earlier, self._manifest.classes, earlier.touched())

    def replay_at(self, position: int) -> Replay:
        """A replay of its own up to a position."""
        earlier = Replay(self._manifest)
        earlier.extend(sorted((event for event in self._records.since(0) if event.id <= position), key=_moment))
        return earlier


def _table(replay: Replay, classes: list[str], rows: NDArray[np.int32]) -> pa.Table:
    counts = [numbers[rows] != NONE for numbers in (replay.holding, replay.adjudged, replay.flag)]
    rows = rows[np.logical_or.reduce(counts)]
    conflict = replay.conflicts(rows) & (replay.rules.overlap > 1)
    settled = replay.adjudged[rows] != NONE
    states = np.where(conflict, 0, replay.state[rows])
    deciding = np.where(settled, replay.adjudged[rows], replay.holding[rows])
    codes = replay.labels(rows, deciding) if len(rows) else np.empty(0, np.int32)
    without = (states != STATES.index("relabel")) | (codes == NONE)
    flags = replay.flag[rows]
    flagged = (flags != NONE) & (replay.actions(flags) == ACTIONS.index("flag")) if len(rows) else np.empty(0, bool)
    return pa.table(
        {
            "row": rows.astype(np.int32),
            "state": pa.array(STATES, pa.string()).take(pa.array(states)),
            "label": pa.array(classes, pa.string()).take(pa.array(codes, mask=without)),
            "flagged": flagged,
            "conflict": conflict,
            "adjudicated": settled,
        }
    )
