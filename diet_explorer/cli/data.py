"""The command that brings data in: import. `app` registers it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from diet_explorer.cli import output as out
from diet_explorer.cli.options import (
    EncodingOption,
    IdOption,
    JsonOption,
    LabelOption,
    SplitOption,
    TextOption,
    TextPairOption,
    WorkspaceOption,
    open_workspace,
)
from diet_explorer.errors import BadInputError

if TYPE_CHECKING:
    from diet_explorer.workspace.dataset import Dataset
    from diet_explorer.workspace.workspace import Workspace


def import_command(
    location: Annotated[str, typer.Argument(metavar="FILE|FOLDER|hub:NAME", help="CSV, TSV, JSON Lines, Parquet, …")],
    text: TextOption = None,
    label: LabelOption = None,
    text_pair: TextPairOption = None,
    id_column: IdOption = None,
    split: SplitOption = None,
    name: Annotated[str | None, typer.Option(help="What to call the dataset. Default: the file's name.")] = None,
    encoding: EncodingOption = None,
    home: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Import a dataset and report what its rows are like."""
    dataset = import_file(open_workspace(home), location, text, label, text_pair, id_column, split, name, encoding)
    if as_json:
        out.print_json(dataset.manifest.to_json())
        return
    splits = ", ".join(f"{name} {rows:,}" for name, rows in dataset.manifest.splits.items())
    out.print_line(f"Imported {dataset.id}: {dataset.rows:,} examples ({splits}), {len(dataset.classes)} classes")
    aside = dataset.set_aside()
    if len(aside):
        first = aside.iloc[0]
        out.print_line(f"Set aside: {len(aside):,} rows, the first in line {first['line']}: {first['reason']}")
    out.print_line(f"Next: diet-explorer score {dataset.id}")


def names_a_file(data: str) -> bool:
    """Whether a word on the command line means a file or `hub:NAME` rather than a dataset of the workspace."""
    looks = data.startswith(("hub:", ".", "/", "~")) or "/" in data or Path(data).suffix != ""
    return looks or Path(data).is_file()


def import_file(
    workspace: Workspace,
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
    from diet_explorer.data.readers.opening import open_source

    source = open_source(location, encoding=encoding)
    if text is None or label is None:
        missing = " and ".join(flag for flag, value in (("--text", text), ("--label", label)) if value is None)
        columns = ", ".join(source.columns())
        raise BadInputError(f"Importing {location} needs {missing}.", f"Its columns are: {columns}.")
    line = out.LiveLine()
    try:
        return workspace.import_dataset(
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
