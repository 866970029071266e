"""Names cut so that they stay apart: in their middle, and without what all of them begin or end with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import count, takewhile

ELLIPSIS = "…"
_SHORTEST_SHARED = 10
"""What all names begin or end with is left out from so many characters on."""
_SPLITS = (0.5, 0.75, 0.25, 1.0, 0.0)
"""Shares of a cut name that come from its beginning; the first one that keeps all names apart is taken."""


def cut_middle(text: str, characters: int, begin: float = 0.5) -> str:
    """A text of at most so many characters; a share `begin` of a longer one's are from its beginning."""
    if len(text) <= characters:
        return text
    head = round((characters - 1) * begin)
    tail = characters - 1 - head
    return f"{text[:head]}{ELLIPSIS}{text[len(text) - tail :]}"


def short_names(names: Iterable[str], characters: int) -> dict[str, str]:
    """Each of some names with a title of about so many characters at most, all titles different.

    Names that fit stay as they are. Where one does not, what all of them begin or end with goes first, then what is in
    the middle; where even that leaves two alike, they are numbered.
    """
    distinct = list(dict.fromkeys(names))
    if all(len(name) <= characters for name in distinct):
        return dict(zip(distinct, distinct, strict=True))
    titles = max(_candidates(distinct, characters), key=lambda titles: len(set(titles)))
    return dict(zip(distinct, _numbered(titles), strict=True))


def _candidates(names: Sequence[str], characters: int) -> Iterator[list[str]]:
    bare = _without_shared(names)
    for begin in _SPLITS:
        yield [name if len(name) <= characters else cut_middle(rest, characters, begin) for name, rest in bare]


def _without_shared(names: Sequence[str]) -> list[tuple[str, str]]:
    """Each name, and what is left of it without what all of them begin and end with."""
    if len(names) < 2:
        return [(name, name) for name in names]
    start = _shared(names)
    end = _shared([name[start:][::-1] for name in names])
    start, end = (length if length >= _SHORTEST_SHARED else 0 for length in (start, end))
    return [
        (name, f"{ELLIPSIS if start else ''}{name[start : len(name) - end]}{ELLIPSIS if end else ''}") for name in names
    ]


def _shared(names: Sequence[str]) -> int:
    """How many characters all names begin with."""
    return sum(1 for _ in takewhile(lambda letters: len(set(letters)) == 1, zip(*names, strict=False)))


def _numbered(titles: Sequence[str]) -> list[str]:
    """The titles, a number behind those that are there already."""
    all_titles, numbered = set(titles), dict[str, None]()
    for title in titles:
        others = (f"{title} ({number})" for number in count(2))
        free = (name for name in others if name not in numbered and name not in all_titles)
        numbered[next(free) if title in numbered else title] = None
    return list(numbered)
