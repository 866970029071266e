"""The ledger of decisions: who decided what about which examples, and what therefore holds now.

Events are only ever appended; taking one back is an event too. What holds now is derived by replaying them: of the
events that were not taken back, the latest about an example decides.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from sqlalchemy import Engine

from diet_explorer.data.manifest import DatasetManifest
from diet_explorer.errors import BadInputError
from diet_explorer.store.decisions import DECISION_STATES as STATES
from diet_explorer.store.decisions import UNDO, DecisionEvent, DecisionRecords

FLAGS: dict[str, bool] = {"flag": True, "unflag": False}
ACTIONS: tuple[str, ...] = (*STATES, *FLAGS)
_NO_LABEL = -1


class Ledger:
    """The decisions about one dataset.

    Parameters
    ----------
    engine : sqlalchemy.Engine
    manifest : DatasetManifest
    """

    def __init__(self, engine: Engine, manifest: DatasetManifest) -> None:
        self._records = DecisionRecords(engine, manifest.id)
        self._manifest = manifest
        self._lock = threading.Lock()
        self._replay = _Replay()

    def decide(
        self,
        rows: Iterable[int],
        action: str,
        *,
        annotator: str,
        label: str | None = None,
        note: str | None = None,
        run_id: str | None = None,
        seen: dict[str, Any] | None = None,
    ) -> DecisionEvent:
        """Append one decision about one example or many; it is on disk when this returns.

        Parameters
        ----------
        rows : iterable of int
            Rows of the dataset.
        action : {"keep", "relabel", "exclude", "unsure", "undecided", "flag", "unflag"}
        annotator : str
            Who decides.
        label : str, optional
            The new class, for "relabel" and only for it.
        note : str, optional
        run_id : str, optional
            The run whose scores the annotator saw.
        seen : dict, optional
            What was on screen: score, checkpoint, suggestion.

        Raises
        ------
        BadInputError
            The action, label, annotator or a row cannot be used; nothing is stored then.
        """
        chosen = np.unique(np.fromiter(rows, dtype=np.int64))
        self._check(chosen, action, annotator, label)
        return self._records.append(
            DecisionEvent(
                id=0,
                dataset_id=self._manifest.id,
                at=datetime.now(UTC),
                annotator=annotator.strip(),
                action=action,
                rows=chosen.astype(np.int32),
                label=label,
                note=note or None,
                run_id=run_id,
                seen=seen,
            )
        )

    def undo(self, annotator: str) -> DecisionEvent | None:
        """Take back the annotator's latest decision that still counts, by an event of its own; None without one."""
        return self._records.undo(annotator.strip())

    def position(self) -> int:
        """Changes with every event: how many there are."""
        return self._records.position()[0]

    def table(self) -> pa.Table:
        """What holds now.

        Returns
        -------
        pyarrow.Table
            ``row, state, label, flagged`` of every example that an event was about, in row order; `label` is the new
            class of relabelled ones.
        """
        with self._lock:
            return self._current().table(self._manifest)

    def counts(self) -> dict[str, int]:
        """Examples in each state, all of `STATES` in their order."""
        found = self.table()["state"].to_pylist()
        decided = {state: found.count(state) for state in STATES[1:]}
        return {STATES[0]: self._manifest.rows - sum(decided.values()), **decided}

    def latest(self, count: int = 10, annotator: str | None = None) -> list[DecisionEvent]:
        """The last events, newest first, undone ones and undoings among them."""
        return self._records.latest(count, annotator)

    def history(self, row: int) -> list[DecisionEvent]:
        """Every event about one example, oldest first."""
        return self._records.of_example(row)

    def _current(self) -> _Replay:
        position = self._records.position()
        if position != self._replay.position:
            events = self._records.since(self._replay.position[1])
            if self._replay.position[0] + len(events) != position[0]:
                # a transaction that began earlier has ended later: its event lies among those already read
                self._replay, events = _Replay(), self._records.since(0)
            self._replay = self._replay.extended(events, self._manifest)
        return self._replay

    def _check(self, rows: NDArray[np.int64], action: str, annotator: str, label: str | None) -> None:
        if action not in ACTIONS:
            raise BadInputError(f"There is no decision {action!r}.", f"Choose one of: {', '.join(ACTIONS)}.")
        if not annotator.strip():
            raise BadInputError("A decision needs the name of who decides.", "Give the annotator's name.")
        if (action == "relabel") != (label is not None):
            raise BadInputError(
                "Relabelling needs a new label." if label is None else f"The decision {action!r} takes no label.",
                "Give a class with relabel, and none with any other decision.",
            )
        if label is not None and label not in self._manifest.classes:
            known = ", ".join(self._manifest.classes[:20])
            raise BadInputError(f"The dataset has no class {label!r}.", f"Its classes: {known}.")
        if not len(rows):
            raise BadInputError("No example was chosen.", "Choose one example at least.")
        if rows[0] < 0 or rows[-1] >= self._manifest.rows:
            wrong = int(rows[0] if rows[0] < 0 else rows[-1])
            raise BadInputError(f"The dataset has no row {wrong:,}.", f"Rows go from 0 to {self._manifest.rows - 1:,}.")


