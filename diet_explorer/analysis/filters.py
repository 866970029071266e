"""The one filter object: which examples a table, a count, a chart or a download is about."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from math import isfinite
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote, unquote

import numpy as np

from diet_explorer.analysis.conditions import AGAIN, Condition, between, one, scores_between, several, yes_no
from diet_explorer.analysis.region import Region
from diet_explorer.analysis.value_ranges import End, describe_end, end_of, split_ends
from diet_explorer.data.value_texts import as_name
from diet_explorer.errors import BadInputError
from diet_explorer.scoring import catalogue
from diet_explorer.scoring.dynamics import TRAJECTORIES, TRAJECTORY_RULE

if TYPE_CHECKING:
    from diet_explorer.analysis.matching import Mask, RankingColumns

TRAIN_ONLY = ("train",)
UNDECIDED = "undecided"


@dataclass(frozen=True)
class ScoreRange:
    """Keep examples whose score lies in [low, high]; None leaves an end open. In a link: ``name:low:high``."""

    name: str
    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        catalogue.score(self.name)
        _check_finite(self.low, self.high)

    def to_text(self) -> str:
        return _range_to_text(self.name, self.low, self.high)

    @classmethod
    def from_text(cls, text: str) -> Self:
        return cls(*_range_from_text("range", text))

    def describe(self) -> str:
        low, high = (None if end is None else f"{end:.3g}" for end in (self.low, self.high))
        return _describe_range(catalogue.score(self.name).title, low, high)


@dataclass(frozen=True)
class MetadataRange:
    """Keep examples whose further column of numbers, dates or times lies in [low, high]; None leaves an end open.

    Whole numbers are compared as such, however long they are. In a link: ``column:low:high``.
    """

    column: str
    low: End | None = None
    high: End | None = None

    def __post_init__(self) -> None:
        for name in ("low", "high"):
            object.__setattr__(self, name, _plain(getattr(self, name)))
        _check_finite(*(end for end in (self.low, self.high) if isinstance(end, float)))

    def to_text(self) -> str:
        ends = ("" if end is None else quote(describe_end(end), safe="+") for end in (self.low, self.high))
        return ":".join([quote(self.column, safe=""), *ends])

    @classmethod
    def from_text(cls, text: str) -> Self:
        column, colon, rest = text.partition(":")
        ends = split_ends(rest) if colon else None
        if ends is None:
            raise BadInputError(f"The filter's meta={text!r} is not of the form name:low:high.", AGAIN)
        low, high = (None if end == "" else end_of(unquote(end)) for end in ends)
        return cls(unquote(column), low, high)

    def describe(self) -> str:
        low, high = (None if end is None else describe_end(end) for end in (self.low, self.high))
        return _describe_range(self.column, low, high)


@dataclass(frozen=True)
class MetadataValue:
    """Keep examples whose further column has exactly this value, written as on the card, in an export, or in another
    usual way. In a link: ``column:value``."""

    column: str
    value: str

    def __post_init__(self) -> None:
        if not isinstance(self.value, str):
            value: Any = _plain(self.value)
            object.__setattr__(self, "value", str(value).lower() if isinstance(value, bool) else str(value))

    def to_text(self) -> str:
        return f"{quote(self.column, safe='')}:{quote(self.value, safe='')}"

    @classmethod
    def from_text(cls, text: str) -> Self:
        column, colon, value = text.partition(":")
        if not colon:
            raise BadInputError(f"The filter's value={text!r} is not of the form column:value.", AGAIN)
        return cls(unquote(column), unquote(value))

    def describe(self) -> str:
        return f"{self.column}: {self.value}"


@dataclass(frozen=True)
class LengthRange:
    """Keep examples with so many characters, both texts of a pair together; None leaves an end open. In a link:
    ``low:high``."""

    low: int | None = None
    high: int | None = None

    def to_text(self) -> str:
        return ":".join("" if end is None else str(end) for end in (self.low, self.high))

    @classmethod
    def from_text(cls, text: str) -> Self:
        low, colon, high = text.partition(":")
        if not colon or not all(end == "" or end.isdecimal() for end in (low, high)):
            raise BadInputError(
                f"The filter's length={text!r} is not of the form low:high.",
                "Give whole numbers of characters, such as 20:200, or remove it.",
            )
        return cls(int(low) if low else None, int(high) if high else None)

    def describe(self) -> str:
        least = "" if self.low is None else f"at least {self.low:,}"
        most = "" if self.high is None else f"at most {self.high:,}"
        return f"{' and '.join(filter(None, (least, most))) or 'any number of'} characters"


@dataclass(frozen=True)
class ShareRange:
    """Keep examples of whose people this share says another label than they have; None leaves an end open. In a link:
    ``low:high``, from 0 to 1."""

    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        _check_finite(self.low, self.high)
        if not all(end is None or 0 <= end <= 1 for end in (self.low, self.high)):
            raise BadInputError(
                f"The filter's disagreement={self.to_text()!r} is no range of shares.",
                "Give numbers from 0 to 1, such as 0.25: for a quarter and more, or remove it.",
            )

    def to_text(self) -> str:
        return ":".join("" if end is None else repr(float(end)) for end in (self.low, self.high))

    @classmethod
    def from_text(cls, text: str) -> Self:
        low, colon, high = text.partition(":")
        try:
            if not colon:
                raise ValueError
            return cls(*(float(end) if end.strip() else None for end in (low, high)))
        except ValueError:
            raise BadInputError(
                f"The filter's disagreement={text!r} is not of the form low:high.",
                "Give numbers from 0 to 1, such as 0.25: for a quarter and more, or remove it.",
            ) from None

    def describe(self) -> str:
        if self == EVERYBODY_AGREES:
            return "all annotators agree"
        if self == SOMEBODY_DISAGREES:
            return "some annotators disagree"
        low, high = (None if end is None else f"{100 * end:.3g} %" for end in (self.low, self.high))
        return _describe_range("annotators who disagree", low, high)


def _in_score_ranges(columns: RankingColumns, ranges: Sequence[ScoreRange]) -> Mask:
    masks = [scores_between(columns.score(entry.name), entry.low, entry.high) for entry in ranges]
    return np.asarray(np.logical_and.reduce(masks))


def _in_metadata_ranges(columns: RankingColumns, ranges: Sequence[MetadataRange]) -> Mask:
    masks = [columns.in_range(entry.column, entry.low, entry.high) for entry in ranges]
    return np.asarray(np.logical_and.reduce(masks))


def _check_decided(states: Sequence[str]) -> None:
    from diet_explorer.store.decisions import DECISION_STATES  # here, since the command line's help reads this file

    _check_words("state of a decision", states, DECISION_STATES)


@dataclass(frozen=True)
class ExampleFilter:
    """Which examples are meant; all conditions hold together. Its fields but the last are the table of conditions.

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
    note : str
        A text that a note on the example contains, in any case.
    noted : bool or None
        True: only examples that have a note; False: the others only; None: both.
    region : Region or None
        Examples inside a polygon on a map.
    length : LengthRange or None
    disagreement : ShareRange or None
        How many of the people whose labels the source has say another label than the example's.
    notes_of : str or None
        Whose notes `note` and `noted` mean; None is everybody's. It is no condition of its own, and in no link.
    """

    labels: tuple[str, ...] = several(
        "label",
        "Only this given label; repeat for more.",
        lambda columns, names: columns.of_classes("label", names),
        words="label: {}".format,
    )
    predicted: tuple[str, ...] = several(
        "predicted",
        "Only this predicted label; repeat for more.",
        lambda columns, names: columns.of_classes("predicted", names),
        words="predicted: {}".format,
    )
    disagree: bool | None = yes_no(
        "disagree",
        "Only given ≠ predicted, or only =.",
        lambda columns, wanted: columns.disagree() == wanted,
        flag="--disagree/--agree",
        words=lambda wanted: "given ≠ predicted" if wanted else "given = predicted",
    )
    splits: tuple[str, ...] = several(
        "split",
        'Only this split; repeat for more, or "" for all. Default: train.',
        lambda columns, names: columns.of_splits(names),
        words="split: {}".format,
        default=TRAIN_ONLY,
    )
    text: str = one(
        "q",
        'Search of the texts: words, "phrases", begin*, -without.',
        lambda columns, query: columns.of_search(query),
        flag="--query",
        metavar="TEXT",
        words="text: “{}”".format,
        default="",
    )
    ids: tuple[str, ...] = several(
        "id",
        "Only the example of this id; repeat for more.",
        lambda columns, ids: columns.of_ids(ids),
        words=lambda ids: f"id: {ids[0]}" if len(ids) == 1 else f"{len(ids):,} chosen ids",
        together=True,
    )
    scores: tuple[ScoreRange, ...] = several(
        "range",
        "Only this range; an end may be left out.",
        _in_score_ranges,
        metavar="SCORE:LOW:HIGH",
        kind=ScoreRange,
    )
    metadata: tuple[MetadataRange, ...] = several(
        "meta",
        "Only this range of a further column of numbers, dates or times.",
        _in_metadata_ranges,
        metavar="COLUMN:LOW:HIGH",
        kind=MetadataRange,
    )
    values: tuple[MetadataValue, ...] = several(
        "value",
        "Only this value of a further column; repeat for more.",
        lambda columns, pairs: columns.of_values([(pair.column, pair.value) for pair in pairs]),
        metavar="COLUMN:VALUE",
        kind=MetadataValue,
    )
    trajectories: tuple[str, ...] = several(
        "trajectory",
        f"Only this type: {', '.join(TRAJECTORIES)}. {TRAJECTORY_RULE}",
        lambda columns, kinds: columns.of_trajectories(kinds),
        metavar="TYPE",
        words=str,
        check=lambda kinds: _check_words("type of trajectory", kinds, TRAJECTORIES),
    )
    decided: tuple[str, ...] = several(
        "decided",
        "Only undecided, keep, relabel, exclude or unsure.",
        lambda columns, states: columns.of_decisions(states),
        metavar="STATE",
        words=lambda state: state if state == UNDECIDED else f"decided: {state}",
        check=_check_decided,
    )
    flagged: bool | None = yes_no(
        "flagged",
        "Only flagged examples.",
        lambda columns, wanted: columns.flagged() == wanted,
        flag="--flagged/--not-flagged",
        words=lambda wanted: "flagged" if wanted else "not flagged",
    )
    note: str = one(
        "note",
        "Only with a note that contains this.",
        lambda columns, text: columns.noted(text),
        metavar="TEXT",
        words="note: “{}”".format,
        default="",
    )
    noted: bool | None = yes_no(
        "noted",
        "Only with a note, or only without.",
        lambda columns, wanted: columns.noted() == wanted,
        flag="--noted/--not-noted",
        words=lambda wanted: "with a note" if wanted else "without a note",
    )
    region: Region | None = one(
        "region",
        "Only inside this polygon on a map, as in a link.",
        lambda columns, region: region.contains(*columns.map(region.map)),
        metavar="MAP:X,Y;X,Y;…",
        kind=Region,
    )
    length: LengthRange | None = one(
        "length",
        "Only so many characters; an end may be left out.",
        lambda columns, length: between(columns.lengths(), length.low, length.high),
        metavar="LOW:HIGH",
        kind=LengthRange,
    )
    disagreement: ShareRange | None = one(
        "disagreement",
        "Only this share, 0 to 1, of the people in the source who say another label; an end may be left out.",
        lambda columns, share: between(columns.disagreement(), share.low, share.high),
        metavar="LOW:HIGH",
        kind=ShareRange,
    )
    notes_of: str | None = None

    def __post_init__(self) -> None:
        for name, entry in CONDITIONS.items():
            given = _plain(getattr(self, name))
            object.__setattr__(self, name, given)
            if isinstance(entry.default, tuple) and not isinstance(given, tuple):  # one name, or a list of them
                alone = isinstance(given, str) or not isinstance(given, Iterable)
                given = (given,) if alone else tuple(given)
            if isinstance(entry.default, tuple):
                object.__setattr__(self, name, tuple(map(as_name, given)))
        for name, entry, value in self._asked():
            for part in value if isinstance(entry.default, tuple) else [value]:
                if entry.kind is not None and not isinstance(part, entry.kind):
                    kind = entry.kind.__name__
                    raise BadInputError(
                        f"The filter's {name} has {part!r}, which is no {kind}.",
                        f"Give a {kind}: from diet_explorer.analysis.filters import {kind}",
                    )
            if entry.check is not None:
                entry.check(value)

    def to_query(self) -> dict[str, list[str]]:
        """URL parameters that `from_query` turns back into an equal filter; defaults are left out."""
        return {
            entry.key: entry.write(value)
            for name, entry in CONDITIONS.items()
            if (value := getattr(self, name)) != entry.default
        }

    @classmethod
    def from_query(cls, query: Mapping[str, str | Sequence[str]]) -> ExampleFilter:
        """Read URL parameters; unknown keys are left alone, and BadInputError names a parameter that cannot be read."""
        values: dict[str, Any] = {}
        for name, entry in CONDITIONS.items():
            if entry.key in query:
                given = query[entry.key]
                values[name] = entry.read([given] if isinstance(given, str) else given)
        return cls(**values)

    def describe(self) -> list[tuple[str, ExampleFilter]]:
        """One entry per condition: its words, and the filter without it."""
        return [
            (words, replace(self, **{name: without}))
            for name, entry, value in self._asked()
            for words, without in entry.chips(value)
        ]

    def keeps(self, columns: RankingColumns) -> Mask:
        """Which examples all conditions keep."""
        columns = columns.with_notes_of(self.notes_of)
        masks = (entry.mask(columns, value) for _, entry, value in self._asked())
        mask = next(masks, np.ones(len(columns), dtype=bool))  # a mask is nobody else's
        for other in masks:
            mask &= other
        return mask

    def _asked(self) -> Iterator[tuple[str, Condition, Any]]:
        """The conditions that ask for something, with the name and the value of their field."""
        for name, entry in CONDITIONS.items():
            if (value := getattr(self, name)) not in (None, "", ()):
                yield name, entry, value


CONDITIONS: dict[str, Condition] = {
    entry.name: entry.metadata["condition"] for entry in fields(ExampleFilter) if "condition" in entry.metadata
}
"""Every condition by the name of the filter's field that holds its value."""


