"""Commands about runs and what is queued for them: runs, status, cancel, resume, scores, map. `cli` registers them."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from diet_explorer.cli import output as out
from diet_explorer.cli.options import JsonOption, RunArgument, WorkspaceOption, open_workspace
from diet_explorer.scoring import catalogue

if TYPE_CHECKING:
    from diet_explorer.workspace.run import Run


def runs_command(workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """List the runs, newest first."""
    place = open_workspace(workspace)
    from diet_explorer.cli.finding import run_facts

    runs = place.runs()
    if as_json:
        out.print_json([run_facts(run) for run in runs])
    elif not runs:
        out.print_line("No runs yet. Start one with: diet-explorer score FILE --text COLUMN --label COLUMN")
    else:
        rows = [
            (run.id, run.status, f"{run.progress().share:.0%}", out.ago(run.record.created_at), run.name)
            for run in runs
        ]
        out.print_table(("run", "status", "done", "created", "name"), rows)


def status_command(run: RunArgument, workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """Show how far a run is, per seed and checkpoint."""
    place = open_workspace(workspace)
    from diet_explorer.cli.finding import find_run, progress_line, run_facts
    from diet_explorer.jobs.slots import living_workers, workers_in_words

    found = find_run(place, run)
    progress = found.progress()
    warnings = found.dynamics.warnings() if found.checkpoints() else []
    if as_json:
        workers = [asdict(worker) for worker in living_workers(place.settings)]
        facts = {**run_facts(found), "progress": asdict(progress), "workers": workers}
        out.print_json({**facts, "warnings": [asdict(entry) for entry in warnings]})
        return
    facts = {"run": found.id, "name": found.name, "dataset": found.record.dataset_id, "status": found.status}
    if found.status in ("queued", "running"):
        facts |= {"progress": progress_line(progress), "workers": workers_in_words(place.settings)}
    if found.error:
        facts |= {"error": found.error, "remedy": found.remedy or ""}
    out.print_facts(facts)
    rows = [
        (
            seed.seed,
            catalogue.checkpoint_title(point.checkpoint),
            "" if point.train_loss is None else f"{point.train_loss:.4f}",
            *("" if share is None else f"{share:.1%}" for share in (point.train_accuracy, point.heldout_accuracy)),
            out.duration(point.scoring_seconds),
        )
        for seed in progress.seeds
        for point in seed.checkpoints
    ]
    if rows:
        out.print_table(("seed", "checkpoint", "train loss", "train acc.", "held-out acc.", "scoring"), rows)
    for entry in warnings:
        title, point = catalogue.score(catalogue.DEFAULT_SCORE).title, found.default_checkpoint()
        out.print_line(f"{title} {catalogue.checkpoint_title(point)} is {entry.kind}: {entry.words}")


def cancel_command(run: RunArgument, workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """Stop a run within seconds; what has landed stays, and it can be resumed."""
    place = open_workspace(workspace)
    from diet_explorer.cli.finding import find_run

    found = find_run(place, run)
    found.cancel()
    _print_change(found, as_json, f"Cancelled {found.id}. Go on with: diet-explorer resume {found.id}")


def resume_command(run: RunArgument, workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """Queue a cancelled or failed run again; it goes on from its last checkpoint."""
    place = open_workspace(workspace)
    from diet_explorer.cli.finding import find_run
    from diet_explorer.jobs.slots import workers_in_words

    found = find_run(place, run).resume()
    _print_change(found, as_json, f"Queued {found.id} again. {workers_in_words(place.settings)}")


def scores_command(
    run: RunArgument,
    output: Annotated[Path, typer.Option(metavar="FILE", help="Ends in .parquet, .csv or .jsonl.")],
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the long table: one row per example, seed and checkpoint."""
    place = open_workspace(workspace)
    from diet_explorer.cli.finding import find_run

    found = find_run(place, run)
    written = found.export_scores(output)
    if as_json:
        out.print_json(
            {"run": found.id, "output": str(written), "scores": found.recorded_names(), "landed": found.landed()}
        )
    else:
        out.print_line(f"Wrote {written}")


def map_command(
    run: RunArgument,
    which: Annotated[
        Literal["tuned", "initial"], typer.Option(help="Embeddings of the fine-tuned model, or of the model before.")
    ] = "tuned",
    neighbors: Annotated[int, typer.Option(help="How many neighbours each example is kept near to.")] = 15,
    min_dist: Annotated[float, typer.Option(help="How closely examples may be packed, 0 to 1.")] = 0.1,
    seed: Annotated[int, typer.Option(help="The same seed draws the same map.")] = 0,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the end, or only queue the job.")] = True,
    cancel: Annotated[bool, typer.Option("--cancel", help="Stop the drawing instead.")] = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find every example's neighbours and draw the embedding map (UMAP)."""
    place = open_workspace(workspace)
    from diet_explorer.cli.finding import find_run
    from diet_explorer.cli.maps import map_facts, wait_for_map
    from diet_explorer.jobs.slots import workers_in_words

    found = find_run(place, run)
    if cancel:
        found.maps.cancel(which)
        progress = found.maps.progress(which)
    else:
        progress = found.maps.draw(which, neighbors=neighbors, min_dist=min_dist, seed=seed)
        if wait and progress.is_active:
            progress = wait_for_map(found, which, place)
    facts = map_facts(found, progress, place)
    if as_json:
        out.print_json(facts)
    elif progress.is_active:
        out.print_line(f"Queued the {which} map of {found.id}. {workers_in_words(place.settings)}")
    else:
        out.print_line(f"Cancelled the map of {found.id}" if cancel else f"The map of {found.id}: {facts['file']}")


def _print_change(run: Run, as_json: bool, line: str) -> None:
    from diet_explorer.cli.finding import run_facts

    if as_json:
        out.print_json(run_facts(run.refresh()))
    else:
        out.print_line(line)
