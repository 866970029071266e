"""The ledger's events in the explorer database: appended and read, never changed."""

from __future__ import annotations

import uuid
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Engine, Row, Select, Table, case, func, or_, select
from sqlalchemy.orm import Session, aliased

from diet_explorer.errors import BadInputError
from diet_explorer.store.database import database_now, in_utc, inserting, transaction, writing
from diet_explorer.store.happenings import happened
from diet_explorer.store.tables import DecisionRow

DECISION_STATES: tuple[str, ...] = ("undecided", "keep", "relabel", "exclude", "unsure")
"""What can hold for an example; an annotator's action of the same name brings it about."""

UNDO = "undo"
RULES = "rules"
"""Action of an event that sets how the dataset is reviewed; it is about no example."""
GUIDELINES = "guidelines"
"""Action of an event that is a version of the dataset's guidelines; it is about no example."""
NOTE = "note"
"""Action of an event that says something about examples and decides nothing."""
_ABOUT_NO_EXAMPLE = (RULES, GUIDELINES)
_NAMES_AT_ONCE = 500
_TABLE: Table = cast(Table, DecisionRow.__table__)
_SENT_BY = ("annotator", "action")  # an undo is sent without what it takes back, which is up to the ledger
_SENT_WITH = {NOTE: ("note",), GUIDELINES: ("seen",)}
_SENT = (*_SENT_BY, "label", "labels", "row", "rows", "adjudicates")


NOT_STORED = datetime.fromtimestamp(0, UTC)
"""The time of an event that is not stored yet: the database gives it one."""


@dataclass(frozen=True)
class DecisionEvent:
    """One event of the ledger.

    Attributes
    ----------
    id : int
        Grows with every event; 0 for one that is not stored yet.
    dataset_id : str
    at : datetime
        In UTC, by the database's clock; `NOT_STORED` until the event is stored.
    annotator : str
    action : str
        What was decided, or ``note``, ``undo``, ``rules`` or ``guidelines``.
    rows : int32 array
        The examples it is about, ascending; those of the undone event for an undo.
    label : str or None
        The new label's class; None also where each example got its own.
    note : str or None
    run_id : str or None
        The run whose scores were on screen.
    seen : dict or None
        What the annotator saw: score, checkpoint, suggestion, version of the guidelines.
    undoes : int or None
        The event that an undo takes back.
    uid : str
        Its name in every ledger that it is copied to, given by whoever sends it; sent again it is one event still.
    adjudicates : bool
        Whether it settles what annotators disagree about.
    labels : int32 array or None
        For each of `rows` the code of its new class, where a relabelling gave them different ones.
    """

    id: int
    dataset_id: str
    at: datetime
    annotator: str
    action: str
    rows: NDArray[np.int32]
    label: str | None = None
    note: str | None = None
    run_id: str | None = None
    seen: dict[str, Any] | None = None
    undoes: int | None = None
    uid: str = field(default_factory=lambda: uuid.uuid4().hex)
    adjudicates: bool = False
    labels: NDArray[np.int32] | None = None

    @property
    def is_bulk(self) -> bool:
        """Whether it is about several examples."""
        return len(self.rows) > 1

    def seen_from(self, row: int, classes: Sequence[str]) -> DecisionEvent:
        """The event as it is for one of its examples: with the label that this one got."""
        if self.labels is None:
            return self
        return replace(self, label=classes[self.labels[np.searchsorted(self.rows, row)]], labels=None)


