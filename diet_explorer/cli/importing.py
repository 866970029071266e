"""How a command takes a file: the flags for its columns and its reading, and the import itself."""

from __future__ import annotations

import csv
import functools
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from diet_explorer.cli import output as out
from diet_explorer.data.readers.options import ReadingOptions
from diet_explorer.errors import BadInputError

if TYPE_CHECKING:
    from diet_explorer.data.report import ValidationReport
    from diet_explorer.workspace.dataset import Dataset
    from diet_explorer.workspace.workspace import Workspace

_Text = str | None
_FLAGS: dict[str, tuple[Any, Any]] = {
    "text": (_Text, typer.Option("--text", metavar="COLUMN", help="Column of the text.")),
    "label": (_Text, typer.Option("--label", metavar="COLUMN", help="Column of the label.")),
    "annotators": (
        _Text,
        typer.Option(
            "--annotators",
            metavar="COLUMN,COLUMN,…",
            help="Columns of several people's labels, or one that holds lists of them: the label is what most of them "
            "say, in a tie the one that comes first in this order. With --label they only say how far people disagree.",
        ),
    ),
    "skip_ties": (
        bool | None,
        typer.Option("--skip-ties", help="Leave rows out on which the annotators are tied."),
    ),
    "text_pair": (_Text, typer.Option("--text-pair", metavar="COLUMN", help="Column of the second text.")),
    "id": (_Text, typer.Option("--id", metavar="COLUMN", help="Column of the id. Default: the row's number.")),
    "split": (_Text, typer.Option("--split", metavar="COLUMN", help="Column of the split, such as train.")),
    "skip_label": (
        list[str] | None,
        typer.Option("--skip-label", metavar="LABEL", help="A label that is none: leave its rows out. Repeatable."),
    ),
    "encoding": (
        _Text,
        typer.Option("--encoding", metavar="CODEC", help="Encoding of a text file, such as cp1252. Default: UTF-8."),
    ),
    "delimiter": (
        _Text,
        typer.Option("--delimiter", metavar="CHARACTER", help="What separates the cells, or: tab. Default: a guess."),
    ),
    "header": (
        bool | None,
        typer.Option("--header/--no-header", help="Whether the first line names the columns. Default: by its looks."),
    ),
    "column_names": (
        _Text,
        typer.Option("--column-names", metavar="NAME,NAME,…", help="What to call the columns, in their order."),
    ),
    "sheet": (
        _Text,
        typer.Option("--sheet", metavar="NAME", help="Sheet of an Excel workbook. Default: the first with rows."),
    ),
}


@dataclass(frozen=True)
class SourceFlags:
    """What the options of a command say of a file to import."""

    text: str | None = None
    label: str | None = None
    annotators: str | None = None
    skip_ties: bool | None = None
    text_pair: str | None = None
    id: str | None = None
    split: str | None = None
    skip_label: list[str] | None = None
    encoding: str | None = None
    delimiter: str | None = None
    header: bool | None = None
    column_names: str | None = None
    sheet: str | None = None

    @property
    def given(self) -> bool:
        """Whether any of them is there."""
        return self != SourceFlags()

    def reading(self) -> ReadingOptions:
        """Those for the reading."""
        names = None if self.column_names is None else _listed(self.column_names)
        return ReadingOptions(self.encoding, self.delimiter, self.header, names, self.sheet)

    def people(self) -> tuple[str, ...]:
        """Columns of several people's labels."""
        return () if self.annotators is None else _listed(self.annotators)


def with_source_flags(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the flags of a file in place of its parameter `flags`, a `SourceFlags`."""
    signature = inspect.signature(command, eval_str=True)

    @functools.wraps(command)
    def with_flags(**given: Any) -> None:
        command(flags=SourceFlags(**{name: given.pop(name) for name in _FLAGS}), **given)

    parameters: list[inspect.Parameter] = []
    for parameter in signature.parameters.values():
        parameters += _parameters() if parameter.name == "flags" else [parameter]
    with_flags.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    with_flags.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return with_flags


def names_a_file(data: str) -> bool:
    """Whether a word on the command line means a file or `hub:NAME` rather than a dataset of the workspace."""
    word = data.strip()
    looks = word == "-" or word.startswith(("hub:", ".", "/", "~", '"', "'")) or "/" in word or Path(word).suffix != ""
    return looks or Path(data).exists()


def import_file(
    workspace: Workspace, location: str | Sequence[str], flags: SourceFlags, name: str | None = None
) -> Dataset:
    """Import a file as the options say.

    Raises
    ------
    BadInputError
        The file or a column cannot be used, or a needed column is not named.
    """
    from diet_explorer.data.readers.opening import open_source

    source = open_source(location, flags.reading())
    people = flags.people()
    if flags.text is None or not (flags.label or people):
        needed = (("--text", flags.text), ("--label", flags.label or people))
        missing = " and ".join(flag for flag, value in needed if not value)
        columns = ", ".join(source.columns())
        several = "" if flags.label or people else " Several people's labels are named with --annotators."
        raise BadInputError(f"Importing {source.location} needs {missing}.", f"Its columns are: {columns}.{several}")
    line = out.LiveLine()
    try:
        dataset = workspace.import_dataset(
            source,
            text=flags.text,
            label=flags.label,
            text_pair=flags.text_pair,
            id=flags.id,
            split=flags.split,
            skip_labels=flags.skip_label or (),
            annotators=people,
            skip_ties=bool(flags.skip_ties),
            name=name,
            progress=lambda share, what: line.show(f"{what} {share:.0%}", what),
        )
    finally:
        line.close()
    _note_report(dataset.report)
    return dataset


def _listed(names: str) -> tuple[str, ...]:
    """Names with commas between them; one that has a comma stands in double quotes."""
    return tuple(next(csv.reader([names], skipinitialspace=True), []))


def _note_report(report: ValidationReport) -> None:
    """Say what was guessed in reading the file, and what should be looked at."""
    for sentence in report.read_as:
        out.note(sentence)
    for notice in report.warnings:
        out.note(f"Notice: {notice.message} {notice.remedy}{out.flag_of(notice.setting)}")


def _parameters() -> list[inspect.Parameter]:
    return [
        inspect.Parameter(
            name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=None, annotation=Annotated[kind, option]
        )
        for name, (kind, option) in _FLAGS.items()
    ]
