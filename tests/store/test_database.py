"""Run records on SQLite and on a real PostgreSQL, by the same tests."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect, text

from diet_explorer.config import load_settings
from diet_explorer.errors import BadInputError, NotFoundError, WorkspaceError
from diet_explorer.store import database
from diet_explorer.store.database import open_database
from diet_explorer.store.runs import ACTIVE, RunRecord, RunRecords
from diet_explorer.store.tables import Base


def record(run_id: str, minutes: int = 0, dataset: str = "d") -> RunRecord:
    created = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    return RunRecord(run_id, dataset, f"name of {run_id}", "job", "queued", {"epochs": 3, "ü": [1.5]}, created)


def test_records_come_back_as_they_were(settings):
    records = RunRecords(open_database(settings))
    for number in range(3):
        records.create(record(f"r{number}", number, "d" if number else "other"))
    assert records.get("r1") == record("r1", 1)
    assert [entry.id for entry in records.list()] == ["r2", "r1", "r0"]
    assert [entry.id for entry in records.list("d")] == ["r2", "r1"]
    with pytest.raises(NotFoundError, match="no run 'r9'"):
        records.get("r9")


def test_a_status_is_only_changed_from_where_it_may_be(settings):
    records = RunRecords(open_database(settings))
    records.create(record("r"))
    assert records.set_status("r", "running", only_from={"queued"})
    assert records.get("r").started_at is not None
    assert not records.set_status("r", "running", only_from={"queued"})
    assert records.set_status("r", "cancelled", only_from=ACTIVE)
    assert not records.set_status("r", "succeeded", only_from={"running"}), "a cancel is never overwritten"
    cancelled = records.get("r")
    assert cancelled.status == "cancelled" and cancelled.finished_at is not None
    assert records.set_status("r", "queued", only_from={"cancelled"})
    assert records.get("r").finished_at is None


def test_many_threads_at_once(settings):
    engine = open_database(settings)

    def work(number: int) -> None:
        records = RunRecords(engine)
        for step in range(10):
            records.create(record(f"r{number}-{step}"))
            records.set_status(f"r{number}-{step}", "running")

    with ThreadPoolExecutor(6) as pool:
        for done in [pool.submit(work, number) for number in range(6)]:
            done.result()
    assert len([entry for entry in RunRecords(engine).list() if entry.status == "running"]) == 60


def test_the_migrations_make_the_tables_that_the_code_declares(settings):
    with open_database(settings).connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_what_is_downgraded_is_made_again(settings):
    engine = open_database(settings)
    configuration = Config()
    configuration.set_main_option("script_location", str(Path(database.__file__).parent / "migrations"))
    with engine.begin() as connection:
        configuration.attributes["connection"] = connection
        command.downgrade(configuration, "base")
    assert set(inspect(engine).get_table_names()) == {"alembic_version"}
    assert set(inspect(open_database(settings)).get_table_names()) == {"alembic_version", *Base.metadata.tables}


def test_several_open_a_fresh_database_at_once(settings):
    with ThreadPoolExecutor(4) as pool:
        engines = list(pool.map(lambda _: open_database(settings), range(4)))
    RunRecords(engines[0]).create(record("r"))
    assert [[entry.id for entry in RunRecords(engine).list()] for engine in engines] == [["r"]] * 4


def test_a_newer_database_is_refused(settings):
    engine = open_database(settings)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(WorkspaceError, match="newer version of diet-explorer") as caught:
        open_database(settings)
    assert "Upgrade diet-explorer" in caught.value.remedy


def test_a_bad_address_is_reported_without_its_password(tmp_path):
    with pytest.raises(BadInputError, match="DIET_EXPLORER_DATABASE_URL is not a database address"):
        open_database(load_settings(home=str(tmp_path), database_url="nonsense"))
    with pytest.raises(BadInputError, match="is not supported"):
        open_database(load_settings(home=str(tmp_path), database_url="mssql+pyodbc://x"))
    with pytest.raises(BadInputError, match="is not a database address"):
        open_database(load_settings(home=str(tmp_path), database_url="postgresql://host:port/x"))
    with pytest.raises(BadInputError, match="driver pysqlcipher, which is not supported"):
        open_database(load_settings(home=str(tmp_path), database_url="sqlite+pysqlcipher:///x"))
    with pytest.raises(BadInputError, match="in memory"):
        open_database(load_settings(home=str(tmp_path), database_url="sqlite://"))
    with pytest.raises(WorkspaceError, match="cannot be used") as caught:
        open_database(load_settings(home=str(tmp_path), database_url="postgres://me:secret@127.0.0.1:1/x"))
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("url", ["sqlite:///~/x.sqlite", "sqlite+aiosqlite:///{}/x.sqlite"])
def test_an_address_in_another_programs_words(monkeypatch, tmp_path, url):
    monkeypatch.setenv("HOME", str(tmp_path))
    open_database(load_settings(home=str(tmp_path / "home"), database_url=url.format(tmp_path)))
    assert (tmp_path / "x.sqlite").is_file()


def test_a_file_that_is_no_database(tmp_path):
    (tmp_path / "explorer.sqlite").write_bytes(b"this is not a database at all" * 100)
    with pytest.raises(WorkspaceError, match=r"explorer\.sqlite cannot be used: file is not a database"):
        open_database(load_settings(home=str(tmp_path)))
    assert (Path(tmp_path) / "explorer.sqlite").read_bytes().startswith(b"this is not")


@pytest.mark.parametrize(("name", "value"), [("PORT", "99999"), ("PORT", "x"), ("TRUST_REMOTE_CODE", "perhaps")])
def test_a_bad_setting_is_named(monkeypatch, name, value):
    monkeypatch.setenv(f"DIET_EXPLORER_{name}", value)
    with pytest.raises(BadInputError, match=f"DIET_EXPLORER_{name} cannot be used") as caught:
        load_settings()
    assert value in str(caught.value)
