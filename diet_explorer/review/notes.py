"""Notes: what people say about examples, with a decision or without one, and how they are searched."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from diet_explorer.errors import BadInputError
from diet_explorer.review.texts import checked_text
from diet_explorer.store.decisions import NOTE, DecisionEvent

LONGEST_NOTE = 10_000


class Notes:
    """Notes of a ledger by the numbers of their events, ready to be searched."""

    def __init__(self) -> None:
        self._numbers: list[int] = []  # ascending
        self._texts: list[str] = []
        self._searched: list[str] = []

    def add(self, number: int, text: str) -> None:
        """Add the note of an event that comes after all others."""
        self._numbers.append(number)
        self._texts.append(text)
        self._searched.append(_searched(text))

    def texts(self, numbers: NDArray[np.integer]) -> list[str]:
        """What the notes of some events say."""
        return [self._texts[position] for position in np.searchsorted(self._numbers, numbers)]

    def containing(self, text: str) -> list[int]:
        """Events whose note contains a text, in any case and with any white space; all of them for an empty text."""
        wanted = _searched(text)
        if not wanted:
            return list(self._numbers)
        return [number for number, note in zip(self._numbers, self._searched, strict=True) if wanted in note]


class RowNotes:
    """What notes say about each example.

    Parameters
    ----------
    rows : sequence of int array
        The examples that each note is about, oldest note first.
    texts : sequence of str
    """

    def __init__(self, rows: Sequence[NDArray[np.int32]], texts: Sequence[str]) -> None:
        about = np.concatenate([np.empty(0, np.int32), *rows])
        order = np.argsort(about, kind="stable")
        self._rows = about[order]
        self._numbers = np.repeat(np.arange(len(rows)), [len(part) for part in rows])[order]
        self._texts = texts

    def __len__(self) -> int:
        return len(self._rows)

    def of(self, rows: NDArray[np.integer]) -> list[str | None]:
        """The notes on each of some examples, the oldest first, each on lines of its own; None without one."""
        starts, ends = (np.searchsorted(self._rows, rows, side) for side in ("left", "right"))
        found: list[str | None] = [None] * len(rows)
        for position in np.flatnonzero(ends > starts):
            numbers = self._numbers[starts[position] : ends[position]]
            found[position] = "\n".join(self._texts[number] for number in numbers)
        return found


def checked_note(note: object, action: str) -> str | None:
    """A note as it is stored, None where there is none; BadInputError for one that cannot be stored, or is missing."""
    text = checked_text("note", "" if note is None else note, LONGEST_NOTE)
    if action == NOTE and not text:
        raise BadInputError("The note is empty.", "Write what is to be noted.")
    return text or None


def standing_notes(history: Sequence[DecisionEvent]) -> list[DecisionEvent]:
    """Of the events about one example those that have a note and were not taken back, in their order."""
    undone = {event.undoes for event in history}
    return [event for event in history if event.note and event.id not in undone]


def _searched(text: str) -> str:
    return " ".join(text.casefold().split())
