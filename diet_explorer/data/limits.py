"""The one set of limits on the parts of a source, so that a small file cannot take all memory or disk."""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from diet_explorer.config import unusable_setting
from diet_explorer.errors import LimitError

_PREFIX = "DIET_EXPLORER_MAX_"
RATIO_FROM = 1 << 26
"""From so many unpacked bytes on the ratio counts: small files that repeat themselves pack very well."""


class Limits(BaseSettings):
    """What an operator may set of ``DIET_EXPLORER_MAX_…``; MB are 2^20 bytes, GB 2^30."""

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX, extra="ignore", env_ignore_empty=True, str_strip_whitespace=True, frozen=True
    )

    row_mb: int = Field(default=16, ge=1, le=1024, description="megabytes of one row as it is written")
    cell_mb: int = Field(default=8, ge=1, le=1024, description="megabytes of one value")
    rows: int = Field(
        default=50_000_000, ge=1, description="rows; each takes about 60 bytes of memory while a source is read"
    )
    columns: int = Field(default=10_000, ge=2, description="columns")
    classes: int = Field(default=50_000, ge=2, description="classes")
    class_characters: int = Field(default=1_000, ge=1, description="characters of one class's name")
    depth: int = Field(default=64, ge=2, le=200, description="lists and objects in one another")
    parts: int = Field(default=100_000, ge=100, description="lists and objects in one row")
    ratio: int = Field(
        default=200, ge=1, description="times its size that a compressed source may unpack to (from 64 MB on)"
    )
    unpacked_gb: int = Field(
        default=64, ge=1, description="gigabytes that one compressed file or member of an archive may unpack to"
    )
    document_mb: int = Field(
        default=128,
        ge=1,
        le=2048,
        description="megabytes of what has to be read whole: a JSON object, the strings of a workbook",
    )
    files: int = Field(default=200_000, ge=1, description="files in a folder or an archive")
    sheet_cells: int = Field(
        default=100_000_000, ge=1, description="cells of an Excel sheet, empty ones between others included"
    )
    uploads_mb: int = Field(
        default=8_192, ge=1, description="megabytes of uploads that one person keeps in the app at a time"
    )

    @property
    def row_bytes(self) -> int:
        """Bytes of a row."""
        return self.row_mb << 20

    @property
    def cell_bytes(self) -> int:
        """Bytes of a cell."""
        return self.cell_mb << 20

    @property
    def document_bytes(self) -> int:
        """Bytes of what has to be read whole."""
        return self.document_mb << 20

    def error(self, name: str, message: str, advice: str) -> LimitError:
        """The error for what is beyond a limit.

        Parameters
        ----------
        name : str
            The limit, as it is called here.
        message : str
            What is too large, and where it stands.
        advice : str
            What the owner of the data can do, as a sentence.
        """
        setting = f"{_PREFIX}{name.upper()}"
        value = getattr(self, name)
        return LimitError(
            message, f"{advice} Whoever runs this program can raise the limit {setting} (it is {value:,}).", setting
        )

    def long_row(self, where: str) -> LimitError:
        """The error for a row that is too long, or does not end."""
        return self.error(
            "row_mb",
            f"{where} is longer than {self.row_mb:,} MB, the most that a row may have.",
            "Look for a quote, bracket or line end that is missing, or cut the row.",
        )

    def long_cell(self, where: str) -> LimitError:
        """The error for a cell that is too long."""
        return self.error(
            "cell_mb", f"{where} is longer than {self.cell_mb:,} MB, the most that a cell may have.", "Cut the text."
        )

    def too_deep(self, where: str) -> LimitError:
        """The error for a value with too many lists and objects in one another."""
        return self.error(
            "depth",
            f"{where} has more than {self.depth:,} lists and objects in one another.",
            "Write the value flat, or leave it out.",
        )

    def check_columns(self, number: int, location: str) -> None:
        """Refuse a table with too many columns."""
        if number > self.columns:
            raise self.error(
                "columns",
                f"{location} has {number:,} columns or more; at most {self.columns:,} are read.",
                "Keep the text, the label and what you filter by; check that the delimiter is the right one.",
            )

    def check_files(self, number: int, location: str) -> None:
        """Refuse a folder or an archive with too many files."""
        if number > self.files:
            raise self.error(
                "files",
                f"{location} holds more than {self.files:,} files.",
                "Write the texts as one table, such as JSON Lines or Parquet; or give a folder in it.",
            )

    def check_unpacked(self, unpacked: int, packed: int, location: str) -> None:
        """Refuse what grows too much when it is unpacked."""
        if unpacked > max(RATIO_FROM, self.ratio * packed):
            raise self.error(
                "ratio",
                f"{location} unpacks to more than {self.ratio:,} times its size, as no real data does.",
                "If you trust it, unpack it yourself and give the file that is in it.",
            )
        if unpacked > self.unpacked_gb << 30:
            raise self.error(
                "unpacked_gb",
                f"{location} unpacks to more than {self.unpacked_gb:,} GB.",
                "Cut it into several files.",
            )

    def check_depth(self, value: Any, where: str) -> None:
        """Refuse a value, as JSON gives it, with too many lists and objects in one another, or in all."""
        level: list[Any] = [value]
        number = 0
        for _ in range(self.depth + 1):
            level = [inner for outer in level for inner in _inside(outer) if type(inner) in (list, dict)]
            number += len(level)
            if number > self.parts:
                raise self.error(
                    "parts", f"{where} holds more than {self.parts:,} lists and objects.", "Leave them out."
                )
            if not level:
                return
        raise self.too_deep(where)


def _inside(value: Any) -> Iterable[Any]:
    return value.values() if type(value) is dict else value if type(value) is list else ()


def current_limits() -> Limits:
    """The limits of this process, from its environment; BadInputError names a variable that cannot be used."""
    return _limits(tuple((name, value) for name, value in os.environ.items() if name.startswith(_PREFIX)))


@lru_cache(maxsize=4)
def _limits(variables: tuple[tuple[str, str], ...]) -> Limits:
    try:
        return Limits()
    except ValidationError as error:
        raise unusable_setting(_PREFIX, error) from error
