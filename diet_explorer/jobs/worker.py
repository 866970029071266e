"""The process that does the jobs: one training at a time, and beside it one embedding map and one export.

It loads torch and the like when the first run comes; maps and exports are made by processes of their own.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, NoReturn

from sqlalchemy.exc import DBAPIError

from diet_explorer.config import Settings, sharing_cores
from diet_explorer.errors import DietExplorerError, WorkspaceError
from diet_explorer.jobs.copied import check_no_copy
from diet_explorer.jobs.logs import OncePerMinute, guard_output, log_handler, note_facts
from diet_explorer.jobs.processes import listen_for_the_end
from diet_explorer.jobs.protocol import (
    EARLIER,
    QUEUE_POLL_SECONDS,
    RUN,
    RUNS_AT_ONCE,
    SCORE,
    application_name,
    application_version,
    checked_jobs_url,
    jobs_database_errors,
    keep_dbos_off_the_console,
)
from diet_explorer.jobs.slots import WorkerInfo, WorkerSlot, noting_failure, pause_of
from diet_explorer.redaction import redacted
from diet_explorer.store.bin import BinRecords
from diet_explorer.store.copies import remove_copies
from diet_explorer.store.database import CONNECTIONS, connection_name, shared_database
from diet_explorer.store.files import Files
from diet_explorer.store.monotonic import steady_seconds
from diet_explorer.store.runs import RunRecords

if TYPE_CHECKING:
    from diet_explorer.jobs.empty_queues import JobsInSight
    from diet_explorer.jobs.fitness import Fitness
    from diet_explorer.jobs.holding import Holds

TAKE_OVER_SECONDS = 2.0
PATIENCE = 1.5
"""Who is silent is taken to be gone after so many pauses between signs of life without one."""
TROUBLE_SECONDS = 15.0
GRACE_SECONDS = 7.0
"""So long the current batch may take when the worker is to end: container engines kill after ten seconds."""
END_POLL_SECONDS = 0.05
TIDY_SECONDS = 600.0
NO_SCHEDULES_SECONDS = 300.0
"""How often the job library looks for schedules, of which there are none."""

logger = logging.getLogger("diet_explorer.jobs")


def run_worker(
    settings: Settings,
    *,
    slot: int | None = None,
    announce: Callable[[str], None],
    tidy: Callable[[], object] | None = None,
) -> NoReturn:
    """Do the jobs of a workspace until somebody asks the process to end (SIGINT or SIGTERM).

    The work in hand is handed back then, after the current batch: another worker goes on with it from its last
    checkpoint within seconds, or the next one that is there. `announce` prints one line for people; without a `slot`
    the first free one is taken. `tidy` is done now and then.
    """
    with noting_failure(settings):
        held, holds, fitness, jobs = _started(settings, slot, announce)
    holds.ending = ending = listen_for_the_end()
    logger.info("ready as %s", held.executor_id)
    announce(f"Worker {held.slot} is waiting for runs in {redacted(settings.home)}. Stop it with Ctrl-C.")
    trouble = _Trouble(held)
    logging.getLogger("dbos").addHandler(trouble)
    watch = _Watch()
    threading.Thread(target=_keep_beating, args=(held, holds), daemon=True).start()
    next_tidying = time.monotonic() + TIDY_SECONDS
    while not ending.wait(TAKE_OVER_SECONDS):
        trouble.forget_old()
        if tidy is not None and time.monotonic() >= next_tidying:
            next_tidying = time.monotonic() + TIDY_SECONDS
            try:
                tidy()
            except DietExplorerError as error:
                logger.warning("Could not tidy up: %s", error)
        _take_over(settings, held, holds, watch, fitness, jobs)
    last = steady_seconds() + GRACE_SECONDS
    while holds.jobs and steady_seconds() < last:
        time.sleep(END_POLL_SECONDS)
    with suppress(DBAPIError):
        fitness.give_up(held.executor_id)
    held.release()
    remove_copies()
    sys.stdout.flush()
    # no clean end: it would wait for a batch that takes minutes, which loses nothing by being cut off
    os._exit(0)


def _started(
    settings: Settings, slot: int | None, announce: Callable[[str], None]
) -> tuple[WorkerSlot, Holds, Fitness, JobsInSight]:
    """A worker that takes up jobs from now on, in its slot."""
    url = checked_jobs_url(settings)
    database = shared_database(settings)
    held = WorkerSlot(settings, slot)
    _set_up_logs(settings, held.slot)
    os.environ.update(sharing_cores(os.environ))

    from dbos import DBOS, DBOSPortableJSONSerializer

    from diet_explorer.jobs import workflow
    from diet_explorer.jobs.context import WorkerContext
    from diet_explorer.jobs.empty_queues import look_into_filled_queues_only
    from diet_explorer.jobs.fitness import Fitness
    from diet_explorer.jobs.holding import Holds
    from diet_explorer.jobs.kinds import score
    from diet_explorer.jobs.registry import queued_kinds
    from diet_explorer.jobs.watching import watch_worker

    def busy(line: str, task: str | None) -> None:
        held.set_task(task, line)
        if line == SCORE.line:
            note_facts(run=task)
            logger.info("works on run %s", task) if task else logger.info("waits for runs")
            announce(f"Working on run {task}." if task else "Waiting for runs.")

    files = Files.of(settings, patience=settings.store_patience)
    files.remove_abandoned_copies()
    holds, runs, bin = Holds(held, database), RunRecords(database), BinRecords(database)
    fitness = Fitness(settings, held, runs)
    context = WorkerContext(settings, database, files, runs, bin, held.worker, holds, fitness, busy)
    kinds = queued_kinds()
    score.declare(context)
    for kind in kinds:
        workflow.declare(context, kind)
    with jobs_database_errors(settings):
        name = application_name(settings)
        DBOS.migrate(url)
        check_no_copy(settings, url)
        library = DBOS(
            config={
                "name": name,
                "system_database_url": url,
                "serializer": DBOSPortableJSONSerializer(),
                "application_version": application_version(settings),
                "executor_id": held.executor_id,
                "log_level": "WARNING",
                "sys_db_pool_size": CONNECTIONS,
                "db_engine_kwargs": {"connect_args": {"application_name": connection_name()}},
                "use_listen_notify": False,  # it would keep a connection, and nobody waits for messages
                "scheduler_polling_interval_sec": NO_SCHEDULES_SECONDS,
            }
        )
        queues = {route.queue(settings): 1 for route in (SCORE, EARLIER, *(kind.route for kind in kinds))}
        queues |= {RUN.queue(settings): RUNS_AT_ONCE, fitness.own_queue: 1}
        DBOS.listen_queues(list(queues))
        DBOS.launch()
        for queue, at_once in queues.items():
            DBOS.register_queue(queue, worker_concurrency=at_once, polling_interval_sec=QUEUE_POLL_SECONDS)
    jobs = look_into_filled_queues_only(library)
    watch_worker(settings, database, context.files, held.slot)
    return held, holds, fitness, jobs


def _keep_beating(held: WorkerSlot, holds: Holds) -> None:
    """Give signs of life until the end; what keeps them from the database goes by itself or is said by others."""
    while True:
        time.sleep(held.pause)
        with suppress(WorkspaceError):
            if not held.beat() and not holds.ending.is_set():
                logger.warning("This worker was silent for too long: others have taken over its work.")
            holds.release_late()


class _Watch:
    """Tells workers that are gone from those that could not reach the database either, or seem silent by a clock that
    was set: who is silent is looked at again after as long as its next sign of life may take."""

    def __init__(self) -> None:
        self._noticed: dict[tuple[str, str, datetime], float] = {}

    def confirmed(self, gone: list[WorkerInfo], is_dead: Callable[[WorkerInfo], bool]) -> list[WorkerInfo]:
        """Those that are gone for certain."""
        now, earlier = steady_seconds(), self._noticed
        self._noticed = {key: earlier.get(key, now) for key in map(_key, gone)}
        return [info for info in gone if is_dead(info) or now - self._noticed[_key(info)] > PATIENCE * pause_of(info)]


def _key(info: WorkerInfo) -> tuple[str, str, datetime]:
    return info.id, info.token, info.seen_at


def _take_over(
    settings: Settings, held: WorkerSlot, holds: Holds, watch: _Watch, fitness: Fitness, jobs: JobsInSight
) -> None:
    """Queue again what workers left behind that are gone, on whichever machine they were, and what this one left."""
    from dbos import DBOS

    name = application_name(settings)
    try:
        for info in watch.confirmed(held.gone(), held.is_dead):
            if held.declare_gone(info):
                logger.info("%s on %s is gone; its work is taken over", info.id, info.host)
                fitness.give_up(info.id)
        pending = partial(DBOS.list_workflows, status="PENDING", application_name=name, load_output=False)
        working = jobs().workers
        if holds.left or (working and working - held.known()):
            with held.taking_over():  # one at a time, so that nobody queues again what another has begun meanwhile
                known, left = held.known(), set(holds.left)
                for job in pending():
                    mine = job.executor_id == held.executor_id and job.workflow_id in left
                    if mine or job.executor_id not in known:
                        DBOS.resume_workflow(job.workflow_id, queue_name=job.queue_name or name)
                holds.left -= left
        fitness.look_aside(held.taking_over(), jobs().queues)
    except DBAPIError as error:  # it may be there again in a moment; until then the worker says so
        logging.getLogger("dbos").warning("%s", error.orig)
    except WorkspaceError as error:
        logging.getLogger("dbos").warning("%s", error.message)


_ABOUT_A_JOB = ("Workflow ", "Exception encountered in background workflow", "Step being automatically retried")


class _Trouble(logging.Handler):
    """Lets onlookers know of what the job library complains, which tries again for ever and tells a log alone."""

    def __init__(self, held: WorkerSlot) -> None:
        super().__init__(logging.WARNING)
        self._held = held
        self._last = 0.0

    def emit(self, record: logging.LogRecord) -> None:
        """Note the first line of a complaint, unless it is about one job, of which its run or request says more."""
        if record.getMessage().startswith(_ABOUT_A_JOB):
            return
        self._last = time.monotonic()
        with suppress(DietExplorerError):
            self._held.set_trouble(next(iter(record.getMessage().splitlines()), "")[:200])

    def forget_old(self) -> None:
        """Take it back where there was no complaint for a while."""
        if time.monotonic() - self._last > TROUBLE_SECONDS:
            with suppress(DietExplorerError):
                self._held.set_trouble(None)


def _is_news(record: logging.LogRecord) -> bool:
    """Whether a line says more than that a job was cancelled: for the job library that is an error."""
    if not record.exc_info:
        return True
    from dbos import error as dbos_error

    return not isinstance(record.exc_info[1], dbos_error.DBOSAwaitedWorkflowCancelledError)


def _set_up_logs(settings: Settings, slot: int) -> None:
    if settings.log_to == "stdout":
        guard_output(settings, "worker")
    note_facts(worker=slot)
    handler = log_handler(settings, f"worker-{slot}")
    handler.addFilter(OncePerMinute())
    handler.addFilter(_is_news)
    keep_dbos_off_the_console(handler)
    package = logging.getLogger("diet_explorer")
    package.addHandler(handler)
    package.setLevel(logging.INFO)
    package.propagate = False
