"""CSV and TSV files, with the line on which each row begins.

Arrow reads the file where its quoting is clean. Where it is not (a quote left open would swallow the rows below it),
a careful reader in Python takes over, which sets aside the line with the broken quote and goes on with the next.
"""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from diet_explorer.data.limits import current_limits
from diet_explorer.data.readers.careful_csv import CarefulCsv, Record, RecordTooLong, count_newlines
from diet_explorer.data.readers.csv_dialect import NAMES, find_sep_line, guess_delimiter, inspect_quoting
from diet_explorer.data.readers.data_file import DataFile
from diet_explorer.data.readers.formats import Format
from diet_explorer.data.readers.headers import WITHOUT_HEADER, settle_header
from diet_explorer.data.readers.mended_rows import MendedRows
from diet_explorer.data.readers.options import DEFAULT_OPTIONS, ReadingOptions
from diet_explorer.data.readers.rows_above import about_rows_above, rows_above
from diet_explorer.data.readers.source import Batch, Source, in_batches
from diet_explorer.data.readers.text_files import TextFile
from diet_explorer.data.set_aside import BadRow, Reason, cut
from diet_explorer.errors import BadInputError, ReadingError

_MAX_CHARACTERS = 1 << 24
_HEADER_CHARACTERS = 1 << 20
_ROWS_LOOKED_AT = 200
_ALIKE = 0.9  # share of the rows that have as many cells as the first, in a text that is taken for a table
_ROWS_FOR_HEADER = 1_000


