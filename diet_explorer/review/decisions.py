"""The ledger of decisions: who decided what about which examples, and what therefore holds now.

Events are only ever appended; taking one back is an event too. What holds now is derived by replaying them: for each
example its adjudication, else the latest decision that was not taken back. Where the rules ask for several opinions,
ones that differ are a conflict, and nothing holds until somebody adjudicates.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from sqlalchemy import Engine

from diet_explorer.data.manifest import DatasetManifest
from diet_explorer.errors import BadInputError, DietExplorerError, NotFoundError
from diet_explorer.review.agreement import Agreement, agreement
from diet_explorer.review.annotators import Identity, Role, allowed
from diet_explorer.review.choices import checked_choice, checked_uid
from diet_explorer.review.current import Current
from diet_explorer.review.guidelines import (
    SEEN,
    GuidelineNews,
    Guidelines,
    GuidelinesChangedMeanwhile,
    GuidelineUse,
    stored_guidelines,
    versions_of,
)
from diet_explorer.review.notes import RowNotes, checked_note
from diet_explorer.review.progress import OwnPace, ReviewProgress, own_pace, progress_of
from diet_explorer.review.replay import ACTIONS, FLAGS, NONE, REMARKS, Replay
from diet_explorer.review.rules import ReviewRules
from diet_explorer.review.stopping import (
    ErrorsLeft,
    ReviewYield,
    StopAdvice,
    errors_left,
    stop_advice,
    yield_of,
)
from diet_explorer.store.audit_log import AuditLog
from diet_explorer.store.database import in_utc
from diet_explorer.store.decisions import DECISION_STATES as STATES
from diet_explorer.store.decisions import GUIDELINES, NOT_STORED, NOTE, RULES, UNDO, DecisionEvent, DecisionRecords

__all__ = ["ACTIONS", "FLAGS", "STATES", "DecidedMeanwhile", "Ledger"]
_ADJUDICATIONS = STATES[1:]
_WRONG = (STATES.index("relabel"), STATES.index("exclude"))
_UNSURE = STATES.index("unsure")
_YIELD_BATCH, _YIELD_EVENTS = 500, 5_000
_NOTES_AT_ONCE = 500


class DecidedMeanwhile(DietExplorerError):
    """Somebody has decided about the example since the annotator saw it, which is `event`; nothing was stored.

    To decide all the same, decide again with that event's id as `expected`.
    """

    def __init__(self, event: DecisionEvent) -> None:
        what = {UNDO: "took a decision back", "relabel": f"chose the label {event.label}"}
        done = what.get(event.action, f"decided “{event.action}”")
        super().__init__(
            f"{event.annotator} {done} at {event.at:%H:%M:%S} UTC, after you opened this example.",
            "Keep that decision, or save yours as well: the later one holds.",
        )
        self.event = event

    def __reduce__(self) -> tuple[type[DecidedMeanwhile], tuple[DecisionEvent]]:  # type: ignore[override]
        return type(self), (self.event,)


def errors_left_of(undecided: int, drawn: NDArray[np.integer]) -> ErrorsLeft | None:
    """How many errors there may be among some undecided examples, from the states of those drawn at random."""
    answered = drawn[drawn != _UNSURE]
    return errors_left(undecided, len(answered), int(np.isin(answered, _WRONG).sum()))


class Ledger:
    """The decisions about one dataset."""

    def __init__(self, engine: Engine, manifest: DatasetManifest) -> None:
        self.manifest = manifest
        self.engine = engine
        self.records = DecisionRecords(engine, manifest.id)
        self._current = Current(self.records, manifest)
        self._identity: Identity | None = None

    def acting_as(self, identity: Identity | None) -> Ledger:
        """The same ledger for somebody: their role is checked, and who is signed in decides in no other name."""
        other = copy.copy(self)
        other._identity = identity
        return other

    def decide(
        self,
        rows: Iterable[int],
        action: str,
        *,
        annotator: Identity | str,
        label: str | Sequence[str] | None = None,
        note: str | None = None,
        run_id: str | None = None,
        seen: dict[str, Any] | None = None,
        expected: int | None = None,
        uid: str | None = None,
    ) -> DecisionEvent:
        """Append one decision about one example or many; it is on disk when this returns.

        Parameters
        ----------
        rows : iterable of int
            Rows of the dataset.
        action : {"keep", "relabel", "exclude", "unsure", "undecided", "flag", "unflag", "note"}
        annotator : Identity or str
            Who decides.
        label : str or sequence of str, optional
            The new class, for "relabel" and only for it; or one for each of `rows`.
        note : str, optional
            Up to 10,000 characters; "note" needs one and decides nothing.
        run_id : str, optional
            The run whose scores the annotator saw.
        seen : dict, optional
            What was on screen: ``score, value, checkpoint, suggestion, witnesses, guidelines``. The last is the uid of
            their version; where it is not given, that which was read last here is stored with the decision.
        expected : int, optional
            For one example: `last_event` at the time it was shown. Where a decision has come since, nothing is stored.
        uid : str, optional
            The decision's name, up to 64 characters; a fresh one by default. A decision that is sent again with the
            same one is stored once.

        Returns
        -------
        DecisionEvent
            The stored event; that which is there already where the decision was sent before.

        Raises
        ------
        BadInputError
            The action, label, note, annotator, uid or a row cannot be used, or the uid is that of another decision;
            nothing is stored then.
        PermissionDeniedError
            The annotator is a viewer.
        DecidedMeanwhile
            Somebody has decided since; where several opinions are wanted, only the annotator's own other tab or an
            adjudication counts.
        """
        who = self._allowed(annotator, "annotator", "decide")
        choice = checked_choice(self.manifest, rows, action, who.name, label)
        event = self._new(
            who,
            action,
            uid,
            **vars(choice),
            note=checked_note(note, action),
            run_id=run_id,
            seen=self._with_guidelines(seen),
        )
        if expected is None or action in REMARKS:
            return self.records.append(event)
        if len(choice.rows) > 1:
            raise BadInputError("Only a decision about one example can expect something.", "Leave it out.")
        with self.replay() as replay:
            # what was replayed need not be read again where none of it about this example is newer than expected
            known = self.last_event(int(choice.rows[0])) <= expected
            after, overlap = replay.position if known else expected, replay.rules.overlap
        latest, stored = self.records.append_unless_decided(event, max(after, expected), overlap > 1)
        if not stored:
            raise DecidedMeanwhile(latest.seen_from(int(choice.rows[0]), self.manifest.classes))
        return latest

    def adjudicate(
        self,
        row: int,
        action: str,
        *,
        annotator: Identity | str,
        label: str | None = None,
        note: str | None = None,
        seen: dict[str, Any] | None = None,
        uid: str | None = None,
    ) -> DecisionEvent:
        """Settle an example: this holds, whatever annotators have decided or will, until it is taken back.

        Parameters are those of `decide`; only a lead may, and neither "undecided" nor a flag settles anything.
        """
        who = self._allowed(annotator, "lead", "adjudicate")
        if action not in _ADJUDICATIONS:
            raise BadInputError(f"{action!r} settles nothing.", f"Choose one of: {', '.join(_ADJUDICATIONS)}.")
        choice = checked_choice(self.manifest, [row], action, who.name, label)
        return self.records.append(
            self._new(
                who,
                action,
                uid,
                **vars(choice),
                note=checked_note(note, action),
                seen=self._with_guidelines(seen),
                adjudicates=True,
            )
        )

    def who(self, annotator: Identity | str) -> Identity:
        """Who reviews; PermissionDeniedError for a viewer."""
        return self._allowed(annotator, "annotator", "review")

    def undo(self, annotator: Identity | str, *, uid: str | None = None) -> DecisionEvent | None:
        """Take back the annotator's latest decision that still counts, by an event of its own; None without one.

        An undo that is sent again with the same `uid` takes back nothing more; see `decide`.
        """
        who = self._allowed(annotator, "annotator", "take back decisions")
        return self.records.undo(who.name, checked_uid(uid))

    def sent_by_filter(
        self,
        uid: str | None,
        action: str,
        *,
        annotator: Identity | str,
        seen: dict[str, Any],
        label: str | None = None,
    ) -> DecisionEvent | None:
        """The event of a decision about what a filter keeps, where it was sent before with this uid; else None.

        Sent again it is recognised by the filter, which `seen` names: once it is stored, a filter by decisions keeps
        other examples. Ask after these are chosen: whoever sent it meanwhile chose the same, or their event is here.
        """
        who = self._allowed(annotator, "annotator", "decide")
        event = None if uid is None else self.records.sent(checked_uid(uid))
        if event is None or (event.annotator, event.action) != (who.name, action):
            return None
        if (event.seen or {}) | {SEEN: None} != seen | {SEEN: None}:  # the guidelines may be others by now
            return None
        return event if label in (None, event.label) else None

    def _allowed(self, by: Identity | str | None, role: Role, what: str) -> Identity:
        return allowed(self._identity, by, role, what, AuditLog(self.engine))

    def rules(self) -> ReviewRules:
        """How the dataset is reviewed."""
        with self.replay() as replay:
            return replay.rules

    def set_rules(self, rules: ReviewRules, *, annotator: Identity | str) -> DecisionEvent:
        """Change how the dataset is reviewed, for everybody from now on; only a lead may."""
        who = self._allowed(annotator, "lead", "change the rules of the review")
        return self.records.append(
            self._new(who, RULES, None, rows=np.empty(0, np.int32), seen=rules.validated().to_json())
        )

    def guidelines(self) -> Guidelines | None:
        """The guidelines in force; None where nobody has written any."""
        return next(iter(self.guideline_versions()[::-1]), None)

    def guideline_versions(self) -> list[Guidelines]:
        """All versions of the guidelines, oldest first."""
        with self.replay() as replay:
            return versions_of(replay.guidelines)

    def set_guidelines(
        self, text: str, *, annotator: Identity | str | None, expected: str | None = "", uid: str | None = None
    ) -> Guidelines:
        """Write a new version of the guidelines, for everybody from now on; only a lead may.

        Parameters
        ----------
        text : str
            Markdown, up to 50,000 characters; an empty one takes them away. The text in force makes no new version.
        annotator : Identity or str or None
            Who writes; None is whoever uses the workspace.
        expected : str or None, optional
            Uid of the version that was edited, None where there was none: with a newer one nothing is stored. By
            default whatever is in force is followed.
        uid : str, optional
            As for `decide`.

        Returns
        -------
        Guidelines
            What is in force now.

        Raises
        ------
        BadInputError
            The text is too long, or cannot be stored.
        PermissionDeniedError
            Only a lead may.
        GuidelinesChangedMeanwhile
            Somebody has written a version after the expected one.
        """
        who = self._allowed(annotator, "lead", "write guidelines")
        event = self._new(who, GUIDELINES, uid, rows=np.empty(0, np.int32), seen=stored_guidelines(text))
        while True:
            latest = self.guidelines()
            before = None if latest is None else latest.uid
            if expected not in ("", before) and before != event.uid:
                raise GuidelinesChangedMeanwhile(latest)
            if event.seen == stored_guidelines("" if latest is None else latest.text):
                if latest is None:
                    raise BadInputError("The guidelines are empty.", "Write how the examples are to be labelled.")
                return latest
            stored = self.records.append_next(event, before)
            if stored is not None:
                return next(version for version in self.guideline_versions() if version.uid == stored.uid)

    def guideline_use(self, rows: NDArray[np.integer], at: int | None = None) -> GuidelineUse | None:
        """By which versions of the guidelines some rows were decided, now or when the ledger was at a position.

        None where there were no guidelines.
        """
        with self._replay_at(at) as then:
            versions, held = versions_of(then.guidelines), then.versions_held(rows)
        if not versions:
            return None
        numbers = {version.uid: version.version for version in versions}
        examples: dict[int | None, int] = {}
        for uid, count in held.items():
            number = None if uid is None else numbers.get(uid)
            examples[number] = examples.get(number, 0) + count
        return GuidelineUse(versions[-1], dict(sorted(examples.items(), key=lambda pair: pair[0] or 0)))

    def guideline_news(self, annotator: str) -> GuidelineNews | None:
        """What is new in the guidelines for somebody since their last decision; None where nothing is, or they have not
        decided yet."""
        with self.replay() as replay:
            if annotator not in replay.saw or not replay.guidelines:
                return None
            uid, events = replay.saw[annotator], replay.guidelines
            if events[-1].uid == uid:
                return None
            versions = versions_of(events)
        return GuidelineNews(next((version for version in versions if version.uid == uid), None), versions[-1])

    def position(self) -> int:
        """Grows with every event."""
        return self.records.position()

    def last_event(self, row: int) -> int:
        """Id of the last decision about an example, adjudications and undoings among them; 0 without one."""
        with self.replay() as replay:
            number = replay.last[row : row + 1]
            return 0 if number[0] == NONE else int(replay.ids(number)[0])

    def table(self, at: int | None = None) -> pa.Table:
        """What holds now, or held when the ledger was at a position.

        Parameters
        ----------
        at : int, optional
            A `position`; later events are left out.

        Returns
        -------
        pyarrow.Table
            ``row, state, label, flagged, conflict, adjudicated`` of every example that an event counts about, in row
            order; `label` is the new class of relabelled ones. Where there is a conflict the state is undecided.
        """
        with self.replay() as replay:
            if at is None or at >= replay.position:
                return self._current.table(replay)
        return self._current.table_at(at)

    def table_of(self, rows: NDArray[np.integer]) -> pa.Table:
        """What holds now for some rows; as `table`, at a cost that does not depend on how much else is decided."""
        with self.replay() as replay:
            return self._current.of(replay, rows)

    def counts(self) -> dict[str, int]:
        """Examples in each state, all of `STATES` in their order."""
        with self.replay() as replay:
            return replay.counts()

    def events(
        self,
        annotator: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
        *,
        rules: bool = False,
    ) -> list[DecisionEvent]:
        """Events of everybody or one annotator in a span of time (`until` left out), newest first.

        Undone ones and undoings are among them, and with `rules` those that changed how the dataset is reviewed
        and its guidelines.
        """
        return self.records.filtered(
            annotator=annotator,
            since=None if since is None else in_utc(since),
            until=None if until is None else in_utc(until),
            limit=limit,
            rules=rules,
        )

    def event(self, event_id: int) -> DecisionEvent:
        """One event by its id; NotFoundError where there is none."""
        event = self.records.get(event_id)
        if event is None:
            raise NotFoundError(
                f"There is no event {event_id}.", "List the events with `diet-explorer decisions list`."
            )
        return event

    def history(self, row: int) -> list[DecisionEvent]:
        """Every event about one example, oldest first, each with the label that it gave to this one."""
        with self.replay() as replay:
            about = replay.about(row)
        return [event.seen_from(row, self.manifest.classes) for event in self.records.chosen(about)]

    def note(
        self, rows: Iterable[int], text: str, *, annotator: Identity | str, uid: str | None = None
    ) -> DecisionEvent:
        """Say something about one example or many without deciding about them; see `decide`."""
        return self.decide(rows, NOTE, annotator=annotator, note=text, uid=uid)

    def notes(self, containing: str = "", limit: int | None = None) -> list[DecisionEvent]:
        """Events that have a note and were not taken back, newest first.

        Parameters
        ----------
        containing : str
            Only notes that contain this, in any case and with any white space.
        limit : int, optional
            How many at most.
        """
        with self.replay() as replay:
            ids = replay.notes(containing)[::-1][:limit]
        events = {
            event.id: event
            for start in range(0, len(ids), _NOTES_AT_ONCE)
            for event in self.records.chosen(ids[start : start + _NOTES_AT_ONCE])
        }
        return [events[number] for number in ids]

    def noted(
        self, containing: str = "", rows: NDArray[np.integer] | None = None, by: str | None = None
    ) -> NDArray[np.int32]:
        """Rows, ascending, of the examples that have such a note, all of them or of some rows, from everybody or
        somebody; see `notes`."""
        with self.replay() as replay:
            return replay.noted(containing, rows, by)

    def row_notes(self, at: int | None = None) -> RowNotes:
        """What notes say about each example now, or said when the ledger was at a position."""
        with self._replay_at(at) as then:
            return then.row_notes()

    def standing(self, row: int) -> list[DecisionEvent]:
        """What counts about one example: each annotator's latest decision and the adjudication, oldest first."""
        history = self.history(row)
        undone = {event.undoes for event in history}
        votes: dict[tuple[str, bool], DecisionEvent] = {}
        for event in history:
            if event.action in STATES and event.id not in undone:
                votes["" if event.adjudicates else event.annotator, event.adjudicates] = event
        return sorted((event for event in votes.values() if event.action != STATES[0]), key=lambda event: event.id)

    def annotators(self) -> list[str]:
        """Who has decided so far, in alphabetical order."""
        with self.replay() as replay:
            return sorted(replay.people)

    def votes(self) -> pd.DataFrame:
        """Every annotator's decision that counts about each example: ``row, annotator, state, label``."""
        with self.replay() as replay:
            rows, numbers = replay.latest_votes()
            people, actions = replay.annotators(numbers), replay.actions(numbers)
            labels = replay.labels(rows, numbers)
            names = np.array(replay.people, dtype=object)
        classes = np.array([*self.manifest.classes, None], dtype=object)
        return pd.DataFrame(
            {
                "row": rows,
                "annotator": names[people] if len(names) else names,
                "state": np.array(STATES, dtype=object)[actions],
                "label": classes[labels],
            }
        )

    def conflicts(self) -> NDArray[np.int32]:
        """Rows about which decisions differ and that nobody has adjudicated, the oldest disagreement first."""
        with self.replay() as replay:
            rows = replay.touched()
            rows = rows[replay.conflicts(rows)]
            return rows[np.argsort(replay.holding[rows], kind="stable")].astype(np.int32)

    def progress(self, rows: NDArray[np.integer], now: datetime | None = None) -> ReviewProgress:
        """How far the review of some rows is, who does how much of it and at which pace.

        What it costs grows with the rows and the decisions about them, which a decision does not: it is for looking now
        and then.

        Parameters
        ----------
        rows : int array
        now : datetime, optional
            What today is; by default by this machine's clock.
        """
        with self.replay() as replay:
            return progress_of(replay, np.unique(rows), now or datetime.now(UTC))

    def pace(self, annotator: str, now: datetime | None = None) -> OwnPace:
        """What somebody has decided today, and per hour of work; costs the same whatever has been decided."""
        with self.replay() as replay:
            return own_pace(replay, annotator, now or datetime.now(UTC))

    def agreement(self, samples: int = 1000, seed: int = 0) -> Agreement:
        """How far annotators agree where several have decided; see `review.agreement.agreement`."""
        with self.replay() as replay:
            rows, numbers = replay.latest_votes()
            verdicts = replay.verdicts(rows, numbers)
            people, names = replay.annotators(numbers), list(replay.people)
        return agreement(rows, people, verdicts, names, samples=samples, seed=seed)

    def review_yield(self, last: int = 50) -> ReviewYield:
        """How many of the last examples reviewed in the queue were wrong, overall and per witness.

        Decisions about many at once, those about examples drawn at random, and those taken back do not count; neither
        do further decisions of the same annotator about the same example.
        """
        return yield_of(self._reviewed(), last)

    def errors_left(self, order: NDArray[np.integer]) -> ErrorsLeft | None:
        """How many errors there may be among the undecided examples of an order, from those drawn at random.

        Examples that were drawn at random but lie before the first undecided one do not count: the queue would have
        come to them anyway. None while no random example counts.
        """
        with self.replay() as replay:
            undecided = ~replay.decided()[order]
            rest = order[int(np.argmax(undecided)) :] if undecided.any() else order[:0]
            drawn = replay.state[np.intersect1d(rest, replay.audited())]
        return errors_left_of(int(undecided.sum()), drawn)

    def advice(self, order: NDArray[np.integer]) -> StopAdvice:
        """Whether it is worth going on, with the numbers that say so."""
        return stop_advice(self.review_yield(), self.errors_left(order))

    @contextmanager
    def replay(self) -> Iterator[Replay]:
        """What holds after the last event, for reading and until the end of the block, which should be short."""
        with self._current.lock:
            yield self._current.replay()

    @contextmanager
    def _replay_at(self, position: int | None) -> Iterator[Replay]:
        """As `replay`, or what held when the ledger was at a position."""
        with self.replay() as replay:
            if position is None or position >= replay.position:
                yield replay
            else:
                yield self._current.replay_at(position)

    def _reviewed(self) -> Iterator[DecisionEvent]:
        met: set[tuple[str, int]] = set()
        before, looked = None, 0
        while looked < _YIELD_EVENTS:
            events = self.records.filtered(before=before, limit=_YIELD_BATCH)
            with self.replay() as replay:
                counts = [event.action in _ADJUDICATIONS and not replay.undone(event.id) for event in events]
            for event, standing in zip(events, counts, strict=True):
                seen = event.seen or {}
                if not standing or event.is_bulk or event.adjudicates or "place" not in seen:
                    continue
                key = (event.annotator, int(event.rows[0]))
                if key not in met and not seen.get("audit"):
                    yield event
                met.add(key)
            if len(events) < _YIELD_BATCH:
                return
            before, looked = (events[-1].at, events[-1].id), looked + len(events)

    def _with_guidelines(self, seen: dict[str, Any] | None) -> dict[str, Any] | None:
        """What was seen, with the version of the guidelines; without a word of them where none are known.

        Nothing is asked for it: a decision is one statement, however long the ledger is.
        """
        with self._current.lock:
            written = self._current.known.guidelines
            latest = written[-1].uid if written else None
        if latest is not None:
            return {SEEN: latest, **(seen or {})}
        return seen and {name: value for name, value in seen.items() if name != SEEN}

    def _new(self, who: Identity, action: str, uid: str | None, **values: Any) -> DecisionEvent:
        return DecisionEvent(
            id=0,
            dataset_id=self.manifest.id,
            at=NOT_STORED,
            annotator=who.name,
            action=action,
            uid=checked_uid(uid),
            **values,
        )
