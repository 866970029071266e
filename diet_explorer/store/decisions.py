"""The ledger's events in the explorer database: appended and read, never changed."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Engine, Select, func, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, aliased

from diet_explorer.store.database import database_errors
from diet_explorer.store.tables import DecisionRow

DECISION_STATES: tuple[str, ...] = ("undecided", "keep", "relabel", "exclude", "unsure")
"""What can hold for an example; an annotator's action of the same name brings it about."""

UNDO = "undo"
_UNDO_ATTEMPTS = 5


@dataclass(frozen=True)
class DecisionEvent:
    """One event of the ledger.

    Attributes
    ----------
    id : int
        Grows with every event; 0 for one that is not stored yet.
    dataset_id : str
    at : datetime
        In UTC.
    annotator : str
    action : str
        What was decided, or ``undo``.
    rows : int32 array
        The examples it is about, ascending; those of the undone event for an undo.
    label : str or None
        The new label's class.
    note : str or None
    run_id : str or None
        The run whose scores were on screen.
    seen : dict or None
        What the annotator saw: score, checkpoint, suggestion.
    undoes : int or None
        The event that an undo takes back.
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


class DecisionRecords:
    """Append and read the events of one dataset; every call is one short transaction.

    Parameters
    ----------
    engine : sqlalchemy.Engine
    dataset_id : str
    """

    def __init__(self, engine: Engine, dataset_id: str) -> None:
        self._engine = engine
        self._dataset_id = dataset_id

    def append(self, event: DecisionEvent) -> DecisionEvent:
        """Store an event; when this returns, it is on disk."""
        with database_errors(self._engine), Session(self._engine) as session, session.begin():
            row = _to_row(event)
            session.add(row)
            session.flush()
            return _to_event(row)

    def undo(self, annotator: str) -> DecisionEvent | None:
        """Take back the annotator's latest event that still counts; None where there is none."""
        for attempt in range(_UNDO_ATTEMPTS):
            try:
                return self._undo(annotator)
            except IntegrityError:  # another tab has just taken back the same event
                if attempt == _UNDO_ATTEMPTS - 1:
                    raise
        return None

    def _undo(self, annotator: str) -> DecisionEvent | None:
        undone = aliased(DecisionRow)
        taken_back = select(undone.undoes).where(undone.dataset_id == self._dataset_id, undone.undoes.is_not(None))
        latest = (
            self._events()
            .where(DecisionRow.annotator == annotator, DecisionRow.action != UNDO, DecisionRow.id.not_in(taken_back))
            .order_by(DecisionRow.id.desc())
            .limit(1)
        )
        with database_errors(self._engine), Session(self._engine) as session:
            found = session.scalars(latest).first()
            if found is None:
                return None
            target = _to_event(found)
        return self.append(
            DecisionEvent(
                id=0,
                dataset_id=self._dataset_id,
                at=datetime.now(UTC),
                annotator=annotator,
                action=UNDO,
                rows=target.rows,
                run_id=target.run_id,
                undoes=target.id,
            )
        )

    def position(self) -> tuple[int, int]:
        """Number of events and the greatest id; both change with every event, whatever order transactions end in."""
        query = select(func.count(), func.max(DecisionRow.id)).where(DecisionRow.dataset_id == self._dataset_id)
        with database_errors(self._engine), Session(self._engine) as session:
            count, last = session.execute(query).one()
            return int(count), int(last or 0)

    def since(self, after: int) -> list[DecisionEvent]:
        """Events with an id above `after`, oldest first."""
        with database_errors(self._engine), Session(self._engine) as session:
            found = session.scalars(self._events().where(DecisionRow.id > after).order_by(DecisionRow.id))
            return [_to_event(row) for row in found]

    def latest(self, count: int, annotator: str | None = None) -> list[DecisionEvent]:
        """The last events, newest first, of everybody or of one annotator."""
        query = self._events().order_by(DecisionRow.id.desc()).limit(count)
        if annotator is not None:
            query = query.where(DecisionRow.annotator == annotator)
        with database_errors(self._engine), Session(self._engine) as session:
            return [_to_event(row) for row in session.scalars(query)]

    def of_example(self, row: int) -> list[DecisionEvent]:
        """Every event about one example, oldest first."""
        query = self._events().where(or_(DecisionRow.row == row, DecisionRow.row.is_(None))).order_by(DecisionRow.id)
        with database_errors(self._engine), Session(self._engine) as session:
            events = (_to_event(found) for found in session.scalars(query))
            return [event for event in events if row in event.rows]

    def _events(self) -> Select[DecisionRow]:
        return select(DecisionRow).where(DecisionRow.dataset_id == self._dataset_id)


def _to_row(event: DecisionEvent) -> DecisionRow:
    single = len(event.rows) == 1
    return DecisionRow(
        dataset_id=event.dataset_id,
        at=event.at,
        annotator=event.annotator,
        action=event.action,
        label=event.label,
        note=event.note,
        run_id=event.run_id,
        seen=event.seen,
        row=int(event.rows[0]) if single else None,
        # a bulk event is one record, whatever its size: gaps between ascending rows, compressed
        rows=None if single else zlib.compress(np.diff(event.rows, prepend=0).astype("<i4").tobytes(), 1),
        count=len(event.rows),
        undoes=event.undoes,
    )


def _to_event(row: DecisionRow) -> DecisionEvent:
    if row.rows is None:
        rows = np.array([] if row.row is None else [row.row], dtype=np.int32)
    else:
        rows = np.cumsum(np.frombuffer(zlib.decompress(row.rows), dtype="<i4"), dtype=np.int32)
    return DecisionEvent(
        id=row.id,
        dataset_id=row.dataset_id,
        at=row.at if row.at.tzinfo is not None else row.at.replace(tzinfo=UTC),  # SQLite keeps no time zone
        annotator=row.annotator,
        action=row.action,
        rows=rows,
        label=row.label,
        note=row.note,
        run_id=row.run_id,
        seen=row.seen,
        undoes=row.undoes,
    )
