"""Datasets on the command line: importing a file with its columns, and saying what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from diet_explorer.cli import output as out
from diet_explorer.data.readers.opening import open_source
from diet_explorer.errors import BadInputError
from diet_explorer.training.config import GradientMode
from diet_explorer.training.cost import CostEstimate
from diet_explorer.workspace.dataset import Dataset
from diet_explorer.workspace.sample import SAMPLE_SETTINGS
from diet_explorer.workspace.workspace import Workspace


def names_a_file(data: str) -> bool:
    """Whether a word on the command line means a file or `hub:NAME` rather than a dataset of the workspace."""
    looks = data.startswith(("hub:", ".", "/", "~")) or "/" in data or Path(data).suffix != ""
    return looks or Path(data).is_file()


def import_file(
    place: Workspace,
    location: str,
    text: str | None,
    label: str | None,
    text_pair: str | None,
    id_column: str | None,
    split: str | None,
    name: str | None,
    encoding: str | None,
) -> Dataset:
    """Import a file with the columns that the options named.

    Raises
    ------
    BadInputError
        The file or a column cannot be used, or a needed column is not named.
    """
    source = open_source(location, encoding=encoding)
    if text is None or label is None:
        missing = " and ".join(flag for flag, value in (("--text", text), ("--label", label)) if value is None)
        columns = ", ".join(source.columns())
        raise BadInputError(f"Importing {location} needs {missing}.", f"Its columns are: {columns}.")
    line = out.LiveLine()
    try:
        return place.import_dataset(
            source,
            text=text,
            label=label,
            text_pair=text_pair,
            id=id_column,
            split=split,
            name=name,
            progress=lambda share, what: line.show(f"{what} {share:.0%}", what),
        )
    finally:
        line.close()


def score_sample(place: Workspace) -> None:
    """Import the sample, and queue its scoring unless that was done before."""
    dataset = place.import_sample()
    if not place.runs(dataset):
        place.score(dataset, **SAMPLE_SETTINGS)


def print_dataset(dataset: Dataset) -> None:
    """Print what an import found."""
    splits = ", ".join(f"{name} {rows:,}" for name, rows in dataset.manifest.splits.items())
    out.print_line(f"Imported {dataset.id}: {dataset.rows:,} examples ({splits}), {len(dataset.classes)} classes")
    aside = dataset.set_aside()
    if len(aside):
        first = aside.iloc[0]
        out.print_line(f"Set aside: {len(aside):,} rows, the first in line {first['line']}: {first['reason']}")


def print_estimates(choices: Mapping[GradientMode, CostEstimate], *, as_json: bool) -> None:
    """Print what each choice of gradient norms costs."""
    if as_json:
        out.print_json({mode: {**asdict(cost), "seconds_total": cost.seconds_total} for mode, cost in choices.items()})
        return
    out.print_table(
        ("--grand", "training", "scoring", "in all"),
        [
            (mode, *map(out.duration, (cost.seconds_training, cost.seconds_scoring, cost.seconds_total)))
            for mode, cost in choices.items()
        ],
    )
    out.print_line(f"{next(iter(choices.values())).basis}.")
