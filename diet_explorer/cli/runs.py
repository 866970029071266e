"""Commands about runs: runs, status, cancel, resume, scores. `app` registers them."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from diet_explorer.cli import output as out
from diet_explorer.cli.finding import find_run
from diet_explorer.cli.options import JsonOption, RunArgument, WorkspaceOption, open_workspace
from diet_explorer.scoring import catalogue
from diet_explorer.store.in_words import bytes_in_words

if TYPE_CHECKING:
    from datetime import datetime

    from diet_explorer.scoring.progress import RunProgress
    from diet_explorer.store.workers import WorkerInfo
    from diet_explorer.workspace.run import Run
    from diet_explorer.workspace.workspace import Workspace


def runs_command(home: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """List the runs, newest first."""
    runs = open_workspace(home).runs()
    if as_json:
        out.print_json([{**run_facts(run), "size": _folder_size(run)} for run in runs])
    elif not runs:
        out.print_line("No runs yet. Start one with: diet-explorer score FILE --text COLUMN --label COLUMN")
    else:
        rows = [
            (
                run.id,
                run.status if len(progress.busy) < 2 else f"{run.status}, {len(progress.busy)} seeds at once",
                f"{progress.share:.0%}",
                bytes_in_words(_folder_size(run)),
                out.ago(run.record.created_at),
                run.name,
            )
            for run, progress in ((run, run.progress()) for run in runs)
        ]
        out.print_table(("run", "status", "done", "size", "created", "name"), rows)
        out.note_delays(run.delay() for run in runs)


def workers_command(home: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """List the workers of all machines: what they have, what they do, and when they last gave a sign of life."""
    workspace = open_workspace(home)
    from diet_explorer.jobs.slots import all_workers, workers_in_words

    workers, now = all_workers(workspace.settings)
    if as_json:
        out.print_json([worker_facts(worker, now) for worker in workers])
    elif not workers:
        out.print_line(workers_in_words(workspace.settings))
    else:
        rows = [
            (
                f"{worker.host} {worker.slot}",
                worker.device,
                worker.memory,
                worker.version,
                f"{worker.seconds_silent(now):.0f} s ago" + (" (silent)" if worker.is_silent(now) else ""),
                worker.doing,
            )
            for worker in workers
        ]
        out.print_table(("host and slot", "computes with", "memory", "version", "last sign of life", "does"), rows)


def worker_facts(worker: WorkerInfo, now: datetime) -> dict[str, Any]:
    """A worker in plain values, for JSON."""
    facts = {name: value for name, value in asdict(worker).items() if name not in ("token", "kind", "machine")}
    return {
        **facts,
        "run_id": worker.run_id,
        "seconds_silent": round(worker.seconds_silent(now), 1),
        "alive": not worker.is_silent(now),
    }


def status_command(name: RunArgument, home: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """Show how far a run is, per seed and checkpoint."""
    workspace = open_workspace(home)
    from diet_explorer.jobs.slots import all_workers, workers_in_words
    from diet_explorer.workspace.ongoing import ongoing_work

    run = find_run(workspace, name)
    progress = run.progress()
    warnings = run.dynamics.warnings() if run.checkpoints() else []
    if as_json:
        known, now = all_workers(workspace.settings)
        workers = [worker_facts(worker, now) for worker in known]
        size = workspace.bin.size(run)
        beside = [{"title": title, **asdict(other)} for title, other in ongoing_work(workspace, run)]
        facts = {**run_facts(run), "size": size, "progress": asdict(progress), "workers": workers, "beside": beside}
        out.print_json({**facts, "warnings": [asdict(entry) for entry in warnings]})
        return
    facts = {"run": run.id, "name": run.name, "dataset": run.record.dataset_id, "status": run.status}
    facts["on disk"] = bytes_in_words(workspace.bin.size(run))
    if progress.is_active:
        facts["progress"] = progress_line(progress)
    facts |= out.delay_fact(progress.delay)
    others = ongoing_work(workspace, run)
    if others:
        facts["beside it"] = "; ".join(f"{title} · {other.describe()}" for title, other in others)
    if progress.is_active and progress.delay is None and not run.is_own_training:
        facts["workers"] = workers_in_words(workspace.settings)
    if progress.notes and (run.is_own_training or not progress.is_active):  # else the line of its progress says it
        facts["script" if progress.is_active else "note"] = " ".join(progress.notes)
    if run.error:
        facts |= {"error": run.error, "remedy": run.remedy or ""}
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
        title, point = catalogue.score(catalogue.DEFAULT_SCORE).title, run.default_checkpoint()
        out.print_line(f"{title} {catalogue.checkpoint_title(point)} is {entry.kind}: {entry.words}")


def _folder_size(run: Run) -> int:
    """Bytes of a run's own files, without those of what belongs to it."""
    return run.context.files.size(run.store.paths.folder)


