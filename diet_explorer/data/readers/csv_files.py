"""CSV and TSV files, with the line on which each row begins.

Arrow reads the file where its quoting is clean. Where it is not (a quote left open would swallow the rows below it),
a careful reader in Python takes over, which sets aside the line with the broken quote and goes on with the next.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from diet_explorer.data.readers.careful_csv import CarefulCsv, Record, count_newlines
from diet_explorer.data.readers.data_file import DataFile
from diet_explorer.data.readers.formats import Format
from diet_explorer.data.readers.options import DEFAULT_OPTIONS, ReadingOptions
from diet_explorer.data.readers.source import Batch, Source, in_batches
from diet_explorer.data.readers.text_files import TextFile
from diet_explorer.data.set_aside import BadRow, Reason, cut
from diet_explorer.errors import BadInputError

BLOCK = 1 << 24
_HEADER_CHARACTERS = 1 << 20
_ROWS_LOOKED_AT = 200
_ALIKE = 0.9  # share of the rows that have as many cells as the first, in a text that is taken for a table
_QUOTE, _NEWLINE, _RETURN = ord('"'), ord("\n"), ord("\r")


class CsvSource(Source):
    """A CSV or TSV file.

    Unless the options say so, the first row that is not blank is the header, and the delimiter of a ``.csv`` file is
    the one of ``, ; TAB |`` that its header has most of, outside quotes.
    Quotes of a TSV file count as plain characters if they are not clean quoting throughout, as in the GLUE files.
    """

    typed = False

    def __init__(self, file: TextFile, options: ReadingOptions = DEFAULT_OPTIONS, *, is_tsv: bool) -> None:
        super().__init__(file.location, file.stem)
        self.kind = "tsv" if is_tsv else "csv"
        self._file = file
        beginning = next(file.chunks(), b"").decode("utf-8", errors="ignore")[:_HEADER_CHARACTERS]
        self._delimiter = options.delimiter or ("\t" if is_tsv else _guess_delimiter(beginning))
        first = _first_row(beginning, self._delimiter, self.location)
        has_header = options.header is not False and (options.header or options.column_names is None)
        self._columns = _column_names(first.cells or [], options, has_header=has_header, location=self.location)
        self._first_line, self._header_bytes = 1, 0
        if has_header:
            self._first_line = first.line + first.lines
            self._header_bytes = len(beginning[: first.end].encode())
        quoting = inspect_quoting(file, self._delimiter)
        self._clean = quoting.is_clean
        self._quoting = quoting.is_clean or not is_tsv
        self._has_newlines_inside = quoting.has_newlines_inside

    def columns(self) -> list[str]:
        return list(self._columns)

    def sha256(self) -> str:
        return self._file.sha256()

    def batches(self, size: int = 65_536) -> Iterator[Batch]:
        self.bad_rows, self.fraction_read = [], 0.0
        read = self._read_fast() if self._clean or not self._quoting else self._read_carefully(size)
        for table, lines in read:
            for start in range(0, table.num_rows, size):
                yield self._without_blank_rows(table.slice(start, size), lines[start : start + size])
        self.fraction_read = 1.0

    def _without_blank_rows(self, table: pa.Table, lines: npt.NDArray[np.int64]) -> Batch:
        blank = pc.equal(table.column(0), "")
        for column in table.columns[1:]:
            if not pc.any(blank).as_py():
                return table, lines
            blank = pc.and_(blank, pc.equal(column, ""))
        is_blank = blank.to_numpy()
        for line in lines[is_blank]:
            self.set_aside(BadRow(int(line), Reason.BLANK_ROW, ""))
        return table.filter(pc.invert(blank)), lines[~is_blank]

    def _read_fast(self) -> Iterator[Batch]:
        ragged = _RaggedRows()
        stream = self._file.open(self._header_bytes)
        try:
            reader = pyarrow.csv.open_csv(stream, **self._options(ragged))
        except pa.ArrowInvalid as error:
            if "Empty CSV" in str(error):
                return
            raise self._unreadable(error, self._first_line) from error
        rows, line = 0, self._first_line
        while True:
            try:
                table = pa.Table.from_batches([reader.read_next_batch()])
            except StopIteration:
                break
            except (pa.ArrowInvalid, OSError) as error:
                raise self._unreadable(error, line) from error
            row_lines = np.ones(table.num_rows, dtype=np.int64)
            if self._has_newlines_inside:
                row_lines += _newlines_inside(table)
            lines, line = self._number_lines(ragged, rows, row_lines, line)
            rows += table.num_rows
            self.fraction_read = self._file.fraction()
            yield table, lines
        self._number_lines(ragged, rows, np.ones(1, dtype=np.int64), line)

    def _options(self, ragged: _RaggedRows) -> dict[str, Any]:
        return {
            # One thread: with more, Arrow does not say which row is ragged.
            "read_options": pyarrow.csv.ReadOptions(column_names=self._columns, use_threads=False, block_size=BLOCK),
            "parse_options": pyarrow.csv.ParseOptions(
                delimiter=self._delimiter,
                quote_char='"' if self._quoting else False,
                newlines_in_values=self._quoting,
                ignore_empty_lines=False,
                invalid_row_handler=ragged,
            ),
            "convert_options": pyarrow.csv.ConvertOptions(
                column_types=dict.fromkeys(self._columns, pa.string()), strings_can_be_null=False
            ),
        }

    def _number_lines(
        self, ragged: _RaggedRows, rows: int, row_lines: npt.NDArray[np.int64], line: int
    ) -> tuple[npt.NDArray[np.int64], int]:
        """Say on which line each good row of a batch and the next batch begin; set aside the ragged rows between them.

        There were `rows` good rows before this batch, which starts on `line`; each takes `row_lines` lines.
        """
        starts = np.concatenate(([0], np.cumsum(row_lines)))
        shift = np.zeros(len(row_lines), dtype=np.int64)
        skipped = 0
        for good_before, lines, raw in ragged.take(rows + len(row_lines)):
            position = good_before - rows
            self.set_aside(BadRow(int(line + starts[position] + skipped), Reason.RAGGED_ROW, raw))
            shift[position] += lines
            skipped += lines
        return line + starts[:-1] + np.cumsum(shift), int(line + starts[-1] + skipped)

    def _read_carefully(self, size: int) -> Iterator[Batch]:
        for rows, lines in in_batches(self._careful_rows(), size, BLOCK):
            columns = (pa.array(cells, pa.string()) for cells in zip(*rows, strict=True))
            yield pa.table(dict(zip(self._columns, columns, strict=True))), lines

    def _careful_rows(self) -> Iterator[tuple[int, list[str], int]]:
        """Line, cells and characters of every row that is one; the others are set aside."""
        content = CarefulCsv(self._file.chunks(self._header_bytes), self._delimiter, self._first_line)
        for record in content.records():
            if record.cells is not None and len(record.cells) == len(self._columns):
                yield record.line, record.cells, len(record.raw)
            elif not record.raw:
                self.set_aside(BadRow(record.line, Reason.BLANK_ROW, ""))
            else:
                reason = Reason.BROKEN_QUOTES if record.cells is None else Reason.RAGGED_ROW
                self.set_aside(BadRow(record.line, reason, cut(record.raw)))

    def _unreadable(self, error: Exception, line: int) -> BadInputError:
        if "straddling" in str(error):
            return BadInputError(
                f"A row of {self.location} after line {line} is longer than {BLOCK >> 20} MiB.",
                "Look for a quote that is never closed, or cut the row.",
            )
        return BadInputError(
            f"The file {self.location} cannot be read after line {line}: {error}.", "Correct the file."
        )


class _RaggedRows:
    """Arrow's handler of rows with too few or too many cells: remembers them until they get their line numbers."""

    def __init__(self) -> None:
        self._seen = 0
        self._waiting: list[tuple[int, int, str]] = []

    def __call__(self, row: Any) -> str:
        # Numbers count good and ragged rows from 1, so that this is the count of good rows above.
        self._waiting.append((row.number - 1 - self._seen, 1 + count_newlines(row.text), cut(row.text)))
        self._seen += 1
        return "skip"

    def take(self, good_rows: int) -> list[tuple[int, int, str]]:
        """Remove and return ``(good rows above, lines, text)`` of those with fewer than `good_rows` good rows above."""
        taken = [row for row in self._waiting if row[0] < good_rows]
        self._waiting = self._waiting[len(taken) :]
        return taken


