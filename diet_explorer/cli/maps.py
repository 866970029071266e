"""The command that draws embedding maps: map. `app` registers it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from diet_explorer.cli import output as out
from diet_explorer.cli.finding import find_run
from diet_explorer.cli.options import JsonOption, RunArgument, WorkspaceOption, open_workspace
from diet_explorer.errors import JobCancelledError, JobFailedError

if TYPE_CHECKING:
    from diet_explorer.jobs.kinds.map import MapProgress
    from diet_explorer.store.embeddings import Representation
    from diet_explorer.workspace.run import Run
    from diet_explorer.workspace.workspace import Workspace


def map_command(
    name: RunArgument,
    which: Annotated[
        Literal["tuned", "initial"], typer.Option(help="Embeddings of the fine-tuned model, or of the model before.")
    ] = "tuned",
    neighbors: Annotated[int, typer.Option(help="How many neighbours each example is kept near to.")] = 15,
    min_dist: Annotated[float, typer.Option(help="How closely examples may be packed, 0 to 1.")] = 0.1,
    seed: Annotated[int, typer.Option(help="The same seed draws the same map.")] = 0,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the end, or only queue the job.")] = True,
    cancel: Annotated[bool, typer.Option("--cancel", help="Stop the drawing instead.")] = False,
    home: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find every example's neighbours and draw the embedding map (UMAP)."""
    workspace = open_workspace(home)
    run = find_run(workspace, name)
    from diet_explorer.jobs.slots import workers_in_words

    if cancel:
        run.maps.cancel(which)
        progress = run.maps.progress(which)
    else:
        progress = run.maps.draw(which, neighbors=neighbors, min_dist=min_dist, seed=seed)
        if wait and progress.is_active:
            progress = _wait_for_map(run, which, workspace)
    facts = _map_facts(run, progress, workspace)
    if as_json:
        out.print_json(facts)
    elif progress.is_active:
        out.print_line(f"Queued the {which} map of {run.id}. {workers_in_words(workspace.settings)}")
    else:
        out.print_line(f"Cancelled the map of {run.id}" if cancel else f"The map of {run.id}: {facts['file']}")


def _wait_for_map(run: Run, which: Representation, workspace: Workspace) -> MapProgress:
    """Follow a map to its end, with a worker of our own where there is none.

    On Ctrl-C the drawing goes on in a worker that does not belong to this command, and is cancelled otherwise.

    Raises
    ------
    JobFailedError, JobCancelledError
        It ended without a map, or no worker can be kept alive.
    KeyboardInterrupt
        The user has had enough.
    """
    from diet_explorer.cli.following import follow, in_stages, some_worker

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


def _map_facts(run: Run, progress: MapProgress, workspace: Workspace) -> dict[str, Any]:
    """A map in plain values, for JSON; `file` is None until it is drawn."""
    from diet_explorer.store.embeddings import EmbeddingFiles

    path = EmbeddingFiles(workspace.context.files, run.id).paths.map(progress.which)
    facts = out.job_facts(progress, "which state stage share seconds_left error remedy delay parameters drawn")
    return {"run": run.id, **facts, "file": path if progress.drawn is not None else None}
