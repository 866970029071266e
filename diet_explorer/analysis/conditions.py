"""Kinds of conditions: how one stands in a link and on the command line, shows as chips, and is applied to examples."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, ClassVar, Literal, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from diet_explorer.analysis.region import MapName
from diet_explorer.errors import BadInputError

Mask = NDArray[np.bool_]
AGAIN = "Correct or remove it, or choose the filter again."
_YES_NO = {"yes": True, "no": False}


class Columns(Protocol):
    """What conditions ask of N examples; `matching.RankingColumns` answers."""

    def of_classes(self, column: Literal["label", "predicted"], names: Sequence[str]) -> Mask: ...
    def of_splits(self, names: Sequence[str]) -> Mask: ...
    def of_ids(self, ids: Sequence[str]) -> Mask: ...
    def of_search(self, query: str) -> Mask: ...
    def of_values(self, values: Sequence[tuple[str, str]]) -> Mask: ...
    def of_trajectories(self, kinds: Sequence[str]) -> Mask: ...
    def of_decisions(self, states: Sequence[str]) -> Mask: ...
    def disagree(self) -> Mask: ...
    def flagged(self) -> Mask: ...
    def score(self, name: str) -> NDArray[np.float32]: ...
    def numbers(self, column: str) -> NDArray[np.float64]: ...
    def lengths(self) -> NDArray[np.int32]: ...
    def map(self, name: MapName) -> tuple[NDArray[np.float32], NDArray[np.float32]]: ...


class Value(Protocol):
    """A value that is more than a word: it has a form in links, and words for its chip."""

    def to_text(self) -> str: ...
    @classmethod
    def from_text(cls, text: str) -> Self: ...
    def describe(self) -> str: ...


@dataclass(frozen=True)
class Condition:
    """One thing that a filter can ask for.

    Attributes
    ----------
    key : str
        The URL parameter.
    help : str
        On the command line.
    masks : callable
        Masks of the examples that a value keeps, all of which must hold.
    flag, metavar : str or None
        On the command line; the flag is ``--<key>`` unless another is given.
    kind : type or None
        The `Value` that each text is read as; None where a text is the value.
    words : callable or None
        What a chip says of a value; its own `describe` otherwise.
    check : callable or None
        Raises an error for a value that makes no sense.
    default : object
        The value where nothing is asked for.
    """

    flag_type: ClassVar[Any] = str | None

    key: str
    help: str
    masks: Callable[[Columns, Any], Iterable[Mask]]
    _: KW_ONLY
    flag: str | None = None
    metavar: str | None = None
    kind: type[Value] | None = None
    words: Callable[[Any], str] | None = None
    check: Callable[[Any], None] | None = None
    default: Any = None

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


def condition(entry: Condition) -> Any:
    """The field of a filter that holds the condition's value."""
    return field(default=entry.default, metadata={"condition": entry})


def within(values: NDArray[np.floating], low: float | None, high: float | None) -> Iterable[Mask]:
    """Compared in the values' precision, where an end goes to the next number inside the range: none is rounded in."""
    kind = values.dtype.type
    if low is not None:
        least = kind(low)
        yield np.asarray(values >= (least if float(least) >= low else np.nextafter(least, kind(np.inf))))
    if high is not None:
        most = kind(high)
        yield np.asarray(values <= (most if float(most) <= high else np.nextafter(most, kind(-np.inf))))
