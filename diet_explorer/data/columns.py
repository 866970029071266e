"""Which column of a source plays which role."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from diet_explorer.errors import BadInputError, ReadingError

# Names in common use for each role, the most telling first.
_TEXT_NAMES = ("text", "sentence", "premise", "sentence1", "question1", "question", "content", "review", "document")
_TEXT_PAIR_NAMES = ("text_pair", "hypothesis", "sentence2", "question2", "text2", "response", "answer")
_LABEL_NAMES = ("label", "labels", "class", "target", "category", "sentiment", "gold_label", "y")
_ID_NAMES = ("id", "idx", "index", "uid", "guid", "example_id", "row_id")
_SPLIT_NAMES = ("split", "fold", "partition", "subset", "set")
_LONGEST_NAME = 80  # characters of a column's name that a message shows


@dataclass(frozen=True)
class ColumnMapping:
    """The columns of a source that hold text, label and, optionally, second text, id and split.

    A field inside the objects of a column is named by a dotted path, such as ``data.text``.
    """

    text: str
    label: str | None  # None where the label is what most of the `annotators` say
    text_pair: str | None = None
    id: str | None = None  # without one, rows get ids of the form row-0000001
    split: str | None = None  # says which rows train and which test; without one, every row trains
    skip_labels: tuple[str, ...] = ()  # labels that are none: rows with them are set aside
    # Columns of several people's labels, whom to believe first; a single one holds a list of them per row. They stay
    # further columns.
    annotators: tuple[str, ...] = ()
    skip_ties: bool = False  # set rows aside on which these people are tied, instead of believing the first

    @property
    def label_columns(self) -> tuple[str, ...]:
        """The columns that the label comes from."""
        return self.annotators if self.label is None else (self.label,)

    @property
    def label_title(self) -> str:
        """What the label comes from, as the beginning of a sentence."""
        if self.label is None:
            return f"The majority of {' and '.join(map(repr, self.annotators))}"
        return f"Column {self.label!r}"

    def __post_init__(self) -> None:
        for role, column in self.roles():
            if not isinstance(column, str):
                raise BadInputError(
                    f"The {role.replace('_', ' ')} is column {column!r}.", "Give the name of one column, as text."
                )

    def renamed(self, names: Mapping[str, str]) -> ColumnMapping:
        """The same roles with other names of the columns."""
        roles: dict[str, Any] = {role: names[column] for role, column in self.roles()}
        return replace(self, **roles, annotators=tuple(names[column] for column in self.annotators))

    def roles(self) -> Iterator[tuple[str, str]]:
        """Yield ``(role, column)`` for every mapped role, in a fixed order; people's columns have none."""
        for role in ("text", "text_pair", "label", "id", "split"):
            column = getattr(self, role)
            if column is not None:
                yield role, column

    def columns(self) -> Iterator[tuple[str, str]]:
        """Yield what each named column is for, and its name."""
        yield from self.roles()
        for column in self.annotators:
            yield "annotators", column

    def check(self, columns: Sequence[str]) -> None:
        """Raise BadInputError if nothing gives the label, or a column is not among the source's or has two roles."""
        if self.label is None and not self.annotators:
            raise BadInputError(
                "No column of the label is named.",
                "Name the column of the label, or the columns of several people's labels.",
            )
        if self.skip_ties and (self.label is not None or not self.annotators):
            raise BadInputError(
                "There are no ties to leave out: "
                + (f"the label is column {self.label!r}." if self.label else "no column of people's labels is named."),
                "Leave ties in, or import the label as the majority of several people's.",
            )
        seen: dict[str, str] = {}
        for role, column in self.columns():
            if column not in columns:
                raise _missing_column(role, column, columns)
            if seen.get(column) == role == "annotators":
                raise BadInputError(
                    f"Column {column!r} is named twice among those of people's labels.", "Name each of them once."
                )
            if column in seen:
                raise BadInputError(
                    f"Column {column!r} is mapped to both {seen[column]} and {role}.",
                    "Map each role to a column of its own.",
                )
            seen[column] = role


@dataclass(frozen=True)
class MappingGuess:
    """A proposal for a `ColumnMapping`; a role for which no column looks right is None."""

    text: str | None = None
    label: str | None = None
    text_pair: str | None = None
    id: str | None = None
    split: str | None = None


def guess_mapping(columns: Sequence[str], preview: pd.DataFrame) -> MappingGuess:
    """Propose a mapping from the names of the columns and, for text and label, from the first rows of the source."""
    free = list(columns)
    split = _take(free, _SPLIT_NAMES)
    label = _take(free, _LABEL_NAMES)
    text_pair = _take([name for name in free if _holds_texts(preview, name)], _TEXT_PAIR_NAMES)
    free = [name for name in free if name != text_pair]
    text = _take(free, _TEXT_NAMES)
    identifier = _take(free, _ID_NAMES)
    if text is None:
        text = _longest_text(free, preview)
        if text is not None:
            free.remove(text)
    if label is None:
        label = _fewest_values(free, preview)
    return MappingGuess(text=text, label=label, text_pair=text_pair, id=identifier, split=split)


def _take(free: list[str], names: Sequence[str]) -> str | None:
    """Remove and return the first free column whose lower-cased name is one of `names`, by the order of `names`."""
    for name in names:
        for column in free:
            if column.strip().lower() == name:
                free.remove(column)
                return column
    return None


def _holds_texts(preview: pd.DataFrame, column: str) -> bool:
    """Whether most values differ or are several words; the ``answer`` that an annotation tool writes is no text."""
    values = preview[column].dropna().astype(str)
    return values.nunique() * 3 >= len(values) or bool(values.str.contains(r"\S\s+\S").mean() > 0.5)


def _mean_length(preview: pd.DataFrame, column: str) -> float:
    return float(preview[column].dropna().astype(str).str.len().mean() or 0.0)


def _longest_text(free: Sequence[str], preview: pd.DataFrame) -> str | None:
    """Return the free column with the longest values, if they hold several words."""
    spoken = [c for c in free if preview[c].dropna().astype(str).str.contains(r"\S\s+\S").mean() > 0.5]
    return max(spoken, key=lambda column: _mean_length(preview, column), default=None)


def _fewest_values(free: Sequence[str], preview: pd.DataFrame) -> str | None:
    """Return the free column with the fewest distinct short values, if some value repeats."""
    candidates = {}
    for column in free:
        values = preview[column].dropna().astype(str)
        distinct = values.nunique()
        if 2 <= distinct <= len(values) / 2 and _mean_length(preview, column) <= 40:
            candidates[column] = distinct
    return min(candidates, key=lambda column: candidates[column], default=None)


def _missing_column(role: str, column: str, columns: Sequence[str]) -> BadInputError:
    by_folded = {name.strip().casefold(): name for name in columns}
    near = difflib.get_close_matches(column.strip().casefold(), by_folded, n=1, cutoff=0.6)
    hint = f"Did you mean {by_folded[near[0]]!r}? " if near else ""
    names = ", ".join(repr(_cut(name)) for name in columns[:30]) + (
        f" and {len(columns) - 30} more" if len(columns) > 30 else ""
    )
    message = f"There is no column {column!r} for the {role.replace('_', ' ')}."
    if len(columns) == 1 and column in columns[0]:
        return ReadingError(
            message,
            f"The only column is {names}: if these are several, name what separates their cells as the delimiter.",
            "delimiter",
        )
    return BadInputError(message, f"{hint}The columns are {names}.")


def _cut(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"