class CsvSource(Source):
    """A CSV or TSV file.

    What the options leave open is found out: a line ``sep=;`` or the first rows name the delimiter, the looks of the
    first row say whether it is a header. Quotes of a TSV file count as plain characters if they are not clean quoting
    throughout, as in the GLUE files. Rows that lack their last cells get empty ones; cells beyond the columns are
    dropped if they are empty.
    """

    typed = False

    def __init__(self, file: TextFile, options: ReadingOptions = DEFAULT_OPTIONS, *, is_tsv: bool) -> None:
        super().__init__(file.location, file.stem)
        self.kind = "tsv" if is_tsv else "csv"
        self._file = file
        self._limits = current_limits()
        self._options = options
        whole = next(file.chunks(), b"").decode("utf-8", errors="ignore")[:_HEADER_CHARACTERS]
        self._sep_line = find_sep_line(whole)
        beginning = whole if self._sep_line is None else whole[self._sep_line.characters :]
        self._delimiter = self._choose_delimiter(beginning, is_tsv=is_tsv)
        quoting = inspect_quoting(file, self._delimiter, beginning, is_tsv=is_tsv)
        self._clean = quoting.is_clean
        self._escapes = quoting.escapes
        self._quoting = quoting.is_clean or quoting.escapes or not is_tsv
        self._has_newlines_inside = quoting.has_newlines_inside
        self._first_line = 1 if self._sep_line is None else 1 + self._sep_line.lines
        above, first, rows = self._look_at_rows(beginning, is_cut=len(whole) == _HEADER_CHARACTERS)
        header = settle_header(first.cells or [], rows, options, self.location)
        self.has_header, self._columns, self.aliases = header.is_there, header.columns, header.aliases
        titles = about_rows_above([record.cells or [] for record in above], first.line, options)
        self.notices = [*titles, *header.notices]
        skipped = 0 if self._sep_line is None else self._sep_line.characters
        if self.has_header:
            self._first_line = first.line + first.lines
            skipped += first.end
        elif above:
            self._first_line = first.line
            skipped += first.start
        self._skipped_bytes = len(whole[:skipped].encode())
        self._begins_with_mark = whole.startswith("\ufeff", skipped)
        self._mended = MendedRows(len(self._columns))

    def columns(self) -> list[str]:
        return list(self._columns)

    def sha256(self) -> str:
        return self._file.sha256()

    def read_as(self) -> list[str]:
        said = [] if self._file.encoding == "utf-8" else [f"The file was read as {self._file.encoding} text."]
        if self._sep_line is not None:
            said.append(f"Its first line, sep={self._sep_line.delimiter}, is no row: it names the delimiter.")
        if self._delimiter != ("\t" if self.kind == "tsv" else ","):
            said.append(f"Cells are separated by {NAMES.get(self._delimiter, repr(self._delimiter))}s.")
        if not self.has_header:
            said.append(WITHOUT_HEADER)
        if self._escapes:
            said.append('Backslashes escape quotes (\\"), as in files of MySQL, Spark or pandas with an escapechar.')
        return [*said, *self._mended.said()]

    def _choose_delimiter(self, beginning: str, *, is_tsv: bool) -> str:
        if self._options.delimiter is not None:
            return self._options.delimiter
        return guess_delimiter(beginning, is_tsv=is_tsv) if self._sep_line is None else self._sep_line.delimiter

    def _look_at_rows(self, beginning: str, *, is_cut: bool) -> tuple[list[Record], Record, list[list[str]]]:
        """What stands above the table, its first row, and the cells of some rows below it; blank rows are left out."""
        content = CarefulCsv([beginning.encode()], self._delimiter, self._first_line, escapes=self._escapes)
        records = (record for record in content.records() if record.cells is None or any(map(str.strip, record.cells)))
        first = next(records, None)
        if first is None:
            raise BadInputError(f"The file {self.location} has no header.", "Name the columns in the first line.")
        if first.end >= len(beginning) and is_cut:
            raise self._long_header(first)
        if first.cells is None:
            raise ReadingError(
                f"The header of {self.location} (line {first.line}) has a quote that is not closed.",
                "Correct that line.",
                "header",
            )
        rows = [first, *(record for record in islice(records, _ROWS_FOR_HEADER) if record.cells is not None)]
        cells = [record.cells or [] for record in rows]
        above = rows_above(cells, self._options)
        return rows[:above], rows[above], cells[above + 1 :]

    def _long_header(self, first: Record) -> BadInputError:
        """The error for a first row that goes on beyond what is looked at: it has too many columns, or no end."""
        self._limits.check_columns(len(first.cells or first.raw.split(self._delimiter)), self.location)
        return ReadingError(
            f"The first row of {self.location} is longer than {_HEADER_CHARACTERS >> 20} MB, too long for a header.",
            "Check that its lines end, and that the delimiter is the right one.",
            "delimiter",
        )

    def batches(self, size: int = 65_536) -> Iterator[Batch]:
        self.bad_rows, self.fraction_read, self._mended = [], 0.0, MendedRows(len(self._columns))
        read = (
            self._read_fast()
            if (self._clean and not self._escapes) or not self._quoting
            else self._read_carefully(size)
        )
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
        ragged = _RaggedRows(self._mended, self._delimiter, quoting=self._quoting)
        stream = self._file.open(self._skipped_bytes)
        if self._begins_with_mark:
            stream = pa.PythonFile(io.BufferedReader(_WithMark(stream)), mode="r")
        try:
            reader = pyarrow.csv.open_csv(stream, **self._arrow_options(ragged))
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
            lines, mended, line = self._number_lines(ragged, rows, row_lines, line)
            rows += table.num_rows
            self.fraction_read = self._file.fraction()
            yield self._with_mended(table, lines, mended)
        _, mended, _ = self._number_lines(ragged, rows, np.ones(1, dtype=np.int64), line)
        if mended:
            yield self._with_mended(self._table([]), np.zeros(0, dtype=np.int64), mended)

    def _arrow_options(self, ragged: _RaggedRows) -> dict[str, Any]:
        return {
            # One thread: with more, Arrow does not say which row is ragged.
            "read_options": pyarrow.csv.ReadOptions(
                column_names=self._columns, use_threads=False, block_size=self._limits.row_bytes
            ),
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
    ) -> tuple[npt.NDArray[np.int64], list[tuple[int, list[str]]], int]:
        """Say on which line each good row of a batch, each mended row between them and the next batch begin.

        There were `rows` good rows before this batch, which starts on `line`; each takes `row_lines` lines. Rows that
        cannot be mended are set aside.
        """
        starts = np.concatenate(([0], np.cumsum(row_lines)))
        shift = np.zeros(len(row_lines), dtype=np.int64)
        skipped, mended = 0, []
        for row in ragged.take(rows + len(row_lines)):
            position = row.good_before - rows
            at = int(line + starts[position] + skipped)
            if row.cells is None:
                self.set_aside(BadRow(at, row.reason, row.raw))
            else:
                mended.append((at, row.cells))
            shift[position] += row.lines
            skipped += row.lines
        return line + starts[:-1] + np.cumsum(shift), mended, int(line + starts[-1] + skipped)

    def _with_mended(self, table: pa.Table, lines: npt.NDArray[np.int64], mended: list[tuple[int, list[str]]]) -> Batch:
        """Put mended rows between the good ones of a batch, by line."""
        if not mended:
            return table, lines
        joined = pa.concat_tables([table, self._table([cells for _, cells in mended])])
        numbers = np.concatenate((lines, np.array([line for line, _ in mended], dtype=np.int64)))
        order = np.argsort(numbers, kind="stable")
        return joined.take(order), numbers[order]

    def _table(self, rows: list[list[str]]) -> pa.Table:
        columns = zip(*rows, strict=True) if rows else ([] for _ in self._columns)
        arrays = (pa.array(cells, pa.string()) for cells in columns)
        return pa.table(dict(zip(self._columns, arrays, strict=True)))

    def _read_carefully(self, size: int) -> Iterator[Batch]:
        for rows, lines in in_batches(self._careful_rows(), size, _MAX_CHARACTERS):
            yield self._table(rows), lines

    def _careful_rows(self) -> Iterator[tuple[int, list[str], int]]:
        """Line, cells and characters of every row that is one; the others are set aside."""
        chunks = self._file.chunks(self._skipped_bytes)
        content = CarefulCsv(
            chunks, self._delimiter, self._first_line, escapes=self._escapes, longest=self._limits.row_bytes
        )
        for record in self._within_limits(content.records()):
            if record.cells is None:
                self.set_aside(BadRow(record.line, Reason.BROKEN_QUOTES, cut(record.raw)))
                continue
            if len(record.raw) > self._limits.row_bytes:
                raise self._limits.long_row(f"The row at line {record.line:,} of {self.location}")
            fits = len(record.cells) == len(self._columns)
            cells = record.cells if fits else self._mended.mend(record.cells)
            if cells is None:
                self.set_aside(BadRow(record.line, _reason(record.raw), cut(record.raw)))
            else:
                yield record.line, cells, len(record.raw)
            self._mended.blanks_before_quotes = content.blanks_before_quotes

    def _within_limits(self, records: Iterator[Record]) -> Iterator[Record]:
        try:
            yield from records
        except RecordTooLong as error:
            raise self._limits.long_row(f"The row at line {error.line:,} of {self.location}") from error

    def _unreadable(self, error: Exception, line: int) -> BadInputError:
        if "straddling" in str(error):
            return self._limits.long_row(f"A row of {self.location} after line {line:,}")
        return BadInputError(
            f"The file {self.location} cannot be read after line {line}: {error}.", "Correct the file."
        )


