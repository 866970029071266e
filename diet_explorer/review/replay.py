"""What holds after the events of a ledger, kept up to date event by event.

Every event is one entry per example that it is about, and every entry knows the one before it about the same example.
When events come, what holds is derived anew for the examples that they touch, from the entries about those alone; so a
decision costs the same whatever the number of rows and of other decisions, and taking one back is no special case.
Arrays over all rows begin as zeros, which take no memory until they are written to.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diet_explorer.data.manifest import DatasetManifest
from diet_explorer.review.arrays import Growing, Numbers
from diet_explorer.review.effort import Effort
from diet_explorer.review.guidelines import version_seen
from diet_explorer.review.notes import Notes, RowNotes
from diet_explorer.review.rules import ReviewRules
from diet_explorer.store.decisions import DECISION_STATES, GUIDELINES, NOTE, RULES, UNDO, DecisionEvent

FLAGS: tuple[str, ...] = ("flag", "unflag")
REMARKS: tuple[str, ...] = (*FLAGS, NOTE)
"""Actions that leave open what is open, and decided what is decided."""
ACTIONS: tuple[str, ...] = (*DECISION_STATES, *REMARKS)
NONE = -1
_EACH_ITS_OWN = -2  # the code of a label that differs from example to example
_UNDECIDED = DECISION_STATES.index("undecided")
_ON_NOTHING = len(ACTIONS)  # the code of undoings and rules, which are about no example of their own

Mask = NDArray[np.bool_]


class Replay:
    """The state that a dataset's events have led to.

    Events have numbers, in the order in which they were replayed; -1 stands for none.
    """

    def __init__(self, manifest: DatasetManifest) -> None:
        self.position = 0  # the greatest id replayed
        self.rules = ReviewRules()
        self.people: list[str] = []  # who has decided; an annotator's code is the position here
        # The latest decision, adjudication and flag (or its removal) about each row that was not taken back, and the
        # latest decision, adjudication or undoing at all.
        self.holding, self.adjudged, self.flag, self.last = (Numbers(manifest.rows) for _ in range(4))
        # What the adjudication says, else the latest decision: a position among `DECISION_STATES`.
        self.state = np.zeros(manifest.rows, dtype=np.int8)
        self.votes = np.zeros(manifest.rows, dtype=np.int16)  # annotators with a decision that counts
        self.disagreeing = np.zeros(manifest.rows, dtype=bool)  # whether those decisions differ
        # Rows for which something was derived anew, in that order: what to look at who kept something of before.
        self.changes = Growing(np.int32)
        self._tally = np.zeros((2, len(DECISION_STATES)), dtype=np.int64)  # without and with a conflict, by state
        self._classes = {name: code for code, name in enumerate(manifest.classes)}
        self._codes: dict[str, int] = {}
        self._numbers: dict[int, int] = {}
        self._latest: tuple[Any, int] | None = None
        self._ids = Growing(np.int64)
        self._actions = Growing(np.int8)
        self._labels = Growing(np.int32)
        self._own_keys = Growing(np.int64)  # of examples that got labels of their own; ascending
        self._own_labels = Growing(np.int32)
        self._annotators = Growing(np.int32)
        self._adjudicates = Growing(np.bool_)
        self._audits = Growing(np.bool_)
        self._undone = Growing(np.bool_)
        self._sizes = Growing(np.int64)
        self._rows = Growing(np.int32)
        self._events = Growing(np.int32)
        self._before = Growing(np.int32)  # the entry before about the same row
        self._latest_entry = Numbers(manifest.rows)
        self._audit_entries = Growing(np.int64)
        self._notes = Notes()
        self._versions: dict[str, int] = {}  # of the guidelines that events name, by uid
        self._version = Growing(np.int32)
        self.effort = Effort()
        self.guidelines: list[DecisionEvent] = []  # their versions, oldest first
        self.saw: dict[str, str | None] = {}  # by who has decided: the version of the guidelines at hand then, by uid

    def follows(self, events: list[DecisionEvent]) -> bool:
        """Whether all of some events, oldest first, come after those replayed; copies of older ones do not."""
        return not events or self._latest is None or (events[0].at, events[0].id) > self._latest

    def extend(self, events: list[DecisionEvent]) -> None:
        """Go on with events that follow, oldest first."""
        if not events:
            return
        first, entries = len(self._ids.values), len(self._rows.values)
        self._register(events)
        for number, event in enumerate(events, first):
            if event.action == UNDO and event.undoes is not None:
                self._undone.values[self._numbers[event.undoes]] = True
                self.effort.take_back(self._numbers[event.undoes])
            elif event.action == RULES:
                self.rules = ReviewRules.from_json(event.seen or {})
            elif event.action == GUIDELINES:
                self.guidelines.append(event)
            elif event.action in DECISION_STATES:
                self.saw[event.annotator] = version_seen(event.seen)
            if event.action in (UNDO, *DECISION_STATES):
                self.last[event.rows] = number
        undone = [event.rows for event in events if event.action == UNDO]
        self._derive(np.unique(np.concatenate([self._rows.values[entries:], *undone])))

    def ids(self, numbers: NDArray[np.int32]) -> NDArray[np.int64]:
        """Ids of events by their numbers."""
        return self._ids.values[numbers]

    def labels(self, rows: NDArray[np.integer], numbers: NDArray[np.int32]) -> NDArray[np.int32]:
        """Class codes of the new labels that events, by their numbers, gave to rows; -1 for none."""
        labels: NDArray[np.int32] = self._labels.values[numbers]
        own = labels == _EACH_ITS_OWN
        if own.any():
            positions = np.searchsorted(self._own_keys.values, self._keys(rows[own], numbers[own]))
            labels[own] = self._own_labels.values[positions]
        return labels

    def verdicts(self, rows: NDArray[np.integer], numbers: NDArray[np.int32]) -> NDArray[np.int64]:
        """Numbers that are equal where events, by their numbers, say the same about rows: action and label."""
        actions = self._actions.values[numbers].astype(np.int64)
        verdicts: NDArray[np.int64] = actions * (len(self._classes) + 1) + self.labels(rows, numbers) + 1
        return verdicts

    def decided(self) -> Mask:
        """Which rows somebody has decided about."""
        return np.not_equal(self.state, _UNDECIDED)

    def conflicts(self, rows: NDArray[np.integer]) -> Mask:
        """Which of some rows people disagree about, with nobody's adjudication."""
        return np.asarray(self.disagreeing[rows] & (self.adjudged[rows] == NONE))

    def touched(self) -> NDArray[np.int32]:
        """Rows that some event is about, ascending."""
        return np.unique(self._rows.values)

    def counts(self) -> dict[str, int]:
        """How many rows are in each state; those about which people disagree are undecided where that matters."""
        settled, conflicting = self._tally.copy()
        if self.rules.overlap > 1:
            conflicting[:] = 0
        counts = dict(zip(DECISION_STATES[1:], (settled + conflicting)[1:].tolist(), strict=True))
        return {DECISION_STATES[0]: len(self.state) - sum(counts.values()), **counts}

    def voted(self, annotator: str, rows: NDArray[np.integer]) -> Mask:
        """About which of some rows somebody has a decision that counts."""
        about, numbers = self.latest_votes(self._entries(rows))
        return np.isin(rows, about[self._annotators.values[numbers] == self._codes.get(annotator, NONE)])

    def audited(self) -> NDArray[np.int32]:
        """Rows, ascending, that were decided about because they were drawn at random."""
        rows, numbers = self._standing(self._are_votes, self._audit_entries.values)
        last = dict(zip(rows.tolist(), (self._actions.values[numbers] != _UNDECIDED).tolist(), strict=True))
        return np.array(sorted(row for row, decided in last.items() if decided), dtype=np.int32)

    def looked_at(self, rows: NDArray[np.integer]) -> Mask:
        """Which of some rows have a decision that was taken about them alone, not about many at once."""
        adjudged, holding = self.adjudged[rows], self.holding[rows]
        deciding = np.where(adjudged != NONE, adjudged, holding)
        return np.asarray((deciding != NONE) & (self._sizes.values[deciding] == 1)) if len(rows) else np.zeros(0, bool)

    def latest_votes(self, entries: NDArray[np.intp] | None = None) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Every annotator's decision that counts about each row, or among entries: rows ascending, event numbers."""
        rows, numbers = self._standing(self._are_votes, entries)
        keys = rows.astype(np.int64) * max(len(self.people), 1) + self._annotators.values[numbers]
        order = np.argsort(keys, kind="stable")
        kept = order[np.flatnonzero(np.diff(keys[order], append=NONE))]
        kept = kept[self._actions.values[numbers[kept]] != _UNDECIDED]
        return rows[kept], numbers[kept]

    def vote(self, row: int, annotator: str) -> int | None:
        """Id of the decision of somebody about a row that counts; None without one."""
        _, numbers = self.latest_votes(self._entries(np.array([row])))
        own = [number for number in numbers if self._annotators.values[number] == self._codes.get(annotator)]
        return int(self._ids.values[own[0]]) if own else None

    def about(self, row: int) -> list[int]:
        """Ids of all decisions, flags and notes about a row, those taken back among them."""
        ids: list[int] = self._ids.values[self._events.values[self._entries(np.array([row]))]].tolist()
        return ids

    def versions_held(self, rows: NDArray[np.integer]) -> dict[str | None, int]:
        """How many of some rows were decided by which version of the guidelines, by uid; None where none is known."""
        adjudged = self.adjudged[rows]
        deciding = np.where(adjudged == NONE, self.holding[rows], adjudged)[self.state[rows] != _UNDECIDED]
        codes, counts = np.unique(self._version.values[deciding], return_counts=True)
        uids = {code: uid for uid, code in self._versions.items()}
        return {uids.get(code): count for code, count in zip(codes.tolist(), counts.tolist(), strict=True)}

    def noted(
        self, text: str = "", rows: NDArray[np.integer] | None = None, by: str | None = None
    ) -> NDArray[np.int32]:
        """Rows, ascending, that have a note with a text, all of them or among some rows, from everybody or somebody;
        see `Notes.containing`."""
        numbers = self._noted_numbers(text)
        if by is not None:
            numbers = numbers[self._annotators.values[numbers] == self._codes.get(by, NONE)]
        if rows is not None:
            entries = self._entries(rows)
            return np.unique(self._rows.values[entries[np.isin(self._events.values[entries], numbers)]])
        return np.unique(np.concatenate([np.empty(0, np.int32), *self._about(numbers)]))

    def notes(self, text: str = "") -> list[int]:
        """Ids of the events that have a note with a text and were not taken back, oldest first."""
        ids: list[int] = self._ids.values[self._noted_numbers(text)].tolist()
        return ids

    def row_notes(self) -> RowNotes:
        """What the notes that were not taken back say about each row."""
        numbers = self._noted_numbers("")
        return RowNotes(self._about(numbers), self._notes.texts(numbers))

    def _about(self, numbers: NDArray[np.integer]) -> list[NDArray[np.int32]]:
        """The rows of each of some events."""
        ends = np.cumsum(self._sizes.values)
        return [self._rows.values[ends[number] - self._sizes.values[number] : ends[number]] for number in numbers]

    def _noted_numbers(self, text: str) -> NDArray[np.int64]:
        numbers = np.array(self._notes.containing(text), dtype=np.int64)
        standing: NDArray[np.int64] = numbers[~self._undone.values[numbers]]
        return standing

    def actions(self, numbers: NDArray[np.int32]) -> NDArray[np.int8]:
        """Positions among `ACTIONS` of events by their numbers."""
        return self._actions.values[numbers]

    def annotators(self, numbers: NDArray[np.int32]) -> NDArray[np.int32]:
        """Positions among `people` of who made events, by their numbers."""
        return self._annotators.values[numbers]

    def undone(self, event_id: int) -> bool:
        """Whether an event was taken back."""
        return bool(self._undone.values[self._numbers[event_id]])

    def _register(self, events: list[DecisionEvent]) -> None:
        first = len(self._ids.values)
        for event in events:
            if event.annotator not in self._codes:
                self._codes[event.annotator] = len(self.people)
                self.people.append(event.annotator)
        self._numbers.update({event.id: number for number, event in enumerate(events, first)})
        about = [event.action in ACTIONS for event in events]
        codes = {action: code for code, action in enumerate(ACTIONS)}
        self._ids.add([event.id for event in events])
        self._actions.add([codes.get(event.action, _ON_NOTHING) for event in events])
        self._labels.add([self._label(event) for event in events])
        for number, event in enumerate(events, first):
            if event.note and event.action in ACTIONS:
                self._notes.add(number, event.note)
            self.effort.add(event)
            version = version_seen(event.seen)
            code = NONE if version is None else self._versions.setdefault(version, len(self._versions))
            self._version.add([code])
            if event.labels is not None:
                self._own_keys.add(self._keys(event.rows, number))
                self._own_labels.add(event.labels)
        self._annotators.add([self._codes[event.annotator] for event in events])
        self._adjudicates.add([event.adjudicates for event in events])
        self._audits.add([bool((event.seen or {}).get("audit")) for event in events])
        self._undone.add([False] * len(events))
        sizes = [len(event.rows) if own else 0 for event, own in zip(events, about, strict=True)]
        self._sizes.add(sizes)
        entries = len(self._rows.values)
        rows = np.concatenate([event.rows[:size] for event, size in zip(events, sizes, strict=True)])
        self._rows.add(rows)
        self._events.add(np.repeat(np.arange(first, first + len(events)), sizes))
        self._link(rows, entries)
        audits = self._audits.values[self._events.values[entries:]]
        self._audit_entries.add(entries + np.flatnonzero(audits))
        self._latest = (events[-1].at, events[-1].id)
        self.position = max(self.position, *(event.id for event in events))

    def _link(self, rows: NDArray[np.int32], first: int) -> None:
        """Let new entries, which begin with number `first`, know the ones before them about the same rows."""
        order = np.argsort(rows, kind="stable")
        ordered = rows[order]
        same = np.r_[False, ordered[1:] == ordered[:-1]] if len(rows) else np.empty(0, dtype=bool)
        before = self._latest_entry[ordered]
        before[same] = first + order[np.flatnonzero(same) - 1]
        linked = np.empty(len(rows), dtype=np.int32)
        linked[order] = before
        self._before.add(linked)
        last = np.r_[~same[1:], True] if len(rows) else same
        self._latest_entry[ordered[last]] = first + order[last]

    def _entries(self, rows: NDArray[np.integer]) -> NDArray[np.int64]:
        """All entries about some rows, oldest first."""
        found, entries = [], self._latest_entry[rows].astype(np.int64)
        while len(entries := entries[entries != NONE]):
            found.append(entries)
            entries = self._before.values[entries].astype(np.int64)
        return np.sort(np.concatenate(found)) if found else np.empty(0, dtype=np.int64)

    def _derive(self, rows: NDArray[np.int32]) -> None:
        """Derive what holds for some rows, each once, from all entries about them."""
        if not len(rows):
            return
        self._count(rows, -1)
        entries = self._entries(rows)
        targets = ((self.holding, self._are_votes), (self.adjudged, self._settle), (self.flag, self._are_flags))
        for target, kind in targets:
            about, numbers = self._standing(kind, entries)
            target[rows] = NONE
            target[about] = numbers  # of several the latest comes last and stays
        adjudged = self.adjudged[rows]
        deciding = np.where(adjudged == NONE, self.holding[rows], adjudged)
        self.state[rows] = np.where(deciding == NONE, _UNDECIDED, self._actions.values[deciding])
        about, numbers = self.latest_votes(entries)
        self.votes[rows] = 0
        self.disagreeing[rows] = False
        voted, starts, counts = np.unique(about, return_index=True, return_counts=True)
        self.votes[voted] = counts
        if len(voted):
            verdicts = self.verdicts(about, numbers)
            differ = np.minimum.reduceat(verdicts, starts) != np.maximum.reduceat(verdicts, starts)
            self.disagreeing[voted] = differ
        self._count(rows, 1)
        self.changes.add(rows)

    def _count(self, rows: NDArray[np.int32], sign: int) -> None:
        np.add.at(self._tally, (self.conflicts(rows).astype(np.int8), self.state[rows]), sign)

    def _label(self, event: DecisionEvent) -> int:
        if event.labels is not None:
            return _EACH_ITS_OWN
        return NONE if event.label is None else self._classes[event.label]

    def _keys(self, rows: NDArray[np.integer], numbers: NDArray[np.int32] | int) -> NDArray[np.int64]:
        """Pairs of event and row as numbers that ascend as these do."""
        keys: NDArray[np.int64] = np.asarray(numbers, dtype=np.int64) * len(self.state) + rows
        return keys

    def _are_votes(self, numbers: NDArray[np.integer]) -> Mask:
        """Which events are decisions of one of several opinions."""
        votes: Mask = (self._actions.values[numbers] < len(DECISION_STATES)) & ~self._adjudicates.values[numbers]
        return votes

    def _settle(self, numbers: NDArray[np.integer]) -> Mask:
        """Which events are adjudications."""
        settle: Mask = (self._actions.values[numbers] < len(DECISION_STATES)) & self._adjudicates.values[numbers]
        return settle

    def _are_flags(self, numbers: NDArray[np.integer]) -> Mask:
        actions = self._actions.values[numbers]
        return np.asarray((actions >= len(DECISION_STATES)) & (actions < len(DECISION_STATES) + len(FLAGS)))

    def _standing(
        self, kind: Callable[[NDArray[np.integer]], Mask], entries: NDArray[np.integer] | None = None
    ) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Rows and event numbers of entries whose events are of a kind and were not taken back, oldest first."""
        rows, numbers = self._rows.values, self._events.values
        if entries is not None:
            rows, numbers = rows[entries], numbers[entries]
        counts = kind(numbers) & ~self._undone.values[numbers]
        return rows[counts], numbers[counts]
