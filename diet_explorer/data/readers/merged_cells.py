"""Cells of a sheet that are merged downwards: the file has the value in the first one, people mean it for each row."""

from __future__ import annotations

import re
import warnings
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from openpyxl.reader.excel import ExcelReader
from openpyxl.utils import column_index_from_string

T = TypeVar("T")
_CHUNK = 1 << 20
_LONGEST = 100
_MERGED = re.compile(rb'mergeCell\s+ref="([A-Z]{1,3})(\d{1,7}):([A-Z]{1,3})(\d{1,7})"')


def merged_downwards(path: Path, sheet: str) -> dict[int, dict[int, int]]:
    """First line of cells merged within a column, to the columns, from 0, and the last line in each."""
    with warnings.catch_warnings(), path.open("rb") as stream:
        warnings.simplefilter("ignore")  # of every ornament of a workbook that it does not know
        reader = ExcelReader(stream, read_only=True)
        reader.read_manifest()
        reader.read_workbook()
        member = next(relation.target for found, relation in reader.parser.find_sheets() if found.name == sheet)
    merged: dict[int, dict[int, int]] = {}
    with zipfile.ZipFile(path) as archive, archive.open(member) as stream:
        tail = b""
        while chunk := stream.read(_CHUNK):
            for left, first, right, last in _MERGED.findall(tail + chunk):
                if left == right:
                    merged.setdefault(int(first), {})[column_index_from_string(left.decode()) - 1] = int(last)
            tail = chunk[-_LONGEST:]
    return merged


def filled_downwards(rows: Iterable[list[T]], merged: dict[int, dict[int, int]], empty: T) -> Iterator[list[T]]:
    """Rows of cells with the values that merged cells have in each of their lines."""
    below: dict[int, tuple[int, T]] = {}  # column to the last line of the merged cell, and its value
    for line, cells in enumerate(rows, start=1):
        below = {number: (last, value) for number, (last, value) in below.items() if last >= line}
        for number, (_, value) in below.items():
            cells.extend([empty] * (number + 1 - len(cells)))
            cells[number] = value
        for number, last in merged.get(line, {}).items():
            if number < len(cells):
                below[number] = (last, cells[number])
        yield cells
