"""What every kind of background job has: a request, its progress, and its work.

Both stand in the explorer database, so that a reader needs no connection to the job database: the request is written
by whoever asks or cancels, the progress by the job. `jobs.workflow` queues, runs, cancels and takes up again any kind
of job that derives from `QueuedJob`; `jobs.own_process` is the process that does the work of one.
"""

from __future__ import annotations

import sys
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from sqlalchemy import Engine

from diet_explorer.config import Settings
from diet_explorer.errors import DietExplorerError, StoreAwayError
from diet_explorer.jobs.progress import JobProgress, JobReporter, JobState, ended
from diet_explorer.jobs.protocol import Route
from diet_explorer.jobs.waiting import delay_of
from diet_explorer.redaction import redacted
from diet_explorer.store.files import Files
from diet_explorer.store.jobs import JobRecord, JobRecords
from diet_explorer.store.patience import patiently
from diet_explorer.store.runs import RunRecord, RunRecords
from diet_explorer.training.config import RunConfig


@dataclass(frozen=True, kw_only=True)
class JobRequest:
    """What is asked of a job: its id, since when it waits, and whether it was cancelled since."""

    id: str
    queued_at: str = ""  # by the database's clock, ISO 8601; set when it is saved
    cancelled: bool = False


@dataclass(frozen=True)
class JobWords:
    """What people read of a kind of job that failed."""

    noun: str  # such as "map"
    verb: str  # such as "drew"
    short_of_memory: str  # what to do when its process was ended by the system
    unforeseen: str  # what to do after an error that was not foreseen


R = TypeVar("R", bound=JobRequest)
P = TypeVar("P", bound=JobProgress)
T = TypeVar("T")


class BackgroundJob(ABC, Generic[R, P]):
    """The last job of one kind for one thing, such as the map of a run.

    From `arguments`, which say what it is about, any process can make this object again.
    """

    kind: ClassVar[str]
    words: ClassVar[JobWords]
    niceness: ClassVar[int] = 0
    progress_type: type[P]

    def __init__(self, settings: Settings, files: Files, database: Engine, arguments: tuple[str, ...]) -> None:
        self.settings = settings
        self.files = files
        self.database = database
        self.arguments = arguments
        self.secret: str | None = None
        """What the work needs and no file may hold; known to its process alone."""
        self._records = JobRecords(database)
        self._about = "/".join(arguments)

    @classmethod
    @abstractmethod
    def read_request(cls, value: dict[str, Any]) -> R:
        """Rebuild a request from its record."""

    @abstractmethod
    def work(self, report: JobReporter[P], stop: Callable[[], bool]) -> dict[str, Any]:
        """Do what was asked for, in a process of its own, and give further attributes of the progress at the end.

        `stop` says whether the job was cancelled; a worker ends the process of a cancelled job by itself.
        """

    def note_unforeseen(self, error: Exception) -> None:
        """Write down the details of an error that was not foreseen: by default into the process's output."""
        sys.stderr.write(redacted("".join(traceback.format_exception(error))))

    def request(self) -> R | None:
        """What was asked for last."""
        return self._requested(self._record())

    def save_request(self, request: R) -> None:
        """Write down what is asked for."""
        queued_at = request.queued_at or self.patiently(RunRecords(self.database).now).isoformat()
        asked = asdict(replace(request, queued_at=queued_at))
        self.patiently(lambda: self._records.save_request(self.kind, self._about, asked))

    def cancel(self) -> P:
        """Ask the job to stop, if it is active, and give how far it is."""
        request = self.request()
        if request is not None and self.progress().is_active:
            self.save_request(replace(request, cancelled=True))
        return self.progress()

    def is_stopped(self, job: str) -> bool:
        """Whether a job was cancelled, or another one was asked for since; a database that is away is no reason."""
        try:
            request = self._requested(self._records.get(self.kind, self._about))
        except StoreAwayError:
            return False
        return request is None or request.id != job or request.cancelled

    def status(self) -> P:
        """What the last job that was begun says of itself."""
        return self._reported(self._record())

    def save(self, progress: P) -> None:
        """Write down how far it is."""
        self.files.before_write()
        self.patiently(lambda: self._records.save_status(self.kind, self._about, asdict(progress)))

    def record_of(self, run_id: str) -> RunRecord:
        """The record of a run that it is about."""
        return self.patiently(lambda: RunRecords(self.database).get(run_id))

    def forget(self) -> None:
        """Remove what is known of it."""
        self._records.forget(self.kind, self._about)

    def end(self, job: str, state: JobState, error: DietExplorerError | None = None) -> None:
        """Write down how a job ended that had no process of its own."""
        self.save(ended(self.progress_type(job=job), state, **({} if error is None else failure(error))))

    def progress(self) -> P:
        """How far the job is that was asked for last."""
        record = self._record()
        request, status = self._requested(record), self._reported(record)
        if request is None:
            return self.progress_type()
        if status.job != request.id:
            status = self.progress_type(job=request.id, state="queued", stage="Waiting for a worker")
        if request.cancelled and status.is_active:
            return replace(status, state="cancelled", stage="Cancelled", seconds_left=None)
        return status

    def _record(self) -> JobRecord:
        return self.patiently(lambda: self._records.get(self.kind, self._about))

    def _requested(self, record: JobRecord) -> R | None:
        return None if record.request is None else self.read_request(record.request)

    def _reported(self, record: JobRecord) -> P:
        return self.progress_type(**(record.status or {}))

    def patiently(self, work: Callable[[], T]) -> T:
        """Ask the database or the store for something that may be asked more than once, and wait while it is away."""
        return patiently(work, self.files.patience)


class QueuedJob(BackgroundJob[R, P]):
    """A job that waits for a worker, which runs it, cancels it, and takes it up again after a kill."""

    route: ClassVar[Route]
    poll_seconds: ClassVar[float] = 0.5
    """How often its worker looks whether it was cancelled."""

    def progress(self) -> P:
        """How far the job is that was asked for last, and why no worker takes it up where it waits."""
        progress, request = super().progress(), self.request()
        if progress.state != "queued" or request is None:
            return progress
        queued_at = datetime.fromisoformat(request.queued_at)
        model = self.model()
        needs = None if model is None else RunConfig(dataset_id="", model=model)
        return replace(progress, delay=delay_of(self.settings, queued_at, self.route.line, needs, [self.task]))

    @property
    def task(self) -> str:
        """What a worker says that it is busy with while it does this job."""
        return f"the {self.words.noun} {self._about}"

    def model(self) -> str | None:
        """The model that its worker must have, if any."""
        return None

    @property
    def thing(self) -> str:
        """What the job is about, which one worker at a time works on."""
        return "/".join((self.kind, *self.arguments))

    @property
    def scratch_folder(self) -> Path:
        """Its folder for temporary files."""
        return self.settings.scratch_folder / "-".join((self.kind, *self.arguments))

    @abstractmethod
    def is_complete(self) -> bool:
        """Whether what was asked for is there; asked when a job that was cut off is taken up again."""

    def clean_up(self) -> None:
        """Remove what a job that was cancelled or has failed left half done."""


def failure(error: DietExplorerError) -> dict[str, str]:
    """What a job's progress says of an error."""
    return {"error": error.message, "remedy": error.remedy, "kind": type(error).__name__}
