"""Commands that bring data in and score it: import and score. `cli` registers them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from diet_explorer.cli import output as out
from diet_explorer.cli.options import JsonOption, WorkspaceOption, open_workspace
from diet_explorer.errors import BadInputError
from diet_explorer.training.config import BUNDLED, GradientMode, RunConfig, default_checkpoints, parse_checkpoints

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
EncodingOption = Annotated[
    str | None, typer.Option(metavar="CODEC", help="Encoding of a text file, such as cp1252. Default: UTF-8.")
]


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
    from diet_explorer.cli.data import import_file, print_dataset

    dataset = import_file(place, location, text, label, text_pair, id_column, split, name, encoding)
    if as_json:
        out.print_json(dataset.manifest.to_json())
        return
    print_dataset(dataset)
    out.print_line(f"Next: diet-explorer score {dataset.id}")


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
    from diet_explorer.cli.data import import_file, names_a_file, print_estimates
    from diet_explorer.cli.finding import find_dataset, run_facts, wait_for
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


def _check_output(output: Path, wait: bool) -> None:
    """Say before the training, not after it, that the scores could not be written."""
    if not wait:
        raise BadInputError("--output needs the scores.", "Leave out --no-wait, or use `diet-explorer scores` later.")
    if output.suffix not in EXPORT_ENDINGS:
        raise BadInputError(
            f"The ending of {output.name!r} is not known.", f"Name a file that ends in {', '.join(EXPORT_ENDINGS)}."
        )
