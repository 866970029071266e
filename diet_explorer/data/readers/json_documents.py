"""JSON files that are one value: an array of objects, or a table in one of the forms of pandas."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from diet_explorer.data.limits import current_limits
from diet_explorer.data.readers.data_file import DataFile
from diet_explorer.data.readers.formats import Format
from diet_explorer.data.readers.json_lines import EXACT_DECODER, JsonLinesSource, JsonSource, is_encodable
from diet_explorer.data.readers.json_values import JsonValues, NotJson, TooDeep, TooLong, as_row, rows_of_document
from diet_explorer.data.readers.options import ReadingOptions
from diet_explorer.data.readers.source import Source
from diet_explorer.data.readers.text_files import TextFile
from diet_explorer.data.set_aside import BadRow, Reason, cut
from diet_explorer.errors import BadInputError

_MOST_PARTS = 5_000_000  # of a document: each takes about 60 bytes of memory


class JsonArraySource(JsonSource):
    """A JSON array of objects or of lists, or objects one after the other over several lines; read piece by piece."""

    kind = "json"

    def __init__(self, file: TextFile, *, is_array: bool) -> None:
        self._is_array = is_array
        super().__init__(file)

    def _without_rows(self) -> BadInputError:
        return BadInputError(
            f"The JSON array in {self.location} holds no objects.", "Write each row as an object with named values."
        )

    def _all_rows(self) -> Iterator[tuple[int, dict[str, Any], int]]:
        values = JsonValues(self._file.chunks(), EXACT_DECODER, self._limits.row_bytes)
        try:
            for line, value, length in values.elements() if self._is_array else values.values():
                self.fraction_read = self._file.fraction()
                row = as_row(value) if isinstance(value, dict | list) else None
                self._limits.check_depth(row, f"Line {line:,} of {self.location}")
                if row is None or not is_encodable(row):
                    reason = Reason.BROKEN_JSON if row is None else Reason.BROKEN_TEXT
                    self.set_aside(BadRow(line, reason, cut(repr(value))))
                    continue
                self._remember(row)
                yield line, row, length
        except TooLong as error:
            raise self._limits.long_row(f"The value at line {error.line:,} of {self.location}") from error
        except TooDeep as error:
            raise self._limits.too_deep(f"Line {error.line:,} of {self.location}") from error
        except NotJson as error:
            raise BadInputError(
                f"The file {self.location} is not complete JSON: line {error.line}: {error.reason}.",
                "Write it again; or write one object per line (JSON Lines), where a broken row costs only itself.",
            ) from error


class JsonDocumentSource(JsonSource):
    """A JSON object that holds a whole table; see `rows_of_document` for its forms. Its lines are the rows."""

    kind = "json"

    def _without_rows(self) -> BadInputError:
        return BadInputError(f"The table in {self.location} has no rows.", "Give a file with rows.")

    def _all_rows(self) -> Iterator[tuple[int, dict[str, Any], int]]:
        document = _document(self._file)
        rows = rows_of_document(document) or []
        for number, row in enumerate(rows, start=1):
            self.fraction_read = number / len(rows)
            self._limits.check_depth(row, f"Row {number:,} of {self.location}")
            if not is_encodable(row):
                self.set_aside(BadRow(number, Reason.BROKEN_TEXT, cut(repr(row))))
                continue
            self._remember(row)
            yield number, row, sum(len(value) for value in row.values() if isinstance(value, str))


def open_json(file: DataFile, options: ReadingOptions) -> Source:
    """Open a JSON file of any form: the first characters tell which."""
    options.check("a JSON file", ("encoding",))
    text = TextFile(file, options.encoding)
    beginning = next(text.chunks(), b"").decode("utf-8", errors="ignore").lstrip()
    if beginning.startswith("["):
        first, _, rest = beginning.partition("\n")
        return JsonArraySource(text, is_array=not (rest.lstrip().startswith("[") and _is_value(first)))
    first, goes_on = _first_line(text)
    if goes_on and (_is_value(first) or not _is_stretched(text)):
        return JsonLinesSource(text)
    if goes_on and _has_several_values(text):
        return JsonArraySource(text, is_array=False)
    return JsonDocumentSource(text) if rows_of_document(_document(text)) else JsonLinesSource(text)


def _first_line(text: TextFile) -> tuple[str, bool]:
    """The first line that is not blank, and whether others follow it."""
    content, ended = bytearray(), False
    for chunk in text.chunks():
        if ended and chunk.strip():
            return content.decode("utf-8"), True
        line, newline, rest = (chunk if content else chunk.lstrip()).partition(b"\n")
        if not ended:
            content += line
            ended = bool(newline and content)
            if ended and rest.strip():
                return content.decode("utf-8"), True
        _check_length(content, text.location)
    return content.decode("utf-8").strip(), False


def _is_value(line: str) -> bool:
    try:
        EXACT_DECODER.decode(line)
    except (ValueError, RecursionError):
        return False
    return True


def _is_stretched(text: TextFile) -> bool:
    """Whether the first value goes over several lines."""
    try:
        next(_values(text), None)
    except NotJson:
        return False
    return True


def _has_several_values(text: TextFile) -> bool:
    values = _values(text)
    try:
        next(values, None)
        return next(values, None) is not None
    except NotJson:
        return False


def _values(text: TextFile) -> Iterator[tuple[int, Any, int]]:
    return JsonValues(text.chunks(), EXACT_DECODER, current_limits().document_bytes).values()


def _document(text: TextFile) -> Any:
    """The only value of a text; None where it is no JSON."""
    content = bytearray()
    for chunk in text.chunks():
        content += chunk
        _check_length(content, text.location)
    if content.count(b"[") + content.count(b"{") > _MOST_PARTS:
        raise BadInputError(
            f"The JSON value in {text.location} holds more than {_MOST_PARTS:,} lists and objects, too many.",
            "Write one object per line (JSON Lines).",
        )
    try:
        return EXACT_DECODER.decode(content.decode("utf-8"))
    except RecursionError as error:
        raise current_limits().too_deep(f"The JSON value in {text.location}") from error
    except ValueError:
        return None


def _check_length(content: bytes | bytearray, location: str) -> None:
    limits = current_limits()
    if len(content) > limits.document_bytes:
        raise limits.error(
            "document_mb",
            f"A JSON object of {location} is longer than {limits.document_mb:,} MB, too large to read whole.",
            "Write an array of objects or JSON Lines, for instance with pandas: "
            "to_json(path, orient='records', lines=True).",
        )


JSON_LINES = Format(
    title="JSON Lines",
    endings=(".jsonl", ".ndjson"),
    open=open_json,
    description="one object per line",
    looks_like=lambda text: text.lstrip().startswith("{"),
)
JSON = Format(
    title="JSON",
    endings=(".json",),
    open=open_json,
    description="an array of objects, one object per line, or a table of pandas' `to_json` in any orientation",
    looks_like=lambda text: text.lstrip().startswith("["),
)
