"""Why a row cannot be used, and what to do about it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum
from typing import Any

import pyarrow as pa

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
    TOO_DEEP = (
        "nested too deeply",
        "Write the lists and objects of the row flat; DIET_EXPLORER_MAX_DEPTH sets how many may be in one another, "
        "and DIET_EXPLORER_MAX_PARTS how many there may be.",
    )
    BROKEN_TEXT = ("broken Unicode", "Replace the unpaired surrogates (such as \\ud800) in the row.")
    NUL_BYTE = ("NUL byte", "Remove the NUL characters from the row.")
    EMPTY_TEXT = ("empty text", "Fill in the text, or remove the row.")
    EMPTY_TEXT_PAIR = ("empty second text", "Fill in the second text, or remove the row.")
    EMPTY_LABEL = ("empty label", "Label the row, or remove it.")
    SEVERAL_LABELS = ("several labels", "This is a multi-label row: keep one of its labels.")
    TIED_LABELS = ("tie between people", "Nothing to do: rows on which people are tied were to be left out.")
    SKIPPED_LABEL = ("label left out", "Nothing to do: rows with this label were to be left out.")
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
    """A row that was set aside."""

    line: int  # of the file on which the row begins, from 1; for Parquet and `datasets`, the row
    reason: Reason
    raw: str  # the row as written, cut to `RAW_LENGTH`

    def to_json(self) -> dict[str, Any]:
        """Return the row as plain data."""
        return {"line": self.line, "reason": self.reason.title, "remedy": self.reason.remedy, "raw": self.raw}


def cut(raw: str) -> str:
    """Cut a row to the length that is kept of it."""
    return raw[:RAW_LENGTH]


def written_row(table: pa.Table, row: int) -> str:
    """Write a well-formed row of a table that is set aside as a JSON object, cut."""
    return cut(json.dumps(table.slice(row, 1).to_pylist()[0], ensure_ascii=False, default=str))
