"""What was asked of background jobs and how far they are, in the explorer database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, delete, select

from diet_explorer.store.database import inserting, transaction, writing
from diet_explorer.store.tables import JobRow


@dataclass(frozen=True)
class JobRecord:
    """The last job of one kind for one thing, as plain data; None where nothing was written down."""

    request: dict[str, Any] | None = None
    status: dict[str, Any] | None = None


class JobRecords:
    """Reads and writes the states of jobs; every call is one short transaction."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def get(self, kind: str, about: str) -> JobRecord:
        """The last job."""
        query = select(JobRow.request, JobRow.status).where(JobRow.kind == kind, JobRow.about == about)
        with transaction(self._engine) as session:
            row = session.execute(query).one_or_none()
            return JobRecord() if row is None else JobRecord(*row)

    def requested(self, kind: str) -> list[str]:
        """What jobs of a kind were asked for."""
        query = select(JobRow.about).where(JobRow.kind == kind, JobRow.request.is_not(None)).order_by(JobRow.about)
        with transaction(self._engine) as session:
            return list(session.scalars(query))

    def save_request(self, kind: str, about: str, request: dict[str, Any]) -> None:
        """Write down what is asked for."""
        self._save(kind, about, {"request": request})

    def save_status(self, kind: str, about: str, status: dict[str, Any]) -> None:
        """Write down how far it is."""
        self._save(kind, about, {"status": status})

    def forget(self, kind: str, about: str) -> None:
        """Remove what is known of a job."""
        with transaction(self._engine) as session:
            session.execute(delete(JobRow).where(JobRow.kind == kind, JobRow.about == about))

    def _save(self, kind: str, about: str, values: dict[str, Any]) -> None:
        keys = {"kind": kind, "about": about}
        insert = inserting(self._engine, JobRow.__table__, {**keys, **values})
        with writing(self._engine, f"{kind} {about}") as session:
            session.execute(insert.on_conflict_do_update(index_elements=list(keys), set_=values))
