"""Finding the run or dataset that a command names, and following a run to its end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from diet_explorer.cli.following import follow, some_worker, time_left
from diet_explorer.cli.output import note
from diet_explorer.errors import BadInputError, NotFoundError
from diet_explorer.scoring.catalogue import checkpoint_title
from diet_explorer.scoring.progress import RunProgress
from diet_explorer.store.runs import ACTIVE
from diet_explorer.workspace.dataset import Dataset
from diet_explorer.workspace.run import Run
from diet_explorer.workspace.workspace import Workspace

T = TypeVar("T", Run, Dataset)

LAST = "last"


def find_run(workspace: Workspace, name: str) -> Run:
    """The run of that id, beginning of an id, or name; ``last`` is the newest.

    A further training that belongs to a run is found by its whole id only.
    """
    with suppress(NotFoundError):
        return workspace.run(name)
    return _find("run", workspace.runs(), name, lambda run: run.id, "List the runs with `diet-explorer runs`.")


def find_dataset(workspace: Workspace, name: str) -> Dataset:
    """The dataset of that id, beginning of an id, or name; ``last`` is the newest."""
    found = workspace.datasets()
    known = ", ".join(dataset.id for dataset in found[:10]) or "none yet"
    return _find("dataset", found, name, lambda dataset: dataset.id, f"Import it first. Datasets here: {known}.")


def run_facts(run: Run) -> dict[str, Any]:
    """A run in plain values, for JSON."""
    return {
        "id": run.id,
        "name": run.name,
        "dataset": run.record.dataset_id,
        "status": run.status,
        "error": run.error,
        "remedy": run.remedy,
        "created_at": run.record.created_at,
        "started_at": run.record.started_at,
        "finished_at": run.record.finished_at,
        "config": run.config.to_json(),
    }


def progress_line(progress: RunProgress) -> str:
    """Where a run is, in one line."""
    if progress.status == "queued":
        return "waiting" + (f", place {progress.queue_position} in the queue" if progress.queue_position else "")
    busy = [seed for seed in progress.seeds if seed.state not in ("waiting", "done")]
    parts = [f"{progress.share:.0%}"]
    for seed in busy:
        parts.append(f"seed {seed.seed} {seed.state}, epoch {seed.epoch:.2f}")
        if seed.examples_per_second is not None:
            parts.append(f"{seed.examples_per_second:,.0f} examples/s")
        if seed.loss is not None:
            parts.append(f"loss {seed.loss:.3f}")
    return " · ".join(parts) + time_left(progress.seconds_left)


def wait_for(run: Run, workspace: Workspace) -> None:
    """Follow a run to its end, with a worker of our own where there is none.

    On Ctrl-C the run goes on in a worker that does not belong to this command, and is cancelled otherwise.

    Raises
    ------
    JobFailedError, JobCancelledError
        The run ended without all of its scores, or no worker can be kept alive.
    KeyboardInterrupt
        The user has had enough.
    """
    with some_worker(workspace) as child:
        try:
            follow(run.progress, _in_words, child)
        except KeyboardInterrupt:
            if child is None:
                note(f"The run goes on in its worker. Cancel it with: diet-explorer cancel {run.id}")
            elif run.refresh().status in ACTIVE:
                run.cancel()
                note(f"Cancelled. Go on with: diet-explorer resume {run.id}")
            raise
    run.wait()


def _in_words(progress: RunProgress) -> tuple[str, str]:
    return f"{progress.run_id}: {progress_line(progress)}", f"{progress.run_id}: {_milestone(progress)}"


def _milestone(progress: RunProgress) -> str:
    landed = [(seed.seed, point.checkpoint) for seed in progress.seeds for point in seed.checkpoints]
    if not progress.is_active or not landed:
        return progress.status
    seed, checkpoint = landed[-1]
    return f"scored {checkpoint_title(checkpoint)}, seed {seed} ({progress.share:.0%} of the run)"


def _find(kind: str, entries: Sequence[T], name: str, id_of: Callable[[T], str], remedy: str) -> T:
    if name == LAST and entries:
        return entries[0]
    exact = [entry for entry in entries if id_of(entry) == name]
    matches = exact or [entry for entry in entries if entry.name == name]
    matches = matches or [entry for entry in entries if name and id_of(entry).startswith(name)]
    if len(matches) == 1:
        return matches[0]
    if matches:
        ids = ", ".join(id_of(entry) for entry in matches[:10])
        raise BadInputError(f"{name!r} means several {kind}s.", f"Give one of the ids: {ids}.")
    raise NotFoundError(f"There is no {kind} {name!r}.", remedy)
