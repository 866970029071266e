"""Why a row cannot be used, and what to do about it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum
from typing import Any

RAW_LENGTH = 500


class Reason(Enum):
    """A reason to set a row aside; the value is ``(name, remedy)``."""

    BLANK_ROW = ("blank row", "Nothing to do; or fill in the row.")
    RAGGED_ROW = (
        "ragged row",
        "Give the row as many cells as there are columns; put cells that contain the delimiter in double quotes.",
    )
    BROKEN_QUOTES = (
        "broken quotes",
        'Close the cell with a double quote right before the delimiter; write quotes inside a quoted cell twice ("").',
    )
    BROKEN_JSON = ("broken JSON line", "Write each row as one complete JSON object on one line.")
    BROKEN_TEXT = ("broken Unicode", "Replace the unpaired surrogates (such as \\ud800) in the row.")
    NUL_BYTE = ("NUL byte", "Remove the NUL characters from the row.")
    EMPTY_TEXT = ("empty text", "Fill in the text, or remove the row.")
    EMPTY_TEXT_PAIR = ("empty second text", "Fill in the second text, or remove the row.")
    EMPTY_LABEL = ("empty label", "Label the row, or remove it.")
    EMPTY_ID = ("empty id", "Give the row an id, or leave the id column unmapped.")
    EMPTY_SPLIT = ("empty split", "Name the row's split, or leave the split column unmapped.")
    DUPLICATE_ID = ("duplicate id", "Give every row an id of its own; the first row with this id was kept.")
    LABEL_NOT_IN_TRAIN = (
        "label never seen in train",
        "Add training rows with this label, or correct the label; a model cannot learn a class it never sees.",
    )

    @property
    def title(self) -> str:
        """The reason in two or three words."""
        return self.value[0]

    @property
    def remedy(self) -> str:
        """What to do about it."""
        return self.value[1]


@dataclass(frozen=True)
class BadRow:
    """A row that was set aside.

    Parameters
    ----------
    line : int
        1-based line of the file on which the row begins; for Parquet and `datasets`, the 1-based row.
    reason : Reason
        Why it was set aside.
    raw : str
        The row as written, cut to 500 characters.
    """

    line: int
    reason: Reason
    raw: str


def cut(raw: str) -> str:
    """Cut a row to the length that is kept of it."""
    return raw[:RAW_LENGTH]


def written_row(row: dict[str, Any]) -> str:
    """Write a well-formed row that is set aside as a JSON object."""
    return json.dumps(row, ensure_ascii=False, default=str)
