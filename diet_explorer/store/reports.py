"""How far runs are, in the explorer database: a snapshot per seed, and the lines of the log."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, delete, insert, select

from diet_explorer.store.database import database_now, in_utc, inserting, transaction, writing
from diet_explorer.store.tables import LogRow, SeedRow


class ReportRecords:
    """Reads and writes the reports of all runs; every call is one short transaction, its times are the database's."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def save_seed(self, run_id: str, seed: int, state: dict[str, Any]) -> None:
        """Replace the snapshot of a seed."""
        self._replace(SeedRow.__table__, "updated_at", {"run_id": run_id, "seed": seed}, {"state": state})

    def seeds(self, run_id: str) -> dict[int, tuple[dict[str, Any], datetime]]:
        """Seed to its last snapshot, and when that was written, in UTC."""
        query = select(SeedRow.seed, SeedRow.state, SeedRow.updated_at).where(SeedRow.run_id == run_id)
        with transaction(self._engine) as session:
            return {seed: (state, in_utc(at)) for seed, state, at in session.execute(query)}

    def add_line(self, run_id: str, line: dict[str, Any]) -> None:
        """Append to a run's log."""
        with writing(self._engine, f"reports of {run_id}") as session:
            session.execute(insert(LogRow).values(run_id=run_id, line=line, at=database_now()))

    def lines(self, run_id: str, last: int) -> list[tuple[datetime, dict[str, Any]]]:
        """The last lines of a run's log and when they were written, oldest first."""
        query = select(LogRow.at, LogRow.line).where(LogRow.run_id == run_id).order_by(LogRow.id.desc()).limit(last)
        with transaction(self._engine) as session:
            return [(in_utc(at), line) for at, line in reversed(session.execute(query).all())]

    def forget(self, run_ids: Iterable[str]) -> None:
        """Remove all that was reported of some runs."""
        chosen = list(run_ids)
        with transaction(self._engine) as session:
            for table in (SeedRow, LogRow):
                session.execute(delete(table).where(table.run_id.in_(chosen)))

    def _replace(self, table: Any, clock: str, keys: dict[str, Any], values: dict[str, Any]) -> None:
        values = {**values, clock: database_now()}
        insertion = inserting(self._engine, table, {**keys, **values})
        with writing(self._engine, f"reports of {keys['run_id']}") as session:
            session.execute(insertion.on_conflict_do_update(index_elements=list(keys), set_=values))
