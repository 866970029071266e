"""The command line: the same verbs as the library.

Heavy imports wait until a command runs, so that ``--help`` answers at once.
"""

from __future__ import annotations

import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from diet_explorer import cli_analysis, cli_audit, cli_proof, cli_prune, cli_push, cli_review
from diet_explorer import cli_output as out
from diet_explorer.cli_options import JsonOption, RunArgument, WorkspaceOption, open_workspace
from diet_explorer.config import load_settings
from diet_explorer.errors import BadInputError, DietExplorerError
from diet_explorer.scoring import catalogue
from diet_explorer.training.config import BUNDLED, GradientMode, RunConfig, default_checkpoints, parse_checkpoints

if TYPE_CHECKING:
    from diet_explorer.workspace import Run

INTERRUPTED = 130
EXPORT_ENDINGS = (".parquet", ".csv", ".jsonl")
_DEFAULTS = RunConfig(dataset_id="")

TextOption = Annotated[str | None, typer.Option("--text", metavar="COLUMN", help="Column of the text.")]
TextPairOption = Annotated[str | None, typer.Option("--text-pair", metavar="COLUMN", help="Column of the second text.")]
LabelOption = Annotated[str | None, typer.Option("--label", metavar="COLUMN", help="Column of the label.")]
IdOption = Annotated[
    str | None, typer.Option("--id", metavar="COLUMN", help="Column of the id. Default: the row's number.")
]
SplitOption = Annotated[
    str | None, typer.Option("--split", metavar="COLUMN", help="Column of the split, such as train.")
]

