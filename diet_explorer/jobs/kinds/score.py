"""Scoring a run: one durable job that waits for the run's seeds, and one durable job per seed, which trains it.

Seeds wait in a line of their own, of which every worker takes one at a time, so that a run uses all workers that are
idle. The job of the run takes nothing but a thread, and another worker goes on with it after a kill. A seed's step that
was cut off starts anew, and goes on from the last checkpoint. Steps do not raise for things that may happen to users (a
model that cannot be loaded, a full disk): they return an outcome in plain words, which is what the jobs database keeps.
"""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, TypedDict, cast

from dbos import DBOS
from dbos import error as dbos_error

from diet_explorer.data.manifest import DatasetManifest
from diet_explorer.errors import DietExplorerError, JobCancelledError, JobLeftError, NotFoundError
from diet_explorer.jobs.context import MAX_STARTS, WorkerContext, marked_as_used
from diet_explorer.jobs.holding import STOP_POLL_SECONDS, Left, said_of
from diet_explorer.jobs.needless import needless_trainings
from diet_explorer.jobs.protocol import EARLIER, RUN, SCORE, application_version, jobs_of_run, seed_job
from diet_explorer.jobs.queue import JobQueue
from diet_explorer.store.embeddings import EmbeddingFiles
from diet_explorer.store.happenings import happened
from diet_explorer.store.names import checked_id
from diet_explorer.store.runs import ACTIVE, RunRecord, Status
from diet_explorer.training.config import RunConfig

ALL_LINES = 1_000_000
_TAKEN = "taken"

logger = logging.getLogger("diet_explorer.jobs")


class Outcome(TypedDict):
    """How a seed ended; `error` and `remedy` are for the user, and None unless it failed."""

    state: str
    error: str | None
    remedy: str | None


_DONE: Outcome = {"state": "done", "error": None, "remedy": None}
_STOPPED: Outcome = {"state": "stopped", "error": None, "remedy": None}
_OUTCOMES = {"done": "succeeded", "stopped": "cancelled", "failed": "failed"}


def declare(context: WorkerContext) -> None:
    """Register the jobs with the job library; call it once, before the library is launched."""
    # a database that is away for a minute must not fail a run that took hours
    record_step = DBOS.step(retries_allowed=True, interval_seconds=1.0, max_attempts=8)

    def own() -> WorkerContext:
        """What the job in hand may write with: a seed only as long as this worker has it."""
        job = str(DBOS.workflow_id)
        return context.of(job) if job in context.holds.jobs else context

    @record_step
    def begin(run_id: str, job: str) -> bool:
        return not _leave_out_needless(context, run_id) and _take_up(own(), run_id, job)

    @DBOS.step()
    def train_and_score(run_id: str, job: str, number: int) -> Outcome:
        return carry_out(own(), run_id, job, number)

    @record_step
    def is_last(run_id: str, job: str, number: int) -> bool:
        return _is_last(context, run_id, job, number)

    @record_step
    def finish(run_id: str, job: str, outcome: Outcome) -> str:
        end_run(own(), run_id, job, outcome)
        return outcome["state"]

    @DBOS.workflow(name=SCORE.workflow, max_recovery_attempts=None)
    def score_seed(run_id: str, job: str, number: int) -> Outcome:
        checked_id("run", run_id)
        seed = seed_job(job, number)
        with context.fitness.taking(run_id, seed):
            context.busy(SCORE.line, run_id)
            try:
                with context.holds.holding(f"{run_id}/{number}", seed, lambda: not _is_asked_for(context, run_id, job)):
                    outcome = do(run_id, job, number)
            except JobCancelledError:
                outcome = _STOPPED
            finally:
                context.busy(SCORE.line, None)
        happened("jobs_ended", kind="score", outcome=_OUTCOMES[outcome["state"]])
        return said_of(seed, outcome) if outcome["state"] == "stopped" else outcome

    def do(run_id: str, job: str, number: int) -> Outcome:
        if not begin(run_id, job):
            return _STOPPED
        if _note_start(own(), run_id, job, number) > MAX_STARTS:
            outcome = _given_up(context, run_id, number)
        else:
            outcome = train_and_score(run_id, job, number)
        # the job of the run would do it too, as soon as it looks
        if outcome["state"] == "failed" or (outcome["state"] == "done" and is_last(run_id, job, number)):
            finish(run_id, job, outcome)
        return outcome

    @DBOS.workflow(name=RUN.workflow, max_recovery_attempts=None)
    def score_run(run_id: str, seeds: int) -> str:
        job = str(DBOS.workflow_id)
        waiting = {}
        for number in range(seeds):  # those that are queued already, as they mostly are, stay where they are
            handle = DBOS.enqueue_workflow_with_options(
                {
                    "workflow_name": SCORE.workflow,
                    "queue_name": SCORE.queue(context.settings),
                    "workflow_id": seed_job(job, number),
                    "app_version": application_version(context.settings),
                },
                run_id,
                job,
                number,
            )
            waiting[handle.workflow_id] = handle
        outcome = _DONE
        while waiting and outcome["state"] == "done":
            handle = DBOS.wait_first(list(waiting.values()))
            outcome = _outcome_of(waiting.pop(handle.workflow_id))
        if outcome["state"] == "stopped":
            return "stopped"
        if waiting:
            DBOS.cancel_workflows(list(waiting))
        return finish(run_id, job, outcome)

    @DBOS.workflow(name=EARLIER.workflow, max_recovery_attempts=None)
    def hand_on(run_id: str) -> str:
        # no step of the job library: a run that an earlier version began has that version's steps on record
        return _hand_on(context, run_id, str(DBOS.workflow_id))


