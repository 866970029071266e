"""Cells that a spreadsheet would run as a formula, made harmless."""

from __future__ import annotations

import re

FORMULA = r"^'*[=+\-@\t\r\n＝＋－＠]"
"""How a cell begins that a spreadsheet takes for a formula (OWASP, CSV injection), or that was made harmless.

Such cells get an apostrophe in front; whoever takes one away from each cell that begins so has the texts again.
"""


def defuse(cell: str) -> str:
    """A cell as it is written: with an apostrophe in front where it would be run."""
    return f"'{cell}" if re.match(FORMULA, cell) else cell


def restore(cell: str) -> str:
    """A cell as it was before `defuse`."""
    return cell[1:] if cell.startswith("'") and re.match(FORMULA, cell) else cell
