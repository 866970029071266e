"""The current filter as a CSV file that is safe to open in a spreadsheet."""

from __future__ import annotations

import csv
from collections.abc import Callable
from io import BytesIO
from typing import TypeVar

import pandas as pd

from diet_explorer.analysis.filters import ExampleFilter
from diet_explorer.data.formulas import defuse
from diet_explorer.store.in_words import counted
from diet_explorer.workspace.run import Run

T = TypeVar("T")
MOST_ROWS = 500_000
"""So many examples a list's file has at most: the server holds it in memory until its page is left, some 400 bytes for
each example of short texts."""
SAFETY_NOTE = "Texts that begin with =, +, - or @ get an apostrophe in front: no spreadsheet runs them as formulas."


def safe_csv(table: pd.DataFrame) -> bytes:
    """CSV in UTF-8 (with its mark, which spreadsheets need); texts that would be formulas get an apostrophe."""
    return _csv(table).encode("utf-8-sig")


def _csv(table: pd.DataFrame, *, header: bool = True) -> str:
    safe = table.copy()
    for column in safe.columns:
        if not pd.api.types.is_numeric_dtype(safe[column]):
            safe[column] = safe[column].map(_defused)
    safe.columns = [_defused(name) for name in safe.columns]
    # a lone carriage return counts as the end of a row to many readers unless the cell is quoted
    return safe.to_csv(index=False, quoting=csv.QUOTE_NONNUMERIC, header=header)


def filtered_csv(run: Run, by: str, checkpoint: float, seed: int | None, where: ExampleFilter) -> Callable[[], bytes]:
    """A function that makes the file when the button is pressed: the matching rows, worst first, at most `MOST_ROWS`.

    It is put together batch by batch, so that of a large set only the file itself takes memory.
    """

    def make() -> bytes:
        file = BytesIO()
        for number, part in enumerate(run.ranking(checkpoint, seed).batches(by, where, limit=MOST_ROWS)):
            file.write(_csv(part, header=number == 0).encode("utf-8-sig" if number == 0 else "utf-8"))
        return file.getvalue()

    return noted(run, "examples", make)


def filtered_csv_note(run: Run, total: int, kind: str) -> str:
    """What the file has of a list of so many examples of a kind, such as "matching"."""
    if total <= MOST_ROWS:
        return f"All {counted(total, f'{kind} example')}, worst first. {SAFETY_NOTE}"
    return (
        f"The first {MOST_ROWS:,} of {counted(total, f'{kind} example')}, worst first; narrow the filter for the "
        f"others, or write all scores with: diet-explorer scores {run.id} --output FILE. {SAFETY_NOTE}"
    )


def noted(run: Run, what: str, make: Callable[[], T]) -> Callable[[], T]:
    """A function that notes a download in the audit log before it makes what is downloaded: `what` of a run."""

    def made() -> T:
        run.context.note_download(f"{what} of the run {run.name!r}", f"run:{run.id}")
        return make()

    return made


def _defused(value: object) -> object:
    return defuse(value) if isinstance(value, str) else value
