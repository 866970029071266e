"""The command that scores a dataset or a file. `app` registers it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from diet_explorer.cli import output as out
from diet_explorer.cli.finding import find_dataset
from diet_explorer.cli.importing import SourceFlags, import_file, names_a_file, with_source_flags
from diet_explorer.cli.options import JsonOption, WorkspaceOption, open_workspace
from diet_explorer.cli.runs import run_facts, wait_for_run
from diet_explorer.errors import BadInputError
from diet_explorer.training.config import BUNDLED, GradientMode, RunConfig, default_checkpoints, parse_checkpoints

if TYPE_CHECKING:
    from diet_explorer.training.cost import CostEstimate
    from diet_explorer.workspace.workspace import Workspace

EXPORT_ENDINGS = (".parquet", ".csv", ".jsonl")
_DEFAULTS = RunConfig(dataset_id="")


@with_source_flags
def score_command(
    data: Annotated[
        str, typer.Argument(metavar="DATASET|FILE", help="Id or name of a dataset, last, or a file to import.")
    ],
    flags: SourceFlags,
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
    diet: Annotated[
        float,
        typer.Option(metavar="SHARE", help="Epochs after the first train on this share: the highest EL2N; 1: on all."),
    ] = _DEFAULTS.diet,
    gpu: Annotated[bool, typer.Option("--gpu", help="Only on a worker with a GPU.")] = _DEFAULTS.gpu,
    memory_gb: Annotated[
        int, typer.Option(metavar="GB", help="Only on a worker with so much memory; 0: any.")
    ] = _DEFAULTS.memory_gb,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the end, or only queue the run.")] = True,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the long table: .parquet, .csv or .jsonl.")
    ] = None,
    estimate: Annotated[
        bool, typer.Option("--estimate", help="Only time a few batches and say what each choice of --grand costs.")
    ] = False,
    home: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fine-tune a model and score every example at the checkpoints."""
    if output is not None:
        _check_output(output, wait)
    settings: dict[str, Any] = {
        "model": model,
        "epochs": epochs,
        "seeds": seeds,
        "checkpoints": default_checkpoints(epochs) if checkpoints is None else parse_checkpoints(checkpoints),
        "grand": grand,
        "batch_size": batch_size,
        "max_length": max_length,
        "learning_rate": learning_rate,
        "diet": diet,
        "gpu": gpu,
        "memory_gb": memory_gb,
    }
    config = RunConfig(dataset_id="", **settings).validated()
    workspace = open_workspace(home)
    from diet_explorer.jobs.slots import workers_in_words

    workspace.model(config.model)  # before a file is imported for nothing
    if names_a_file(data) and (flags.given or not _is_dataset(workspace, data)):
        dataset = import_file(workspace, data, flags)
    elif flags.given:
        raise BadInputError(f"There is no file {data!r}.", "Check the path, or leave out the options for a file.")
    else:
        dataset = find_dataset(workspace, data)
    if estimate:
        _print_estimates(workspace.measure(dataset, replace(config, dataset_id=dataset.id)), as_json=as_json)
        return
    run = workspace.score(dataset, name=name, **settings)
    if wait:
        out.note(f"Scoring {dataset.id} as {run.id}")
        wait_for_run(run, workspace)
        if output is not None:
            run.export_scores(output)
    if as_json:
        out.print_json({**run_facts(run.refresh()), "output": None if output is None else str(output)})
    elif not wait:
        out.print_line(f"Queued {run.id}. {workers_in_words(workspace.settings)}")
    else:
        out.print_line(f"Scores of {run.id}: {'see diet-explorer rank ' + run.id if output is None else output}")


def _is_dataset(workspace: Workspace, name: str) -> bool:
    """Whether a dataset bears a name that might be a file's, such as one with a slash or a dot."""
    return any(name in (dataset.id, dataset.name) for dataset in workspace.datasets())


def _print_estimates(choices: Mapping[GradientMode, CostEstimate], *, as_json: bool) -> None:
    """Print what each choice of gradient norms costs."""
    if as_json:
        out.print_json({mode: {**asdict(cost), "seconds_total": cost.seconds_total} for mode, cost in choices.items()})
        return
    rows = [
        (mode, *map(out.duration, (cost.seconds_training, cost.seconds_scoring, cost.seconds_total)))
        for mode, cost in choices.items()
    ]
    out.print_table(("--grand", "training", "scoring", "in all"), rows)
    out.print_line(f"{next(iter(choices.values())).basis}.")


def _check_output(output: Path, wait: bool) -> None:
    """Say before the training, not after it, that the scores could not be written."""
    if not wait:
        raise BadInputError("--output needs the scores.", "Leave out --no-wait, or use `diet-explorer scores` later.")
    if output.suffix not in EXPORT_ENDINGS:
        raise BadInputError(
            f"The ending of {output.name!r} is not known.", f"Name a file that ends in {', '.join(EXPORT_ENDINGS)}."
        )
