"""Names of things: whether a new one can be used, and which entry of the bin one means."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from diet_explorer.errors import BadInputError, NotFoundError
from diet_explorer.store.bin import BinEntry
from diet_explorer.store.names import tidied_name
from diet_explorer.workspace.finding import LISTED

KIND_NAMES = ("dataset", "run", "proof", "export", "map", "policy")


def kind_and_name(text: str) -> tuple[str | None, str]:
    """The two parts of ``KIND:NAME``; the kind is None where it is not said."""
    kind, _, name = text.partition(":")
    return (kind, name) if kind in KIND_NAMES and name else (None, text)


def checked_name(name: str, id: str, others: dict[str, str]) -> str:
    """A new name, tidied; BadInputError where it cannot be one or belongs to another.

    Names that differ only in case, in how letters with marks are written or in blanks count as the same.
    """
    tidy = tidied_name(name)
    taken = next((other for other, title in others.items() if other != id and _key(title) == _key(tidy)), None)
    if taken is not None:
        raise BadInputError(f"{others[taken]!r} is the name of another one ({taken}).", "Choose another name.")
    return tidy


def _key(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def entry_called(what: str, entries: Sequence[BinEntry]) -> BinEntry:
    """The entry of the bin that a text means: ``KIND:NAME`` or a name alone, which may be the beginning of an id.

    Raises
    ------
    NotFoundError, BadInputError
        There is none, or there are several.
    """
    kind, name = kind_and_name(what)
    known = [entry for entry in entries if kind in (None, entry.kind)]
    for matches in (
        [entry for entry in known if entry.id == name],
        [entry for entry in known if entry.name == name],
        [entry for entry in known if name and entry.id.startswith(name)],
    ):
        if len(matches) == 1:
            return matches[0]
        if matches:
            listed = ", ".join(f"{entry.kind}:{entry.id}" for entry in matches)
            raise BadInputError(f"{what!r} means several things in the bin.", f"Say which: {listed}.")
    listed = ", ".join(f"{entry.kind}:{entry.id}" for entry in entries[:LISTED])
    raise NotFoundError(f"Nothing in the bin is called {what!r}.", f"In the bin: {listed or 'nothing'}.")
