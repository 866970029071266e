"""JSON that is not one object per line: values with their lines, and the forms of whole documents."""

from __future__ import annotations

import codecs
import json
import re
import sys
from collections.abc import Iterable, Iterator
from typing import Any

_SCALARS = (str, int, float, bool, type(None))
_SPACE = re.compile(r"[ \t\r\n]*")


class NotJson(ValueError):
    """Text that is not JSON from some line on."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")
        self.line = line
        self.reason = reason


class TooLong(NotJson):
    """A value that does not end within the characters that it may have."""


class TooDeep(NotJson):
    """A value with so many lists and objects in one another that Python cannot read it."""


class LongNumber(str):
    """A whole number of more digits than Python reads, as it is written."""

    __slots__ = ()


def whole_number(text: str) -> int | LongNumber:
    """A whole number of JSON, with all of its digits."""
    most = sys.get_int_max_str_digits()
    return LongNumber(text) if most and len(text) > most else int(text)


class JsonValues:
    """The elements of a JSON array, or the values of a text that holds one after the other, from UTF-8 chunks.

    No more than one chunk and one value is in memory at a time.

    Parameters
    ----------
    chunks : iterable of bytes
    decoder : json.JSONDecoder
    longest : int
        A value that does not end within so many characters is a `TooLong`.
    """

    def __init__(self, chunks: Iterable[bytes], decoder: json.JSONDecoder, longest: int = 1 << 24) -> None:
        self._chunks = iter(chunks)
        self._longest = longest
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
                yield self._value()
                if self._peek() != ",":
                    break
                self._expect(",")
            self._expect("]")
        if self._peek():
            raise NotJson(self._line, "something follows the end of the array")

    def values(self) -> Iterator[tuple[int, Any, int]]:
        """Yield line, value and characters of every value of the text."""
        while self._peek():
            yield self._value()

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

    def _value(self) -> tuple[int, Any, int]:
        self._peek()
        while True:
            try:
                value, end = self._decoder.raw_decode(self._buffer, self._start)
                is_cut = end == len(self._buffer) and self._buffer[end - 1] not in '}]"'
            except RecursionError as error:
                raise TooDeep(self._line, "it is nested too deeply") from error
            except ValueError as error:
                reason, is_cut = getattr(error, "msg", str(error)), True
                at = getattr(error, "pos", self._start)
                value, end = None, -1
            if not is_cut:
                break
            unread = len(self._buffer) - self._start
            is_long = unread > self._longest
            if is_long or not self._read_on(2 * unread):
                if end < 0:
                    line = self._line + self._buffer.count("\n", self._start, at)
                    # What is broken stops right there; what is only long runs on to the end of what was read.
                    runs_on = at >= len(self._buffer) - 1 or reason.startswith("Unterminated")
                    raise (TooLong if is_long and runs_on else NotJson)(line, reason)
                break
        line, length = self._line, end - self._start
        self._line += self._buffer.count("\n", self._start, end)
        self._start = end
        return line, value, length

    def _read_on(self, least: int = 1) -> bool:
        """Append characters to what is unread until there are so many of it; False at the end of the content."""
        unread = [self._buffer[self._start :]]
        length = known = len(unread[0])
        while not self._ended and (length == known or length < least):
            chunk = next(self._chunks, None)
            self._ended = chunk is None
            unread.append(self._decode.decode(chunk or b"", final=self._ended))
            length += len(unread[-1])
        self._buffer, self._start = "".join(unread), 0
        return length > known


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
