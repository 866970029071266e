"""What a worker has at hand for its jobs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Engine

from diet_explorer.config import Settings
from diet_explorer.jobs.fitness import Fitness
from diet_explorer.jobs.holding import Holds
from diet_explorer.scoring.progress import RunReports, WorkerName
from diet_explorer.store.bin import BinRecords
from diet_explorer.store.files import Files, explained
from diet_explorer.store.locks import try_lock
from diet_explorer.store.patience import patiently
from diet_explorer.store.private import make_private_folder
from diet_explorer.store.runs import RunRecords

MAX_STARTS = 10
"""After so many starts of one job the worker is taken to be killed by the job itself, mostly for want of memory."""

T = TypeVar("T")


@contextmanager
def marked_as_used(folder: Path) -> Iterator[None]:
    """Keep whoever cleans up from a folder; it keeps nobody from working there, which is up to the lease."""
    with explained("write", str(folder)):
        make_private_folder(folder)
        lock = try_lock(folder / "lock")
    try:
        yield
    finally:
        if lock is not None:
            lock.release()


@dataclass(frozen=True)
class WorkerContext:
    """What a worker has at hand for its jobs.

    Attributes
    ----------
    settings : Settings
    database : sqlalchemy.Engine
    files : Files
    runs : RunRecords
    bin : BinRecords
    worker : WorkerName
        Its name for people.
    holds : Holds
        What it works on.
    fitness : Fitness
        What it can do of what waits.
    busy : callable
        Called with a line and the job of it in work, and with None afterwards.
    """

    settings: Settings
    database: Engine
    files: Files
    runs: RunRecords
    bin: BinRecords
    worker: WorkerName
    holds: Holds
    fitness: Fitness
    busy: Callable[[str, str | None], None]

    def reports(self, run_id: str) -> RunReports:
        """Where it says how far a run is."""
        return RunReports(self.database, run_id, self.files.patience, self.files.before_write)

    def patiently(self, work: Callable[[], T]) -> T:
        """Ask the database for something that may be asked more than once, and wait while it is away."""
        return patiently(work, self.files.patience)

    def of(self, job: str) -> WorkerContext:
        """The same for one job, whose files and records nobody can write any more who has lost the job."""
        lease = self.holds.of(job)
        guarded = self.files.guarded(lambda: lease.assure(self.holds.ending.is_set))
        return replace(self, files=guarded, runs=RunRecords(self.database, lease.check))
