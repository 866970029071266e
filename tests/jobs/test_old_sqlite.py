"""The jobs database on SQLite below 3.42, which Debian 12 and Ubuntu 22.04 have."""

from __future__ import annotations

import sqlite3
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from dbos import DBOSClient
from sqlalchemy import Engine, create_engine, event, text

from diet_explorer.config import load_settings
from diet_explorer.jobs.protocol import SCORE, checked_jobs_url
from diet_explorer.jobs.queue import JobQueue


def forget_subseconds(connection: sqlite3.Connection, _record: object) -> None:
    """What SQLite 3.38 to 3.41 answer."""
    connection.create_function("unixepoch", 1, lambda moment: None)


@pytest.fixture
def old_sqlite(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every connection is to an old SQLite, and the job library does what it does from Python 3.12 on."""
    import dbos._migration
    import dbos._sys_db
    import dbos._sys_db_sqlite

    newer = [text.replace("strftime('%s','now')", "unixepoch('subsec')") for text in dbos._migration.sqlite_migrations]
    for module in (dbos._migration, dbos._sys_db_sqlite):
        monkeypatch.setattr(module, "sqlite_migrations", newer)
    monkeypatch.setattr(dbos._sys_db, "sys", SimpleNamespace(**{**vars(sys), "version_info": (3, 13)}))
    event.listen(Engine, "connect", forget_subseconds, insert=True)
    yield
    event.remove(Engine, "connect", forget_subseconds)


@pytest.mark.usefixtures("old_sqlite")
@pytest.mark.parametrize("name", ["home", "a?b=c 100%20#ü"])
def test_jobs_are_queued_with_their_times(tmp_path: Path, name: str) -> None:
    settings = load_settings(home=str(tmp_path / name))
    queue = JobQueue(settings)
    queue.submit(SCORE, "job", "run")
    queue.close()
    client = DBOSClient(system_database_url=checked_jobs_url(settings))
    try:
        (job,) = client.list_workflows()
    finally:
        client.destroy()
    assert job.workflow_id == "job" and abs(time.time() - job.created_at / 1000) < 60


@pytest.mark.usefixtures("old_sqlite")
def test_a_database_made_under_a_newer_python_is_written_to(tmp_path: Path) -> None:
    settings = load_settings(home=str(tmp_path))
    engine = create_engine(checked_jobs_url(settings))
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE t (n INTEGER, at INTEGER NOT NULL DEFAULT (unixepoch('subsec') * 1000))"))
        connection.execute(text("INSERT INTO t (n) VALUES (1)"))
        assert abs(connection.execute(text("SELECT at FROM t")).scalar_one() / 1000 - time.time()) < 60


@pytest.mark.usefixtures("old_sqlite")
def test_other_databases_of_the_process_are_left_alone(tmp_path: Path) -> None:
    checked_jobs_url(load_settings(home=str(tmp_path)))
    with create_engine(f"sqlite:///{tmp_path}/other.sqlite").connect() as connection:
        assert connection.execute(text("SELECT unixepoch('subsec')")).scalar() is None
