"""Keeps the job library from looking into queues that are empty.

Left alone it looks into each of a worker's queues by itself, with eight round trips to the database each time: a
worker that waits would be busy with that all day. Here one short question a second is asked about all of them, and the
library looks where something waits.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Engine, literal_column, or_, select

LOOK_SECONDS = 1.0
KEPT_SECONDS = 60.0
"""For so long a queue's own settings are taken to be as they were."""


@dataclass(frozen=True)
class InSight:
    """The queues in which jobs wait, and the workers that have jobs in work."""

    queues: frozenset[str] = frozenset()
    workers: frozenset[str] = frozenset()


class JobsInSight:
    """What waits and what is in work, looked up at most once a second, whoever asks.

    Parameters
    ----------
    look : callable
        Looks it up.
    clock : callable
        Seconds that only grow.
    """

    def __init__(self, look: Callable[[], InSight], clock: Callable[[], float] = time.monotonic) -> None:
        self._look = look
        self._clock = clock
        self._looking = threading.Lock()
        self._seen: tuple[float, InSight] | None = None

    def __call__(self) -> InSight:
        """What is there now or was a moment ago; raises what keeps it from being looked up."""
        with self._looking:
            if self._seen is None or self._clock() - self._seen[0] >= LOOK_SECONDS:
                self._seen = None
                self._seen = (self._clock(), self._look())
            return self._seen[1]


def look_into_filled_queues_only(library: Any, clock: Callable[[], float] = time.monotonic) -> JobsInSight:
    """Have a launched job library look into those of its queues alone that are not empty.

    It also leaves off looking for delayed jobs and such with a deadline, which are not in use, and for whose sake it
    keeps a connection.
    """
    database = library._sys_db
    jobs = JobsInSight(lambda: _in_sight(database.engine, database.tables.workflow_status, database.app_name), clock)
    scopes, settings = database.dequeue_scopes, database.get_queue
    kept: dict[str, tuple[float, Any]] = {}

    def scopes_with_jobs(queue: str) -> list[str | None]:
        return scopes(queue) if queue in jobs().queues else []

    def kept_settings(queue: str, **more: Any) -> Any:
        at, known = kept.get(queue, (0.0, None))
        if known is None or more or clock() - at >= KEPT_SECONDS:
            known = settings(queue, **more)
            kept[queue] = (clock(), known)
        return known

    database.dequeue_scopes, database.get_queue = scopes_with_jobs, kept_settings
    database.background_job_lock = lambda _name: nullcontext(False)
    return jobs


def _in_sight(engine: Engine, jobs: Any, application: str) -> InSight:
    # literals, in the words of the index that holds such jobs alone, so that SQLite sees that it may use it
    states: list[ColumnElement[str]] = [literal_column("'ENQUEUED'"), literal_column("'PENDING'")]
    columns = jobs.c
    query = (
        select(columns.status, columns.queue_name, columns.executor_id)
        .where(columns.status.in_(states))
        .where(or_(columns.application_name == application, columns.application_name.is_(None)))
        .distinct()
    )
    with engine.begin() as connection:
        found = connection.execute(query).all()
    return InSight(
        frozenset(str(queue) for status, queue, _ in found if status == "ENQUEUED"),
        frozenset(str(worker) for status, _, worker in found if status == "PENDING"),
    )