class StopSignal:
    """Whether a seed should stop, asked at every batch and looked up at most twice a second.

    It stops when its run is not running any more by its record, because it was cancelled, or has failed by another
    seed; or when the run was resumed since and belongs to another job. Where another worker has taken it over, or this
    one is to end, a JobLeftError is raised. The record is all that is asked: who cancels a run writes there first.
    """

    def __init__(self, context: WorkerContext, run_id: str, job: str, number: int) -> None:
        self._runs = context.runs
        self._holds = context.holds
        self._run_id = run_id
        self._job = job
        self._number = number
        self._next_look = 0.0
        self._stop = False

    def __call__(self) -> bool:
        now = time.monotonic()
        self._holds.check_ending(self._run_id)
        if not self._stop and now >= self._next_look:
            self._next_look = now + STOP_POLL_SECONDS
            self._holds.look(seed_job(self._job, self._number))
            self._stop = self._look()
        return self._stop

    def _look(self) -> bool:
        try:
            record = self._runs.get(self._run_id)
        except NotFoundError:  # the run was deleted
            return True
        except DietExplorerError as error:  # a database that is away for a moment is no reason to stop
            logger.warning("Cannot look whether run %s was cancelled: %s", self._run_id, error)
            return False
        return record.status != "running" or not _is_of(record, self._job)


def _record(context: WorkerContext, run_id: str) -> RunRecord | None:
    """The record of a run; None where it was deleted."""
    with suppress(NotFoundError):
        return context.patiently(lambda: context.runs.get(run_id))
    return None


def _config(context: WorkerContext, run_id: str) -> RunConfig:
    """The settings of a run."""
    return RunConfig.from_json(context.patiently(lambda: context.runs.get(run_id)).config)


def _set_status(
    context: WorkerContext,
    run_id: str,
    status: Status,
    only_from: Iterable[Status],
    error: str | None = None,
    remedy: str | None = None,
    only_of: str | None = None,
) -> bool:
    """Change the status of a run, if it is one of some, and whether that was done now."""
    set_status = partial(context.runs.set_status, error=error, remedy=remedy, only_from=only_from, only_of=only_of)
    return context.patiently(lambda: set_status(run_id, status))


def _is_of(record: RunRecord | None, job: str) -> bool:
    """Whether a run belongs to a job; whoever queues a run may not have noted yet to which."""
    return record is not None and record.workflow_id in (None, job)


