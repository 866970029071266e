"""The search box's language: what a word is, how a query is read, and where it hits a text.

Words stand for themselves and must all occur; ``"several words"`` must stand side by side; ``begin*`` is any word that
begins so; ``-word`` and ``NOT word`` (also before a phrase) must not occur. Whatever else is typed counts as plain
words, so that no query is wrong. Upper and lower case, compatibility forms (NFKC) and punctuation make no difference;
words are not stemmed.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

WORD_LENGTH = 200
"""Words are distinguished by their first 200 characters; the index cannot look for beginnings that are much longer."""

# Scripts that write no spaces, by the names of their characters: each character is a word, and a run of them a phrase.
_UNSPACED = ("CJK ", "HIRAGANA ", "KATAKANA ", "IDEOGRAPHIC ", "THAI ", "LAO ", "KHMER ", "MYANMAR ")
_TERM = re.compile(r'(?P<negated>-|NOT\s+)?(?:"(?P<phrase>[^"]*)"|(?P<word>[^\s"]+))')


class Term(NamedTuple):
    """One condition of a query."""

    words: tuple[str, ...]  # must stand side by side
    prefix: bool  # the last of them is only the beginning of a word
    negated: bool  # they must not occur


class _Characters(dict[int, str]):
    """What becomes of each character: letters, marks and numbers stay, symbols such as emoji are words of their own,
    invisible format characters vanish, and everything else parts words."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        category = unicodedata.category(character)
        if category == "Cf" or 0xFE00 <= code <= 0xFE0F:  # the latter choose how the character before them looks
            piece = ""
        elif category == "So" or (category[0] in "LMN" and unicodedata.name(character, "").startswith(_UNSPACED)):
            piece = f" {character} "
        else:
            piece = character if category[0] in "LMN" else " "
        self[code] = piece
        return piece


_CHARACTERS = _Characters()


def search_words(text: str) -> list[str]:
    """The words of a text as the search sees them, in order."""
    return [word[:WORD_LENGTH] for word in _folded(text).split()]


def spaced_words(text: str) -> str:
    """The same words in one string, with spaces between them."""
    folded = _folded(text)
    return folded if len(folded) <= WORD_LENGTH else " ".join(word[:WORD_LENGTH] for word in folded.split())


@lru_cache(maxsize=64)
def parse_query(query: str) -> tuple[Term, ...]:
    """Read a query; terms without a word, such as a lone dash, are left out."""
    terms = []
    for match in _TERM.finditer(query):
        written = match["word"] if match["phrase"] is None else match["phrase"].rstrip()
        words = tuple(search_words(written))
        if words:
            terms.append(Term(words, written.endswith("*"), match["negated"] is not None))
    return tuple(terms)


def hit_spans(text: str, query: str) -> list[tuple[int, int]]:
    """Where a text is hit: ascending, separate pairs of first position and the one behind the last.

    A text that a query finds by its other conditions may have no hits, and one that it does not find may have some.
    """
    terms = [term for term in parse_query(query) if not term.negated]
    if not terms:
        return []
    located = _words_with_positions(text)
    words = [word for word, _, _ in located]
    spans = []
    for term in terms:
        size = len(term.words)
        for start in range(len(words) - size + 1):
            *whole, last = words[start : start + size]
            fits = last.startswith(term.words[-1]) if term.prefix else last == term.words[-1]
            if fits and tuple(whole) == term.words[:-1]:
                spans.append((located[start][1], located[start + size - 1][2]))
    return _merged(spans)


def _folded(text: str) -> str:
    if text.isascii():  # the rule below, in a fraction of its time
        return text.lower().translate(_CHARACTERS)
    parted = unicodedata.normalize("NFKC", text).casefold().translate(_CHARACTERS)
    return unicodedata.normalize("NFKC", parted)


@lru_cache(maxsize=4096)
def _folded_character(character: str) -> str:
    return _folded(character)


def _words_with_positions(text: str) -> list[tuple[str, int, int]]:
    pieces = [_folded_character(character) for character in text]
    owners = [position for position, piece in enumerate(pieces) for _ in piece]
    return [
        (unicodedata.normalize("NFKC", match.group())[:WORD_LENGTH], owners[match.start()], owners[match.end() - 1] + 1)
        for match in re.finditer(r"\S+", "".join(pieces))
    ]


def _merged(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
