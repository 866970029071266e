"""The one filter object: which examples a table, a count, a chart or a download is about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from typing import TypeVar
from urllib.parse import quote, unquote

from diet_explorer.analysis.region import Region
from diet_explorer.errors import BadInputError
from diet_explorer.scoring import catalogue
from diet_explorer.scoring.dynamics import TRAJECTORIES
from diet_explorer.store.decisions import DECISION_STATES

__all__ = ["DECISION_STATES", "ExampleFilter", "LengthRange", "MetadataRange", "MetadataValue", "Region", "ScoreRange"]

T = TypeVar("T")
TRAIN_ONLY = ("train",)
_YES_NO = {"yes": True, "no": False}
_KEYS = (
    *("label", "predicted", "disagree", "split", "q", "id", "range", "meta", "value"),
    *("trajectory", "decided", "flagged", "region", "length"),
)


@dataclass(frozen=True)
class ScoreRange:
    """Keep examples whose score lies in [low, high]; None leaves an end open."""

    name: str
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class LengthRange:
    """Keep examples with so many characters, both texts of a pair together; None leaves an end open."""

    low: int | None = None
    high: int | None = None

    def describe(self) -> str:
        """The condition in words."""
        least = "" if self.low is None else f"at least {self.low:,}"
        most = "" if self.high is None else f"at most {self.high:,}"
        return f"{' and '.join(filter(None, (least, most))) or 'any number of'} characters"


@dataclass(frozen=True)
class MetadataRange:
    """Keep examples whose numeric metadata column lies in [low, high]; None leaves an end open."""

    column: str
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class MetadataValue:
    """Keep examples whose metadata column, read as text, is exactly `value`."""

    column: str
    value: str


@dataclass(frozen=True)
class ExampleFilter:
    """Which examples are meant; all conditions hold together.

    Attributes
    ----------
    labels, predicted : tuple of str
        Class names; any of them. Empty means every class.
    disagree : bool or None
        True: given ≠ predicted only; False: given = predicted only; None: both.
    splits : tuple of str
        Names of splits; empty means every split.
    text : str
        A search of the texts; see `analysis.search` for its language.
    ids : tuple of str
        Example ids; any of them. Empty means every example.
    scores : tuple of ScoreRange
    metadata : tuple of MetadataRange
    values : tuple of MetadataValue
        Several values of one column are alternatives.
    trajectories : tuple of str
        Types of trajectory, of `dynamics.TRAJECTORIES`; any of them. Empty means every type.
    decided : tuple of str
        States of `DECISION_STATES`; any of them. Empty means every state.
    flagged : bool or None
        True: flagged examples only; False: the others only; None: both.
    region : Region or None
        Examples inside a polygon on a map.
    length : LengthRange or None
    """

    labels: tuple[str, ...] = ()
    predicted: tuple[str, ...] = ()
    disagree: bool | None = None
    splits: tuple[str, ...] = TRAIN_ONLY
    text: str = ""
    ids: tuple[str, ...] = ()
    scores: tuple[ScoreRange, ...] = ()
    metadata: tuple[MetadataRange, ...] = ()
    values: tuple[MetadataValue, ...] = ()
    trajectories: tuple[str, ...] = ()
    decided: tuple[str, ...] = ()
    flagged: bool | None = None
    region: Region | None = None
    length: LengthRange | None = None

    def __post_init__(self) -> None:
        _check_words("type of trajectory", self.trajectories, TRAJECTORIES)
        _check_words("state of a decision", self.decided, DECISION_STATES)
        for entry in self.scores:
            catalogue.score(entry.name)
        ends = [(entry.low, entry.high) for entry in self.scores] + [(entry.low, entry.high) for entry in self.metadata]
        for limits in ends:
            if any(end is not None and not isfinite(end) for end in limits):
                raise BadInputError("A range in the filter is not a number.", "Give plain numbers such as 0.5.")

    def to_query(self) -> dict[str, list[str]]:
        """URL parameters that `from_query` turns back into an equal filter; defaults are left out."""
        query: dict[str, list[str]] = {
            "label": list(self.labels),
            "predicted": list(self.predicted),
            "disagree": _yes_no(self.disagree),
            "split": [] if self.splits == TRAIN_ONLY else list(self.splits) or [""],
            "q": [self.text] if self.text else [],
            "id": list(self.ids),
            "range": [_pack(entry.name, entry.low, entry.high) for entry in self.scores],
            "meta": [_pack(entry.column, entry.low, entry.high) for entry in self.metadata],
            "value": [f"{quote(entry.column, safe='')}:{quote(entry.value, safe='')}" for entry in self.values],
            "trajectory": list(self.trajectories),
            "decided": list(self.decided),
            "flagged": _yes_no(self.flagged),
            "region": [] if self.region is None else [self.region.to_text()],
            "length": [] if self.length is None else [_pack_length(self.length)],
        }
        return {key: values for key, values in query.items() if values}

    @classmethod
    def from_query(cls, query: Mapping[str, str | Sequence[str]]) -> ExampleFilter:
        """Read URL parameters; unknown keys are left alone.

        Raises
        ------
        BadInputError
            A parameter cannot be read; the message names it.
        """
        found = {key: _as_list(query[key]) for key in _KEYS if key in query}
        splits = found.get("split")
        return cls(
            labels=tuple(found.get("label", ())),
            predicted=tuple(found.get("predicted", ())),
            disagree=_read_yes_no("disagree", found.get("disagree")),
            splits=TRAIN_ONLY if splits is None else tuple(name for name in splits if name),
            text=_last(found.get("q")),
            ids=tuple(found.get("id", ())),
            scores=tuple(ScoreRange(*_unpack("range", text)) for text in found.get("range", ())),
            metadata=tuple(MetadataRange(*_unpack("meta", text)) for text in found.get("meta", ())),
            values=tuple(MetadataValue(*_split_pair(text)) for text in found.get("value", ())),
            trajectories=tuple(found.get("trajectory", ())),
            decided=tuple(found.get("decided", ())),
            flagged=_read_yes_no("flagged", found.get("flagged")),
            region=Region.from_text(_last(found["region"])) if found.get("region") else None,
            length=_unpack_length(_last(found["length"])) if found.get("length") else None,
        )

    def describe(self) -> list[tuple[str, ExampleFilter]]:
        """One entry per condition: its words, and the filter without it."""
        chips: list[tuple[str, ExampleFilter]] = []
        for name in self.labels:
            chips.append((f"label: {name}", replace(self, labels=_without(self.labels, name))))
        for name in self.predicted:
            chips.append((f"predicted: {name}", replace(self, predicted=_without(self.predicted, name))))
        if self.disagree is not None:
            words = "given ≠ predicted" if self.disagree else "given = predicted"
            chips.append((words, replace(self, disagree=None)))
        for name in self.splits:
            chips.append((f"split: {name}", replace(self, splits=_without(self.splits, name))))
        if self.text:
            chips.append((f"text: “{self.text}”", replace(self, text="")))
        if self.ids:
            chips.append((f"{len(self.ids):,} chosen examples", replace(self, ids=())))
        for entry in self.scores:
            words = _range_words(catalogue.score(entry.name).title, entry.low, entry.high)
            chips.append((words, replace(self, scores=_without(self.scores, entry))))
        for limits in self.metadata:
            words = _range_words(limits.column, limits.low, limits.high)
            chips.append((words, replace(self, metadata=_without(self.metadata, limits))))
        for pair in self.values:
            chips.append((f"{pair.column}: {pair.value}", replace(self, values=_without(self.values, pair))))
        for kind in self.trajectories:
            chips.append((kind, replace(self, trajectories=_without(self.trajectories, kind))))
        for state in self.decided:
            words = state if state == DECISION_STATES[0] else f"decided: {state}"
            chips.append((words, replace(self, decided=_without(self.decided, state))))
        if self.flagged is not None:
            chips.append(("flagged" if self.flagged else "not flagged", replace(self, flagged=None)))
        if self.region is not None:
            chips.append((self.region.describe(), replace(self, region=None)))
        if self.length is not None:
            chips.append((self.length.describe(), replace(self, length=None)))
        return chips


def _without(values: Iterable[T], gone: T) -> tuple[T, ...]:
    return tuple(value for value in values if value != gone)


def _as_list(value: str | Sequence[str]) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def _last(values: Sequence[str] | None) -> str:
    return values[-1] if values else ""


def _yes_no(value: bool | None) -> list[str]:
    return [] if value is None else ["yes" if value else "no"]


def _read_yes_no(key: str, values: Sequence[str] | None) -> bool | None:
    if not values:
        return None
    if values[-1] not in _YES_NO:
        raise BadInputError(
            f"The filter's {key}={values[-1]!r} is neither yes nor no.",
            "Correct or remove it, or choose the filter again.",
        )
    return _YES_NO[values[-1]]


def _check_words(what: str, words: Sequence[str], known: Sequence[str]) -> None:
    for word in words:
        if word not in known:
            raise BadInputError(f"There is no {what} {word!r} to filter by.", f"Choose from: {', '.join(known)}.")


def _pack(name: str, low: float | None, high: float | None) -> str:
    ends = ("" if end is None else repr(float(end)) for end in (low, high))
    return ":".join([quote(name, safe=""), *ends])


def _unpack(key: str, text: str) -> tuple[str, float | None, float | None]:
    try:
        name, low, high = text.split(":")
        return unquote(name), float(low) if low else None, float(high) if high else None
    except ValueError:
        raise BadInputError(
            f"The filter's {key}={text!r} is not of the form name:low:high.",
            "Correct or remove it, or choose the filter again.",
        ) from None


def _pack_length(length: LengthRange) -> str:
    return ":".join("" if end is None else str(end) for end in (length.low, length.high))


def _unpack_length(text: str) -> LengthRange:
    low, colon, high = text.partition(":")
    if not colon or not all(end == "" or end.isdecimal() for end in (low, high)):
        raise BadInputError(
            f"The filter's length={text!r} is not of the form low:high.",
            "Give whole numbers of characters, such as 20:200, or remove it.",
        )
    return LengthRange(int(low) if low else None, int(high) if high else None)


def _split_pair(text: str) -> tuple[str, str]:
    column, colon, value = text.partition(":")
    if not colon:
        raise BadInputError(
            f"The filter's value={text!r} is not of the form column:value.",
            "Correct or remove it, or choose the filter again.",
        )
    return unquote(column), unquote(value)


def _range_words(title: str, low: float | None, high: float | None) -> str:
    if low is None and high is None:
        return f"{title}: any value"
    if high is None:
        return f"{title} ≥ {low:.3g}"
    if low is None:
        return f"{title} ≤ {high:.3g}"
    return f"{title} {low:.3g} to {high:.3g}"
