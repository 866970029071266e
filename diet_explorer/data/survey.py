"""One reading of a source: which rows can be used, and what must be known about the whole before any is written."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from diet_explorer.data.column_types import ColumnTyper, as_strings, check_storable, has_nul, plain
from diet_explorer.data.columns import ColumnMapping
from diet_explorer.data.content_hash import ColumnHash, hash_of
from diet_explorer.data.label_columns import INTEGER, LabelColumns, number_names
from diet_explorer.data.limits import current_limits
from diet_explorer.data.near_duplicates import DuplicateFinder, DuplicateGroups, pairs_of_equal
from diet_explorer.data.readers.source import Source
from diet_explorer.data.report import Notice
from diet_explorer.data.set_aside import BadRow, Reason
from diet_explorer.data.splits import TRAIN, split_role
from diet_explorer.data.verdicts import VerdictCounts
from diet_explorer.data.votes import Votes
from diet_explorer.data.words import split_words
from diet_explorer.errors import BadInputError
from diet_explorer.store.aside import AsideArray
from diet_explorer.store.files import explained

MAX_SPLITS = 100
REASONS = tuple(Reason)
Progress = Callable[[float, str], None]
_CODES = {reason: code for code, reason in enumerate(REASONS, start=1)}


@dataclass(frozen=True)
class Survey:
    """Facts from one reading; arrays have one entry per well-formed row."""

    lines: npt.NDArray[np.int64]  # line (or row) of the source on which the row begins
    problems: npt.NDArray[np.uint8]  # 0 for rows to keep, else 1 + the position in `REASONS`
    labels: npt.NDArray[np.int32]  # position in `classes`; −1 for rows set aside
    splits: npt.NDArray[np.int32]  # position in `split_names`; −1 where there is none
    words: npt.NDArray[np.int32]  # length of the text, both texts of a pair together
    characters: npt.NDArray[np.int32]  # likewise
    duplicates: DuplicateGroups
    classes: list[str]  # of the rows to keep, sorted
    split_names: list[str]
    label_type: str  # see `DatasetManifest`
    types: dict[str, pa.DataType]  # of every column in source order
    content_hash: str  # SHA-256 over columns, mapping and classes, in hexadecimal
    bad_rows: list[BadRow]  # that are not well-formed
    read_as: list[str]  # what was guessed or mended, in sentences
    doubts: list[Notice]  # about the labels
    votes: (
        Votes | None
    )  # several people's labels as positions in `label_names`; None where the source has one label per row
    # Share of the people whose label is not the row's, NaN where there are none; None likewise.
    disagreement: npt.NDArray[np.float64] | None
    label_codes: npt.NDArray[np.int32]  # the label of each row in the numbers of `votes`
    label_names: list[str]  # what these numbers mean
    tied: npt.NDArray[np.bool_]  # rows on which people are tied
    complete: bool  # whether the source was read to its end

    @property
    def kept(self) -> npt.NDArray[np.bool_]:
        """Rows to keep, (n,)."""
        kept: npt.NDArray[np.bool_] = self.problems == 0
        return kept


def survey(
    source: Source, mapping: ColumnMapping, *, limit: int | None = None, progress: Progress | None = None
) -> Survey:
    """Read a source once, from the first row to the last or to `limit`.

    Memory is bounded by a batch and about 80 bytes per row, and 8 for each of several people's labels. BadInputError if
    a mapped column is missing or of a type that cannot be used, or has far too many distinct labels or splits.
    """
    mapping.check(source.columns())
    with tempfile.TemporaryDirectory(prefix="diet-explorer-") as folder:
        surveyor = _Surveyor(source, mapping, DuplicateFinder(Path(folder)))
        complete = True
        for table, lines in source.batches():
            if limit is not None and surveyor.rows + table.num_rows > limit:
                table, lines = table.slice(0, limit - surveyor.rows), lines[: limit - surveyor.rows]
                complete = False
            with explained("write temporary files in", folder):
                surveyor.add(table, lines)
            if progress is not None:
                progress(source.fraction_read, f"Checked {surveyor.rows:,} rows")
            if not complete:
                break
        if progress is not None:
            progress(1.0, "Looking for duplicates")
        return surveyor.finish(complete)


class _Surveyor:
    """Takes in batches; see `survey`."""

    def __init__(self, source: Source, mapping: ColumnMapping, finder: DuplicateFinder) -> None:
        self.rows = 0
        self._source = source
        self._mapping = mapping
        self._finder = finder
        self._labels = LabelColumns(source, mapping)
        self._limits = current_limits()
        self._split_codes: dict[str, int] = {}
        self._types: dict[str, pa.DataType] = {}
        self._typers: dict[str, ColumnTyper] = {}
        self._hashes: dict[str, ColumnHash] = {}
        kinds = (np.int64, np.uint8, np.int32, np.uint64, np.int32, np.int32)
        self._facts = [AsideArray() for _ in kinds]  # lines, problems, splits, ids, words, characters
        self._take(*(np.empty(0, dtype=kind) for kind in kinds))
        self._verdicts = VerdictCounts([name for _, name in mapping.columns()])

    def add(self, table: pa.Table, lines: npt.NDArray[np.int64]) -> None:
        columns = {name: plain(table.column(name)) for name in table.column_names}
        problems = np.zeros(table.num_rows, dtype=np.uint8)
        self._limits.check_columns(len(columns), self._source.location)
        for name, column in columns.items():
            self._check_cells(name, column, lines)
            self._take_in(name, column)
            if pa.types.is_string(column.type) and has_nul(column):
                _mark(problems, pc.match_substring(column, "\0"), Reason.NUL_BYTE)
        words, characters = self._add_texts(columns, problems)
        labelled = self._labels.add(lambda name: self._column(columns, name, table.num_rows), lines, self._place)
        _mark(problems, ~labelled, Reason.EMPTY_LABEL)
        self._verdicts.add(columns, problems == 0)
        ids = np.zeros(table.num_rows, dtype=np.uint64)
        if self._mapping.id is not None:
            names = as_strings(self._column(columns, self._mapping.id, table.num_rows), self._mapping.id)
            _mark(problems, pc.equal(pc.fill_null(names, ""), ""), Reason.EMPTY_ID)
            ids = pd.util.hash_array(pc.fill_null(names, "").to_numpy(zero_copy_only=False), categorize=False)
        splits = self._encode_splits(columns, table.num_rows)
        _mark(problems, splits < 0, Reason.EMPTY_SPLIT)
        self._take(lines, problems, splits, ids, words, characters)
        self.rows += table.num_rows
        if self.rows > self._limits.rows:
            raise self._limits.error(
                "rows",
                f"{self._source.location} has more than {self._limits.rows:,} rows.",
                "Import a sample of them, or one split at a time.",
            )

    def _take(self, *facts: npt.NDArray[np.generic]) -> None:
        for column, part in zip(self._facts, facts, strict=True):
            column.add(part)

    def finish(self, complete: bool) -> Survey:
        lines, problems, splits, ids, words, characters = (column.array() for column in self._facts)
        labels_read = self._labels.read()
        codes = labels_read.codes
        for reason, here in labels_read.reasons:
            _mark(problems, here, reason)
        split_names = list(self._split_codes)
        if self._mapping.id is not None:
            named = np.flatnonzero(problems == 0).astype(np.int32)
            _mark_at(problems, pairs_of_equal(ids[named], named)[1], Reason.DUPLICATE_ID)
        if TRAIN in split_names:
            kept = problems == 0
            in_train = np.zeros(len(labels_read.names), dtype=bool)
            in_train[codes[kept & (splits == split_names.index(TRAIN))]] = True
            if in_train.any():
                _mark_at(problems, np.flatnonzero(kept & ~in_train[codes]), Reason.LABEL_NOT_IN_TRAIN)
        classes, labels = _final_labels(labels_read.names, codes, problems == 0)
        types = {name: self._final_type(name) for name in self._source.columns()}
        return Survey(
            lines=lines,
            problems=problems,
            labels=labels,
            splits=splits,
            words=words,
            characters=characters,
            duplicates=self._finder.groups(problems == 0),
            classes=classes,
            split_names=split_names,
            label_type=self._labels.label_type(classes),
            types=types,
            content_hash=self._content_hash(classes),
            bad_rows=list(self._source.bad_rows),
            read_as=[*self._source.read_as(), *labels_read.read_as],
            doubts=[*labels_read.doubts, *self._verdicts.notices()],
            votes=labels_read.votes,
            disagreement=labels_read.disagreement,
            label_codes=codes,
            label_names=labels_read.names,
            tied=labels_read.tied,
            complete=complete,
        )

    def _column(self, columns: dict[str, pa.Array], name: str, rows: int) -> pa.Array:
        """A mapped column; all null in batches before its first appearance in a JSON Lines file."""
        return columns[name] if name in columns else pa.nulls(rows, pa.string())

    def _check_cells(self, name: str, column: pa.Array, lines: npt.NDArray[np.int64]) -> None:
        """Refuse a cell that is too long, by its row and column."""
        if not (pa.types.is_string(column.type) or pa.types.is_binary(column.type)):
            return
        sizes = pc.binary_length(column)
        if (pc.max(sizes).as_py() or 0) > self._limits.cell_bytes:
            at = int(np.argmax(pc.fill_null(sizes, 0).to_numpy()))
            raise self._limits.long_cell(f"The cell of column {name!r} at {self._place(int(lines[at]))}")

    def _place(self, line: int) -> str:
        file, number = self._source.place(line)
        return f"line {number:,} of {file or self._source.location}"

    def _take_in(self, name: str, column: pa.Array) -> None:
        if name not in self._hashes:
            self._hashes[name] = ColumnHash()
            self._typers[name] = ColumnTyper()
            self._types[name] = column.type
            check_storable(name, column.type)
            self._hashes[name].add_nulls(self.rows)
        self._hashes[name].add(column)
        if not self._source.typed:
            self._typers[name].add(column)

    def _add_texts(
        self, columns: dict[str, pa.Array], problems: npt.NDArray[np.uint8]
    ) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
        sides = []
        characters = np.zeros(len(problems), dtype=np.int32)
        for name, reason in (
            (self._mapping.text, Reason.EMPTY_TEXT),
            (self._mapping.text_pair, Reason.EMPTY_TEXT_PAIR),
        ):
            if name is not None:
                texts = as_strings(self._column(columns, name, len(problems)), name)
                sides.append(split_words(texts))
                characters += pc.fill_null(pc.utf8_length(texts), 0).to_numpy()
                _mark(problems, sides[-1].counts == 0, reason)
        self._finder.add(*sides)
        return np.sum([side.counts for side in sides], axis=0).astype(np.int32), characters

    def _encode_splits(self, columns: dict[str, pa.Array], rows: int) -> npt.NDArray[np.int32]:
        if self._mapping.split is None:
            self._split_codes[TRAIN] = 0
            return np.zeros(rows, dtype=np.int32)
        names = as_strings(self._column(columns, self._mapping.split, rows), self._mapping.split)
        codes = number_names(pc.utf8_trim_whitespace(names), self._split_codes, split_role)
        if len(self._split_codes) > MAX_SPLITS:
            raise BadInputError(
                f"Column {self._mapping.split!r} has more than {MAX_SPLITS} different values, too many for splits.",
                "Map a column with names such as train and test, or none.",
            )
        return codes

    def _final_type(self, name: str) -> pa.DataType:
        if self._source.typed or name in self._source.quoted_columns or name not in self._typers:
            return self._types.get(name, pa.string())
        kind = self._typers[name].type
        is_mapped = name in (column for _, column in self._mapping.roles())
        return pa.string() if is_mapped and pa.types.is_floating(kind) else kind  # an id "1.50" is not 1.5

    def _content_hash(self, classes: list[str]) -> str:
        columns = [(name, self._hashes[name].hexdigest()) for name in self._source.columns() if name in self._hashes]
        facts = {"columns": columns, "roles": dict(self._mapping.roles()), "classes": classes}
        for name in ("annotators", "skip_ties"):  # only where they are, as older datasets were hashed
            facts |= {name: chosen} if (chosen := getattr(self._mapping, name)) else {}
        return hash_of({**facts, "skipped": self._mapping.skip_labels} if self._mapping.skip_labels else facts)


def _final_labels(
    names: list[str], codes: npt.NDArray[np.int32], kept: npt.NDArray[np.bool_]
) -> tuple[list[str], npt.NDArray[np.int32]]:
    """Sort the classes of the kept rows, and number the labels by them."""
    used = np.flatnonzero(np.bincount(codes[kept], minlength=len(names)))
    classes = sort_classes([names[code] for code in used])
    position = {name: index for index, name in enumerate(classes)}
    # The last entry serves code −1, rows without a label.
    final = np.array([*(position.get(name, -1) for name in names), -1], dtype=np.int32)
    return classes, np.where(kept, final[codes], -1).astype(np.int32)


def sort_classes(names: list[str]) -> list[str]:
    """Sort class names: numerically if all are whole numbers, else by code point."""
    if names and all(INTEGER.fullmatch(name) for name in names):
        return sorted(names, key=lambda name: (Decimal(name), name))  # an int of many digits is an error
    return sorted(names)


def _mark(problems: npt.NDArray[np.uint8], where: pa.Array | npt.NDArray[np.bool_], reason: Reason) -> None:
    """Note a reason for rows that have none yet."""
    mask = where if isinstance(where, np.ndarray) else pc.fill_null(where, False).to_numpy(zero_copy_only=False)
    _mark_at(problems, np.flatnonzero(mask & (problems == 0)), reason)


def _mark_at(problems: npt.NDArray[np.uint8], rows: npt.NDArray[np.integer], reason: Reason) -> None:
    problems[rows] = _CODES[reason]