class _Replay:
    """Events replayed so far, as arrays with one entry per event and example, in the order of events."""

    def __init__(self) -> None:
        self.position = (0, 0)
        self._events: NDArray[np.int64] = np.empty(0, np.int64)
        self._rows: NDArray[np.int32] = np.empty(0, np.int32)
        self._actions: NDArray[np.int8] = np.empty(0, np.int8)
        self._labels: NDArray[np.int32] = np.empty(0, np.int32)
        self._undone: frozenset[int] = frozenset()

    def extended(self, events: list[DecisionEvent], manifest: DatasetManifest) -> _Replay:
        """A new replay that goes on with `events`."""
        new = _Replay()
        last = max([event.id for event in events], default=self.position[1])
        new.position = (self.position[0] + len(events), last)
        new._undone = self._undone | {event.undoes for event in events if event.undoes is not None}
        codes = {name: code for code, name in enumerate(manifest.classes)}
        decided = [event for event in events if event.action != UNDO]
        sizes = [len(event.rows) for event in decided]
        new._events = np.r_[self._events, np.repeat(np.array([event.id for event in decided], np.int64), sizes)]
        new._rows = np.concatenate([self._rows, *(event.rows for event in decided)])
        actions = np.array([ACTIONS.index(event.action) for event in decided], np.int8)
        new._actions = np.r_[self._actions, np.repeat(actions, sizes)]
        labels = np.array([_NO_LABEL if event.label is None else codes[event.label] for event in decided], np.int32)
        new._labels = np.r_[self._labels, np.repeat(labels, sizes)]
        return new

    def table(self, manifest: DatasetManifest) -> pa.Table:
        """What holds after the last event."""
        counts = ~np.isin(self._events, list(self._undone))
        is_state = self._actions < len(STATES)
        touched = np.unique(self._rows[counts])
        states = _latest(touched, self._rows, self._actions, counts & is_state, 0)
        labels = _latest(touched, self._rows, self._labels, counts & is_state, _NO_LABEL)
        flags = _latest(touched, self._rows, self._actions, counts & ~is_state, ACTIONS.index("unflag"))
        names = pa.array(STATES).take(pa.array(states))
        classes = pa.array(manifest.classes).take(pa.array(labels, mask=labels == _NO_LABEL))
        return pa.table({"row": touched, "state": names, "label": classes, "flagged": flags == ACTIONS.index("flag")})


def _latest(
    touched: NDArray[np.int32],
    rows: NDArray[np.int32],
    values: NDArray[Any],
    counts: NDArray[np.bool_],
    default: int,
) -> NDArray[Any]:
    """For each row of `touched` the value of its last entry that counts."""
    chosen, kept = rows[counts][::-1], values[counts][::-1]
    unique, first = np.unique(chosen, return_index=True)
    found = np.full(len(touched), default, dtype=values.dtype)
    found[np.searchsorted(touched, unique)] = kept[first]
    return found
