"""The labels of a source, from one column or from those of several people, as one set of classes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from diet_explorer.data.column_types import ColumnTyper, as_strings
from diet_explorer.data.columns import ColumnMapping
from diet_explorer.data.labels import LabelReading, is_object, list_entries, read_labels, same_numbers
from diet_explorer.data.limits import current_limits
from diet_explorer.data.readers.source import Source
from diet_explorer.data.report import Notice
from diet_explorer.data.set_aside import Reason, cut
from diet_explorer.data.votes import Votes, disagreement, majority
from diet_explorer.errors import BadInputError
from diet_explorer.store.aside import AsideArray

JSON_KINDS = ("json", "jsonl")
INTEGER = re.compile(r"[+-]?\d+")
_SOME = 5
_LARGEST_WHOLE = 1e15


@dataclass(frozen=True)
class ReadLabels:
    """The label of each row, read from a whole source; n rows."""

    names: list[str]  # of classes, as they were met
    codes: npt.NDArray[np.int32]  # (n,) position in `names`; −1 for none
    reasons: list[tuple[Reason, npt.NDArray[np.bool_]]]  # why rows have no label that counts, (n,) each
    votes: Votes | None  # by `names`; None where the source has one person's labels
    tied: npt.NDArray[np.bool_]  # (n,) rows on which people are tied, so that the first of them decided
    disagreement: npt.NDArray[np.float64] | None  # see `votes.disagreement`; None likewise
    read_as: list[str]
    doubts: list[Notice]


class LabelColumns:
    """Takes in the columns of the label and of several people's labels, batch by batch.

    Labels are numbered alike in all columns, so that they are read by the same rules and compared as classes.
    """

    def __init__(self, source: Source, mapping: ColumnMapping) -> None:
        self._source = source
        self._mapping = mapping
        self._limits = current_limits()
        self._numbers: dict[str, int] = {}  # of labels as they are given
        names = [*([] if mapping.label is None else [mapping.label]), *mapping.annotators]
        self._columns = {name: _LabelColumn(source, name) for name in names}
        self._given = AsideArray()
        self._given.add(np.empty(0, dtype=np.int32))
        self._votes: list[Votes] = []
        self._has_lists_of_votes = False

    def add(
        self, column: Callable[[str], pa.Array], lines: npt.NDArray[np.int64], place: Callable[[int], str]
    ) -> npt.NDArray[np.bool_]:
        """Take in a batch; `column` gives one of its columns, `place` says where a line is.

        Returns the rows that have something for a label, (n,).
        """
        labelled = np.zeros(len(lines), dtype=bool)
        mapping = self._mapping
        if mapping.label is not None:
            given = self._numbered(mapping.label, column(mapping.label), lines, place)
            self._given.add(given)
            labelled = given >= 0
        if mapping.annotators:
            if len(mapping.annotators) == 1:
                (name,) = mapping.annotators
                votes = self._votes_of_lists(name, column(name), lines, place)
            else:
                votes = Votes.of_people(
                    [self._numbered(name, column(name), lines, place) for name in mapping.annotators]
                )
            self._votes.append(votes)
            if mapping.label is None:
                labelled = votes.counts > 0
        return labelled

    def read(self) -> ReadLabels:
        """Say which class each row has."""
        reading = self._reading()
        codes_of = np.array([*reading.codes, -1], dtype=np.int32)  # the last entry serves −1, rows without a label
        votes = None
        if self._mapping.annotators:
            given_votes = Votes.joined(self._votes)
            votes = given_votes.with_codes(codes_of[given_votes.codes])
        if self._mapping.label is None and votes is not None:
            codes, tied = majority(votes, len(reading.names))
            examples = votes.examples
            reasons = [
                (reason, (codes < 0) & _any_of(examples, here[given_votes.codes], len(codes)))
                for reason, here in _by_reason(reading)
            ]
            if self._mapping.skip_ties:
                reasons.append((Reason.TIED_LABELS, tied))
        else:
            given = self._given.array()
            codes, tied = codes_of[given], np.zeros(len(given), dtype=bool)
            reasons = [(reason, here[given]) for reason, here in _by_reason(reading)]
        return ReadLabels(
            names=reading.names,
            codes=codes,
            reasons=reasons,
            votes=votes,
            tied=tied,
            disagreement=None if votes is None else disagreement(votes, codes),
            read_as=[*self._about_described(), *reading.read_as],
            doubts=[*reading.doubts, *self._about_several(reading, reasons)],
        )

    def label_type(self, classes: list[str]) -> str:
        """What the labels are in the source; see `DatasetManifest`."""
        own = [self._columns[name] for name in self._mapping.label_columns]
        if all(column.class_names is not None for column in own):
            return "class label"
        kinds = [column.type for column in own]
        if not self._source.typed and not any(column.name in self._source.quoted_columns for column in own):
            typer = ColumnTyper()
            typer.add(pa.array(classes, pa.string()))
            kinds = [typer.type]
        if all(map(pa.types.is_integer, kinds)):
            return "integer"
        if same_numbers(classes):
            return "string"  # as numbers they would be one class
        if all(pa.types.is_integer(kind) or pa.types.is_floating(kind) for kind in kinds):
            return "integer" if all(map(INTEGER.fullmatch, classes)) else "number"
        return "boolean" if all(map(pa.types.is_boolean, kinds)) else "string"

    def _numbered(
        self, name: str, column: pa.Array, lines: npt.NDArray[np.int64], place: Callable[[int], str]
    ) -> npt.NDArray[np.int32]:
        """The number of each row's label, −1 for none."""
        texts = self._columns[name].texts(column)
        self._check_lengths(name, texts, lines, place)
        numbers = number_names(texts, self._numbers, str)
        self._check_classes(name)
        return numbers

    def _votes_of_lists(
        self, name: str, column: pa.Array, lines: npt.NDArray[np.int64], place: Callable[[int], str]
    ) -> Votes:
        """Votes from a column that holds a list of labels per row; a label alone is one vote."""
        encoded = self._columns[name].texts(column).dictionary_encode()
        numbers: list[list[int]] = []
        for text in encoded.dictionary.to_pylist():
            entries = list_entries(text)
            self._has_lists_of_votes |= entries is not None
            given = [text] if entries is None else entries
            numbers.append([self._number(entry) if entry else -1 for entry in given])
        which = pc.fill_null(encoded.indices, len(numbers)).to_numpy()
        per_row = [*numbers, []]
        rows = [per_row[position] for position in which.tolist()]
        lengths = np.array([len(row) for row in rows], dtype=np.int64)
        codes = np.fromiter((code for row in rows for code in row), dtype=np.int32, count=int(lengths.sum()))
        examples = np.repeat(np.arange(len(rows)), lengths)
        people = np.arange(len(codes)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        there = codes >= 0
        if there.any():
            longest = max(self._numbers, key=len)
            at = int(examples[there][np.argmax(codes[there] == self._numbers[longest])])
            self._check_length(name, len(longest), int(lines[at]), place)
        self._check_classes(name)
        counts = np.bincount(examples[there], minlength=len(rows)).astype(np.int32)
        return Votes(counts, people[there].astype(np.int32), codes[there])

    def _number(self, label: str) -> int:
        return self._numbers.setdefault(label, len(self._numbers))

    def _check_lengths(
        self, name: str, texts: pa.StringArray, lines: npt.NDArray[np.int64], place: Callable[[int], str]
    ) -> None:
        sizes = pc.utf8_length(texts)
        longest = pc.max(sizes).as_py() or 0
        if longest > self._limits.class_characters:
            at = int(np.argmax(pc.fill_null(sizes, 0).to_numpy()))
            self._check_length(name, longest, int(lines[at]), place)

    def _check_length(self, name: str, characters: int, line: int, place: Callable[[int], str]) -> None:
        if characters > self._limits.class_characters:
            raise self._limits.error(
                "class_characters",
                f"The label in column {name!r} at {place(line)} has {characters:,} "
                f"characters; a class's name has {self._limits.class_characters:,} at most.",
                "Map the column with the class names.",
            )

    def _check_classes(self, name: str) -> None:
        if len(self._numbers) > self._limits.classes:
            raise self._limits.error(
                "classes",
                f"Column {name!r} has more than {self._limits.classes:,} different labels.",
                "Map a column with one class name per row.",
            )

    def _reading(self) -> LabelReading:
        given = list(self._numbers)
        objects = [label for label in given if is_object(label)]
        if objects and len(objects) == len(given):
            name = next(iter(self._columns))
            raise BadInputError(
                f"Column {name!r} holds objects such as {cut(objects[0])}, not labels.",
                "Map a column with one class name per row.",
            )
        if len(self._mapping.annotators) == 1 and given and not self._has_lists_of_votes:
            raise BadInputError(
                f"Column {self._mapping.annotators[0]!r} holds one label per row, not a list of several people's.",
                "Name at least two columns of people's labels, or one that holds lists; a single person's column is "
                "the label.",
            )
        has_lists = any(column.is_list for column in self._columns.values())
        return read_labels(given, self._mapping.skip_labels, has_lists=has_lists)

    def _about_described(self) -> list[str]:
        sentences = []
        for column in self._columns.values():
            if column.described is not None:
                some = ", ".join(column.described[:_SOME]) + (", …" if len(column.described) > _SOME else "")
                sentences.append(f"The numbers in column {column.name!r} are the classes that README.md names: {some}.")
        return sentences

    def _about_several(
        self, reading: LabelReading, reasons: list[tuple[Reason, npt.NDArray[np.bool_]]]
    ) -> list[Notice]:
        if Reason.SEVERAL_LABELS not in reading.reasons:
            return []
        is_of_rows = any(reason is Reason.SEVERAL_LABELS and bool(here.any()) for reason, here in reasons)
        if self._mapping.label is None or not is_of_rows:
            return [
                Notice(
                    "Some people gave a row several labels (multi-label), which no score here is made for; these do "
                    "not count.",
                    "Keep one label per person and row.",
                )
            ]
        return [
            Notice(
                "Some rows have several labels (multi-label), which no score here is made for; they are set aside.",
                "Keep one label per row, or import each label as a data set of its own. If several people gave them, "
                "name the column as theirs instead of as the label.",
            )
        ]


class _LabelColumn:
    """One column of labels as texts, codes by the names of their classes."""

    def __init__(self, source: Source, name: str) -> None:
        self.name = name
        self.is_list = source.kind in JSON_KINDS
        self.type: pa.DataType = pa.string()
        own = source.class_names(name)
        self.described = source.described_classes.get(name) if own is None else None
        self.class_names = own or self.described
        self._typed = source.typed

    def texts(self, column: pa.Array) -> pa.StringArray:
        """Labels as strings without blanks around them; lists as JSON, with the names of their classes."""
        if self.class_names is not None and pa.types.is_integer(column.type):
            known = pc.and_(pc.greater_equal(column, 0), pc.less(column, len(self.class_names)))
            column = pa.array(self.class_names).take(pc.if_else(known, column, pa.scalar(None, column.type)))
        elif self.described is not None and not self._typed:
            column = _named_by_code(column, self.described)
        else:
            self.type = column.type
        return pc.utf8_trim_whitespace(self._written(column))

    def _written(self, column: pa.Array) -> pa.StringArray:
        kind = column.type
        if not (pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)):
            return as_strings(column, self.name)
        self.is_list = True
        names = self.class_names
        written = [None if entries is None else _written_list(entries, names) for entries in column.to_pylist()]
        return pa.array(written, pa.string())