app = typer.Typer(
    name="diet-explorer",
    help="Score every example of a text-classification set while a transformer learns it.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def main() -> None:
    """Run one command; errors become one line with a remedy and an exit code, never a traceback."""
    try:
        status = app(sys.argv[1:] or ["--help"], prog_name="diet-explorer", standalone_mode=False)
    except DietExplorerError as error:
        out.print_known(error)
        status = error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        status = INTERRUPTED
    except BrokenPipeError:
        status = _nobody_reads()
    except Exception as error:  # noqa: BLE001  reported with a file that holds the traceback
        status = _explain(error)
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        status = _nobody_reads()
    sys.exit(status if isinstance(status, int) else 0)


def _nobody_reads() -> int:
    """Whoever read the output, such as `head`, has had enough; Python must not complain about it at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1


def _explain(error: Exception) -> int:
    usage = getattr(error, "format_message", None)  # typer's own errors, whichever of its modules they come from
    if usage is not None:
        out.print_error(str(usage()), "See diet-explorer --help, or --help after the command.")
        return 2
    if isinstance(error, OSError) and error.filename is not None:
        reason = (error.strerror or str(error)).lower()
        out.print_error(f"Cannot use {error.filename}: {reason}.", "Check the path and the rights to it.")
        return 1
    out.print_unexpected(error, [Path.home() / ".cache" / "diet-explorer"])
    return 1


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        out.print_line(f"diet-explorer {version('diet-explorer')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version.")
    ] = False,
) -> None:
    """Score every example of a text-classification set while a transformer learns it."""


@app.command("app")
def app_command(
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port; 0 takes a free one. Default: 8501.")] = None,
    sample: Annotated[bool, typer.Option("--sample", help="Open with the sample imported and being scored.")] = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Open the browser app, with a worker that does the jobs."""
    place = open_workspace(workspace)  # one that cannot be used is said now, not by a page
    from diet_explorer.cli_data import score_sample
    from diet_explorer.jobs.supervisor import run_app

    def announce(url: str) -> None:
        if as_json:
            out.print_event({"url": url})
        else:
            out.print_line(f"diet-explorer is open at {url} (stop it with Ctrl-C)")

    settings = load_settings(home=workspace, port=port)
    run_app(settings, announce=announce, meanwhile=(lambda: score_sample(place)) if sample else None)


EncodingOption = Annotated[
    str | None, typer.Option(metavar="CODEC", help="Encoding of a text file, such as cp1252. Default: UTF-8.")
]


@app.command("import")
def import_command(
    location: Annotated[str, typer.Argument(metavar="FILE|FOLDER|hub:NAME", help="CSV, TSV, JSON Lines, Parquet, …")],
    text: TextOption = None,
    label: LabelOption = None,
    text_pair: TextPairOption = None,
    id_column: IdOption = None,
    split: SplitOption = None,
    name: Annotated[str | None, typer.Option(help="What to call the dataset. Default: the file's name.")] = None,
    encoding: EncodingOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Import a dataset and report what its rows are like."""
    place = open_workspace(workspace)
    from diet_explorer.cli_data import import_file, print_dataset

    dataset = import_file(place, location, text, label, text_pair, id_column, split, name, encoding)
    if as_json:
        out.print_json(dataset.manifest.to_json())
        return
    print_dataset(dataset)
    out.print_line(f"Next: diet-explorer score {dataset.id}")


@app.command("score")
def score_command(
    data: Annotated[
        str, typer.Argument(metavar="DATASET|FILE", help="Id or name of a dataset, last, or a file to import.")
    ],
    text: TextOption = None,
    label: LabelOption = None,
    text_pair: TextPairOption = None,
    id_column: IdOption = None,
    split: SplitOption = None,
    name: Annotated[str | None, typer.Option(help="What to call the run.")] = None,
    model: Annotated[str, typer.Option(metavar="bundled|PATH|HUB_ID", help="What is fine-tuned.")] = BUNDLED,
    epochs: Annotated[int, typer.Option(help="Passes over the training split.")] = _DEFAULTS.epochs,
    seeds: Annotated[int, typer.Option(help="Independent repetitions.")] = _DEFAULTS.seeds,
    checkpoints: Annotated[
        str | None,
        typer.Option(metavar="LIST", help="When to score, in epochs. Default: 0,0.25,0.5 and the end of every epoch."),
    ] = None,
    grand: Annotated[
        GradientMode, typer.Option(help="Gradient norms over all weights, the classifier, or none.")
    ] = "all",
    batch_size: Annotated[int, typer.Option(help="Examples per training step.")] = _DEFAULTS.batch_size,
    max_length: Annotated[int, typer.Option(help="Longest input in tokens.")] = _DEFAULTS.max_length,
    learning_rate: Annotated[float, typer.Option(help="Peak of AdamW's rate.")] = _DEFAULTS.learning_rate,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the end, or only queue the run.")] = True,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the long table: .parquet, .csv or .jsonl.")
    ] = None,
    estimate: Annotated[
        bool, typer.Option("--estimate", help="Only time a few batches and say what each choice of --grand costs.")
    ] = False,
    encoding: EncodingOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fine-tune a model and score every example at the checkpoints."""
    if output is not None:
        _check_output(output, wait)
    points = parse_checkpoints(checkpoints) if checkpoints is not None else None
    place = open_workspace(workspace)
    from diet_explorer.cli_data import import_file, names_a_file, print_estimates
    from diet_explorer.cli_runs import find_dataset, run_facts, wait_for
    from diet_explorer.jobs.slots import workers_in_words

    if names_a_file(data):
        dataset = import_file(place, data, text, label, text_pair, id_column, split, None, encoding)
    elif any((text, label, text_pair, id_column, split)):
        raise BadInputError(f"There is no file {data!r}.", "Check the path, or leave out the columns for a dataset.")
    else:
        dataset = find_dataset(place, data)
    if estimate:
        config = RunConfig(
            dataset_id=dataset.id,
            model=model,
            epochs=epochs,
            seeds=seeds,
            checkpoints=default_checkpoints(epochs) if points is None else points,
            grand=grand,
            batch_size=batch_size,
            max_length=max_length,
            learning_rate=learning_rate,
        ).validated()
        print_estimates(place.measure(dataset, config), as_json=as_json)
        return
    run = place.score(
        dataset,
        model=model,
        epochs=epochs,
        seeds=seeds,
        checkpoints=points,
        grand=grand,
        batch_size=batch_size,
        max_length=max_length,
        learning_rate=learning_rate,
        name=name,
    )
    if wait:
        out.note(f"Scoring {dataset.id} as {run.id}")
        wait_for(run, place)
        if output is not None:
            run.export_scores(output)
    if as_json:
        out.print_json({**run_facts(run.refresh()), "output": None if output is None else str(output)})
    elif not wait:
        out.print_line(f"Queued {run.id}. {workers_in_words(place.settings)}")
    else:
        out.print_line(f"Scores of {run.id}: {'see diet-explorer rank ' + run.id if output is None else output}")


@app.command("runs")
def runs_command(workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """List the runs, newest first."""
    place = open_workspace(workspace)
    from diet_explorer.cli_runs import run_facts

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


@app.command("status")
def status_command(run: RunArgument, workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """Show how far a run is, per seed and checkpoint."""
    place = open_workspace(workspace)
    from diet_explorer.cli_runs import find_run, progress_line, run_facts
    from diet_explorer.jobs.slots import living_workers, workers_in_words

    found = find_run(place, run)
    progress = found.progress()
    warnings = found.warnings() if found.checkpoints() else []
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


@app.command("cancel")
def cancel_command(run: RunArgument, workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """Stop a run within seconds; what has landed stays, and it can be resumed."""
    place = open_workspace(workspace)
    from diet_explorer.cli_runs import find_run

    found = find_run(place, run)
    found.cancel()
    _print_change(found, as_json, f"Cancelled {found.id}. Go on with: diet-explorer resume {found.id}")


@app.command("resume")
def resume_command(run: RunArgument, workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """Queue a cancelled or failed run again; it goes on from its last checkpoint."""
    place = open_workspace(workspace)
    from diet_explorer.cli_runs import find_run
    from diet_explorer.jobs.slots import workers_in_words

    found = find_run(place, run).resume()
    _print_change(found, as_json, f"Queued {found.id} again. {workers_in_words(place.settings)}")


@app.command("scores")
def scores_command(
    run: RunArgument,
    output: Annotated[Path, typer.Option(metavar="FILE", help="Ends in .parquet, .csv or .jsonl.")],
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the long table: one row per example, seed and checkpoint."""
    place = open_workspace(workspace)
    from diet_explorer.cli_runs import find_run

    found = find_run(place, run)
    written = found.export_scores(output)
    if as_json:
        out.print_json(
            {"run": found.id, "output": str(written), "scores": found.recorded_names(), "landed": found.landed()}
        )
    else:
        out.print_line(f"Wrote {written}")


app.command("rank")(cli_analysis.rank_command)
app.command("stability")(cli_analysis.stability_command)
app.command("compare")(cli_analysis.compare_command)
app.command("prune")(cli_prune.prune_command)
app.command("exports")(cli_prune.exports_command)
app.command("suspects")(cli_audit.suspects_command)
app.command("folds")(cli_audit.folds_command)
app.command("noise-check")(cli_audit.noise_command)
app.command("push")(cli_push.push_command)
app.command("prove")(cli_proof.prove_command)
app.command("proof")(cli_proof.proof_command)
app.command("proofs")(cli_proof.proofs_command)
app.command("decide")(cli_review.decide_command)
app.command("undo")(cli_review.undo_command)
app.command("agreement")(cli_review.agreement_command)
app.add_typer(cli_review.decisions_app, name="decisions")
app.command("export-cartography")(cli_analysis.export_cartography_command)
app.command("import-cartography")(cli_analysis.import_cartography_command)


@app.command("map")
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
    from diet_explorer.cli_maps import map_facts, wait_for_map
    from diet_explorer.cli_runs import find_run
    from diet_explorer.jobs.slots import workers_in_words

    found = find_run(place, run)
    if cancel:
        found.cancel_map(which)
        progress = found.map_progress(which)
    else:
        progress = found.draw_map(which, neighbors=neighbors, min_dist=min_dist, seed=seed)
        if wait and progress.is_active:
            progress = wait_for_map(found, which, place)
    facts = map_facts(found, progress, place)
    if as_json:
        out.print_json(facts)
    elif progress.is_active:
        out.print_line(f"Queued the {which} map of {found.id}. {workers_in_words(place.settings)}")
    else:
        out.print_line(f"Cancelled the map of {found.id}" if cancel else f"The map of {found.id}: {facts['file']}")


@app.command("worker")
def worker_command(
    slot: Annotated[
        int | None, typer.Option(help="Which of this machine's places. Default: the first free one.")
    ] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Do the jobs of a workspace, one at a time, until stopped."""
    from diet_explorer.jobs.worker import run_worker

    def announce(line: str) -> None:
        if as_json:
            out.print_event({"event": line})
        else:
            out.print_line(line)

    run_worker(open_workspace(workspace).settings, slot=slot, announce=announce)


def _check_output(output: Path, wait: bool) -> None:
    """Say before the training, not after it, that the scores could not be written."""
    if not wait:
        raise BadInputError("--output needs the scores.", "Leave out --no-wait, or use `diet-explorer scores` later.")
    if output.suffix not in EXPORT_ENDINGS:
        raise BadInputError(
            f"The ending of {output.name!r} is not known.", f"Name a file that ends in {', '.join(EXPORT_ENDINGS)}."
        )


def _print_change(run: Run, as_json: bool, line: str) -> None:
    from diet_explorer.cli_runs import run_facts

    if as_json:
        out.print_json(run_facts(run.refresh()))
    else:
        out.print_line(line)


if __name__ == "__main__":
    main()