@dataclass(frozen=True)
class _RaggedRow:
    good_before: int  # rows with the right number of cells above it
    lines: int
    cells: list[str] | None  # None where it cannot be mended
    raw: str  # cut

    @property
    def reason(self) -> Reason:
        return _reason(self.raw)


class _WithMark(io.RawIOBase):
    """A stream with one more byte order mark before it: Arrow drops the first, also where it belongs to a text."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._mark = codecs.BOM_UTF8

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        content = self._mark or self._stream.read(len(buffer))
        self._mark = b""
        buffer[: len(content)] = content
        return len(content)


class _RaggedRows:
    """Arrow's handler of rows with too few or too many cells: keeps them until they get their line numbers."""

    def __init__(self, mended: MendedRows, delimiter: str, *, quoting: bool) -> None:
        self._seen = 0
        self._waiting: list[_RaggedRow] = []
        self._mended = mended
        self._delimiter = delimiter
        self._quoting = quoting

    def __call__(self, row: Any) -> str:
        text: str = row.text
        cells = self._mended.mend(self._cells(text))
        # Numbers count good and ragged rows from 1, so that this is the count of good rows above.
        self._waiting.append(_RaggedRow(row.number - 1 - self._seen, 1 + count_newlines(text), cells, cut(text)))
        self._seen += 1
        return "skip"

    def _cells(self, text: str) -> list[str]:
        if not self._quoting or not text:
            return text.split(self._delimiter)
        # Arrow reads only files whose quoting is clean, so that each of their rows is one record.
        return next(CarefulCsv([text.encode()], self._delimiter).records()).cells or [text]

    def take(self, good_rows: int) -> list[_RaggedRow]:
        """Remove and return those with fewer than `good_rows` good rows above."""
        taken = [row for row in self._waiting if row.good_before < good_rows]
        self._waiting = self._waiting[len(taken) :]
        return taken


def _reason(raw: str) -> Reason:
    return Reason.RAGGED_ROW if raw.strip() else Reason.BLANK_ROW


def _newlines_inside(table: pa.Table) -> npt.NDArray[np.int64]:
    """Count the line ends inside the cells of each row."""
    count = np.zeros(table.num_rows, dtype=np.int64)
    for column in table.columns:
        count += pc.count_substring(column, "\n").to_numpy()
        returns = pc.count_substring(column, "\r").to_numpy()
        if returns.any():
            count += returns - pc.count_substring(column, "\r\n").to_numpy()
    return count


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
    description="with or without a header; cells separated by comma, semicolon, tab or bar",
    looks_like=lambda text: _looks_delimited(text, ",;|"),
)
TSV = Format(
    title="TSV",
    endings=(".tsv", ".tab"),
    open=partial(_open, is_tsv=True),
    description="with or without a header; cells separated by tabs",
    looks_like=lambda text: _looks_delimited(text, "\t"),
)