def number_names(names: pa.StringArray, numbers: dict[str, int], rename: Callable[[str], str]) -> npt.NDArray[np.int32]:
    """Number names by `numbers`, which grows by those that are new; −1 for nulls and empty names."""
    encoded = names.dictionary_encode()
    known = [numbers.setdefault(rename(name), len(numbers)) if name else -1 for name in encoded.dictionary.to_pylist()]
    numbered: npt.NDArray[np.int32] = np.array([*known, -1], dtype=np.int32)[
        pc.fill_null(encoded.indices, len(known)).to_numpy()
    ]
    return numbered


def _by_reason(reading: LabelReading) -> list[tuple[Reason, npt.NDArray[np.bool_]]]:
    """Why labels do not count: which of those that were given, and (False) of −1."""
    return [
        (reason, np.array([*(other is reason for other in reading.reasons), False]))
        for reason in dict.fromkeys(filter(None, reading.reasons))
    ]


def _any_of(examples: npt.NDArray[np.int64], holds: npt.NDArray[np.bool_], count: int) -> npt.NDArray[np.bool_]:
    mask = np.zeros(count, dtype=bool)
    mask[examples[holds]] = True
    return mask


def _named_by_code(column: pa.Array, names: list[str]) -> pa.Array:
    """Replace codes of classes, written as texts, by their names, also in lists; what is a name already stays.

    A code without a class is null, as in columns of numbers.
    """
    by_code = {str(code): name for code, name in enumerate(names)}

    def named(text: str) -> str | None:
        return text if text in names or not INTEGER.fullmatch(text) else by_code.get(text)

    def written(text: str) -> str | None:
        entries = list_entries(text)
        if entries is None:
            return named(text)
        return json.dumps([named(entry) if entry else None for entry in entries], ensure_ascii=False)

    distinct = column.dictionary_encode()
    texts = [text and written(text.strip()) for text in distinct.dictionary.to_pylist()]
    return pa.array(texts, pa.string()).take(distinct.indices)


def _written_list(entries: list[Any], names: list[str] | None) -> str:
    """A list as JSON; whole numbers without a fraction, as in columns of numbers."""
    if names is not None:
        entries = [names[entry] if type(entry) is int and 0 <= entry < len(names) else None for entry in entries]
    entries = [
        int(entry) if isinstance(entry, float) and entry.is_integer() and abs(entry) < _LARGEST_WHOLE else entry
        for entry in entries
    ]
    return json.dumps(entries, ensure_ascii=False, default=str)
