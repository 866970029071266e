"""Records of runs in the explorer database."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, cast

from sqlalchemy import Engine, select, update

from diet_explorer.errors import NotFoundError
from diet_explorer.store.database import in_utc, transaction
from diet_explorer.store.tables import RunRow

Status = Literal["queued", "running", "succeeded", "failed", "cancelled"]
Origin = Literal["job", "callback", "cartography", "folds", "noise", "proof"]
ACTIVE: frozenset[Status] = frozenset({"queued", "running"})


@dataclass(frozen=True)
class RunRecord:
    """What the database knows of a run; times are in UTC.

    `origin` is ``job`` for one of the app's, ``callback`` for a training script of somebody's own, and ``cartography``
    for imported training dynamics. ``folds``, ``noise`` and ``proof`` are further trainings for the run `parent_id`.
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
    """Create, read and change the records of runs; every call is one short transaction."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def create(self, record: RunRecord) -> None:
        """Insert a record."""
        with transaction(self._engine) as session:
            session.add(RunRow(**record.__dict__))

    def get(self, run_id: str) -> RunRecord:
        """The record of a run; NotFoundError where there is none."""
        with transaction(self._engine) as session:
            row = session.get(RunRow, run_id)
            if row is None:
                raise NotFoundError(f"There is no run {run_id!r}.", "List the runs with `diet-explorer runs`.")
            return _record(row)

    def list(self, dataset_id: str | None = None, parent_id: str | None = None) -> list[RunRecord]:
        """Records of all runs, or of one dataset's, or of the further trainings for one run, newest first."""
        statement = select(RunRow).order_by(RunRow.created_at.desc(), RunRow.id)
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
        only_from: Iterable[Status] | None = None,
    ) -> bool:
        """Change a run's status, with the time that belongs to it, and return whether it was changed.

        With `only_from` it is changed only if it is one of these now, so that nobody's decision is overwritten.
        """
        now = datetime.now(UTC)
        values: dict[str, Any] = {"status": status, "error": error, "remedy": remedy}
        values["finished_at"] = None if status in ACTIVE else now
        if status == "running":
            values["started_at"] = now
        statement = update(RunRow).where(RunRow.id == run_id).values(**values)
        if only_from is not None:
            statement = statement.where(RunRow.status.in_(list(only_from)))
        with transaction(self._engine) as session:
            return bool(cast(Any, session.execute(statement)).rowcount)

    def set_workflow(self, run_id: str, workflow_id: str) -> None:
        """Remember which job carries the run."""
        with transaction(self._engine) as session:
            session.execute(update(RunRow).where(RunRow.id == run_id).values(workflow_id=workflow_id))


def _record(row: RunRow) -> RunRecord:
    values = {name: getattr(row, name) for name in RunRecord.__dataclass_fields__}
    for name in ("created_at", "started_at", "finished_at"):
        if values[name] is not None:
            values[name] = in_utc(values[name])
    return RunRecord(**values)