@dataclass(frozen=True)
class Quoting:
    """How a CSV file uses quotes.

    They are clean if every one opens or closes a cell at its edge, or is one of a doubled pair inside a cell. Only then
    can rows be told apart without doubt.
    """

    is_clean: bool
    has_newlines_inside: bool  # whether a line ends inside quotes, if the quoting is clean


def inspect_quoting(file: TextFile, delimiter: str) -> Quoting:
    """Look at every quote of a file.

    Quotes open and close in turn, so it is enough to look at the byte before each opening and the byte after each
    closing one.
    """
    edge = np.zeros(256, dtype=bool)
    edge[[_QUOTE, ord(delimiter), _NEWLINE, _RETURN]] = True
    before, is_open, closed_at_end, newlines_inside = _NEWLINE, False, False, False
    for chunk in file.chunks():
        characters = np.frombuffer(chunk, dtype=np.uint8)
        if closed_at_end and not edge[characters[0]]:
            return Quoting(is_clean=False, has_newlines_inside=False)
        quotes = np.flatnonzero(characters == _QUOTE)
        opening, closing = (quotes[1::2], quotes[0::2]) if is_open else (quotes[0::2], quotes[1::2])
        preceding = np.where(opening == 0, before, characters[opening - 1])
        following = characters[closing[closing < len(characters) - 1] + 1]
        if not (edge[preceding].all() and edge[following].all()):
            return Quoting(is_clean=False, has_newlines_inside=False)
        if not newlines_inside and (is_open or len(quotes)):
            newlines = np.flatnonzero((characters == _NEWLINE) | (characters == _RETURN))
            newlines_inside = bool(((np.searchsorted(quotes, newlines) + is_open) % 2).any())
        closed_at_end = bool(closing.size) and bool(closing[-1] == len(characters) - 1)
        is_open ^= bool(len(quotes) % 2)
        before = int(characters[-1])
    return Quoting(is_clean=not is_open, has_newlines_inside=newlines_inside)


