"""What is reported of runs and jobs: kept in the database, waited for where it is away, gone with what it is about."""

import json

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import text

from diet_explorer.config import load_settings
from diet_explorer.errors import StoreAwayError
from diet_explorer.scoring.progress import CheckpointProgress, RunReports, SeedProgress
from diet_explorer.store import database
from diet_explorer.store.database import open_database
from diet_explorer.store.jobs import JobRecord, JobRecords
from diet_explorer.store.migrating import migrate
from diet_explorer.store.reports import ReportRecords
from diet_explorer.store.runs import RunRecords


@pytest.fixture
def settings(tmp_path):
    return load_settings(home=str(tmp_path))


def test_a_snapshot_comes_back_as_it_was(settings):
    engine = open_database(settings)
    landed = CheckpointProgress(0.5, "2026-01-01T00:00:00+00:00", 0.25, 1.0, None, 2.0)
    begun = SeedProgress(3, "training", step=4, total_steps=8, checkpoints=[landed])
    RunReports(engine, "r").save(begun, force=True)
    found = RunReports(engine, "r").load(3)
    assert found.updated_at and found.checkpoints == [landed] and (found.state, found.step) == ("training", 4)
    assert RunReports(engine, "r").load(0) == SeedProgress(0)


def test_what_is_reported_of_a_run_goes_with_it(settings):
    engine = open_database(settings)
    for run in ("gone", "stays"):
        RunReports(engine, run).save(SeedProgress(0, "done"), force=True)
        RunReports(engine, run).log("x", "A line.")
    RunRecords(engine).remove(["gone"])
    reports = RunReports(engine, "gone")
    assert (reports.load_all(), reports.read_log()) == ({}, [])
    assert RunReports(engine, "stays").read_log()[0]["message"] == "A line."


def test_a_database_that_is_away_is_waited_for(settings, monkeypatch):
    reports = RunReports(open_database(settings), "r", patience=60)
    calls = []

    def away(*arguments):
        calls.append(1)
        if len(calls) < 4:
            raise StoreAwayError("The database is away.", "Wait.")
        return original(*arguments)

    original = ReportRecords.add_line
    monkeypatch.setattr(ReportRecords, "add_line", away)
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda _: None)
    reports.log("x", "A line.")
    assert [entry["message"] for entry in reports.read_log()] == ["A line."] and len(calls) == 4


def test_a_snapshot_that_another_one_follows_is_left_out_while_the_database_is_away(settings):
    engine = open_database(settings)
    reports = RunReports(engine, "r")
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE seed_progress RENAME TO elsewhere"))  # an OperationalError of SQLite's
    reports.save(SeedProgress(0, "training"))
    with pytest.raises(StoreAwayError):
        reports.save(SeedProgress(0, "done"), force=True)


def test_files_of_an_earlier_version_are_taken_over(settings, tmp_path):
    engine = open_database(settings)
    configuration = Config()
    configuration.set_main_option("script_location", str(database.Path(database.__file__).parent / "migrations"))
    with engine.begin() as connection:
        configuration.attributes["connection"] = connection
        command.downgrade(configuration, "0007")
    run, export = tmp_path / "runs" / "r-1", tmp_path / "exports" / "e-1"
    for folder in (run / "progress", export):
        folder.mkdir(parents=True)
    state = {"seed": 1, "state": "done", "checkpoints": [], "updated_at": "2026-01-01T00:00:00+00:00"}
    (run / "progress" / "seed=1.json").write_text(json.dumps(state))
    (run / "progress" / "seed=2.json").write_text("{ damaged")
    (run / "log.jsonl").write_text('{"time": "2026-01-01T00:00:00+00:00", "event": "x", "message": "A line."}\n{"cut')
    (run / "progress" / "map-tuned-request.json").write_text('{"id": "m"}')
    (export / "request.json").write_text('{"id": "e-1"}')
    (export / "status.json").write_text('{"state": "succeeded"}')
    with engine.begin() as connection:
        migrate(connection, str(tmp_path))
    assert RunReports(engine, "r-1").load_all().keys() == {1}
    assert RunReports(engine, "r-1").read_log() == [
        {"time": "2026-01-01T00:00:00+00:00", "event": "x", "message": "A line."}
    ]
    jobs = JobRecords(engine)
    assert jobs.get("export", "e-1") == JobRecord({"id": "e-1"}, {"state": "succeeded"})
    assert jobs.requested("map") == ["r-1/tuned"]
