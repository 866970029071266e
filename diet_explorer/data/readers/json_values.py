"""JSON that is not one object per line: values with their lines, and the forms of whole documents."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

# A value that does not end within so many characters is taken as broken.
MAX_VALUE = 1 << 24
_SCALARS = (str, int, float, bool, type(None))
_SPACE = re.compile(r"[ \t\r\n]*")


class NotJson(ValueError):
    """Text that is not JSON from some line on."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")
        self.line = line
        self.reason = reason


class JsonValues:
    """The elements of a JSON array, or the values of a text that holds one after the other, from UTF-8 chunks.

    No more than one chunk and one value is in memory at a time.
    """

    def __init__(self, chunks: Iterable[bytes], decoder: json.JSONDecoder) -> None:
        self._chunks = iter(chunks)
        self._decode = codecs.getincrementaldecoder("utf-8")("strict")
        self._decoder = decoder
        self._buffer, self._start, self._ended = "", 0, False
        self._line = 1

    def elements(self) -> Iterator[tuple[int, Any, int]]:
        """Yield line, value and characters of every element of the array that the text is."""
        self._expect("[")
        if self._peek() == "]":
            self._expect("]")
        else:
            while True:
                yield self._value(MAX_VALUE)
                if self._peek() != ",":
                    break
                self._expect(",")
            self._expect("]")
        if self._peek():
            raise NotJson(self._line, "something follows the end of the array")

    def values(self, longest: int = MAX_VALUE) -> Iterator[tuple[int, Any, int]]:
        """Yield line, value and characters of every value of the text."""
        while self._peek():
            yield self._value(longest)

    def _expect(self, character: str) -> None:
        found = self._peek()
        if found != character:
            raise NotJson(self._line, f"{character!r} is missing" if found else "the text ends before the array does")
        self._start += 1

    def _peek(self) -> str:
        """Move to the next character that is no white space, and return it; empty at the end."""
        while True:
            match = _SPACE.match(self._buffer, self._start)
            end = match.end() if match else self._start
            self._line += self._buffer.count("\n", self._start, end)
            self._start = end
            if self._start < len(self._buffer) or not self._read_on():
                return self._buffer[self._start : self._start + 1]

    def _value(self, longest: int) -> tuple[int, Any, int]:
        self._peek()
        while True:
            try:
                value, end = self._decoder.raw_decode(self._buffer, self._start)
                is_cut = end == len(self._buffer) and self._buffer[end - 1] not in '}]"'
            except RecursionError as error:
                raise NotJson(self._line, "it is nested too deeply") from error
            except ValueError as error:
                reason, is_cut = getattr(error, "msg", str(error)), True
                at = getattr(error, "pos", self._start)
                value, end = None, -1
            if not is_cut:
                break
            if len(self._buffer) - self._start > longest or not self._read_on():
                if end < 0:
                    line = self._line + self._buffer.count("\n", self._start, at)
                    raise NotJson(line, reason)
                break
        line, length = self._line, end - self._start
        self._line += self._buffer.count("\n", self._start, end)
        self._start = end
        return line, value, length

    def _read_on(self) -> bool:
        """Append the next characters to what is unread; False at the end of the content."""
        while not self._ended:
            chunk = next(self._chunks, None)
            self._ended = chunk is None
            text = self._decode.decode(chunk or b"", final=self._ended)
            if text:
                self._buffer = self._buffer[self._start :] + text
                self._start = 0
                return True
        return False


def rows_of_document(value: Any) -> list[dict[str, Any]] | None:
    """The rows of a JSON object in one of the forms that hold a whole table; None for any other.

    These are pandas' ``split``, ``table``, ``columns`` and ``index``, columns as lists, and an object whose lists of
    rows have names: the one list of an object, or several, whose names are splits.
    """
    if not isinstance(value, dict) or not value:
        return None
    if isinstance(value.get("columns"), list) and _is_list_of(value.get("data"), list):
        names = [str(name) for name in value["columns"]]
        return [dict(zip(names, row, strict=False)) for row in value["data"]]
    if all(_is_list_of(cells, _SCALARS) for cells in value.values()):
        lengths = {len(cells) for cells in value.values()}
        return (
            [dict(zip(value, row, strict=True)) for row in zip(*value.values(), strict=True)]
            if len(lengths) == 1
            else None
        )
    lists = {name: rows for name, rows in value.items() if rows and _is_list_of(rows, (dict, list))}
    if len(lists) == 1:
        return [as_row(row) for row in next(iter(lists.values()))]
    if lists:
        return _rows_of_splits(lists)
    if all(isinstance(cells, dict) and cells for cells in value.values()):
        return _rows_of_objects(value)
    return None


def as_row(value: dict[str, Any] | list[Any]) -> dict[str, Any]:
    """A row as an object; the cells of a list are called ``column 1`` and so on."""
    if isinstance(value, dict):
        return value
    return {f"column {number}": cell for number, cell in enumerate(value, start=1)}


def _is_list_of(value: Any, kinds: type | tuple[type, ...]) -> bool:
    return isinstance(value, list) and all(isinstance(element, kinds) for element in value)


def _rows_of_splits(lists: dict[str, list[Any]]) -> list[dict[str, Any]]:
    rows = [(split, as_row(row)) for split, part in lists.items() for row in part]
    column = "split name" if any("split" in row for _, row in rows) else "split"
    return [{**row, column: split} for split, row in rows]


def _rows_of_objects(value: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of pandas' ``columns`` (a column is an object by row) or ``index`` (a row is an object by column)."""
    inner: dict[str, None] = {}
    for cells in value.values():
        inner.update(dict.fromkeys(cells))
    if _are_numbers(inner) or (not _are_numbers(value) and len(inner) > len(value)):
        rows = {key: {column: cells.get(key) for column, cells in value.items()} for key in inner}
    else:
        rows = {key: dict(row) for key, row in value.items()}
    is_counted = all(key == str(number) for number, key in enumerate(rows))
    if is_counted or "index" in inner or "index" in value:
        return list(rows.values())
    return [{"index": key, **row} for key, row in rows.items()]


def _are_numbers(names: Iterable[str]) -> bool:
    return all(name.isdecimal() for name in names)