def _newlines_inside(table: pa.Table) -> npt.NDArray[np.int64]:
    """Count the line ends inside the cells of each row."""
    count = np.zeros(table.num_rows, dtype=np.int64)
    for column in table.columns:
        count += pc.count_substring(column, "\n").to_numpy()
        returns = pc.count_substring(column, "\r").to_numpy()
        if returns.any():
            count += returns - pc.count_substring(column, "\r\n").to_numpy()
    return count


def _guess_delimiter(beginning: str) -> str:
    unquoted = re.sub(r'"(?:[^"]|"")*"', "", beginning[:65_536]).lstrip("\r\n")
    counts = Counter(re.split(r"[\r\n]", unquoted, maxsplit=1)[0])
    return max(",;\t|", key=lambda delimiter: counts[delimiter])


def _first_row(beginning: str, delimiter: str, location: str) -> Record:
    for record in CarefulCsv([beginning.encode()], delimiter).records():
        if record.cells is None:
            raise BadInputError(
                f"The header of {location} (line {record.line}) has a quote that is not closed.", "Correct that line."
            )
        if any(cell.strip() for cell in record.cells):
            return record
    raise BadInputError(f"The file {location} has no header.", "Name the columns in the first line.")


def _column_names(cells: list[str], options: ReadingOptions, *, has_header: bool, location: str) -> list[str]:
    """The names that were given, else those of the header, else numbered ones."""
    if options.column_names is not None:
        if len(options.column_names) != len(cells):
            raise BadInputError(
                f"{location} has {len(cells)} columns, but {len(options.column_names)} column names are given.",
                "Name every column once, in the order of the file.",
            )
        return list(options.column_names)
    names = [
        cell.strip() if has_header and cell.strip() else f"column {number}" for number, cell in enumerate(cells, 1)
    ]
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise BadInputError(
            f"The header of {location} names column {repeated[0]!r} more than once.",
            "Give each column a name of its own.",
        )
    return names


def _looks_delimited(text: str, delimiters: str) -> bool:
    """Whether nearly all records of a beginning have as many cells as the first, and more than one."""
    for delimiter in delimiters:
        records = list(CarefulCsv([text.encode()], delimiter).records())[:_ROWS_LOOKED_AT]
        cells = [len(record.cells) for record in records[: max(1, len(records) - 1)] if record.cells]
        if cells and cells[0] > 1 and cells.count(cells[0]) >= _ALIKE * len(cells):
            return True
    return False


def _open(file: DataFile, options: ReadingOptions, *, is_tsv: bool) -> Source:
    options.check("a CSV file", ("encoding", "delimiter", "header", "column_names"))
    return CsvSource(TextFile(file, options.encoding), options, is_tsv=is_tsv)


CSV = Format(
    title="CSV",
    endings=(".csv",),
    open=partial(_open, is_tsv=False),
    description="with a header; cells separated by comma, semicolon, tab or bar",
    looks_like=lambda text: _looks_delimited(text, ",;|"),
)
TSV = Format(
    title="TSV",
    endings=(".tsv", ".tab"),
    open=partial(_open, is_tsv=True),
    description="with a header; cells separated by tabs",
    looks_like=lambda text: _looks_delimited(text, "\t"),
)