class DecisionRecords:
    """Append and read the events of one dataset; every call is one short transaction."""

    def __init__(self, engine: Engine, dataset_id: str) -> None:
        self._engine = engine
        self._dataset_id = dataset_id

    def append(self, event: DecisionEvent) -> DecisionEvent:
        """Store an event; when this returns, it is on disk.

        One that was sent before, by the same uid, is not stored again: the event that is here is returned, or
        BadInputError raised where that says something else.
        """
        with writing(self._engine, self._dataset_id) as session:
            return self._added(session, event)

    def append_unless_decided(
        self, event: DecisionEvent, expected: int, independent: bool
    ) -> tuple[DecisionEvent, bool]:
        """Store an event about one example, unless somebody has decided about it since the event `expected`.

        With `independent` others give opinions of their own: only the annotator's other tabs and adjudications count
        then. What is returned is the stored event (also one that was stored before, see `append`), or the one that came
        meanwhile; and whether it is the stored one.
        """
        with writing(self._engine, self._dataset_id) as session:
            for row in self._newest(session, expected, event.rows):
                if independent and row.annotator != event.annotator and not row.adjudicates:
                    continue
                before = self._sent_before(session, event)
                return (_to_event(row), False) if before is None else (before, True)
            return self._added(session, event), True

    def append_next(self, event: DecisionEvent, before: str | None) -> DecisionEvent | None:
        """Store an event of a kind whose newest one has the uid `before`, or that has none yet (None).

        None where another one has come meanwhile; see `append` for one that is sent again.
        """
        newest = (
            self._events()
            .where(DecisionRow.action == event.action)
            .order_by(DecisionRow.at.desc(), DecisionRow.id.desc())
            .limit(1)
        )
        with writing(self._engine, self._dataset_id) as session:
            row = session.execute(newest).first()
            if (None if row is None else row.uid) != before:
                return self._sent_before(session, event)
            return self._added(session, event)

    def undo(self, annotator: str, uid: str) -> DecisionEvent | None:
        """Take back the annotator's latest event that still counts; None where there is none; see `append`."""
        undone = aliased(DecisionRow)
        latest = (
            self._events()
            .where(
                DecisionRow.annotator == annotator,
                DecisionRow.action.not_in((UNDO, *_ABOUT_NO_EXAMPLE)),
                ~select(undone.id).where(undone.undoes == DecisionRow.id).exists(),
            )
            .order_by(DecisionRow.at.desc(), DecisionRow.id.desc())
            .limit(1)
        )
        with writing(self._engine, self._dataset_id) as session:
            row = session.execute(latest).first()
            taking_back = DecisionEvent(
                id=0,
                dataset_id=self._dataset_id,
                at=NOT_STORED,
                annotator=annotator,
                action=UNDO,
                rows=np.empty(0, np.int32) if row is None else _rows_of(row),
                run_id=None if row is None else row.run_id,
                undoes=None if row is None else row.id,
                uid=uid,
            )
            return self._sent_before(session, taking_back) if row is None else self._added(session, taking_back)

    def add_copies(self, events: Sequence[tuple[DecisionEvent, str | None]]) -> int:
        """Store events of another ledger as they are, oldest first, and return how many are new; all of them or none.

        Each comes with the uid of the event that it takes back; one that is neither here nor among them is a KeyError
        of that uid.
        """
        with writing(self._engine, self._dataset_id) as session:
            wanted = {uid for event, undone in events for uid in (event.uid, undone) if uid is not None}
            here = {uid: number for number, uid in self._names(session, DecisionRow.uid, wanted)}
            added = 0
            for event, undone in events:
                if event.uid in here:
                    continue
                copy = replace(event, undoes=None if undone is None else here[undone])
                here[event.uid] = session.execute(
                    _TABLE.insert().values(_values(copy)).returning(_TABLE.c.id)
                ).scalar_one()
                added += 1
            return added

    def position(self) -> int:
        """The greatest id; grows with every event."""
        query = select(func.max(DecisionRow.id)).where(DecisionRow.dataset_id == self._dataset_id)
        with transaction(self._engine) as session:
            return int(session.scalar(query) or 0)

    def get(self, event_id: int) -> DecisionEvent | None:
        """One event by its id."""
        return next(iter(self._read(self._events().where(DecisionRow.id == event_id))), None)

    def sent(self, uid: str) -> DecisionEvent | None:
        """The event of a uid; None where there is none yet."""
        return next(iter(self._read(self._events().where(DecisionRow.uid == uid))), None)

    def uids(self, event_ids: Iterable[int]) -> dict[int, str]:
        """Names of some events."""
        with transaction(self._engine) as session:
            return dict(self._names(session, DecisionRow.id, set(event_ids)))

    def since(self, after: int) -> list[DecisionEvent]:
        """Events with an id above `after`, in the order of their ids."""
        return self._read(self._events().where(DecisionRow.id > after).order_by(DecisionRow.id))

    def filtered(
        self,
        *,
        annotator: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        before: tuple[datetime, int] | None = None,
        limit: int | None = None,
        rules: bool = False,
    ) -> list[DecisionEvent]:
        """Events of everybody or one annotator, newest first; with `rules` those that set rules or guidelines are among
        them.

        Times are in UTC: from `since` until, not with, `until`; or before an event, given by its time and id.
        """
        query = self._events().order_by(DecisionRow.at.desc(), DecisionRow.id.desc())
        if annotator is not None:
            query = query.where(DecisionRow.annotator == annotator)
        if since is not None:
            query = query.where(DecisionRow.at >= since)
        if until is not None:
            query = query.where(DecisionRow.at < until)
        if before is not None:
            at, number = before
            query = query.where(or_(DecisionRow.at < at, (DecisionRow.at == at) & (DecisionRow.id < number)))
        if not rules:
            query = query.where(DecisionRow.action.not_in(_ABOUT_NO_EXAMPLE))
        return self._read(query if limit is None else query.limit(limit))

    def chosen(self, event_ids: Sequence[int]) -> list[DecisionEvent]:
        """Some events and those that take them back, oldest first."""
        query = self._events().where(or_(DecisionRow.id.in_(event_ids), DecisionRow.undoes.in_(event_ids)))
        return self._read(query.order_by(DecisionRow.at, DecisionRow.id))

    def _added(self, session: Session, event: DecisionEvent) -> DecisionEvent:
        # It is dated by the database's clock, as those of several machines differ. Should that one be set back, what is
        # stored later is still never dated earlier, so that "latest" has one sense. It is one statement, as other
        # writers wait meanwhile.
        last = (
            select(_TABLE.c.at)
            .where(_TABLE.c.dataset_id == self._dataset_id)
            .order_by(_TABLE.c.id.desc())
            .limit(1)
            .scalar_subquery()
        )
        at = case((last > database_now(), last), else_=database_now())
        statement = (
            inserting(self._engine, _TABLE, {**_values(event), "at": at})
            .on_conflict_do_nothing(index_elements=[_TABLE.c.dataset_id, _TABLE.c.uid])
            .returning(_TABLE.c.id, _TABLE.c.at)
        )
        stored = session.execute(statement).one_or_none()
        if stored is not None:
            happened("decisions", dataset=self._dataset_id)
            return replace(event, id=stored.id, at=in_utc(stored.at))
        return cast(DecisionEvent, self._sent_before(session, event))

    def _sent_before(self, session: Session, event: DecisionEvent) -> DecisionEvent | None:
        """The event that is here by the same uid; BadInputError where it says something else."""
        row = session.execute(self._events().where(DecisionRow.uid == event.uid)).one_or_none()
        if row is None:
            return None
        given = _values(event)
        said = _SENT_BY if event.action == UNDO else (*_SENT, *_SENT_WITH.get(event.action, ()))
        if any(getattr(row, name) != given[name] for name in said):
            raise BadInputError(
                f"The uid {event.uid!r} is that of another decision: “{row.action}” by {row.annotator}.",
                "Give every decision a uid of its own; only the same decision is sent again with the same one.",
            )
        return _to_event(row)

    def _newest(self, session: Session, after: int, rows: NDArray[np.int32]) -> list[DecisionRow]:
        """Events after one that decide about one of some examples, newest first."""
        query = (
            select(DecisionRow)
            .where(
                DecisionRow.dataset_id == self._dataset_id,
                DecisionRow.id > after,
                DecisionRow.action.in_((*DECISION_STATES, UNDO)),
                or_(DecisionRow.row.in_(rows.tolist()), DecisionRow.row.is_(None)),
            )
            .order_by(DecisionRow.id.desc())
        )
        return [row for row in session.scalars(query) if row.row is not None or np.isin(rows, _rows_of(row)).any()]

    def _names(self, session: Session, column: Any, values: Iterable[Any]) -> Iterator[tuple[int, str]]:
        """Id and uid of the events that have one of some values in a column."""
        wanted = sorted(values)
        query = select(DecisionRow.id, DecisionRow.uid).where(DecisionRow.dataset_id == self._dataset_id)
        for start in range(0, len(wanted), _NAMES_AT_ONCE):
            rows = session.execute(query.where(column.in_(wanted[start : start + _NAMES_AT_ONCE])))
            yield from ((row.id, row.uid) for row in rows)

    def _read(self, query: Select[Any]) -> list[DecisionEvent]:
        with transaction(self._engine) as session:
            return [_to_event(row) for row in session.execute(query)]

    def _events(self) -> Select[Any]:
        return select(*DecisionRow.__table__.c).where(DecisionRow.dataset_id == self._dataset_id)