def _is_asked_for(context: WorkerContext, run_id: str, job: str) -> bool:
    """Whether a seed that waits is still to be trained."""
    try:
        record = context.runs.get(run_id)
    except NotFoundError:
        return False
    except DietExplorerError:  # a database that is away for a moment is no reason to give up
        return True
    return record.is_active and _is_of(record, job)


def _take_up(context: WorkerContext, run_id: str, job: str) -> bool:
    """Note that a run's first seed has begun, and whether this seed is still asked for."""
    record = _record(context, run_id)
    if record is None or not _is_of(record, job):
        return False
    if record.workflow_id is None:
        context.patiently(lambda: context.runs.set_workflow(run_id, job))
    if _set_status(context, run_id, "running", {"queued"}):
        return True
    record = _record(context, run_id)
    return record is not None and record.status == "running"


def carry_out(context: WorkerContext, run_id: str, job: str, number: int) -> Outcome:
    """Train a seed, and say how that ended; `Left` where it is lost or handed back."""
    from diet_explorer.scoring.seed_run import EMBEDDED_SEED, run_seed

    log = context.reports(run_id).log
    should_stop = StopSignal(context, run_id, job, number)
    seed, several = None, False
    try:
        context.holds.wait_for_database(seed_job(job, number))
        config = _config(context, run_id)
        seed, several = config.seed_numbers[number], config.seeds > 1
        manifest = DatasetManifest.load(context.files, config.dataset_id)
        with _scratch(context, run_id, seed) as scratch:
            reports = context.reports(run_id)
            run_seed(
                context.files, scratch, reports, config, manifest, seed, should_stop=should_stop, worker=context.worker
            )
            if seed == EMBEDDED_SEED:
                _store_neighbours(context, run_id, manifest)
    except JobLeftError as error:
        raise Left from error
    except JobCancelledError:
        _log_stop(context, run_id, seed)
        return _STOPPED
    except DietExplorerError as error:
        return _failed(error.message, error.remedy, seed if several else None)
    except Exception as error:
        logger.exception("Seed %s of run %s failed", seed, run_id)
        log("error", str(error), level="error", seed=seed, traceback=traceback.format_exc())
        return _failed(
            f"The run met an error that was not foreseen ({type(error).__name__}: {_first_line(error)}).",
            "The run's log has the details; `diet-explorer resume` goes on from the last checkpoint.",
            seed if several else None,
        )
    return _DONE


@contextmanager
def _scratch(context: WorkerContext, run_id: str, seed: int) -> Iterator[Path]:
    """The local folder below which a seed keeps its training checkpoints.

    In a local workspace they are all that the seed can go on from, and stay. Elsewhere the store has them too: they are
    this process's own, and gone however the work ends; those of a process that was killed go with the next one.
    """
    if context.files.is_local:
        folder = context.settings.training_folder
        with marked_as_used(folder / run_id / f"seed={seed}"):
            yield folder
    else:
        with context.files.temporary_folder() as folder:
            yield folder


def _is_last(context: WorkerContext, run_id: str, job: str, number: int) -> bool:
    """Whether all other seeds of the run are done, and their jobs have ended too."""
    record = _record(context, run_id)
    if record is None:
        return False
    seeds, progress = RunConfig.from_json(record.config).seed_numbers, context.reports(run_id)
    others = [other for other in range(len(seeds)) if other != number]
    if any(progress.load(seeds[other]).state != "done" for other in others):
        return False
    jobs = (DBOS.get_workflow_status(seed_job(job, other)) for other in others)
    return all(status is not None and status.status == "SUCCESS" for status in jobs)


def _failed(error: str, remedy: str, seed: int | None) -> Outcome:
    """Of a run of several seeds, the words name the one that failed."""
    return {"state": "failed", "error": error if seed is None else f"Seed {seed}: {error}", "remedy": remedy}


def _log_stop(context: WorkerContext, run_id: str, seed: int | None) -> None:
    record = _record(context, run_id)
    why = "has failed" if record is not None and record.status == "failed" else "was cancelled"
    log = context.reports(run_id).log
    log("stopped", f"Stopped, since the run {why}; it can be resumed from its last checkpoint.", seed=seed)


