"""The job that draws an embedding map, as one durable step.

The work is done by a process of its own: it can be ended at any moment, gives its memory back, and leaves the processor
to a run that is being scored beside it. What it finishes (embeddings, neighbours) stays, so a job that was cut off goes
on after that.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable

from dbos import DBOS

from diet_explorer.errors import DietExplorerError, JobCancelledError
from diet_explorer.jobs.map_progress import MapProgressFiles, MapRequest, MapStatus
from diet_explorer.jobs.own_process import run_in_own_process
from diet_explorer.jobs.protocol import MAP_WORKFLOW
from diet_explorer.jobs.workflows import MAX_STARTS, Workbench, alone
from diet_explorer.store.embeddings import Representation

_SHORT_OF_MEMORY = (
    "Most often the machine is short of memory: close other programs, or draw the map on a larger machine."
)


def declare_map_workflow(bench: Workbench) -> None:
    """Register the job with the job library; call it once, before the library is launched."""

    @DBOS.step()
    def draw(run_id: str, which: Representation, job: str) -> str:
        return _draw(bench, run_id, which, job)

    @DBOS.workflow(name=MAP_WORKFLOW, max_recovery_attempts=None)
    def draw_map(run_id: str, which: Representation) -> str:
        return draw(run_id, which, str(DBOS.workflow_id))


def _draw(bench: Workbench, run_id: str, which: Representation, job: str) -> str:
    progress = MapProgressFiles(bench.files, run_id, which)

    def stopped() -> bool:
        request = progress.request()
        return request is None or request.job != job or request.cancelled

    earlier, request = progress.status(), progress.request()
    starts = earlier.starts + 1 if earlier is not None and earlier.job == job else 1
    if request is None or stopped():
        return "cancelled"
    folder = bench.settings.scratch_folder / f"map-{run_id}-{which}"
    failure: tuple[str, str] | None
    try:
        with alone(folder, stopped):
            progress.save_status(MapStatus(job, stage="Starting", starts=starts))
            if starts > MAX_STARTS:
                failure = f"The worker was killed {MAX_STARTS} times while it drew this map.", _SHORT_OF_MEMORY
            else:
                failure = _work(bench, run_id, which, request, starts, stopped)
    except JobCancelledError:
        return "cancelled"
    except DietExplorerError as error:
        failure = (error.message, error.remedy)
    if failure is not None:
        progress.save_status(MapStatus(job, "failed", error=failure[0], remedy=failure[1], starts=starts))
    status = progress.status()
    return "cancelled" if status is None else status.state


def _work(
    bench: Workbench,
    run_id: str,
    which: Representation,
    wanted: MapRequest,
    starts: int,
    stopped: Callable[[], bool],
) -> tuple[str, str] | None:
    """Let a process of its own draw the map; what went wrong and what to do if it did not tell so itself."""
    folder = bench.settings.scratch_folder / f"map-{run_id}-{which}"
    request = {
        "home": bench.files.root,
        "scratch": str(folder),
        "run_id": run_id,
        "which": which,
        "job": wanted.job,
        "starts": starts,
        "config": bench.runs.get(run_id).config,
    }
    ended = run_in_own_process("diet_explorer.jobs.map_process", request, folder, stopped)
    if ended is not None:
        return f"The process that drew the map {ended}.", _SHORT_OF_MEMORY
    shutil.rmtree(folder, ignore_errors=True)
    return None
