"""What every kind of source offers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from diet_explorer.data.report import Notice
from diet_explorer.data.set_aside import BadRow
from diet_explorer.errors import BadInputError
from diet_explorer.store.arrow import exact_frame

T = TypeVar("T")
Batch = tuple[pa.Table, npt.NDArray[np.int64]]

# Each bad row is kept in memory until it is written; a file with more of them is not a table of this kind.
MAX_BAD_ROWS = 200_000


def in_batches(
    rows: Iterable[tuple[int, T, int]], size: int, most_characters: int
) -> Iterator[tuple[list[T], npt.NDArray[np.int64]]]:
    """Gather ``(line, row, characters)`` to batches ``(rows, lines)`` that end once they are long enough."""
    batch: list[T] = []
    lines: list[int] = []
    characters = 0
    for line, row, length in rows:
        batch.append(row)
        lines.append(line)
        characters += length
        if len(batch) == size or characters >= most_characters:
            yield batch, np.array(lines)
            batch, lines, characters = [], [], 0
    if batch:
        yield batch, np.array(lines)


class Source(ABC):
    """A table to be read in batches, as often as needed."""

    kind: str  # a short word for the format, such as csv
    typed: bool  # whether the columns have types of their own; if not, all columns are read as strings
    has_header = True  # whether a first row named the columns, where the format may have one

    def __init__(self, location: str, name: str) -> None:
        self.location = location  # what the user named: a path, or hub:NAME
        self.name = name
        # Columns of an untyped source that must stay strings, since some value was written as a string (JSON).
        self.quoted_columns: set[str] = set()
        self.bad_rows: list[BadRow] = []  # met so far in the latest reading: no rows of the table
        self.notices: list[Notice] = []  # what the reader chose or left out by itself, with what to do about it
        # Columns by other words that may be meant for them: cells of a first line that turned out to be no header.
        self.aliases: dict[str, str] = {}
        # Names of classes by column, as the card of the data set tells them; for columns that name none themselves.
        self.described_classes: dict[str, list[str]] = {}
        self.split_column: str | None = None  # tells the files or splits apart that the source is made of, if several
        self.fraction_read = 0.0  # how much of the source the latest reading has covered, from 0 to 1

    @abstractmethod
    def columns(self) -> list[str]:
        """Return the names of the columns in source order."""

    @abstractmethod
    def batches(self, size: int = 65_536) -> Iterator[Batch]:
        """Yield ``(table, lines)`` from the beginning: at most `size` rows, fewer where they are long.

        Columns that first appear later in the source may be missing. Lines are those on which the rows begin, from 1;
        for Parquet and `datasets`, the rows.
        """

    @abstractmethod
    def sha256(self) -> str:
        """Return the SHA-256 of the bytes of the source, in hexadecimal."""

    def class_names(self, column: str) -> list[str] | None:
        """Return the names behind a column of `datasets`' ClassLabel type, or None for any other column."""
        return None

    def types(self) -> dict[str, pa.DataType]:
        """Return the Arrow types of the columns as far as the first rows tell; for typed sources."""
        table = next((table for table, _ in self.batches(size=1)), None)
        return {} if table is None else {field.name: field.type for field in table.schema}

    def place(self, line: int) -> tuple[str | None, int]:
        """Return the file, where the source has several, and the line in it that a line of `batches` means."""
        return None, line

    def written(self, row: BadRow) -> dict[str, Any]:
        """Return a row that was set aside as plain data, with the file and its line in it."""
        file, line = self.place(row.line)
        return {**replace(row, line=line).to_json(), "file": file}

    def read_as(self) -> list[str]:
        """Return sentences on what was guessed or mended in the latest reading."""
        return []

    def preview(self, n: int = 20) -> pd.DataFrame:
        """Return the first `n` rows, untyped sources as the strings that the user wrote."""
        for table, _ in self.batches(size=n):
            return exact_frame(table.slice(0, n))
        return pd.DataFrame(columns=self.columns())

    def set_aside(self, row: BadRow) -> None:
        """Remember a row that is no row of the table; BadInputError for so many that the file cannot be one."""
        self.bad_rows.append(row)
        if len(self.bad_rows) > MAX_BAD_ROWS:
            first = self.bad_rows[0]
            file, line = self.place(first.line)
            raise BadInputError(
                f"More than {MAX_BAD_ROWS:,} rows of {self.location} cannot be read; "
                f"the first, at line {line}{f' of {file}' if file else ''}, for the reason: {first.reason.title}.",
                f"{first.reason.remedy} Check that the file is {self.kind.upper()}.",
            )
