"""What the first rows of a CSV file say about the whole: its delimiter, where its rows begin, how they use quotes."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from itertools import islice

import numpy as np
import numpy.typing as npt

from diet_explorer.data.readers.careful_csv import CarefulCsv
from diet_explorer.data.readers.text_files import TextFile

DELIMITERS = ",;\t|"
NAMES = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar", " ": "space"}
_LOOKED_AT = 1 << 15  # characters whose rows a delimiter is guessed from
_ROWS_LOOKED_AT = 200
_BROKEN_SHARE = 4  # backslashes escape where that leaves less than one in so many broken rows broken
_SEP_LINE = re.compile(r'(?:\r\n|\n|\r)*"?sep=([^\r\n"])"?[;,\t| ]*(?:\r\n|\n|\r|\Z)', re.IGNORECASE)
_QUOTE, _NEWLINE, _RETURN, _BACKSLASH = ord('"'), ord("\n"), ord("\r"), ord("\\")


@dataclass(frozen=True)
class SepLine:
    """The first line of some files for Excel, such as ``sep=;``, which names the delimiter and is no row."""

    delimiter: str
    characters: int  # it takes, with the blank lines above it and its line end
    lines: int


def find_sep_line(beginning: str) -> SepLine | None:
    """The line ``sep=…`` at the beginning of a file; None where there is none."""
    match = _SEP_LINE.match(beginning)
    if match is None:
        return None
    return SepLine(match[1], match.end(), len(re.findall(r"\r\n|\n|\r", match[0])))


def guess_delimiter(beginning: str, *, is_tsv: bool) -> str:
    """The one of ``, ; TAB |`` that cuts the most rows into the same number of cells, and the first row into no fewer.

    Where none cuts anything, the one that the first row has most of, outside quotes; a TSV file whose first row has a
    tab is cut at tabs.
    """
    unquoted = re.sub(r'"(?:[^"]|"")*"', "", beginning[:65_536]).lstrip("\r\n")
    counts = Counter(re.split(r"[\r\n]", unquoted, maxsplit=1)[0])
    if is_tsv and (counts["\t"] or not any(counts[delimiter] for delimiter in DELIMITERS)):
        return "\t"
    order = DELIMITERS if not is_tsv else "\t,;|"
    scores = {delimiter: _regularity(beginning, delimiter) for delimiter in order}
    return max(order, key=lambda delimiter: (*scores[delimiter], counts[delimiter]))


def _regularity(beginning: str, delimiter: str) -> tuple[float, int]:
    """Share of the first rows that have the most frequent number of cells, and that number; zeros for one cell."""
    content = CarefulCsv([beginning[:_LOOKED_AT].encode()], delimiter)
    rows = list(islice(content.records(), _ROWS_LOOKED_AT + 1))
    if len(rows) > 1 and (len(beginning) > _LOOKED_AT or len(rows) > _ROWS_LOOKED_AT):
        rows.pop()  # may be cut
    widths = [0 if row.cells is None else len(row.cells) for row in rows if row.raw.strip()]
    whole = [width for width in widths if width]
    if not whole:
        return 0.0, 0
    (usual, times), *_ = Counter(whole).most_common(1)
    if usual == 1:
        return 0.0, 0
    share = times / len(widths)
    return round(share if widths[0] >= usual or not widths[0] else share / 2, 2), usual


@dataclass(frozen=True)
class Quoting:
    """How a CSV file uses quotes.

    They are clean if every one opens or closes a cell at its edge, or is one of a doubled pair inside a cell. Only then
    can rows be told apart without doubt.
    """

    is_clean: bool
    has_newlines_inside: bool  # whether a line ends inside quotes, if the quoting is clean
    escapes: bool = False  # whether a backslash before a quote makes it a character of the cell


def inspect_quoting(file: TextFile, delimiter: str, beginning: str, *, is_tsv: bool) -> Quoting:
    """Look at every quote of a file, and where they are not clean, at those alone that no backslash precedes."""
    quoting, _ = _inspect(file, delimiter, escapes=False)
    if quoting.is_clean or '\\"' not in beginning:
        return quoting
    escaping, quotes = _inspect(file, delimiter, escapes=True)
    # Quotes of a TSV file may all be plain characters; backslashes escape only those of one that uses quotes.
    if (escaping.is_clean and (quotes or not is_tsv)) or (not is_tsv and _mended_by_escapes(beginning, delimiter)):
        return escaping
    return quoting


def _mended_by_escapes(beginning: str, delimiter: str) -> bool:
    """Whether nearly all of the first broken rows are whole where backslashes escape."""
    broken = [
        sum(record.cells is None for record in CarefulCsv([beginning.encode()], delimiter, escapes=escapes).records())
        for escapes in (False, True)
    ]
    return broken[1] * _BROKEN_SHARE < broken[0]


def _inspect(file: TextFile, delimiter: str, *, escapes: bool) -> tuple[Quoting, int]:
    """The quoting of a file, and how many quotes are not escaped.

    Quotes open and close in turn, so it is enough to look at the byte before each opening and the byte after each
    closing one.
    """
    edge = np.zeros(256, dtype=bool)
    edge[[_QUOTE, ord(delimiter), _NEWLINE, _RETURN]] = True
    unclean = Quoting(is_clean=False, has_newlines_inside=False, escapes=escapes)
    before, is_open, closed_at_end, newlines_inside, number, backslashes = _NEWLINE, False, False, False, 0, 0
    for chunk in file.chunks():
        characters = np.frombuffer(chunk, dtype=np.uint8)
        if closed_at_end and not edge[characters[0]]:
            return unclean, number
        quotes = np.flatnonzero(characters == _QUOTE)
        if escapes:
            quotes, backslashes = _unescaped(characters, quotes, backslashes)
        number += len(quotes)
        opening, closing = (quotes[1::2], quotes[0::2]) if is_open else (quotes[0::2], quotes[1::2])
        preceding = np.where(opening == 0, before, characters[opening - 1])
        following = characters[closing[closing < len(characters) - 1] + 1]
        if not (edge[preceding].all() and edge[following].all()):
            return unclean, number
        if not newlines_inside and (is_open or len(quotes)):
            newlines = np.flatnonzero((characters == _NEWLINE) | (characters == _RETURN))
            newlines_inside = bool(((np.searchsorted(quotes, newlines) + is_open) % 2).any())
        closed_at_end = bool(closing.size) and bool(closing[-1] == len(characters) - 1)
        is_open ^= bool(len(quotes) % 2)
        before = int(characters[-1])
    return Quoting(is_clean=not is_open, has_newlines_inside=newlines_inside, escapes=escapes), number


def _unescaped(
    characters: npt.NDArray[np.uint8], quotes: npt.NDArray[np.intp], carried: int
) -> tuple[npt.NDArray[np.intp], int]:
    """The quotes behind an even number of backslashes, and how many backslashes end the chunk.

    `carried` is the number of those that ended the chunk before.
    """
    others = np.flatnonzero(characters != _BACKSLASH)
    # The position of the last other character before each place; −1 − carried where the chunk has none.
    start = np.array([-1 - carried, *others[-1:]], dtype=np.intp) if len(others) else np.array([-1 - carried])
    at = np.searchsorted(others, quotes)
    last = np.where(at > 0, others[np.maximum(at - 1, 0)] if len(others) else 0, -1 - carried)
    return quotes[(quotes - 1 - last) % 2 == 0], int(len(characters) - 1 - start[-1])
