"""Places of workers: one holder each, a stable name, and honest news."""

from __future__ import annotations

import logging
import os
from datetime import timedelta
from pathlib import Path
from unittest import mock

import pytest

from diet_explorer import Workspace
from diet_explorer.config import Settings
from diet_explorer.errors import BadInputError, WorkspaceError
from diet_explorer.jobs.logs import OncePerMinute
from diet_explorer.jobs.protocol import application_name, checked_jobs_url
from diet_explorer.jobs.slots import (
    NO_WORKER,
    WorkerSlot,
    can_work,
    living_workers,
    noting_failure,
    workers_in_words,
)
from diet_explorer.store.database import shared_database, transaction
from diet_explorer.store.tables import WorkerRow
from diet_explorer.store.workers import WorkerRecords


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=str(tmp_path / "home"))


def test_places_are_given_in_order_and_given_back(settings: Settings) -> None:
    first, second = WorkerSlot(settings), WorkerSlot(settings)
    assert (first.slot, second.slot) == (0, 1)
    assert first.executor_id != second.executor_id
    with pytest.raises(BadInputError, match="slot 1 is taken"):
        WorkerSlot(settings, 1)
    name = first.executor_id
    first.release()
    again = WorkerSlot(settings)
    assert (again.slot, again.executor_id) == (0, name), "the next holder of a place must have its name"
    again.release()
    second.release()
    assert living_workers(settings) == []


def test_onlookers_see_who_is_busy(settings: Settings) -> None:
    assert workers_in_words(settings) == NO_WORKER
    first, second = WorkerSlot(settings), WorkerSlot(settings, 5)
    assert workers_in_words(settings) == "2 workers, waiting for runs"
    second.set_task("run-7")
    assert workers_in_words(settings) == "2 workers, busy with run-7"
    assert [worker.run_id for worker in living_workers(settings)] == [None, "run-7"]
    second.set_task(None)
    second.release()
    assert workers_in_words(settings) == "1 worker, waiting for runs"
    first.release()


def test_news_of_a_worker_that_was_killed_is_not_believed(settings: Settings) -> None:
    slot = WorkerSlot(settings)
    slot.set_task("run-1")
    assert [worker.run_id for worker in living_workers(settings)] == ["run-1"]
    with mock.patch.object(WorkerRecords, "leave"):  # a process that is killed leaves its row, and loses its lock
        slot.release()
    assert living_workers(settings) == []
    assert [worker.id for worker in WorkerRecords(shared_database(settings)).all()[0]] == [slot.executor_id]


def test_places_that_nobody_holds_are_found_abandoned(settings: Settings) -> None:
    gone, living, looking = WorkerSlot(settings), WorkerSlot(settings), WorkerSlot(settings)
    with mock.patch.object(WorkerRecords, "leave"):
        gone.release()
    (left,) = looking.gone()
    assert left.id == gone.executor_id and looking.is_dead(left)
    assert looking.declare_gone(left) and not looking.declare_gone(left)
    assert looking.known() == {living.executor_id, looking.executor_id}
    WorkerSlot(settings, 0).release()
    living.release()
    looking.release()


def silence(slot: WorkerSlot, settings: Settings, seconds: float) -> None:
    """As if a worker had given its last sign of life so many seconds earlier."""
    with transaction(shared_database(settings)) as session:
        row = session.get_one(WorkerRow, slot.executor_id)
        row.seen_at -= timedelta(seconds=seconds)


def test_who_is_silent_loses_its_place_and_is_there_anew(settings: Settings) -> None:
    frozen, living = WorkerSlot(settings), WorkerSlot(settings)
    silence(frozen, settings, 31)
    assert [worker.id for worker in living_workers(settings)] == [living.executor_id]
    (gone,) = living.gone()
    assert gone.id == frozen.executor_id and not living.is_dead(gone)
    assert frozen.beat(), "it comes back before anybody took over"
    assert not living.declare_gone(gone), "it has given a sign of life since"
    silence(frozen, settings, 31)
    (gone,) = living.gone()
    assert living.declare_gone(gone)
    assert living.known() == {living.executor_id}
    assert not frozen.beat(), "it learns that it has lost its work"
    assert frozen.beat() and len(living_workers(settings)) == 2, "and goes on as a worker without work"
    frozen.release()
    living.release()


