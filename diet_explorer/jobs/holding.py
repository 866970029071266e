"""What a worker holds while it does a job: the lease on what that is about, until it ends, is lost or handed back."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import TypeVar

from dbos import DBOS
from sqlalchemy import Engine

from diet_explorer.errors import JobCancelledError, JobLeftError, WorkspaceError
from diet_explorer.jobs.slots import WorkerSlot
from diet_explorer.store.leases import Lease, take_lease

STOP_POLL_SECONDS = 0.5

T = TypeVar("T")
logger = logging.getLogger("diet_explorer.jobs")


class Left(BaseException):
    """Ends a job of this worker without a word of how it ended: the job goes on elsewhere.

    No `Exception`, because the job library keeps how a step ended, and the job would end so wherever it goes on.
    """


def outside(work: Callable[[], T]) -> T:
    """Ask the job library for something that is no step of the job in hand, on which it would be put on record."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(work).result()


def said_of(job: str, outcome: T) -> T:
    """The outcome of a job, for the job library to keep; `Left` where that has it as cancelled and keeps nothing."""
    status = outside(lambda: DBOS.get_workflow_status(job))
    if status is not None and status.status == "CANCELLED":
        raise Left
    return outcome


class Holds:
    """The leases of one worker, by job.

    Attributes
    ----------
    ending : threading.Event
        Set when the worker is to end: what it works on is handed back.
    left : set of str
        Jobs that this worker has let go of: they are to be queued again where nobody else has done so. A worker that
        is there again before others have queued its jobs keeps them, for its name is known, but does not do them.
    """

    def __init__(self, slot: WorkerSlot, engine: Engine) -> None:
        self.ending = threading.Event()
        self.left: set[str] = set()
        self._slot = slot
        self._engine = engine
        self._leases: dict[str, Lease] = {}
        self._unreleased: list[Lease] = []

    def of(self, job: str) -> Lease:
        """The lease of a job that this worker does."""
        return self._leases[job]

    @property
    def jobs(self) -> frozenset[str]:
        """The jobs that this worker does."""
        return frozenset(self._leases)

    @contextmanager
    def holding(self, thing: str, job: str, should_stop: Callable[[], bool]) -> Iterator[Lease]:
        """Hold the lease on a thing during the block, and wait for it first: a cancelled job needs a moment to stop.

        JobCancelledError where `should_stop` says so meanwhile; `Left` where the job is lost or handed back, before or
        in the block.
        """
        self.left.discard(job)
        try:
            lease = self._wait_for(thing, job, should_stop)
            self._leases[job] = lease
            try:
                yield lease
            finally:
                del self._leases[job]
                self._release(lease)
        except JobLeftError as error:
            logger.info("%s %s", error.message, error.remedy)
            self.left.add(job)
            raise Left from error
        except Left:
            self.left.add(job)
            raise

    def look(self, job: str) -> None:
        """Raise a JobLeftError where a job is to be handed back, or its lease is lost.

        While the database is away for longer than the lease, this waits.
        """
        lease = self._leases[job]
        self.check_ending(lease.key.thing)
        try:
            lease.look()
        except WorkspaceError as error:
            logger.warning("Cannot look whether %s is still this worker's: %s", lease.key.thing, error)
        lease.assure(self.ending.is_set)

    def check_ending(self, thing: str) -> None:
        """Raise a JobLeftError where the worker is to end."""
        if self.ending.is_set():
            raise JobLeftError(f"The work on {thing} is handed back.", "The worker was asked to end.")

    def wait_for_database(self, job: str) -> None:
        """Return when the lease of a job was seen to be held: the database answers. JobLeftError as for `look`."""
        while True:
            self.check_ending(self._leases[job].key.thing)
            with suppress(WorkspaceError):
                if self._leases[job].look() > 0:
                    return
            time.sleep(STOP_POLL_SECONDS)

    def release_late(self) -> None:
        """Give back what could not be given back while the database was away."""
        for lease in list(self._unreleased):
            lease.release()
            self._unreleased.remove(lease)

    def _wait_for(self, thing: str, job: str, should_stop: Callable[[], bool]) -> Lease:
        while True:
            self.check_ending(thing)
            info = self._slot.info
            try:
                lease = take_lease(self._engine, thing, info.id, info.token, job)
            except WorkspaceError as error:  # a database that is away for a moment is no reason to fail
                logger.warning("Cannot take up %s: %s", thing, error)
                lease = None
            if lease is not None:
                return lease
            if should_stop():
                raise JobCancelledError("The job was cancelled.", "Start it again to go on.")
            time.sleep(STOP_POLL_SECONDS)

    def _release(self, lease: Lease) -> None:
        try:
            lease.release()
        except WorkspaceError:
            self._unreleased.append(lease)
