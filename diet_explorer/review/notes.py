"""Notes: what people say about examples, with a decision or without one, and how they are searched."""

from __future__ import annotations

from collections.abc import Sequence

from diet_explorer.errors import BadInputError
from diet_explorer.review.texts import checked_text
from diet_explorer.store.decisions import NOTE, DecisionEvent

LONGEST_NOTE = 10_000


class Notes:
    """Notes of a ledger by the numbers of their events, ready to be searched."""

    def __init__(self) -> None:
        self._numbers: list[int] = []  # ascending
        self._texts: list[str] = []

    def add(self, number: int, text: str) -> None:
        """Add the note of an event that comes after all others."""
        self._numbers.append(number)
        self._texts.append(_searched(text))

    def containing(self, text: str) -> list[int]:
        """Events whose note contains a text, in any case and with any white space; all of them for an empty text."""
        wanted = _searched(text)
        if not wanted:
            return list(self._numbers)
        return [number for number, note in zip(self._numbers, self._texts, strict=True) if wanted in note]


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
