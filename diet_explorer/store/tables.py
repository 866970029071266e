"""Tables of the explorer database."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Boolean, DateTime, Float, Index, Integer, LargeBinary, String, Text, false
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """Declarative base; its metadata is what the migrations describe."""


class RunRow(Base):
    """One run: a model trained on a dataset while every example was scored."""

    __tablename__ = "runs"
    __table_args__ = (Index("runs_by_dataset", "dataset_id", "created_at"), Index("runs_by_parent", "parent_id"))

    id: Mapped[str] = mapped_column(String(120), primary_key=True)
    dataset_id: Mapped[str] = mapped_column(String(120))
    name: Mapped[str] = mapped_column(String(200))
    origin: Mapped[str] = mapped_column(String(20))
    status: Mapped[str] = mapped_column(String(20))
    config: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    started_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    finished_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    error: Mapped[str | None] = mapped_column(Text)
    remedy: Mapped[str | None] = mapped_column(Text)
    workflow_id: Mapped[str | None] = mapped_column(String(120))
    parent_id: Mapped[str | None] = mapped_column(String(120))


class DecisionRow(Base):
    """One event of the ledger: what somebody decided about one example or about many, or the undoing of such."""

    __tablename__ = "decisions"
    __table_args__ = (
        Index("decisions_by_dataset", "dataset_id", "id"),
        Index("decisions_by_row", "dataset_id", "row"),
        Index("decisions_by_uid", "dataset_id", "uid", unique=True),
        Index("decisions_by_annotator", "dataset_id", "annotator", "at"),
        Index("decisions_by_undone", "undoes"),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    dataset_id: Mapped[str] = mapped_column(String(120))
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    annotator: Mapped[str] = mapped_column(String(200))
    action: Mapped[str] = mapped_column(String(20))
    label: Mapped[str | None] = mapped_column(Text)
    labels: Mapped[bytes | None] = mapped_column(LargeBinary)
    note: Mapped[str | None] = mapped_column(Text)
    run_id: Mapped[str | None] = mapped_column(String(120))
    seen: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    row: Mapped[int | None] = mapped_column(Integer)
    rows: Mapped[bytes | None] = mapped_column(LargeBinary)
    count: Mapped[int] = mapped_column(Integer)
    undoes: Mapped[int | None] = mapped_column(Integer, unique=True)
    uid: Mapped[str] = mapped_column(String(64))
    adjudicates: Mapped[bool] = mapped_column(Boolean, server_default=false())


class ClaimRow(Base):
    """One example that an annotator has before them, for a while."""

    __tablename__ = "review_claims"

    dataset_id: Mapped[str] = mapped_column(String(120), primary_key=True)
    row: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    annotator: Mapped[str] = mapped_column(String(200), primary_key=True)
    until: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class WorkerRow(Base):
    """One process that says now and then that it is alive: a worker, or a training script of somebody's own."""

    __tablename__ = "workers"

    id: Mapped[str] = mapped_column(String(300), primary_key=True)
    token: Mapped[str] = mapped_column(String(40))
    kind: Mapped[str] = mapped_column(String(20))
    host: Mapped[str] = mapped_column(String(255))
    slot: Mapped[int] = mapped_column(Integer)
    pid: Mapped[int] = mapped_column(Integer)
    machine: Mapped[str] = mapped_column(String(255))
    version: Mapped[str] = mapped_column(String(60))
    device: Mapped[str] = mapped_column(Text)
    memory_total: Mapped[int | None] = mapped_column(BigInteger)
    memory_free: Mapped[int | None] = mapped_column(BigInteger)
    can: Mapped[dict[str, Any]] = mapped_column(JSON)
    lease_seconds: Mapped[float] = mapped_column(Float)
    since: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    seen_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    tasks: Mapped[dict[str, str]] = mapped_column(JSON)
    freed: Mapped[dict[str, str]] = mapped_column(JSON)
    trouble: Mapped[str | None] = mapped_column(Text)


class LeaseRow(Base):
    """Which worker works on something; the epoch grows with every one that takes it, or has it taken away."""

    __tablename__ = "leases"
    __table_args__ = (Index("leases_by_worker", "worker"),)

    thing: Mapped[str] = mapped_column(String(300), primary_key=True)
    worker: Mapped[str | None] = mapped_column(String(300))
    job: Mapped[str] = mapped_column(String(200))
    epoch: Mapped[int] = mapped_column(Integer)


class BinRow(Base):
    """One thing that somebody deleted and that can be brought back until the bin is emptied of it."""

    __tablename__ = "bin"

    kind: Mapped[str] = mapped_column(String(20), primary_key=True)
    id: Mapped[str] = mapped_column(String(300), primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    by: Mapped[str] = mapped_column(String(200))
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    size: Mapped[int] = mapped_column(BigInteger)
    content: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    removing: Mapped[bool] = mapped_column(Boolean, server_default=false())


class AuditRow(Base):
    """One line of the audit log; a trigger keeps it as it is."""

    __tablename__ = "audit_log"
    __table_args__ = (Index("audit_log_by_uid", "uid", unique=True), Index("audit_log_by_kind", "kind", "id"))

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    kind: Mapped[str] = mapped_column(String(20))
    who: Mapped[str] = mapped_column(Text)
    role: Mapped[str | None] = mapped_column(String(20))
    what: Mapped[str] = mapped_column(Text)
    about: Mapped[str | None] = mapped_column(Text)
    uid: Mapped[str] = mapped_column(String(64))


class WorkspaceRow(Base):
    """The one workspace that the database is of, and where it was moved to."""

    __tablename__ = "workspace"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    made_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    moved_to: Mapped[str | None] = mapped_column(Text)


class SeedRow(Base):
    """How far one seed of a run is; written about once a second while it is trained."""

    __tablename__ = "seed_progress"

    run_id: Mapped[str] = mapped_column(String(120), primary_key=True)
    seed: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    state: Mapped[dict[str, Any]] = mapped_column(JSON)
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class LogRow(Base):
    """One line of a run's log."""

    __tablename__ = "run_log"
    __table_args__ = (Index("run_log_by_run", "run_id", "id"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    run_id: Mapped[str] = mapped_column(String(120))
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    line: Mapped[dict[str, Any]] = mapped_column(JSON)


class JobRow(Base):
    """The last job of one kind for one thing, such as the map of a run: what was asked for, and how far it is."""

    __tablename__ = "jobs"

    kind: Mapped[str] = mapped_column(String(20), primary_key=True)
    about: Mapped[str] = mapped_column(String(300), primary_key=True)
    request: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    status: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
