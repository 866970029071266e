"""A worker that waits leaves the jobs database alone, and takes up at once what comes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from dbos import DBOS
from sqlalchemy import event

from diet_explorer.jobs.empty_queues import LOOK_SECONDS, InSight, JobsInSight, look_into_filled_queues_only


def test_all_queues_are_looked_up_by_one_question_a_second() -> None:
    questions, now = [], [0.0]
    there = InSight()

    def look() -> InSight:
        questions.append(now[0])
        return there

    jobs = JobsInSight(look, clock=lambda: now[0])
    assert [jobs().queues for _ in range(16)] == [frozenset()] * 16 and len(questions) == 1
    there = InSight(frozenset({"seeds"}))
    now[0] = LOOK_SECONDS
    assert jobs().queues == {"seeds"} and questions == [0.0, LOOK_SECONDS]


def test_a_database_that_is_away_is_asked_again_at_once() -> None:
    tries = []

    def look() -> InSight:
        tries.append(1)
        if len(tries) == 1:
            raise ConnectionRefusedError
        return InSight()

    jobs = JobsInSight(look, clock=lambda: 0.0)
    with pytest.raises(ConnectionRefusedError):
        jobs()
    assert jobs() == InSight() and len(tries) == 2


@contextmanager
def launched(folder):
    """The job library with a queue; nothing takes from it by itself within an hour."""
    library = DBOS(
        config={
            "name": "tests",
            "system_database_url": f"sqlite:///{folder / 'jobs.db'}",
            "application_version": "1",
            "executor_id": "one",
            "log_level": "ERROR",
        }
    )
    DBOS.listen_queues(["seeds"])
    DBOS.launch()
    DBOS.register_queue("seeds", polling_interval_sec=3600)
    try:
        yield library
    finally:
        DBOS.destroy()


def test_the_library_looks_where_something_waits_alone(tmp_path) -> None:
    """In a thread of its own: browser tests leave an event loop in the main one, where the library will not work."""

    def check() -> None:
        with launched(tmp_path) as library:
            looks_where_something_waits_alone(library)

    with ThreadPoolExecutor(1) as thread:
        thread.submit(check).result()


def looks_where_something_waits_alone(library) -> None:
    statements, now = [], [0.0]
    database = library._sys_db
    looked = look_into_filled_queues_only(library, clock=lambda: now[0])
    assert DBOS.retrieve_queue("seeds").name == "seeds"

    event.listen(database.engine, "before_cursor_execute", lambda *seen: statements.append(seen[2]))
    for _ in range(10):
        assert database.get_queue("seeds").name == "seeds"
        assert database.dequeue_scopes("seeds") == []
    assert len([text for text in statements if "DISTINCT" in text]) == 1, "one question for all looks of a second"
    with database.background_job_lock("background_jobs") as taken:
        assert not taken

    DBOS.enqueue_workflow_with_options(
        {"workflow_name": "train", "queue_name": "seeds", "workflow_id": "a", "app_version": "1"}
    )
    now[0] = LOOK_SECONDS
    assert database.dequeue_scopes("seeds") == [None]
    assert looked() == InSight(frozenset({"seeds"}))
