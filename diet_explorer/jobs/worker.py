"""The process that does the jobs: one training at a time, and beside it one embedding map and one export.

It loads torch and the like when the first run comes; maps and exports are made by processes of their own.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

from sqlalchemy.exc import DBAPIError

from diet_explorer.config import Settings, sharing_cores
from diet_explorer.errors import DietExplorerError
from diet_explorer.jobs.logs import OncePerMinute, guard_output, log_handler, note_facts
from diet_explorer.jobs.processes import listen_for_the_end
from diet_explorer.jobs.protocol import (
    EARLIER,
    JOB_FORMAT,
    QUEUE_POLL_SECONDS,
    RUN,
    RUNS_AT_ONCE,
    SCORE,
    application_name,
    checked_jobs_url,
    jobs_database_errors,
    keep_dbos_off_the_console,
)
from diet_explorer.jobs.slots import WorkerSlot, noting_failure
from diet_explorer.redaction import redacted
from diet_explorer.store.bin import BinRecords
from diet_explorer.store.database import CONNECTIONS, connection_name, open_database
from diet_explorer.store.files import Files
from diet_explorer.store.runs import RunRecords

TAKE_OVER_SECONDS = 2.0
TROUBLE_SECONDS = 15.0
TIDY_SECONDS = 600.0

logger = logging.getLogger("diet_explorer.jobs")


def run_worker(
    settings: Settings,
    *,
    slot: int | None = None,
    announce: Callable[[str], None],
    tidy: Callable[[], object] | None = None,
) -> NoReturn:
    """Do the jobs of a workspace until somebody asks the process to end (SIGINT or SIGTERM).

    The work in hand is not waited for: it goes on from its last checkpoint when a worker is there again. `announce`
    prints one line for people; without a `slot` the first free one is taken. `tidy` is done now and then.
    """
    with noting_failure(settings):
        held = _started(settings, slot, announce)
    ending = listen_for_the_end()
    logger.info("ready as %s", held.executor_id)
    announce(f"Worker {held.slot} is waiting for runs in {redacted(settings.home)}. Stop it with Ctrl-C.")
    trouble = _Trouble(held)
    logging.getLogger("dbos").addHandler(trouble)
    next_tidying = time.monotonic() + TIDY_SECONDS
    while not ending.wait(TAKE_OVER_SECONDS):
        trouble.forget_old()
        if tidy is not None and time.monotonic() >= next_tidying:
            next_tidying = time.monotonic() + TIDY_SECONDS
            try:
                tidy()
            except DietExplorerError as error:
                logger.warning("Could not tidy up: %s", error)
        _take_over(settings, held)
    held.release()
    sys.stdout.flush()
    # no clean end: it would wait for the training step, which may take minutes and loses nothing by being cut off
    os._exit(0)


def _started(settings: Settings, slot: int | None, announce: Callable[[str], None]) -> WorkerSlot:
    """A worker that takes up jobs from now on, in its slot."""
    url = checked_jobs_url(settings)
    database = open_database(settings)
    held = WorkerSlot(settings, slot)
    _set_up_logs(settings, held.slot)
    os.environ.update(sharing_cores(os.environ))

    from dbos import DBOS, DBOSPortableJSONSerializer

    from diet_explorer.jobs import workflow
    from diet_explorer.jobs.context import WorkerContext
    from diet_explorer.jobs.kinds import score
    from diet_explorer.jobs.registry import queued_kinds
    from diet_explorer.jobs.watching import watch_worker

    def busy(line: str, task: str | None) -> None:
        held.set_task(task, line)
        if line == SCORE.line:
            note_facts(run=task)
            logger.info("works on run %s", task or "none")
            announce(f"Working on run {task}." if task else "Waiting for runs.")

    records, bin = RunRecords(database), BinRecords(database)
    context = WorkerContext(settings, Files(settings.home), records, bin, busy, held.worker)
    kinds = queued_kinds()
    score.declare(context)
    for kind in kinds:
        workflow.declare(context, kind)
    with jobs_database_errors(settings):
        name = application_name(settings)
        DBOS(
            config={
                "name": name,
                "system_database_url": url,
                "serializer": DBOSPortableJSONSerializer(),
                "application_version": JOB_FORMAT,
                "executor_id": held.executor_id,
                "log_level": "WARNING",
                "sys_db_pool_size": CONNECTIONS,
                "db_engine_kwargs": {"connect_args": {"application_name": connection_name()}},
                "use_listen_notify": False,  # it would keep a connection, and nobody waits for messages
            }
        )
        DBOS.launch()
        for route in (SCORE, RUN, EARLIER, *(kind.route for kind in kinds)):
            DBOS.register_queue(
                route.queue(settings),
                worker_concurrency=RUNS_AT_ONCE if route == RUN else 1,
                polling_interval_sec=QUEUE_POLL_SECONDS,
            )
    watch_worker(settings, database, context.files, held.slot)
    return held


def _take_over(settings: Settings, held: WorkerSlot) -> None:
    """Queue again what workers of this machine left behind that are gone."""
    from dbos import DBOS

    name = application_name(settings)
    try:
        with held.abandoned() as executors:
            if executors:
                for job in DBOS.list_workflows(executor_id=executors, status="PENDING", application_name=name):
                    DBOS.resume_workflow(job.workflow_id, queue_name=job.queue_name or name)
    except DBAPIError as error:  # it may be there again in a moment; until then the worker says so
        logging.getLogger("dbos").warning("%s", error.orig)


class _Trouble(logging.Handler):
    """Lets onlookers know of what the job library complains, which tries again for ever and tells a log alone."""

    def __init__(self, held: WorkerSlot) -> None:
        super().__init__(logging.WARNING)
        self._held = held
        self._last = 0.0

    def emit(self, record: logging.LogRecord) -> None:
        """Note the first line of a complaint."""
        self._last = time.monotonic()
        with suppress(DietExplorerError):
            self._held.set_trouble(next(iter(record.getMessage().splitlines()), "")[:200])

    def forget_old(self) -> None:
        """Take it back where there was no complaint for a while."""
        if time.monotonic() - self._last > TROUBLE_SECONDS:
            with suppress(DietExplorerError):
                self._held.set_trouble(None)


def _set_up_logs(settings: Settings, slot: int) -> None:
    if settings.log_to == "stdout":
        guard_output(settings, "worker")
    note_facts(worker=slot)
    handler = log_handler(settings, f"worker-{slot}")
    handler.addFilter(OncePerMinute())
    keep_dbos_off_the_console(handler)
    package = logging.getLogger("diet_explorer")
    package.addHandler(handler)
    package.setLevel(logging.INFO)
    package.propagate = False
