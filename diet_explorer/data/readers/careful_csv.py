"""A reader of CSV that survives broken quotes and knows the line of every record.

Blanks between a delimiter and the quotes of a cell belong to neither. Where the backslash escapes, it does so for
quotes, delimiters, line ends and itself; before anything else it is a plain character, and ``\\N`` alone is an empty
cell.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_NEWLINE = re.compile(r"\r\n|\n|\r")
_OPEN_QUOTE = re.compile(r'"(?:[^"]++|"")*+"?')
_OPEN_ESCAPED_QUOTE = re.compile(r'"(?:[^"\\]++|""|\\.|\\\Z)*+"?', re.DOTALL)


def count_newlines(text: str) -> int:
    """Count line ends of any of the three kinds."""
    return text.count("\n") + text.count("\r") - text.count("\r\n")


@dataclass(frozen=True)
class Record:
    """One record of a CSV file."""

    cells: list[str] | None  # unquoted; None if a quoted cell is not closed right before a delimiter or line end
    line: int  # on which the record begins, from 1
    lines: int  # how many lines it takes
    raw: str  # the record as written; for a broken one, its first line
    start: int  # offset of the record in characters from the beginning, valid within the first chunk only
    end: int  # offset behind it, likewise


class RecordTooLong(ValueError):
    """A record that does not end within the characters that it may have."""

    def __init__(self, line: int) -> None:
        super().__init__(f"line {line}")
        self.line = line


class CarefulCsv:
    """Records of chunks that are valid UTF-8 as a whole; quotes inside an unquoted cell are plain characters."""

    def __init__(
        self,
        chunks: Iterable[bytes],
        delimiter: str,
        first_line: int = 1,
        *,
        escapes: bool = False,
        longest: int = 1 << 24,
    ) -> None:
        self._chunks = iter(chunks)
        self._longest = longest  # a quote that is not closed within so many characters is taken as broken
        self._decode = codecs.getincrementaldecoder("utf-8")("strict")
        self._cell = _cell_pattern(delimiter, escapes=escapes)
        self._open_quote = _OPEN_ESCAPED_QUOTE if escapes else _OPEN_QUOTE
        self._escaped = re.compile(rf"\\([\"\\\r\n{re.escape(delimiter)}])") if escapes else None
        self.blanks_before_quotes = 0  # how many quoted cells had blanks between them and a delimiter, so far
        self._line = first_line
        self._buffer, self._start, self._ended = "", 0, False

    def records(self) -> Iterator[Record]:
        """Yield all records in order; the one after a broken record begins on the next line."""
        while self._start < len(self._buffer) or self._read_on():
            cells, end = self._parse()
            if cells is None:
                end = self._line_end()
            raw = self._buffer[self._start : end]
            # The last record may lack its line end.
            lines = count_newlines(raw) + (not raw.endswith(("\n", "\r")))
            yield Record(cells, self._line, lines, raw.rstrip("\r\n"), self._start, end)
            self._line += lines
            self._start = end

    def _parse(self) -> tuple[list[str] | None, int]:
        """Parse the record at the start of the unread part; read on as long as its end is not in sight."""
        while True:
            cells: list[str] = []
            position, blanks = self._start, 0
            while match := self._cell.match(self._buffer, position):
                quoted, plain, terminator = match.groups()
                if quoted is None and plain[:1] == " " and self._goes_on(plain, position):
                    cells, position, blanks = [], self._start, 0
                    continue
                blanks += quoted is not None and self._buffer[position] == " "
                cells.append(self._unescape(plain) if quoted is None else self._unescape(quoted.replace('""', '"')))
                position = match.end()
                if terminator in ("\n", "\r", "\r\n", ""):
                    break
            # At the very end of what was read, a cell may go on and a carriage return may be half a line end.
            if match is not None and (position < len(self._buffer) or not self._read_on()):
                self.blanks_before_quotes += blanks
                return cells, position
            if match is None and not self._reaches_end(position):
                return None, position

    def _unescape(self, cell: str) -> str:
        if self._escaped is None or "\\" not in cell:
            return cell
        return "" if cell == r"\N" else self._escaped.sub(r"\1", cell)

    def _goes_on(self, plain: str, position: int) -> bool:
        """Whether what looks like an unquoted cell is a quoted one behind blanks, whose end had not been read."""
        before = len(plain) - len(plain.lstrip(" "))
        return plain[before : before + 1] == '"' and self._reaches_end(position + before)

    def _reaches_end(self, position: int) -> bool:
        """Whether the quoted cell at `position` is open at the end of what was read, and more could be read."""
        opened = self._open_quote.match(self._buffer, position)
        at_end = opened is not None and opened.end() == len(self._buffer)
        return at_end and len(self._buffer) - self._start < self._longest and self._read_on()

    def _line_end(self) -> int:
        """Offset behind the first line end of the unread part; a carriage return may be half of one."""
        while not (match := _NEWLINE.search(self._buffer, self._start)) or match.end() == len(self._buffer):
            if not self._read_on():
                return len(self._buffer)
        return match.end()

    def _read_on(self) -> bool:
        """Append the next characters to what is unread; False at the end of the content."""
        if len(self._buffer) - self._start > 2 * self._longest:
            raise RecordTooLong(self._line)
        while not self._ended:
            chunk = next(self._chunks, None)
            self._ended = chunk is None
            text = self._decode.decode(chunk or b"", final=self._ended)
            if text:
                self._buffer = self._buffer[self._start :] + text
                self._start = 0
                return True
        return False


def _cell_pattern(delimiter: str, *, escapes: bool) -> re.Pattern[str]:
    """One cell and what ends it; its groups are the inside of quotes, an unquoted cell, and the end."""
    d = re.escape(delimiter)
    blanks = "" if delimiter == " " else " *+"
    if escapes:
        inside = r'(?:[^"\\]++|""|\\.)*+'
        plain = rf'(?:\\[^\r\n]|\\(?=[\r\n]|\Z)|[^{d}"\\\r\n])(?:[^{d}\\\r\n]++|\\[^\r\n]|\\(?=[\r\n]|\Z))*+'
    else:
        inside, plain = r'(?:[^"]++|"")*+', rf'[^{d}"\r\n][^{d}\r\n]*+'
    return re.compile(rf'(?:{blanks}"({inside})"{blanks}|({plain}|))({d}|\r\n|\n|\r|\Z)', re.DOTALL)
