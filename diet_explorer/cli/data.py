"""The command that brings data in: import. `app` registers it."""

from __future__ import annotations

from typing import Annotated

import typer

from diet_explorer.cli import output as out
from diet_explorer.cli.importing import SourceFlags, import_file, with_source_flags
from diet_explorer.cli.options import JsonOption, WorkspaceOption, open_workspace


@with_source_flags
def import_command(
    locations: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE|FOLDER|GLOB|-|URL|hub:NAME",
            help="A data file, several whose names are splits, a folder of them, or - for what is piped in. "
            "With [SPLIT] behind a folder or hub:NAME:CONFIG only that split.",
        ),
    ],
    flags: SourceFlags,
    name: Annotated[str | None, typer.Option(help="What to call the dataset. Default: the file's name.")] = None,
    home: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Import a dataset and report what its rows are like."""
    dataset = import_file(open_workspace(home), locations, flags, name)
    if as_json:
        out.print_json(dataset.manifest.to_json())
        return
    splits = ", ".join(f"{name} {rows:,}" for name, rows in dataset.manifest.splits.items())
    out.print_line(f"Imported {dataset.id}: {dataset.rows:,} examples ({splits}), {len(dataset.classes)} classes")
    aside = dataset.set_aside()
    if len(aside):
        first = aside.iloc[0]
        of_file = f" of {first['file']}" if first["file"] else ""
        out.print_line(f"Set aside: {len(aside):,} rows, the first in line {first['line']}{of_file}: {first['reason']}")
    out.print_line(f"Next: diet-explorer score {dataset.id}")