def cancel_command(name: RunArgument, home: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """Stop a run within seconds; what has landed stays, and it can be resumed.

    A training script of your own records nothing more, and trains on if it is alive.
    """
    run = find_run(open_workspace(home), name)
    alive = run.refresh().status == "running"
    run.cancel()
    line = f"Cancelled {run.id}. Go on with: diet-explorer resume {run.id}"
    if run.is_own_training:
        goes_on = (
            "its script trains on without it; stop it where it runs." if alive else "what has landed stays readable."
        )
        line = f"Closed {run.id}: {goes_on}"
    out.print_result(run_facts(run.refresh()), line, as_json=as_json)


def resume_command(name: RunArgument, home: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """Queue a cancelled or failed run again; it goes on from its last checkpoint."""
    workspace = open_workspace(home)
    from diet_explorer.jobs.slots import workers_in_words

    run = find_run(workspace, name).resume()
    line = f"Queued {run.id} again. {workers_in_words(workspace.settings)}"
    out.print_result(run_facts(run.refresh()), line, as_json=as_json)


def scores_command(
    name: RunArgument,
    output: Annotated[Path, typer.Option(metavar="FILE", help="Ends in .parquet, .csv or .jsonl.")],
    home: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the long table: one row per example, seed and checkpoint."""
    run = find_run(open_workspace(home), name)
    written = run.export_scores(output)
    facts = {"run": run.id, "output": str(written), "scores": run.recorded_names(), "landed": run.landed()}
    out.print_result(facts, f"Wrote {written}", as_json=as_json)


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
    from diet_explorer.cli.following import time_left

    if progress.status == "queued":
        return progress.describe() + (" in the queue" if progress.queue_position else "")
    parts = [f"{progress.share:.0%}"]
    if len(progress.busy) > 1:
        parts.append(progress.describe())
    for seed in progress.busy:
        parts.append(seed.describe())
        if seed.examples_per_second is not None:
            parts.append(f"{seed.examples_per_second:,.0f} examples/s")
        if seed.loss is not None:
            parts.append(f"loss {seed.loss:.3f}")
    return " · ".join(parts) + time_left(progress.seconds_left)


def wait_for_run(run: Run, workspace: Workspace) -> None:
    """Follow a run to its end, with a worker of our own where there is none.

    On Ctrl-C the run goes on in a worker that does not belong to this command, and is cancelled otherwise.

    Raises
    ------
    JobFailedError, JobCancelledError
        The run ended without all of its scores, or no worker can be kept alive.
    KeyboardInterrupt
        The user has had enough.
    """
    from diet_explorer.cli.following import follow, some_worker

    with some_worker(workspace) as child:
        try:
            follow(run.progress, _describe, child)
        except KeyboardInterrupt:
            if child is None:
                out.note(f"The run goes on in its worker. Cancel it with: diet-explorer cancel {run.id}")
            elif run.refresh().record.is_active:
                run.cancel()
                out.note(f"Cancelled. Go on with: diet-explorer resume {run.id}")
            raise
    run.wait()


def _describe(progress: RunProgress) -> tuple[str, str]:
    return f"{progress.run_id}: {progress_line(progress)}", f"{progress.run_id}: {_milestone(progress)}"


def _milestone(progress: RunProgress) -> str:
    landed = [(seed.seed, point.checkpoint) for seed in progress.seeds for point in seed.checkpoints]
    if not progress.is_active or not landed:
        return progress.status
    seed, checkpoint = landed[-1]
    return f"scored {catalogue.checkpoint_title(checkpoint)}, seed {seed} ({progress.share:.0%} of the run)"
