"""Scoring a run, as durable steps: begin, prepare, one step per seed, finish.

A step that ended is never done again, also not after a kill; a step that was cut off starts anew, and a seed's step
then goes on from the last checkpoint on disk. Steps do not raise for things that may happen to users (a model that
cannot be loaded, a full disk): they return an outcome in plain words, which is what the jobs database keeps.
"""

from __future__ import annotations

import logging
import shutil
import socket
import time
import traceback
from collections.abc import Callable
from functools import partial
from typing import TypedDict

from dbos import DBOS

from diet_explorer.data.manifest import DatasetManifest
from diet_explorer.errors import DietExplorerError, JobCancelledError, NotFoundError
from diet_explorer.jobs.context import MAX_STARTS, STOP_POLL_SECONDS, WorkerContext, alone
from diet_explorer.jobs.needless import needless_trainings
from diet_explorer.jobs.protocol import SCORE
from diet_explorer.scoring.progress import ProgressFiles
from diet_explorer.store.embeddings import EmbeddingFiles
from diet_explorer.store.happenings import happened
from diet_explorer.store.names import checked_id
from diet_explorer.store.runs import ACTIVE, RunRecords
from diet_explorer.training.config import RunConfig

ALL_LINES = 1_000_000
_TAKEN = "taken"

logger = logging.getLogger("diet_explorer.jobs")


class Outcome(TypedDict):
    """How a step ended; `error` and `remedy` are for the user, and None unless the step failed."""

    state: str
    error: str | None
    remedy: str | None


_DONE: Outcome = {"state": "done", "error": None, "remedy": None}
_STOPPED: Outcome = {"state": "stopped", "error": None, "remedy": None}
_OUTCOMES = {"done": "succeeded", "stopped": "cancelled", "failed": "failed"}


def declare(context: WorkerContext) -> None:
    """Register the job with the job library; call it once, before the library is launched."""
    # an instant's trouble of the explorer database must not fail a run that took hours
    record_step = DBOS.step(retries_allowed=True, interval_seconds=1.0, max_attempts=5)

    @record_step
    def begin(run_id: str, workflow_id: str) -> int:
        if _leave_out_needless(context, run_id):
            return 0
        if not context.runs.set_status(run_id, "running", only_from={"queued", "running"}):
            return 0
        context.runs.set_workflow(run_id, workflow_id)
        return RunConfig.from_json(context.runs.get(run_id).config).seeds

    @DBOS.step()
    def prepare(run_id: str, workflow_id: str) -> Outcome:
        from diet_explorer.scoring.seed_run import prepare_run

        return _translate_errors(context, run_id, workflow_id, None, partial(prepare_run, context.files, run_id))

    @DBOS.step()
    def train_and_score(run_id: str, workflow_id: str, number: int) -> Outcome:
        from diet_explorer.analysis.neighbours import EXACT_ROWS, store_neighbours
        from diet_explorer.scoring.seed_run import run_seed

        files, scratch = context.files, context.settings.scratch_folder

        def work(config: RunConfig, manifest: DatasetManifest, *, should_stop: Callable[[], bool]) -> None:
            run_seed(files, scratch, run_id, config, manifest, config.seed_numbers[number], should_stop=should_stop)
            embeddings = EmbeddingFiles(files, run_id)
            missing = embeddings.has_vectors("tuned") and not embeddings.has_neighbours("tuned")
            if missing and manifest.rows < EXACT_ROWS:  # more are found when the embedding map is drawn
                store_neighbours(embeddings, manifest, "tuned")

        return _translate_errors(context, run_id, workflow_id, number, work)

    @record_step
    def finish(run_id: str, outcome: Outcome) -> str:
        log = ProgressFiles(context.files, run_id).log
        if outcome["state"] == "failed":
            changed = context.runs.set_status(
                run_id, "failed", error=outcome["error"], remedy=outcome["remedy"], only_from={"running"}
            )
            if changed:
                log("failed", f"{outcome['error']} {outcome['remedy']}", level="error")
        elif context.runs.set_status(run_id, "succeeded", only_from={"running"}):
            shutil.rmtree(context.settings.scratch_folder / run_id, ignore_errors=True)
            log("succeeded", "The run has ended well.")
        return outcome["state"]

    @DBOS.workflow(name=SCORE.workflow, max_recovery_attempts=None)
    def score_run(run_id: str) -> str:
        checked_id("run", run_id)
        workflow_id = str(DBOS.workflow_id)
        context.busy(SCORE.line, run_id)
        try:
            if _note_start(context, run_id, workflow_id) > MAX_STARTS:
                return _give_up(context, run_id)
            seeds = begin(run_id, workflow_id)
            if not seeds:
                return "stopped"
            outcome = prepare(run_id, workflow_id)
            for number in range(seeds):
                if outcome["state"] == "done":
                    outcome = train_and_score(run_id, workflow_id, number)
            end = "stopped" if outcome["state"] == "stopped" else finish(run_id, outcome)
            happened("jobs_ended", kind="score", outcome=_OUTCOMES[end])
            return end
        finally:
            context.busy(SCORE.line, None)


