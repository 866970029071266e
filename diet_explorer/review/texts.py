"""Texts that people write about examples and datasets, checked before they are stored."""

from __future__ import annotations

from diet_explorer.errors import BadInputError


def checked_text(what: str, text: object, longest: int) -> str:
    """A text without white space around it; BadInputError where it is none, is too long or cannot be stored."""
    if not isinstance(text, str):
        raise BadInputError(f"The {what} {text!r} cannot be used.", "Give a text.")
    trimmed = text.strip()
    if len(trimmed) > longest:
        raise BadInputError(f"The {what} has {len(trimmed):,} characters.", f"Write {longest:,} at most.")
    if "\x00" in trimmed or any("\ud800" <= character <= "\udfff" for character in trimmed):
        raise BadInputError(
            f"The {what} has characters that cannot be stored: NUL, or half of a surrogate pair.", "Leave them out."
        )
    return trimmed
