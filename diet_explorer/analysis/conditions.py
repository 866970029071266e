"""Kinds of conditions: how one stands in a link and on the command line, shows as chips, and is applied to examples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, ParamSpec, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from diet_explorer.errors import BadInputError

if TYPE_CHECKING:
    from diet_explorer.analysis.matching import Mask, RankingColumns

AGAIN = "Correct or remove it, or choose the filter again."
_YES_NO = {"yes": True, "no": False}

P = ParamSpec("P")


class Value(Protocol):
    """A value that is more than a word: it has a form in links, and words for its chip."""

    def to_text(self) -> str: ...
    @classmethod
    def from_text(cls, text: str) -> Self: ...
    def describe(self) -> str: ...


@dataclass(frozen=True)
class Condition:
    """One thing that a filter can ask for, with one value."""

    flag_type: ClassVar[Any] = str | None

    key: str  # the URL parameter
    help: str  # on the command line
    mask: Callable[[RankingColumns, Any], Mask]  # the examples that a value keeps
    _: KW_ONLY
    kind: type[Value] | None = None  # what each text is read as; None where a text is the value
    words: Callable[[Any], str] | None = None  # what a chip says of a value; its own `describe` otherwise
    check: Callable[[Any], None] | None = None  # raises an error for a value that makes no sense
    default: Any = None
    flag: str | None = None  # on the command line; ``--<key>`` where none is given
    metavar: str | None = None

    def write(self, value: Any) -> list[str]:
        """A value as the texts of the URL parameter."""
        return [value.to_text() if self.kind else value]

    def read(self, texts: Sequence[str]) -> Any:
        """Read what `write` wrote, the last text where only one can hold; BadInputError where it cannot be read."""
        return self._read_one(texts[-1]) if texts else self.default

    def chips(self, value: Any) -> list[tuple[str, Any]]:
        """Words for each part of a value, and the value without it."""
        return [(self._describe(value), self.default)]

    def _read_one(self, text: str) -> Any:
        return self.kind.from_text(text) if self.kind else text

    def _describe(self, value: Any) -> str:
        return self.words(value) if self.words else str(value.describe())


@dataclass(frozen=True)
class YesNo(Condition):
    """A fact that holds or does not; None asks for neither."""

    flag_type: ClassVar[Any] = bool | None

    def write(self, value: Any) -> list[str]:
        return ["yes" if value else "no"]

    def _read_one(self, text: str) -> bool:
        if text not in _YES_NO:
            raise BadInputError(f"The filter's {self.key}={text!r} is neither yes nor no.", AGAIN)
        return _YES_NO[text]


@dataclass(frozen=True)
class Several(Condition):
    """A tuple of values; each has a chip of its own unless they are `together`. None of them stands as an empty text in
    the URL where that is not the default."""

    flag_type: ClassVar[Any] = list[str] | None

    _: KW_ONLY
    default: tuple[Any, ...] = ()
    together: bool = False

    def write(self, value: Any) -> list[str]:
        return [entry.to_text() if self.kind else entry for entry in value] or [""]

    def read(self, texts: Sequence[str]) -> Any:
        return tuple(self._read_one(text) for text in texts if text or not self.default)

    def chips(self, value: Any) -> list[tuple[str, Any]]:
        if self.together:
            return [(self._describe(value), ())]
        return [(self._describe(entry), tuple(other for other in value if other != entry)) for entry in value]


def _field_of(kind: Callable[P, Condition]) -> Callable[P, Any]:
    """Makes fields of a filter, each of which holds the value of one condition of a kind."""

    def filter_field(*arguments: P.args, **keywords: P.kwargs) -> Any:
        condition = kind(*arguments, **keywords)
        return field(default=condition.default, metadata={"condition": condition})

    return filter_field


one, yes_no, several = _field_of(Condition), _field_of(YesNo), _field_of(Several)


def between(values: NDArray[np.number], low: float | np.number | None, high: float | np.number | None) -> Mask:
    """Which values lie in [low, high]; every value does where both ends are open, NaN too."""
    mask = np.ones(len(values), dtype=bool)
    if low is not None:
        mask &= values >= low
    if high is not None:
        mask &= values <= high
    return mask


def scores_between(scores: NDArray[np.float32], low: float | None, high: float | None) -> Mask:
    """The same in the scores' precision; see `score_ends`."""
    return between(scores, *score_ends(low, high))


def score_ends(low: float | None, high: float | None) -> tuple[np.float32 | None, np.float32 | None]:
    """The ends of a range in the scores' precision: each goes to the next number inside it, none is rounded in."""
    least, most = (None if end is None else np.float32(end) for end in (low, high))
    if low is not None and least is not None and float(least) < low:
        least = np.nextafter(least, np.float32(np.inf))
    if high is not None and most is not None and float(most) > high:
        most = np.nextafter(most, np.float32(-np.inf))
    return least, most
