"""Whether a worker has what a job needs, and where a job waits that the worker which took it up cannot do.

Such a job goes to a queue that nobody takes from. A worker that is idle and has what it needs moves it to a queue of
its own, where no other worker can be faster with it. So nothing is taken up again and again, and what waits behind it
need not wait for it. A worker that is busy by then puts aside what else it gets, so that it does one job at a time.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import partial
from typing import NoReturn

from dbos import DBOS

from diet_explorer.config import Settings
from diet_explorer.errors import DietExplorerError
from diet_explorer.jobs.holding import Left, outside
from diet_explorer.jobs.needs import lack_of
from diet_explorer.jobs.protocol import SCORE, application_name
from diet_explorer.jobs.slots import WorkerSlot
from diet_explorer.store.runs import RunRecords
from diet_explorer.training.config import RunConfig
from diet_explorer.training.models import lacking

logger = logging.getLogger("diet_explorer.jobs")


class Fitness:
    """What one worker can do of what waits."""

    def __init__(self, settings: Settings, slot: WorkerSlot, runs: RunRecords) -> None:
        self._settings = settings
        self._slot = slot
        self._runs = runs
        self._in_hand = threading.Lock()
        self._aside = f"{SCORE.queue(settings)}-aside"

    @property
    def own_queue(self) -> str:
        """Name of the queue from which this worker alone takes."""
        return own_queue(self._settings, self._slot.executor_id)

    @contextmanager
    def taking(self, run_id: str, job: str) -> Iterator[None]:
        """Take up a seed for the block; `Left` where this worker cannot, so that the job waits for one that can."""
        if not self._in_hand.acquire(blocking=False):
            self._put_aside(run_id, job, "busy with another one")
        try:
            what = self._lack(run_id)
            if what is not None:
                self._put_aside(run_id, job, f"this machine has not {what}")
            yield
        finally:
            self._in_hand.release()

    def check_model(self, model: str, run_id: str, job: str) -> None:
        """`Left` where this machine lacks a model that a job loads, so that it waits for one that has it."""
        what = lacking(model)
        self._slot.set_lack(model, what)
        if what is not None:
            self._put_aside(run_id, job, f"this machine has not {what}")

    def _put_aside(self, run_id: str, job: str, why: str) -> NoReturn:
        logger.info("cannot take up run %s: %s", run_id, why)
        outside(partial(DBOS.resume_workflow, job, queue_name=self._aside))
        raise Left

    def look_aside(self, one_at_a_time: AbstractContextManager[None], filled: Collection[str]) -> None:
        """If it is idle, take the first job that another worker could not do. Jobs wait in the queues `filled`."""
        for model in self._slot.info.can.get("lacks", {}):
            self._slot.set_lack(model, lacking(model))
        if self._aside not in filled or self._in_hand.locked() or self._waiting([self.own_queue]):
            return
        waiting = self._waiting([self._aside])
        chosen = next((job for job, run_id, name in waiting if self._lack(run_id, name) is None), None)
        if chosen is None:
            return
        with one_at_a_time:
            if chosen in {job for job, *_ in self._waiting([self._aside])}:  # nobody was faster
                DBOS.resume_workflow(chosen, queue_name=self.own_queue)

    def give_up(self, worker: str) -> None:
        """Put aside what waits for a worker that is gone."""
        for job, *_ in self._waiting([own_queue(self._settings, worker)]):
            DBOS.resume_workflow(job, queue_name=self._aside)

    def _waiting(self, queues: list[str]) -> list[tuple[str, str, str]]:
        """Jobs of some queues with their runs and what is to be done, in order."""
        name = application_name(self._settings)
        jobs = DBOS.list_workflows(queue_name=queues, status="ENQUEUED", application_name=name, load_output=False)
        return [(job.workflow_id, str(job.input["args"][0]), job.name) for job in jobs if job.input is not None]

    def _lack(self, run_id: str, workflow: str = SCORE.workflow) -> str | None:
        """What this machine lacks for a run, or of it for a job that only loads its model; what cannot be looked up the
        job itself deals with."""
        try:
            config = RunConfig.from_json(self._runs.get(run_id).config)
        except DietExplorerError:
            return None
        self._slot.set_lack(config.model, lacking(config.model))
        needed = config if workflow == SCORE.workflow else replace(config, gpu=False, memory_gb=0)
        return lack_of(self._slot.info, needed)


def own_queue(settings: Settings, worker: str) -> str:
    """Name of the queue from which one worker alone takes."""
    return f"{SCORE.queue(settings)}@{worker}"
