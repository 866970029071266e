"""Titles, notes and comments that stand above a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from diet_explorer.data.readers.header_looks import cut_cell, is_usual_name
from diet_explorer.data.readers.options import ReadingOptions
from diet_explorer.data.report import Notice

_MOST = 20
_WHOLE = 0.9  # share of the rows below that fill more than one cell, in a table of several columns
_COMMENTS = ("#", "%", "//")


def rows_above(rows: Sequence[Sequence[str]], options: ReadingOptions) -> int:
    """How many of the first rows stand above a table of several columns: comments, and rows that fill one cell.

    None where the options say that there is no header: then every line is a row.
    """
    if options.header is False:
        return 0
    filled = [sum(map(bool, map(str.strip, row))) for row in rows]
    usual = max(Counter(map(len, rows)).items(), key=lambda width: (width[1], width[0]), default=(0, 0))[0]
    above = 0
    while above < min(len(rows), _MOST) and (_is_title(rows[above], filled[above]) or _is_comment(rows[above], usual)):
        above += 1
    below = filled[above:]
    is_table = len(below) > 1 and sum(count > 1 for count in below) >= _WHOLE * len(below)
    return above if is_table else 0


def about_rows_above(rows: Sequence[Sequence[str]], first_line: int, options: ReadingOptions) -> list[Notice]:
    """Say that rows above a table are not read, where there are some; the table's own first row is on `first_line`."""
    if not rows:
        return []
    some = ", ".join(repr(cut_cell(next(filter(str.strip, row), ""))) for row in rows[:3])
    more = ", …" if len(rows) > 3 else ""
    return [
        Notice(
            f"What stands above the table is not read: {some}{more}. The table begins at line {first_line:,}.",
            "If these lines are rows too, say that the file has no header.",
            "header" if options.header is None else "",
        )
    ]


def _is_title(row: Sequence[str], filled: int) -> bool:
    return filled == 0 or (filled == 1 and not any(map(is_usual_name, row)))


def _is_comment(row: Sequence[str], usual: int) -> bool:
    return row[0].lstrip().startswith(_COMMENTS) and len(row) != usual
