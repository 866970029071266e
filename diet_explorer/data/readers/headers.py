"""What the columns of a table of text are called: by its first row, by numbers, or as a person says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from diet_explorer.data.limits import current_limits
from diet_explorer.data.readers.header_looks import HeaderLooks, judge_first_row
from diet_explorer.data.readers.options import ReadingOptions
from diet_explorer.data.report import Notice
from diet_explorer.errors import ReadingError

WITHOUT_HEADER = "There is no header: the first row is an example."


@dataclass(frozen=True)
class Header:
    """Where the names of the columns come from."""

    is_there: bool  # whether the first row holds them
    columns: list[str]
    aliases: dict[str, str]  # columns by the cells of a first row that a person may have taken for the header
    notices: list[Notice]  # what a person should confirm


def settle_header(
    first: Sequence[str], rows: Sequence[Sequence[str]], options: ReadingOptions, location: str
) -> Header:
    """Say whether the first row of a table is a header, from the options, else from the rows below it.

    Raises
    ------
    ReadingError
        Two columns have the same name, or there are not as many names as columns.
    """
    current_limits().check_columns(max(map(len, [first, *rows])), location)
    looks = judge_first_row(first, rows)
    is_there = _choose(looks, options)
    number = len(first) if is_there else _usual_width([first, *rows])
    columns = _column_names(first, number, options, named=is_there, location=location)
    is_guess = not is_there and options.header is None
    aliases = _aliases(first, columns) if is_guess else {}
    return Header(is_there, columns, aliases, list(_notices(looks, columns, options, is_there=is_there)))


def _choose(looks: HeaderLooks, options: ReadingOptions) -> bool:
    if options.header is not None:
        return options.header
    # Names that are given are more often those of a file without any.
    doubtful = looks.is_doubtful and options.column_names is not None
    return not (looks.is_data or doubtful)


def _notices(
    looks: HeaderLooks, columns: Sequence[str], options: ReadingOptions, *, is_there: bool
) -> Iterator[Notice]:
    if options.header is not None or options.column_names is not None:
        return
    if not is_there:
        yield Notice(
            f"The first line looks like a row, not like names of columns: {looks.reason}. It is read as a "
            f"row, and the columns are called {columns[0]}, …",
            "If that line names the columns, say that the file has a header.",
            "header",
        )
    elif looks.is_doubtful:
        yield Notice(
            f"The first line may be a row, not names of columns: {looks.reason}. It is read as names.",
            "If that line is a row, say that the file has no header.",
            "header",
        )


def _usual_width(rows: Sequence[Sequence[str]]) -> int:
    widths = Counter(map(len, rows))
    return max(widths, key=lambda width: (widths[width], width))


def _column_names(
    cells: Sequence[str], number: int, options: ReadingOptions, *, named: bool, location: str
) -> list[str]:
    """The names that were given, else those of the header, else numbered ones."""
    if options.column_names is not None:
        if len(options.column_names) != number:
            raise ReadingError(
                f"{location} has {number} columns, but {len(options.column_names)} column names are given.",
                "Name every column once, in the order of the file.",
                "column_names",
            )
        return list(options.column_names)
    if not named:
        return [f"column {number}" for number in range(1, number + 1)]
    names = [cell.strip("\ufeff \t\r\n") or f"column {number}" for number, cell in enumerate(cells, 1)]
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise ReadingError(
            f"The header of {location} names column {repeated[0]!r} more than once.",
            "Give each column a name of its own.",
            "column_names",
        )
    return names


def _aliases(cells: Sequence[str], columns: Sequence[str]) -> dict[str, str]:
    """Columns by their cells in a first row that a person may have taken for the header."""
    once = [cell for cell, count in Counter(cells).items() if count == 1 and cell.strip() and cell not in columns]
    return {cell: columns[list(cells).index(cell)] for cell in once}