class StopSignal:
    """Whether a job should stop, asked at every batch and looked up at most twice a second.

    A job stops when its run's record says cancelled, or when the job itself was cancelled: the record of a run that
    was cancelled and resumed at once belongs to the new job by then.
    """

    def __init__(self, runs: RunRecords, run_id: str, workflow_id: str) -> None:
        self._runs = runs
        self._run_id = run_id
        self._workflow_id = workflow_id
        self._next_look = 0.0
        self._stop = False

    def __call__(self) -> bool:
        now = time.monotonic()
        if not self._stop and now >= self._next_look:
            self._next_look = now + STOP_POLL_SECONDS
            self._stop = self._look()
        return self._stop

    def _look(self) -> bool:
        try:
            if self._runs.get(self._run_id).status == "cancelled":
                return True
        except NotFoundError:  # the run was deleted
            return True
        except DietExplorerError as error:  # a database that is away for a moment is no reason to stop
            logger.warning("Cannot look whether run %s was cancelled: %s", self._run_id, error)
            return False
        job = DBOS.get_workflow_status(self._workflow_id)
        return job is not None and job.status == "CANCELLED"


def _translate_errors(
    context: WorkerContext, run_id: str, workflow_id: str, number: int | None, work: Callable[..., None]
) -> Outcome:
    """Do one step's work, that of the run's first, second, … seed or of none, and say how it ended."""
    log = ProgressFiles(context.files, run_id).log
    should_stop = StopSignal(context.runs, run_id, workflow_id)
    seed = None
    try:
        config = RunConfig.from_json(context.runs.get(run_id).config)
        seed = None if number is None else config.seed_numbers[number]
        manifest = DatasetManifest.load(context.files, config.dataset_id)
        with alone(context.settings.scratch_folder / run_id, should_stop):
            work(config, manifest, should_stop=should_stop)
    except JobCancelledError:
        log("cancelled", "The run was cancelled; it can be resumed from its last checkpoint.", seed=seed)
        return _STOPPED
    except DietExplorerError as error:
        return {"state": "failed", "error": error.message, "remedy": error.remedy}
    except Exception as error:
        logger.exception("Run %s failed", run_id)
        log("error", str(error), level="error", seed=seed, traceback=traceback.format_exc())
        return {
            "state": "failed",
            "error": f"The run met an error that was not foreseen ({type(error).__name__}: {_first_line(error)}).",
            "remedy": "The run's log has the details; `diet-explorer resume` goes on from the last checkpoint.",
        }
    return _DONE


def _note_start(context: WorkerContext, run_id: str, workflow_id: str) -> int:
    """Write into the run's log that a worker takes it up, and count how often that was so in this job."""
    progress = ProgressFiles(context.files, run_id)
    earlier = [line for line in progress.read_log(ALL_LINES) if line["event"] == _TAKEN and line["job"] == workflow_id]
    again = " again, from its last checkpoint" if earlier else ""
    progress.log(_TAKEN, f"A worker takes up the run{again}.", job=workflow_id, host=socket.gethostname())
    return len(earlier) + 1


def _leave_out_needless(context: WorkerContext, run_id: str) -> bool:
    """Cancel a training that no proof needs any more, and all others like it that wait; whether it is one."""
    needless = needless_trainings(context, run_id)
    for other in sorted(needless):
        # this one may have been begun by a worker that was killed
        if context.runs.set_status(other, "cancelled", only_from=ACTIVE if other == run_id else {"queued"}):
            ProgressFiles(context.files, other).log("cancelled", "Its proof has decided without it.")
            workflow_id = context.runs.get(other).workflow_id
            if other != run_id and workflow_id is not None:
                DBOS.cancel_workflow(workflow_id)  # so that what waits behind it need not wait until it is looked at
    return bool(needless)


def _give_up(context: WorkerContext, run_id: str) -> str:
    error = f"The worker was killed {MAX_STARTS} times during this run."
    remedy = (
        "Most often the machine is short of memory: start a new run with a smaller batch size or max length, "
        "or resume this one."
    )
    context.runs.set_status(run_id, "failed", error=error, remedy=remedy, only_from={"queued", "running"})
    ProgressFiles(context.files, run_id).log("failed", f"{error} {remedy}", level="error")
    return "failed"


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else "no message"
