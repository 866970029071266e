"""JSON: objects that are rows, one per line."""

from __future__ import annotations

import json
import re
import secrets
from abc import abstractmethod
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from diet_explorer.data.limits import current_limits
from diet_explorer.data.readers.json_values import LongNumber, whole_number
from diet_explorer.data.readers.source import Batch, Source, in_batches
from diet_explorer.data.readers.text_files import TextFile
from diet_explorer.data.set_aside import BadRow, Reason, cut
from diet_explorer.errors import BadInputError, LimitError

_ROWS_FOR_COLUMNS = 1_000
_MAX_CHARACTERS = 1 << 24
_STRING = re.compile(r'"(?:[^"\\]|\\.)*+"')
_A_CELL = 8  # characters that a cell counts for, so that batches of very many columns stay small


class JsonSource(Source):
    """Rows that are JSON objects.

    Values are read as strings: numbers and booleans as JSON writes them, lists and objects as JSON text, ``null`` and
    ``NaN`` as null. Columns with at least one string are in `quoted_columns` after a full reading.
    """

    typed = False

    def __init__(self, file: TextFile) -> None:
        super().__init__(file.location, file.stem)
        self._file = file
        self._limits = current_limits()
        self._columns: dict[str, None] = {}
        for _ in self.batches(size=_ROWS_FOR_COLUMNS):
            break
        if not self._columns:
            raise self._without_rows()

    def columns(self) -> list[str]:
        return list(self._columns)

    def sha256(self) -> str:
        return self._file.sha256()

    def batches(self, size: int = 65_536) -> Iterator[Batch]:
        self.bad_rows, self.fraction_read = [], 0.0
        rows_with_sizes = ((line, row, length + _A_CELL * len(self._columns)) for line, row, length in self._all_rows())
        for rows, lines in in_batches(rows_with_sizes, size, _MAX_CHARACTERS):
            yield self._table(rows), lines
        self.fraction_read = 1.0

    @abstractmethod
    def _all_rows(self) -> Iterator[tuple[int, dict[str, Any], int]]:
        """Line, object and characters of every row; what is no row is set aside, and new keys are remembered."""

    @abstractmethod
    def _without_rows(self) -> BadInputError:
        """The error for a file whose beginning holds no row with a column."""

    def _remember(self, row: dict[str, Any]) -> None:
        if not row.keys() <= self._columns.keys():
            self._columns.update(dict.fromkeys(row))
            self._limits.check_columns(len(self._columns), self.location)

    def _table(self, rows: list[dict[str, Any]]) -> pa.Table:
        return pa.table({name: self._column(name, [row.get(name) for row in rows]) for name in self._columns})

    def _column(self, name: str, values: list[Any]) -> pa.Array:
        kinds = set(map(type, values))
        if str in kinds:
            self.quoted_columns.add(name)
        if kinds - {str, type(None)}:
            values = [value if value is None or type(value) is str else _written(value) for value in values]
        return pa.array(values, pa.string())


class JsonLinesSource(JsonSource):
    """A file with one JSON object per line."""

    kind = "jsonl"
    _has_commas = False

    def read_as(self) -> list[str]:
        return ["Commas behind the objects were left out."] if self._has_commas else []

    def _without_rows(self) -> BadInputError:
        reason = self.bad_rows[0].reason if self.bad_rows else Reason.BROKEN_JSON
        return BadInputError(
            f"None of the first {_ROWS_FOR_COLUMNS:,} lines of {self.location} is a JSON object that can be used; "
            f"the first: {reason.title}.",
            reason.remedy,
        )

    def _all_rows(self) -> Iterator[tuple[int, dict[str, Any], int]]:
        for first, block in self._file.blocks():
            self.fraction_read = self._file.fraction()
            for number, row in self._rows(first, block):
                yield number, row, len(block[number - first])

    def _rows(self, first: int, block: list[str]) -> Iterator[tuple[int, dict[str, Any]]]:
        """Number and object of every line that has one; the others are set aside."""
        rows = None if self._may_be_deep(block) else _decoded_at_once(block)
        if rows is not None:
            for number, row in enumerate(rows, first):
                self._remember(row)
                yield number, row
            return
        for number, text in enumerate(block, first):
            parsed = self._parse(number, text)
            if parsed is not None:
                yield number, parsed

    def _may_be_deep(self, block: list[str]) -> bool:
        depth = self._limits.depth
        return any(len(line) > depth and _brackets(line) > depth for line in block)

    def _parse(self, number: int, text: str) -> dict[str, Any] | None:
        """Return the object on a line, or None after setting the line aside."""
        try:
            brackets = _brackets(text)
            if brackets > self._limits.parts and _brackets(_STRING.sub("", text)) > self._limits.parts:
                raise RecursionError
            without_comma = text.rstrip().removesuffix(",")
            row = _decoded(without_comma)
            self._has_commas |= without_comma != text.rstrip()
            if brackets > self._limits.depth:
                self._limits.check_depth(row, f"Line {number:,} of {self.location}")
        except (RecursionError, LimitError):
            self.set_aside(BadRow(number, Reason.TOO_DEEP, cut(text.rstrip("\r"))))
            return None
        except ValueError:
            reason = Reason.BROKEN_JSON if text.strip() else Reason.BLANK_ROW
            self.set_aside(BadRow(number, reason, cut(text.rstrip("\r"))))
            return None
        if not isinstance(row, dict):
            self.set_aside(BadRow(number, Reason.BROKEN_JSON, cut(text.rstrip("\r"))))
            return None
        # Only an escape can make a surrogate, as the file as a whole is valid UTF-8.
        if "\\u" in text and not is_encodable(row):
            self.set_aside(BadRow(number, Reason.BROKEN_TEXT, cut(text.rstrip("\r"))))
            return None
        self._remember(row)
        return row


def _decoded_at_once(block: list[str]) -> list[dict[str, Any]] | None:
    """The objects of all lines by one call of the decoder, which is several times faster than a call per line.

    Between the lines stands a number that no file can foresee: a line that is not one object moves it.
    None where that is so, or where an escape might make text that is not valid; then every line is read by itself.
    """
    separator = secrets.randbits(62)
    text = f",{separator},".join(block)
    if "\\u" in text:
        return None
    try:
        values = DECODER.decode(f"[{text}]")
    except (ValueError, RecursionError):
        return None
    rows, between = values[::2], values[1::2]
    if len(rows) != len(block) or any(value != separator for value in between):
        return None
    return rows if all(type(row) is dict for row in rows) else None


def _brackets(text: str) -> int:
    return text.count("[") + text.count("{")


def _decoded(text: str) -> Any:
    try:
        return DECODER.decode(text)
    except ValueError as error:
        # Its own error has a position; another one is of a number with more digits than Python reads.
        if isinstance(error, json.JSONDecodeError):
            raise
        return EXACT_DECODER.decode(text)


def _constant(name: str) -> float | None:
    return None if name == "NaN" else float(name)


def _written(value: Any) -> str:
    if type(value) in (int, float, LongNumber):
        return str(value) if type(value) is LongNumber else repr(value)
    return _ENCODER.encode(value)


DECODER = json.JSONDecoder(parse_constant=_constant)
EXACT_DECODER = json.JSONDecoder(parse_constant=_constant, parse_int=whole_number)
_ENCODER = json.JSONEncoder(ensure_ascii=False)


def is_encodable(row: dict[str, Any]) -> bool:
    """Whether a row holds no half of a surrogate pair."""
    try:
        _written(row).encode()
    except UnicodeEncodeError:
        return False
    return True
