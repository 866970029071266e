"""Names that people give to things, and ids that the program and the Hub give: what can be one."""

from __future__ import annotations

import re
import unicodedata

from diet_explorer.errors import BadInputError, NotFoundError

NAME_LENGTH = 200
_ID = re.compile(r"[a-z0-9-]{1,200}")
_HUB_PART = r"[A-Za-z0-9_](?:[\w.-]*[A-Za-z0-9_])?"
_HUB_ID = re.compile(rf"(?=.{{1,96}}\Z)(?:{_HUB_PART}/)?{_HUB_PART}", re.ASCII)


def is_id(text: object) -> bool:
    """Whether a text can be the id of a dataset, run, export or proof: small letters, digits and hyphens.

    Such a text names one thing in a folder, and nothing elsewhere.
    """
    return isinstance(text, str) and _ID.fullmatch(text) is not None


def checked_id(kind: str, text: object) -> str:
    """An id that comes from outside: an address, a command, a file, a job; NotFoundError where it can be none.

    The one place where this is decided; whatever makes a path of an id asks it.
    """
    if isinstance(text, str) and is_id(text):
        return text
    shown = text if isinstance(text, str) and len(text) <= NAME_LENGTH else f"{str(text)[:NAME_LENGTH]}…"
    raise NotFoundError(f"There is no {kind} {shown!r}.", "Give an id as the lists of this workspace show it.")


def is_hub_id(text: str) -> bool:
    """Whether a text can be the id of a dataset or model on the Hub: ``OWNER/NAME``, or ``NAME`` alone for old ones."""
    return _HUB_ID.fullmatch(text) is not None and "--" not in text and ".." not in text and not text.endswith(".git")


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
