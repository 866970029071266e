"""Records of runs in the explorer database."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, cast

from sqlalchemy import ColumnElement, Engine, delete, exists, or_, select, update
from sqlalchemy.orm import Session

from diet_explorer.errors import NotFoundError
from diet_explorer.redaction import redacted
from diet_explorer.store.bin import marks_of
from diet_explorer.store.database import database_now, in_utc, time_of, transaction, writing
from diet_explorer.store.reports import ReportRecords
from diet_explorer.store.tables import BinRow, RunRow

Status = Literal["queued", "running", "interrupted", "succeeded", "failed", "cancelled"]
Origin = Literal["job", "callback", "cartography", "record", "folds", "noise", "proof"]
ACTIVE: frozenset[Status] = frozenset({"queued", "running"})


@dataclass(frozen=True)
class RunRecord:
    """What the database knows of a run; times are in UTC.

    `status` is ``interrupted`` where a training script ended before its training did. `origin` is ``job`` for one of
    the app's, ``callback`` for a training script of somebody's own, ``cartography`` for imported training dynamics and
    ``record`` for recorded outputs of any model. ``folds``, ``noise`` and ``proof`` are further trainings for the run
    `parent_id`.
    """

    id: str
    dataset_id: str
    name: str
    origin: Origin
    status: Status
    config: dict[str, Any]
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    error: str | None = None
    remedy: str | None = None
    workflow_id: str | None = None
    parent_id: str | None = None

    @property
    def is_active(self) -> bool:
        """Whether it waits or runs."""
        return self.status in ACTIVE


class RunRecords:
    """Create, read and change the records of runs; every call is one short transaction.

    A run that was deleted, or whose parent or dataset was, is not read unless that is asked for.
    """

    def __init__(self, engine: Engine, fence: Callable[[Session], None] | None = None) -> None:
        self._engine = engine
        self._fence = fence  # called first in each change by a job; what it raises keeps the job from changing anything

    def create(self, record: RunRecord) -> None:
        """Insert a record."""
        with transaction(self._engine) as session:
            session.add(RunRow(**record.__dict__))

    def get(self, run_id: str, *, deleted: bool = False) -> RunRecord:
        """The record of a run; NotFoundError where there is none, which is a DeletedError where there was one."""
        with transaction(self._engine) as session:
            row = session.get(RunRow, run_id)
            if row is None:
                raise NotFoundError(f"There is no run {run_id!r}.", "List the runs with `diet-explorer runs`.")
            owners = [("run", run_id), ("run", row.parent_id or run_id), ("dataset", row.dataset_id)]
            marks = {} if deleted else marks_of(session, owners)
            record = _record(row)
        for key in owners:
            if key in marks:
                raise marks[key].error()
        return record

    def is_there(self, run_id: str) -> bool:
        """Whether there is a run of that id that was not deleted."""
        with suppress(NotFoundError):
            return self.get(run_id) is not None
        return False

    def list(
        self, dataset_id: str | None = None, parent_id: str | None = None, *, deleted: bool = False
    ) -> list[RunRecord]:
        """Records of all runs, or of one dataset's, or of the further trainings for one run, newest first."""
        statement = select(RunRow).order_by(RunRow.created_at.desc(), RunRow.id)
        if not deleted:
            statement = statement.where(~_deleted())
        if dataset_id is not None:
            statement = statement.where(RunRow.dataset_id == dataset_id)
        if parent_id is not None:
            statement = statement.where(RunRow.parent_id == parent_id)
        with transaction(self._engine) as session:
            return [_record(row) for row in session.scalars(statement)]

    def set_status(
        self,
        run_id: str,
        status: Status,
        *,
        error: str | None = None,
        remedy: str | None = None,
        at: datetime | None = None,
        only_from: Iterable[Status] | None = None,
        only_of: str | None = None,
    ) -> bool:
        """Change a run's status, with the time that belongs to it (by default now, by the
        database's clock), and return whether it was changed.

        With `only_from` it is changed only if it is one of these now, so that nobody's decision is overwritten; with
        `only_of` only if that job carries the run. A run that is queued anew has no job yet.
        """
        now = at or database_now()
        values: dict[str, Any] = {"status": status, "error": _shown(error), "remedy": _shown(remedy)}
        values["finished_at"] = None if status in ACTIVE else now
        if status == "running":
            values["started_at"] = now
        if status == "queued":
            values["workflow_id"] = None
        statement = update(RunRow).where(RunRow.id == run_id).values(**values)
        if only_from is not None:
            statement = statement.where(RunRow.status.in_(list(only_from)))
        if only_of is not None:
            statement = statement.where(RunRow.workflow_id == only_of)
        with self._changing(run_id) as session:
            return bool(cast(Any, session.execute(statement)).rowcount)

    def rename(self, run_id: str, name: str) -> None:
        """Call a run otherwise."""
        with transaction(self._engine) as session:
            session.execute(update(RunRow).where(RunRow.id == run_id).values(name=name))

    def set_parent(self, run_id: str, parent_id: str) -> None:
        """Let a further training belong to another run."""
        with transaction(self._engine) as session:
            session.execute(update(RunRow).where(RunRow.id == run_id).values(parent_id=parent_id))

    def remove(self, run_ids: Iterable[str]) -> None:
        """Forget runs for good, and all that was reported of them."""
        chosen = list(run_ids)
        ReportRecords(self._engine).forget(chosen)
        with transaction(self._engine) as session:
            session.execute(delete(RunRow).where(RunRow.id.in_(chosen)))

    def now(self) -> datetime:
        """The time by the database's clock, in UTC."""
        with transaction(self._engine) as session:
            return time_of(session)

    def set_config(self, run_id: str, config: dict[str, Any]) -> None:
        """Replace the settings of a run."""
        with transaction(self._engine) as session:
            session.execute(update(RunRow).where(RunRow.id == run_id).values(config=config))

    def set_workflow(self, run_id: str, workflow_id: str) -> None:
        """Remember which job carries the run."""
        with self._changing(run_id) as session:
            session.execute(update(RunRow).where(RunRow.id == run_id).values(workflow_id=workflow_id))

    @contextmanager
    def _changing(self, run_id: str) -> Iterator[Session]:
        with writing(self._engine, f"run:{run_id}") as session:
            if self._fence is not None:
                self._fence(session)
            yield session


def _deleted() -> ColumnElement[bool]:
    """Whether a run, its parent or its dataset is in the bin."""
    of_run = (BinRow.kind == "run") & or_(BinRow.id == RunRow.id, BinRow.id == RunRow.parent_id)
    of_dataset = (BinRow.kind == "dataset") & (BinRow.id == RunRow.dataset_id)
    return exists().where(or_(of_run, of_dataset))


def _record(row: RunRow) -> RunRecord:
    values = {name: getattr(row, name) for name in RunRecord.__dataclass_fields__}
    for name in ("created_at", "started_at", "finished_at"):
        if values[name] is not None:
            values[name] = in_utc(values[name])
    return RunRecord(**values)


def _shown(text: str | None) -> str | None:
    return None if text is None else redacted(text)
