"""Names that people give to things: what can be one."""

from __future__ import annotations

import unicodedata

from diet_explorer.errors import BadInputError

NAME_LENGTH = 200


def tidied_name(name: str) -> str:
    """A name without needless blanks; BadInputError where it cannot be one."""
    tidy = " ".join(unicodedata.normalize("NFC", name).split())
    if not tidy or len(tidy) > NAME_LENGTH:
        raise BadInputError(f"The name has {len(tidy)} characters.", f"Give a name of 1 to {NAME_LENGTH} characters.")
    hidden = next(filter(_is_hidden, tidy), None)
    if hidden is not None:
        raise BadInputError(f"The name has a character that cannot be seen ({hidden!r}).", "Leave it out.")
    if tidy.casefold() == "last":
        raise BadInputError("The name 'last' stands for the newest on the command line.", "Choose another name.")
    return tidy


def name_or(given: str | None, otherwise: str) -> str:
    """The name that somebody gave, tidied; else one made of what a file or model is called, whatever characters it has.

    BadInputError where the given name cannot be one.
    """
    return tidied_name(given) if given and given.strip() else _made_of(otherwise)


def _made_of(text: str) -> str:
    tidy = " ".join("".join(character for character in text if not _is_hidden(character)).split())[:NAME_LENGTH].strip()
    return "data" if tidy.casefold() in ("", "last") else tidy


def _is_hidden(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cs", "Co")
