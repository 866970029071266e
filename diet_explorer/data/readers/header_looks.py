"""Whether the first row of a table names its columns or is an example like those below it."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

_WORDS_OF_A_TEXT = 5
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]")
_NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?%?")
_DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([T ].*)?|\w{3} \w{3} \d{1,2} [\d:]+ .*|\d{1,2}:\d{2}(:\d{2})?")
# How often the name of a column is of each kind.
_OF_NAMES = {"empty": 0.06, "number": 0.01, "date": 0.005, "word": 0.7, "phrase": 0.2, "text": 0.025}
_SEEN_BY_CHANCE = {"number": 0.1}  # that a name is a value of its column
_SEEN = 0.01
_NO_HEADER = -1.0  # log odds that a file has none, before looking at it
_SURE, _DOUBTFUL = 3.0, -3.0
_KNOWN = 5.0  # log odds that such a name is one
_KNOWN_WORDS = """
    text texts sentence sentence1 sentence2 premise hypothesis question question1 question2 answer content review
    document body message comment tweet title description abstract headline utterance label labels class category
    target sentiment gold_label intent topic y v1 v2 id idx index uid guid example_id row_id key split fold
    partition subset date timestamp time user author source score rating name url lang language
"""
_KNOWN_NAMES = frozenset(_KNOWN_WORDS.split())


@dataclass(frozen=True)
class HeaderLooks:
    """What the first row of a table looks like."""

    log_odds: float  # that it is an example
    reason: str  # why it may be one, as the end of a sentence

    @property
    def is_data(self) -> bool:
        """Whether it is an example, by all appearances."""
        return self.log_odds > _SURE

    @property
    def is_doubtful(self) -> bool:
        """Whether it might be either."""
        return _DOUBTFUL < self.log_odds <= _SURE


def judge_first_row(first: Sequence[str], rows: Sequence[Sequence[str]]) -> HeaderLooks:
    """Weigh the first row of a table against some rows below it.

    Column by column, the kind of the first cell (number, word, text, …) is compared with the kinds of the cells below
    it, and its value with theirs: a class that comes again in the same column is no name. Both give a likelihood ratio,
    as in a naive Bayes classifier.
    """
    below = [row for row in rows if list(row) != list(first)]  # a header may be repeated between the rows
    if not below:
        return HeaderLooks(-math.inf, "")
    numbered = _numbered(first)
    odds, reasons = _NO_HEADER - (_KNOWN if numbered else 0.0), []
    for column, cell in enumerate(first):
        values = [row[column] if column < len(row) else "" for row in below]
        if column in numbered or not any(value.strip() for value in values):
            continue
        by_kind, by_value, times = _weigh(cell, values)
        odds += by_kind + by_value
        if by_value > 1.0:
            reasons.append(f"{cut_cell(cell)!r} stands in {times:,} of {len(below):,} rows below it too")
        elif by_kind > 1.0:
            reasons.append(f"{cut_cell(cell)!r} is a {_kind(cell)} like those below it")
    names = [cell.strip() for cell in first if cell.strip()]
    if len(set(names)) < len(names):
        odds += 3.0
        reasons.append("it has the same cell twice")
    return HeaderLooks(odds, " and ".join(reasons[:2]) or "it does not look like names")


def is_usual_name(cell: str) -> bool:
    """Whether columns of texts, labels and the like are often called so."""
    return cell.strip().lower() in _KNOWN_NAMES


def cut_cell(cell: str) -> str:
    """A cell as a message shows it."""
    return cell if len(cell) <= 40 else f"{cell[:39]}…"


def _weigh(cell: str, values: Sequence[str]) -> tuple[float, float, int]:
    """Log likelihood ratios by the kind and by the value of a column's first cell, and how often the value recurs."""
    kind, rows = _kind(cell), len(values)
    like = sum(_kind(value) == kind for value in values)
    by_kind = math.log((like + 0.5) / (rows + 1) / _OF_NAMES[kind])
    if kind == "empty":
        return min(by_kind, 0.0), 0.0, 0
    counts = Counter(values)
    repeated = sum(times for times in counts.values() if times > 1)
    seen = min(max((repeated + 0.5) / (rows + 1), 0.02), 0.98)
    by_chance = _SEEN_BY_CHANCE.get(kind, _SEEN)
    times = counts[cell]
    by_value = math.log(seen / by_chance) if times else math.log((1 - seen) / (1 - by_chance))
    if not times and is_usual_name(cell):
        by_value -= _KNOWN
    return by_kind, by_value, times


def _kind(cell: str) -> str:
    cell = cell.strip()
    if not cell:
        return "empty"
    if _NUMBER.fullmatch(cell):
        return "number"
    if _DATE.fullmatch(cell):
        return "date"
    words = len(cell.split()) + len(_UNSPACED.findall(cell))
    return "word" if words == 1 else "phrase" if words < _WORDS_OF_A_TEXT else "text"


def _numbered(first: Sequence[str]) -> set[int]:
    """Columns that are called by consecutive numbers, as pandas calls those without names."""
    numbers = {column: int(cell) for column, cell in enumerate(first) if re.fullmatch(r"\d{1,9}", cell.strip())}
    values = list(numbers.values())
    consecutive = bool(values) and values == list(range(values[0], values[0] + len(values)))
    named = sum(bool(cell.strip()) for cell in first)
    return set(numbers) if consecutive and (len(values) > 2 or len(values) == named > 1) else set()
