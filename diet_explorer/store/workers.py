"""Who is alive: each worker, training script and push has a row, with its last sign of life by the database's clock.

A worker has its jobs for as long as its sign of life is younger than the lease. Whoever finds one silent for longer, or
on the same machine dead, declares it gone: its row goes, and with it its hold on all that it works on.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import datetime, timedelta
from typing import Any, Literal, cast

from sqlalchemy import Engine, delete, select, update
from sqlalchemy.orm import Session

from diet_explorer.store.database import in_utc, time_of, transaction, writing
from diet_explorer.store.in_words import bytes_in_words
from diet_explorer.store.tables import LeaseRow, WorkerRow

Kind = Literal["worker", "script", "push"]
SEEDS = "seeds"
"""The line of what trains: a worker's task of it is the run."""


@dataclass(frozen=True, kw_only=True)
class WorkerInfo:
    """A worker, or a training script, as it last described itself; times are those of the database, in UTC."""

    id: str
    host: str
    slot: int
    pid: int
    machine: str  # the same for all that run under one kernel
    version: str
    device: str  # what it computes with, in words
    kind: Kind = "worker"
    lease_seconds: float = 30.0  # silent for longer, it loses what it works on
    memory_total: int | None = None  # in bytes
    memory_free: int | None = None
    can: dict[str, Any] = field(default_factory=dict)  # what it has that others may lack
    tasks: dict[str, str] = field(default_factory=dict)  # what it is busy with, by line of waiting jobs
    freed: dict[str, str] = field(default_factory=dict)  # when it ended the last task of a line
    trouble: str | None = None  # what keeps it from taking up jobs
    since: datetime = datetime.min
    seen_at: datetime = datetime.min  # its last sign of life
    token: str = field(default="", repr=False)  # another one each time that it says it is there

    @property
    def run_id(self) -> str | None:
        """The run that it scores, or trains for."""
        return self.tasks.get(SEEDS)

    @property
    def doing(self) -> str:
        """What it does, in words."""
        busy = ", ".join(task for _, task in sorted(self.tasks.items()))
        trouble = f"cannot take up jobs: {self.trouble}" if self.trouble else ""
        return "; ".join(filter(None, [busy, trouble])) or "waits for jobs"

    @property
    def memory(self) -> str:
        """How much memory is free, of how much, in words."""
        if self.memory_total is None or self.memory_free is None:
            return "unknown"
        return f"{bytes_in_words(self.memory_free)} of {bytes_in_words(self.memory_total)} free"

    def idle_since(self, line: str) -> datetime:
        """Since when it could take up a job of that line, where it is not busy with one."""
        return datetime.fromisoformat(self.freed[line]) if line in self.freed else self.since

    def seconds_silent(self, now: datetime) -> float:
        """How long ago its last sign of life was, at a time by the database's clock."""
        return max(0.0, (now - self.seen_at).total_seconds())

    def is_silent(self, now: datetime) -> bool:
        """Whether it has given no sign of life for longer than its lease."""
        return now - self.seen_at > timedelta(seconds=self.lease_seconds)


class WorkerRecords:
    """Create, renew and remove the rows; every call is one short transaction."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def register(self, info: WorkerInfo) -> WorkerInfo:
        """Say that a worker is there, in the place of whoever had its id, whose work is given up."""
        with writing(self._engine, f"worker:{info.id}") as session:
            _remove(session, WorkerRow.id == info.id)
            now = time_of(session)
            info = replace(info, since=now, seen_at=now, token=uuid.uuid4().hex)
            session.add(WorkerRow(**asdict(info)))
            return info

    def beat(self, info: WorkerInfo, freed: Iterable[str] = ()) -> WorkerInfo | None:
        """Give a sign of life, with what the worker does; `freed` are lines whose task has ended now.

        None where it has been declared gone.
        """
        with writing(self._engine, f"worker:{info.id}") as session:
            now = time_of(session)
            info = replace(info, seen_at=now, freed={**info.freed, **dict.fromkeys(freed, now.isoformat())})
            facts = {"seen_at", "tasks", "freed", "trouble", "memory_free", "can"}
            values = {name: value for name, value in asdict(info).items() if name in facts}
            mine = (WorkerRow.id == info.id) & (WorkerRow.token == info.token)
            changed = session.execute(update(WorkerRow).where(mine).values(**values))
            return info if cast(Any, changed).rowcount else None

    def leave(self, info: WorkerInfo) -> None:
        """Say that a worker is no longer there, and give up its work."""
        with writing(self._engine, f"worker:{info.id}") as session:
            _remove(session, (WorkerRow.id == info.id) & (WorkerRow.token == info.token))

    def declare_gone(self, info: WorkerInfo) -> bool:
        """Take a worker's work from it, unless it has given a sign of life since it was read."""
        silent = (WorkerRow.id == info.id) & (WorkerRow.token == info.token) & (WorkerRow.seen_at == info.seen_at)
        with writing(self._engine, f"worker:{info.id}") as session:
            return _remove(session, silent)

    @contextmanager
    def taking_over(self) -> Iterator[None]:
        """One process at a time takes over what others have left."""
        with writing(self._engine, "taking-over"):
            yield

    def all(self, kind: Kind | None = "worker") -> tuple[list[WorkerInfo], datetime]:
        """All that are known, whether they are silent or not, and the time."""
        query = select(WorkerRow).order_by(WorkerRow.host, WorkerRow.slot, WorkerRow.id)
        with transaction(self._engine) as session:
            rows = session.scalars(query if kind is None else query.where(WorkerRow.kind == kind))
            return [_info(row) for row in rows], time_of(session)

    def get(self, id: str) -> tuple[WorkerInfo | None, datetime]:
        """One of them, if it is known, and the time."""
        with transaction(self._engine) as session:
            row = session.get(WorkerRow, id)
            return (None if row is None else _info(row)), time_of(session)


def _remove(session: Session, which: Any) -> bool:
    gone = session.scalars(delete(WorkerRow).where(which).returning(WorkerRow.id)).all()
    held = update(LeaseRow).where(LeaseRow.worker.in_(gone))
    session.execute(held.values(worker=None, epoch=LeaseRow.epoch + 1))
    return bool(gone)


def _info(row: WorkerRow) -> WorkerInfo:
    values = {entry.name: getattr(row, entry.name) for entry in fields(WorkerInfo)}
    return WorkerInfo(**{**values, "since": in_utc(row.since), "seen_at": in_utc(row.seen_at)})
