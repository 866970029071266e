"""Embedding maps on the command line: following one to its end, and saying what came of it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from diet_explorer.cli.following import follow, in_stages, some_worker
from diet_explorer.errors import JobCancelledError, JobFailedError
from diet_explorer.jobs.kinds.map import MapProgress
from diet_explorer.store.embeddings import EmbeddingFiles, Representation
from diet_explorer.workspace.run import Run
from diet_explorer.workspace.workspace import Workspace


def wait_for_map(run: Run, which: Representation, workspace: Workspace) -> MapProgress:
    """Follow a map to its end, with a worker of our own where there is none.

    On Ctrl-C the drawing goes on in a worker that does not belong to this command, and is cancelled otherwise.

    Raises
    ------
    JobFailedError, JobCancelledError
        It ended without a map, or no worker can be kept alive.
    KeyboardInterrupt
        The user has had enough.
    """
    with some_worker(workspace) as child:
        try:
            progress = follow(lambda: run.maps.progress(which), in_stages, child)
        except KeyboardInterrupt:
            if child is not None and run.maps.progress(which).is_active:
                run.maps.cancel(which)
            raise
    if progress.state == "failed":
        raise JobFailedError(progress.error or "The map was not drawn.", progress.remedy or "Read the run's log.")
    if progress.state == "cancelled":
        raise JobCancelledError("The drawing of the map was cancelled.", f"Draw it with: diet-explorer map {run.id}")
    return progress


def map_facts(run: Run, progress: MapProgress, workspace: Workspace) -> dict[str, Any]:
    """A map in plain values, for JSON; `file` is None until it is drawn."""
    path = EmbeddingFiles(workspace.context.files, run.id).map_path(progress.which)
    return {"run": run.id, **asdict(progress), "file": path if progress.drawn is not None else None}