def _check_words(what: str, words: Sequence[str], known: Sequence[str]) -> None:
    for word in words:
        if word not in known:
            raise BadInputError(f"There is no {what} {word!r} to filter by.", f"Choose from: {', '.join(known)}.")


def _plain(value: Any) -> Any:
    """A number or boolean of numpy as Python's; anything else as it is."""
    return value.item() if isinstance(value, np.number | np.bool_) else value


def _check_finite(*ends: float | None) -> None:
    if not all(end is None or isfinite(end) for end in ends):
        raise BadInputError("A range in the filter is not a number.", "Give plain numbers such as 0.5.")


def _range_to_text(name: str, low: float | None, high: float | None) -> str:
    return ":".join([quote(name, safe=""), *("" if end is None else repr(float(end)) for end in (low, high))])


def _range_from_text(key: str, text: str) -> tuple[str, float | None, float | None]:
    try:
        name, low, high = text.split(":")
        return unquote(name), float(low) if low else None, float(high) if high else None
    except ValueError:
        raise BadInputError(f"The filter's {key}={text!r} is not of the form name:low:high.", AGAIN) from None


def _describe_range(title: str, low: str | None, high: str | None) -> str:
    if low is None and high is None:
        return f"{title}: any value"
    if high is None:
        return f"{title} ≥ {low}"
    if low is None:
        return f"{title} ≤ {high}"
    return f"{title} {low} to {high}"


EVERYBODY_AGREES = ShareRange(0.0, 0.0)
SOMEBODY_DISAGREES = ShareRange(0.001)
"""One of a thousand people is somebody."""
