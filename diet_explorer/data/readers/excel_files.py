"""Excel workbooks (.xlsx): one sheet, whose first row names the columns."""

from __future__ import annotations

import datetime
import re
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from itertools import islice
from typing import Any
from xml.etree.ElementTree import ParseError

import openpyxl
import pyarrow as pa
from openpyxl.utils import get_column_letter
from openpyxl.utils.exceptions import InvalidFileException

from diet_explorer.data.readers.data_file import DataFile
from diet_explorer.data.readers.formats import Format
from diet_explorer.data.readers.headers import WITHOUT_HEADER, settle_header
from diet_explorer.data.readers.merged_cells import filled_downwards, merged_downwards
from diet_explorer.data.readers.options import DEFAULT_OPTIONS, ReadingOptions
from diet_explorer.data.readers.rows_above import about_rows_above, rows_above
from diet_explorer.data.readers.source import Batch, Source, in_batches
from diet_explorer.data.readers.split_sources import Part, SplitsSource
from diet_explorer.data.readers.workbook_limits import look_through, within_limits
from diet_explorer.data.report import Notice
from diet_explorer.data.set_aside import BadRow, Reason, cut
from diet_explorer.data.splits import TEST, TRAIN, VALIDATION, split_role
from diet_explorer.errors import BadInputError

_MAX_CHARACTERS = 1 << 24
_ROWS_FOR_HEADER = 1_000
_ZEROS = re.compile(r"0+")
_MIDNIGHT = datetime.time()
_DAMAGED = (
    InvalidFileException,
    zipfile.BadZipFile,
    ParseError,
    KeyError,
    ValueError,
    TypeError,
    AttributeError,
    IndexError,
    EOFError,
    OSError,
)


class ExcelSource(Source):
    """A sheet of an Excel workbook.

    Values are read as strings: whole numbers without a fraction, days and times in ISO's form, numbers of a format such
    as ``00000`` with their leading zeros, formulas as what they came to when the workbook was saved.
    """

    typed = False
    kind = "xlsx"

    def __init__(
        self, file: DataFile, sheet: str, options: ReadingOptions = DEFAULT_OPTIONS, *, has_formulas: bool = True
    ) -> None:
        super().__init__(file.location, file.stem)
        self.sheet = sheet
        self._file = file
        self._has_formulas = has_formulas
        with _explained(self.location):
            self._merged = merged_downwards(file.local_path, sheet)
        filled = ((line, cells) for line, cells, _ in self._rows() if any(cells))
        looked_at = [(line, _trimmed(cells)) for line, cells in islice(filled, _ROWS_FOR_HEADER)]
        if not looked_at:
            raise BadInputError(f"The sheet {sheet!r} of {self.location} is empty.", "Name another sheet.")
        above = rows_above([cells for _, cells in looked_at], options)
        (line, first), *rows = looked_at[above:]
        width = max(len(cells) for _, cells in looked_at[above:])
        below = [[*cells, *[""] * (width - len(cells))] for _, cells in rows]
        header = settle_header(first, below, options, f"Sheet {sheet!r} of {self.location}")
        self.has_header, self._columns, self.aliases = header.is_there, header.columns, header.aliases
        titles = about_rows_above([cells for _, cells in looked_at[:above]], line, options)
        self.notices = [*titles, *header.notices]
        self._first_line = line + 1 if header.is_there else line

    def columns(self) -> list[str]:
        return list(self._columns)

    def sha256(self) -> str:
        return self._file.sha256()

    def read_as(self) -> list[str]:
        merged = ["Merged cells count for each of their rows."] if self._merged else []
        return merged if self.has_header else [WITHOUT_HEADER, *merged]

    def batches(self, size: int = 65_536) -> Iterator[Batch]:
        self.bad_rows, self.fraction_read = [], 0.0
        for rows, lines in in_batches(self._table_rows(), size, _MAX_CHARACTERS):
            columns = (pa.array(cells, pa.string()) for cells in zip(*rows, strict=True))
            yield pa.table(dict(zip(self._columns, columns, strict=True))), lines
        self.fraction_read = 1.0

    def _table_rows(self) -> Iterator[tuple[int, list[str | None], int]]:
        """Line, cells and characters of every row below the header; blank ones at the end are none."""
        width = len(self._columns)
        blank: list[int] = []
        for line, cells, texts in self._rows():
            if line < self._first_line:
                continue
            self.quoted_columns.update(self._columns[number] for number in texts if number < width)
            if not any(cells):
                blank.append(line)
                continue
            for empty in blank:
                self.set_aside(BadRow(empty, Reason.BLANK_ROW, ""))
            blank.clear()
            if any(cells[width:]):
                self.set_aside(BadRow(line, Reason.RAGGED_ROW, cut("\t".join(cell or "" for cell in cells))))
                continue
            row: list[str | None] = [*cells[:width], *([None] * (width - len(cells)))]
            yield line, row, sum(len(cell) for cell in row if cell)

    def _rows(self) -> Iterator[tuple[int, list[str | None], list[int]]]:
        """Number and cells of every row of the sheet, and where the cells are that hold text, not numbers."""
        with open_workbook(self._file) as workbook:
            sheet = workbook[self.sheet]
            sheet.reset_dimensions()
            formulas = self._formulas() if self._has_formulas else None
            rows = within_limits(_translated(sheet.iter_rows(), self.location), self.location)
            for line, cells in enumerate(
                filled_downwards(self._cells(rows, formulas), self._merged, (None, False)), start=1
            ):
                texts = [number for number, (_, is_text) in enumerate(cells) if is_text]
                yield line, [written for written, _ in cells], texts

    def _cells(self, rows: Iterator[Any], formulas: Iterator[Any] | None) -> Iterator[list[tuple[str | None, bool]]]:
        """Every row's cells as written, and whether they are text."""
        for line, row in enumerate(rows, start=1):
            if formulas is not None:
                self._check_formulas(line, row, next(formulas, ()))
            yield [(_written(cell), isinstance(cell.value, str)) for cell in row]

    def _formulas(self) -> Iterator[Any]:
        with open_workbook(self._file, data_only=False) as workbook:
            sheet = workbook[self.sheet]
            sheet.reset_dimensions()
            yield from sheet.iter_rows()

    def _check_formulas(self, line: int, row: Any, formulas: Any) -> None:
        for number, (cell, formula) in enumerate(zip(row, formulas, strict=False), start=1):
            if cell.value is None and formula.value is not None:
                raise BadInputError(
                    f"Cell {get_column_letter(number)}{line} of sheet {self.sheet!r} of {self.location} holds a "
                    "formula whose result is not in the file.",
                    "Open the workbook in Excel or LibreOffice and save it; or save the sheet as CSV UTF-8.",
                )


