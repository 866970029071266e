"""Finding one thing of a workspace by what a person calls it, alike in the library and on the command line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import TypeVar

from diet_explorer.errors import BadInputError, DeletedError, NotFoundError
from diet_explorer.store.names import is_id

LISTED = 10
"""How many ids a message names."""

T = TypeVar("T")


def find(
    kind: str,
    given: str,
    entries: Callable[[], Sequence[T]],
    *,
    remedy: str,
    load: Callable[[str], T] | None = None,
    id_of: Callable[[T], str] = attrgetter("id"),
    is_called: Callable[[T], bool] = lambda entry: False,
) -> T:
    """The one thing of that whole id, else of that name, else of an id that begins so.

    Parameters
    ----------
    kind : str
        What is looked for, in the words of messages: ``run``, ``dataset`` and so on.
    given : str
        What a person calls it.
    entries : callable
        All there are, newest first; asked only where `load` finds nothing.
    remedy : str
        What to do where there is none; the ids that there are follow.
    load : callable, optional
        Gives the one of an id, or raises NotFoundError; may know more than are listed.
    id_of, is_called : callable, optional
        The id of an entry, by default its `id`; whether `given` is its name, by default never.

    Raises
    ------
    BadInputError
        It means several; the message lists them.
    NotFoundError
        There is none; the message names what there is. A DeletedError says that it is in the bin.
    """
    if not isinstance(given, str):
        raise BadInputError(
            f"A {type(given).__name__} names no {kind}.", f"Give the {kind} itself, or its id or name as text."
        )
    if load is not None and is_id(given):
        try:
            return load(given)
        except DeletedError:
            raise
        except NotFoundError:
            pass
    listed = entries()
    for matches in (
        [entry for entry in listed if id_of(entry) == given],
        [entry for entry in listed if is_called(entry)],
        [entry for entry in listed if given and id_of(entry).startswith(given)],
    ):
        if len(matches) == 1:
            return matches[0]
        if matches:
            ids = ", ".join(map(id_of, matches[:LISTED]))
            several = f"{kind[:-1]}ies" if kind.endswith("y") else f"{kind}s"
            raise BadInputError(f"{given!r} means several {several}.", f"Give one of the ids: {ids}.")
    raise missing(kind, given, map(id_of, listed[:LISTED]), remedy)


def missing(kind: str, given: str, known: Iterable[str], remedy: str) -> NotFoundError:
    """The error that there is no such thing; its remedy ends with those that there are."""
    return NotFoundError(f"There is no {kind} {given!r}.", f"{remedy}: {', '.join(known) or 'none yet'}.")