def _values(event: DecisionEvent) -> dict[str, Any]:
    """What is stored of an event, by column."""
    single = len(event.rows) == 1
    return {
        "dataset_id": event.dataset_id,
        "at": event.at,
        "annotator": event.annotator,
        "action": event.action,
        "label": event.label,
        "note": event.note,
        "run_id": event.run_id,
        "seen": event.seen,
        "row": int(event.rows[0]) if single else None,
        # a bulk event is one record, whatever its size: gaps between ascending rows, compressed
        "rows": None if single else _packed(np.diff(event.rows, prepend=0)),
        "labels": None if event.labels is None else _packed(event.labels),
        "count": len(event.rows),
        "undoes": event.undoes,
        "uid": event.uid,
        "adjudicates": event.adjudicates,
    }


def _to_event(row: DecisionRow | Row[Any]) -> DecisionEvent:
    return DecisionEvent(
        id=row.id,
        dataset_id=row.dataset_id,
        at=in_utc(row.at),
        annotator=row.annotator,
        action=row.action,
        rows=_rows_of(row),
        label=row.label,
        note=row.note,
        run_id=row.run_id,
        seen=row.seen,
        undoes=row.undoes,
        uid=row.uid,
        adjudicates=row.adjudicates,
        labels=None if row.labels is None else _unpacked(row.labels),
    )


def _rows_of(row: DecisionRow | Row[Any]) -> NDArray[np.int32]:
    if row.rows is None:
        return np.array([row.row], dtype=np.int32)
    return np.cumsum(_unpacked(row.rows), dtype=np.int32)


def _packed(numbers: NDArray[np.integer]) -> bytes:
    return zlib.compress(numbers.astype("<i4").tobytes(), 1)


def _unpacked(packed: bytes) -> NDArray[np.int32]:
    return np.frombuffer(zlib.decompress(packed), dtype="<i4").astype(np.int32)
