"""Bounds of the parts of an Excel workbook, looked at before any of it is read."""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from typing import Any

from diet_explorer.data.limits import current_limits
from diet_explorer.data.readers.data_file import DataFile
from diet_explorer.data.readers.unpacking import members_of
from diet_explorer.errors import BadInputError

_CHUNK = 1 << 20
_ROW = re.compile(rb"<(?:[\w.-]+:)?row[ >/]")
_FORMULA = re.compile(rb"<(?:[\w.-]+:)?f[ >/]")
_DECLARED = re.compile(rb"<\0?!\0?(?:D\0?O\0?C\0?T\0?Y\0?P\0?E|E\0?N\0?T\0?I\0?T\0?Y)")
_OVERLAP = 64
_MOST_ROWS = 1_048_576  # that a sheet of Excel has


def look_through(file: DataFile) -> bool:
    """Whether any sheet of a workbook holds a formula.

    That comes from the bytes of the sheets, which is far faster than reading cells.

    Raises
    ------
    BadInputError
        A part is too large, or declares entities; see `Limits`.
    """
    members_of(file.local_path, file.location)
    try:
        return _has_formulas(file)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError) as error:
        raise BadInputError(
            f"The file {file.location} is not readable as an Excel workbook: {str(error).rstrip('.')}.",
            "Open it in Excel or LibreOffice and save it again as .xlsx, or save the sheet as CSV UTF-8.",
        ) from error


def _has_formulas(file: DataFile) -> bool:
    limits, has_formulas = current_limits(), False
    with zipfile.ZipFile(file.local_path) as archive:
        for info in archive.infolist():
            if not info.filename.endswith((".xml", ".rels")):
                continue
            is_sheet = info.filename.startswith("xl/worksheets/")
            if not is_sheet and info.file_size > limits.document_bytes:
                raise limits.error(
                    "document_mb",
                    f"The part {info.filename} of {file.location} is longer than {limits.document_mb:,} MB.",
                    "Save the sheet as CSV UTF-8.",
                )
            with archive.open(info) as stream:
                has_formulas |= _check_part(stream, f"{info.filename} of {file.location}", is_sheet=is_sheet)
    return has_formulas


def _check_part(stream: Any, where: str, *, is_sheet: bool) -> bool:
    limits, has_formulas, since_row, since_mark, tail = current_limits(), False, 0, 0, b""
    while chunk := stream.read(_CHUNK):
        content = tail + chunk
        if _DECLARED.search(content):
            raise BadInputError(
                f"The part {where} declares entities of its own, as no program that writes workbooks does.",
                "Open it in Excel or LibreOffice and save it again as .xlsx, or save the sheet as CSV UTF-8.",
            )
        if is_sheet:
            has_formulas = has_formulas or _FORMULA.search(content) is not None
            rows = [match.start() for match in _ROW.finditer(content)]
            since_row = len(content) - rows[-1] if rows else since_row + len(chunk)
            if since_row > limits.row_bytes:
                raise limits.long_row(f"A row of the sheet {where}")
        mark = chunk.rfind(b"<")
        since_mark = len(chunk) - mark if mark >= 0 else since_mark + len(chunk)
        if since_mark > limits.cell_bytes:
            raise limits.long_cell(f"A cell in {where}")
        tail = content[-_OVERLAP:]
    return has_formulas


def within_limits(rows: Iterable[Any], location: str) -> Iterator[Any]:
    """The rows of a sheet, as long as they are such as Excel has, and not too many cells in all."""
    limits, cells = current_limits(), 0
    for number, row in enumerate(rows, start=1):
        if number > _MOST_ROWS:
            raise BadInputError(
                f"A sheet of {location} says that it has more than {_MOST_ROWS:,} rows, as no sheet of Excel has.",
                "Open it in Excel or LibreOffice and save it again as .xlsx, or save the sheet as CSV UTF-8.",
            )
        cells += len(row)
        if len(row) > limits.columns:
            limits.check_columns(len(row), f"Row {number:,} of a sheet of {location}")
        if cells > limits.sheet_cells:
            raise limits.error(
                "sheet_cells",
                f"A sheet of {location} has more than {limits.sheet_cells:,} cells up to row {number:,}, empty ones "
                "between others included.",
                "Save the sheet as CSV UTF-8, with the columns that are needed.",
            )
        yield row