def test_a_worker_describes_itself(settings: Settings) -> None:
    slot = WorkerSlot(settings)
    (worker,) = living_workers(settings)
    assert worker.pid == os.getpid() and worker.host and worker.version and worker.device
    assert worker.memory_total is None or worker.memory_total >= (worker.memory_free or 0) > 0
    assert worker.since == worker.seen_at
    slot.release()


@pytest.mark.parametrize("slot", [-1, 64])
def test_a_place_that_does_not_exist(settings: Settings, slot: int) -> None:
    with pytest.raises(BadInputError, match="no worker slot"):
        WorkerSlot(settings, slot)


def test_a_workspace_below_a_file_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    settings = Settings(home=str(tmp_path / "file" / "home"))
    with pytest.raises(WorkspaceError, match="not a directory"):
        WorkerSlot(settings)
    with pytest.raises(WorkspaceError, match="not a directory"):
        checked_jobs_url(settings)


def test_workspaces_share_a_jobs_database_but_no_queue(tmp_path: Path) -> None:
    shared = "postgresql://somewhere/jobs"
    for name in ("one", "two"):
        Workspace(tmp_path / name)  # makes its id
    one = Settings(home=str(tmp_path / "one"), jobs_url=shared)
    two = Settings(home=str(tmp_path / "two"), jobs_url=shared)
    assert application_name(one) != application_name(two)
    assert application_name(one) == application_name(Settings(home=f"file://{tmp_path}/one", jobs_url=shared))
    assert application_name(Settings(home=str(tmp_path / "one"))) == application_name(
        Settings(home=str(tmp_path / "two"))
    )


@pytest.mark.parametrize("address", ["not an address", "mysql://host/name"])
def test_a_jobs_database_that_is_none(tmp_path: Path, address: str) -> None:
    with pytest.raises(BadInputError, match="DIET_EXPLORER_JOBS_URL"):
        checked_jobs_url(Settings(home=str(tmp_path), jobs_url=address))


def test_a_worker_that_does_not_start_says_why_until_one_does(tmp_path):
    settings = Settings(home=str(tmp_path))
    with pytest.raises(WorkspaceError), noting_failure(settings):
        raise WorkspaceError("The jobs database x cannot be used: it is locked.", "Unlock it.")
    assert workers_in_words(settings) == (
        "No worker is running: it does not start. The jobs database x cannot be used: it is locked. Unlock it."
    )
    with noting_failure(settings):
        pass
    assert workers_in_words(settings) == NO_WORKER


def test_a_worker_that_cannot_take_up_jobs_says_why(tmp_path):
    settings = Settings(home=str(tmp_path))
    held = WorkerSlot(settings)
    held.set_trouble("disk I/O error")
    assert workers_in_words(settings) == "1 worker, which cannot take up runs: disk I/O error"
    assert not can_work(settings)
    held.set_task("run-1")
    assert workers_in_words(settings) == "1 worker, busy with run-1"
    held.set_task(None)
    held.set_trouble(None)
    assert workers_in_words(settings) == "1 worker, waiting for runs" and can_work(settings)
    held.release()


def test_a_complaint_that_comes_again_and_again_is_written_once_a_minute():
    once = OncePerMinute()

    def written(message, seconds, level=logging.WARNING):
        record = logging.LogRecord("dbos", level, "", 0, message, (), None)
        record.created = seconds
        return once.filter(record)

    assert [written(f"Retry {n} in {n / 2} s: no database", n) for n in range(61)] == [True] + [False] * 59 + [True]
    assert written("Another complaint", 61) and written("works on run x", 61, logging.INFO)