def sheets_with_rows(file: DataFile) -> list[str]:
    """Names of the sheets of a workbook that are shown and not empty, in order."""
    with open_workbook(file) as workbook:
        shown = [sheet for sheet in workbook.worksheets if sheet.sheet_state == "visible"]
        return [sheet.title for sheet in shown if _has_rows(sheet, file.location)]


def all_sheets(file: DataFile) -> list[str]:
    """Names of all sheets of a workbook, in order."""
    with open_workbook(file) as workbook:
        return [sheet.title for sheet in workbook.worksheets]


@contextmanager
def open_workbook(file: DataFile, *, data_only: bool = True) -> Iterator[Any]:
    """A workbook to be read row by row; BadInputError where it is damaged."""
    with warnings.catch_warnings():
        # It warns of every ornament of a sheet that it does not know.
        warnings.simplefilter("ignore")
        # As a stream, since it takes no path without one of Excel's endings.
        stream = file.local_path.open("rb")
        try:
            workbook = openpyxl.load_workbook(stream, read_only=True, data_only=data_only)
        except _DAMAGED as error:
            stream.close()
            raise _damaged(file.location, error) from error
    with stream, closing(workbook):
        yield workbook


@contextmanager
def _explained(location: str) -> Iterator[None]:
    try:
        yield
    except _DAMAGED as error:
        raise _damaged(location, error) from error


def _translated(rows: Iterator[Any], location: str) -> Iterator[Any]:
    while True:
        try:
            row = next(rows)
        except StopIteration:
            return
        except _DAMAGED as error:
            raise _damaged(location, error) from error
        yield row


def _damaged(location: str, error: Exception) -> BadInputError:
    reason = str(error).splitlines()[0].strip("'\".") if str(error) else type(error).__name__
    return BadInputError(
        f"The file {location} is not readable as an Excel workbook: {reason}.",
        "Open it in Excel or LibreOffice and save it again as .xlsx, or save the sheet as CSV UTF-8.",
    )


def _has_rows(sheet: Any, location: str) -> bool:
    sheet.reset_dimensions()
    rows = within_limits(_translated(sheet.iter_rows(), location), location)
    return any(any(cell.value is not None for cell in row) for row in rows)


def _written(cell: Any) -> str | None:
    value = cell.value
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        value = int(value)
    if isinstance(value, int):
        number_format = cell.number_format or ""
        return str(value).zfill(len(number_format)) if _ZEROS.fullmatch(number_format) else str(value)
    if isinstance(value, datetime.datetime):
        return value.date().isoformat() if value.time() == _MIDNIGHT else value.isoformat(sep=" ")
    return str(value)


def _trimmed(cells: list[str | None]) -> list[str]:
    """The cells of a row without the empty ones at its end."""
    written = [cell or "" for cell in cells]
    while not written[-1]:
        written.pop()
    return written


def _open(file: DataFile, options: ReadingOptions) -> Source:
    """Open the sheet that was asked for; else all sheets, if their names are splits; else the first that has rows."""
    options.check("an Excel workbook", ("sheet", "header", "column_names"))
    has_formulas = look_through(file)
    open_sheet = partial(ExcelSource, file, options=options, has_formulas=has_formulas)
    if options.sheet is not None:
        return open_sheet(_asked_sheet(file, options.sheet))
    sheets = sheets_with_rows(file)
    if not sheets:
        raise BadInputError(f"The workbook {file.location} has no rows.", "Give a workbook with a header and rows.")
    roles = {split_role(sheet) for sheet in sheets}
    if len(sheets) > 1 and TRAIN in roles and roles <= {TRAIN, VALIDATION, TEST}:
        parts = [Part(open_sheet(sheet), sheet, f"sheet {sheet}") for sheet in sheets]
        return SplitsSource(parts, file.location, file.stem, ExcelSource.kind)
    source = open_sheet(sheets[0])
    if len(sheets) > 1:
        others = ", ".join(repr(sheet) for sheet in sheets[1:])
        source.notices.append(
            Notice(
                f"Only the sheet {sheets[0]!r} is read; the workbook also has {others}.",
                "Name another sheet to read it.",
                "sheet",
            )
        )
    return source


def _asked_sheet(file: DataFile, asked: str) -> str:
    sheets = all_sheets(file)
    if asked not in sheets:
        raise BadInputError(
            f"The workbook {file.location} has no sheet {asked!r}.", f"Its sheets are {', '.join(map(repr, sheets))}."
        )
    return asked


EXCEL = Format(
    title="Excel",
    endings=(".xlsx", ".xlsm"),
    open=_open,
    description="the first sheet that has rows, or the one that is named; sheets whose names are splits together",
    has_signature=lambda beginning: beginning.startswith(b"PK\x03\x04"),
)
