"""A background job as one durable step: any kind whose work is done by a process of its own.

Such a process can be ended at any moment and gives its memory back. A job that was cut off, because its worker was
killed, is taken up again by the next worker.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from dbos import DBOS

from diet_explorer.errors import DietExplorerError, JobCancelledError, JobFailedError, JobLeftError
from diet_explorer.jobs.context import MAX_STARTS, WorkerContext, marked_as_used
from diet_explorer.jobs.holding import Holds, Left, said_of
from diet_explorer.jobs.job import QueuedJob, failure
from diet_explorer.jobs.processes import OwnProcess
from diet_explorer.jobs.progress import ended
from diet_explorer.store.happenings import happened

Job = QueuedJob[Any, Any]


def declare(context: WorkerContext, kind: type[Job]) -> None:
    """Register a kind of job with the job library; call it once, before the library is launched."""
    make: Callable[..., Job] = kind

    @DBOS.step(name=kind.kind)
    def work(job_id: str, *arguments: str) -> str:
        held = context.of(job_id)
        job = make(context.settings, held.files, context.database, *arguments)
        return carry_out(job, job_id, context.holds)

    @DBOS.workflow(name=kind.route.workflow, max_recovery_attempts=None)
    def run(*arguments: str) -> str:
        job_id, asked = str(DBOS.workflow_id), make(context.settings, context.files, context.database, *arguments)
        model = asked.model()
        if model is not None:
            context.fitness.check_model(model, arguments[0], job_id)
        context.busy(kind.route.line, asked.task)
        try:
            with context.holds.holding(asked.thing, job_id, partial(asked.is_stopped, job_id)):
                outcome = work(job_id, *arguments)
        except JobCancelledError:
            outcome = "cancelled"
        finally:
            context.busy(kind.route.line, None)
        return said_of(job_id, outcome) if outcome == "cancelled" else outcome


def carry_out(job: Job, job_id: str, holds: Holds) -> str:
    """Do what was asked for, or go on with it, and give the state it ended in.

    Nothing is done where another request has taken the place of that of `job_id`. `Left` where it is lost or handed
    back; what is half done is removed then too, unless somebody else works on it already.
    """
    request, status = job.request(), job.status()
    if request is None or request.id != job_id:
        return "cancelled"
    starts = status.starts + 1 if status.job == job_id else 1
    begun = job.progress_type(job=job_id, state="running", stage="Starting", starts=starts)
    try:
        _work(job, begun, holds)
    except JobLeftError as error:
        if holds.ending.is_set():
            job.clean_up()
        raise Left from error
    except JobCancelledError:
        job.clean_up()
        happened("jobs_ended", kind=job.kind, outcome="cancelled")
        return "cancelled"
    except DietExplorerError as error:
        job.clean_up()
        job.save(ended(begun, "failed", **failure(error)))
    state = str(job.status().state)
    happened("jobs_ended", kind=job.kind, outcome=state)
    return state


def _work(job: Job, begun: Any, holds: Holds) -> None:
    def stopped() -> bool:
        holds.look(begun.job)
        return job.is_stopped(begun.job)

    if stopped():
        raise JobCancelledError("The job was cancelled.", "Start it again.")
    if begun.starts > 1 and job.is_complete():  # it was cut off right after the end
        job.save(ended(begun, "succeeded"))
        return
    job.save(begun)
    words = job.words
    if begun.starts > MAX_STARTS:
        raise JobFailedError(
            f"The worker was killed {MAX_STARTS} times while it {words.verb} this {words.noun}.",
            words.short_of_memory,
        )
    with _scratch(job) as scratch:
        process = OwnProcess(job, begun.job, scratch / "output.log", lease=holds.of(begun.job).key)
        reason = process.wait(stopped, job.poll_seconds)
        stopped()  # the process says nothing of its end where it has lost the lease
        if reason is not None:
            raise JobFailedError(f"The process that {words.verb} the {words.noun} {reason}.", words.short_of_memory)


@contextmanager
def _scratch(job: Job) -> Iterator[Path]:
    """A folder for this attempt at a job alone, gone after it unless it failed: its output may say of what.

    Who has lost the job to another worker of this machine removes nothing of that one's; what earlier attempts left,
    of which none has the job any more, goes first.
    """
    shutil.rmtree(job.scratch_folder, ignore_errors=True)
    folder = job.scratch_folder / uuid.uuid4().hex
    with marked_as_used(folder):
        try:
            yield folder
        except DietExplorerError as error:
            if isinstance(error, JobLeftError | JobCancelledError):
                _leave(folder)
            raise
        _leave(folder)


def _leave(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):  # another worker of this machine has the job
        folder.parent.rmdir()