def _store_neighbours(context: WorkerContext, run_id: str, manifest: DatasetManifest) -> None:
    """Find each example's nearest ones where that takes a moment; more are found when the embedding map is drawn."""
    from diet_explorer.analysis.neighbours import EXACT_ROWS, store_neighbours

    embeddings = EmbeddingFiles(context.files, run_id)
    missing = embeddings.has_vectors("tuned") and not embeddings.has_neighbours("tuned")
    if missing and manifest.rows < EXACT_ROWS:
        store_neighbours(embeddings, manifest, "tuned")


def _outcome_of(handle: Any) -> Outcome:
    """How a seed ended that was waited for."""
    try:
        return cast(Outcome, handle.get_result())
    except dbos_error.DBOSAwaitedWorkflowCancelledError:
        return _STOPPED
    except Exception as error:  # noqa: BLE001  of the job library's own work around the steps
        return _failed(
            f"A job of the run ended by an error that was not foreseen ({type(error).__name__}: {_first_line(error)}).",
            "The worker's log has the details; `diet-explorer resume` goes on from the last checkpoint.",
            None,
        )


def end_run(context: WorkerContext, run_id: str, job: str, outcome: Outcome) -> None:
    """Write down how a run ended, if it has not been asked for anew since."""
    log = context.reports(run_id).log
    if outcome["state"] == "failed":
        if _set_status(context, run_id, "failed", ACTIVE, outcome["error"], outcome["remedy"], only_of=job):
            log("failed", f"{outcome['error']} {outcome['remedy']}", level="error")
    elif _set_status(context, run_id, "succeeded", {"running"}, only_of=job):
        log("succeeded", "The run has ended well.")


def _hand_on(context: WorkerContext, run_id: str, earlier: str) -> str:
    """Queue a run anew that an earlier version had queued or begun; what has landed stays."""
    record = _record(context, run_id)
    if record is None or not record.is_active or not _is_of(record, earlier):
        return "stopped"
    job = f"{earlier}-seeds"
    seeds = RunConfig.from_json(record.config).seeds
    with closing(JobQueue(context.settings)) as queue:
        context.patiently(lambda: queue.submit_run(job, run_id, seeds))
    context.patiently(lambda: context.runs.set_workflow(run_id, job))
    return "handed on"


def _note_start(context: WorkerContext, run_id: str, job: str, number: int) -> int:
    """Write into the run's log who takes up a seed, and count how often that was so in this job."""
    progress, own = context.reports(run_id), seed_job(job, number)
    earlier = [line for line in progress.read_log(ALL_LINES) if line["event"] == _TAKEN and line["job"] == own]
    again = " again, from its last checkpoint" if earlier else ""
    seed = _config(context, run_id).seed_numbers[number]
    worker = context.worker
    progress.log(
        _TAKEN,
        f"Worker {worker.slot} on {worker.host} takes up seed {seed}{again}.",
        job=own,
        seed=seed,
        host=worker.host,
        slot=worker.slot,
    )
    return len(earlier) + 1


def _leave_out_needless(context: WorkerContext, run_id: str) -> bool:
    """Cancel a training that no proof needs any more, and all others like it that wait; whether it is one."""
    needless = needless_trainings(context, run_id)
    for other in sorted(needless):
        # this one may have been begun by a worker that was killed
        if _set_status(context, other, "cancelled", ACTIVE if other == run_id else {"queued"}):
            context.reports(other).log("cancelled", "Its proof has decided without it.")
            record = _record(context, other)
            if other != run_id and record is not None and record.workflow_id is not None:
                # so that what waits behind it need not wait until it is looked at
                DBOS.cancel_workflows(jobs_of_run(record.workflow_id, RunConfig.from_json(record.config).seeds))
    return bool(needless)


def _given_up(context: WorkerContext, run_id: str, number: int) -> Outcome:
    config = _config(context, run_id)
    return _failed(
        f"The worker was killed {MAX_STARTS} times during this run.",
        "Most often the machine is short of memory: start a new run with a smaller batch size or max length, "
        "or resume this one.",
        config.seed_numbers[number] if config.seeds > 1 else None,
    )


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else "no message"
