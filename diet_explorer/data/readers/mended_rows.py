"""Rows of a CSV file with another number of cells than there are columns, which lose nothing when they are mended."""

from __future__ import annotations


class MendedRows:
    """Mends rows, and counts them for the report.

    Programs leave out empty cells at the end of a row, or write a delimiter too many there.
    """

    def __init__(self, columns: int) -> None:
        self._columns = columns
        self._short, self._long = 0, 0
        self.blanks_before_quotes = 0  # quoted cells with blanks between them and a delimiter

    def mend(self, cells: list[str]) -> list[str] | None:
        """Give a row as many cells as there are columns; None where that would lose one.

        A single cell is no example, whatever it lacks: more often it is a piece of one, behind a line end that should
        stand in quotes.
        """
        missing = self._columns - len(cells)
        if missing > 0 and len(cells) > 1:
            self._short += 1
            return [*cells, *[""] * missing]
        if missing < 0 and not any(map(str.strip, cells[self._columns :])):
            self._long += 1
            return cells[: self._columns]
        return None

    def said(self) -> list[str]:
        """What was mended, in sentences."""
        said = []
        if self._short:
            said.append(f"{_rows(self._short)} last cells left out; they were read as empty cells.")
        if self._long:
            said.append(f"{_rows(self._long)} empty cells beyond the last column; they were dropped.")
        if self.blanks_before_quotes:
            said.append(f"Blanks around the quotes of {self.blanks_before_quotes:,} cells were dropped.")
        return said


def _rows(number: int) -> str:
    return "1 row has" if number == 1 else f"{number:,} rows have"
