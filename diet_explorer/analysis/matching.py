"""Which rows a filter keeps: one bit per example, from columns that lie ready in memory-mapped files.

A million rows take about a millisecond a condition, which no query over packed columns comes near.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Literal, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from diet_explorer.analysis.region import MAP_TITLES, MapName
from diet_explorer.analysis.value_ranges import End, in_range
from diet_explorer.data.example_order import ExampleOrder, read_example_order
from diet_explorer.data.example_rows import ExampleRows
from diet_explorer.data.examples import further_column
from diet_explorer.data.manifest import DatasetManifest
from diet_explorer.data.value_texts import matches
from diet_explorer.errors import BadInputError, NotFoundError
from diet_explorer.review.decisions import Ledger
from diet_explorer.scoring import catalogue
from diet_explorer.scoring.dynamics import TRAJECTORIES
from diet_explorer.scoring.rank_order import RankOrder
from diet_explorer.store.decisions import DECISION_STATES
from diet_explorer.store.embeddings import EmbeddingFiles, Representation
from diet_explorer.store.ranking_files import RankingFile
from diet_explorer.store.scores import ScoreFiles

T = TypeVar("T", bound=np.generic)
Mask = NDArray[np.bool_]
Search = Callable[[str], Mask]

_FEW_CODES = 6
_MAP_FILES: dict[MapName, Representation] = {"embedding-initial": "initial", "embedding-tuned": "tuned"}


class RankingColumns:
    """Columns of one ranking, and of what else is known of its N examples, as arrays in their order.

    A ranking may have only a part of the dataset's examples, as an imported one of the training split has; so an
    example's position here is not its row. `search` says of each of the dataset's rows whether a search of the texts
    matches it, in an array of the caller's own.
    """

    def __init__(
        self,
        store: ScoreFiles,
        manifest: DatasetManifest,
        ranking: RankingFile,
        search: Search | None,
        decisions: Ledger | None,
    ) -> None:
        self._store = store
        self._manifest = manifest
        self._ranking = ranking
        self._search = search
        self._decisions = decisions
        self._notes_of: str | None = None
        self.dataset = ExampleRows(store.files, manifest)

    def __len__(self) -> int:
        return len(self._ranking)

    def with_notes_of(self, annotator: str | None) -> RankingColumns:
        """The same with the notes of one person alone; None for everybody's."""
        if annotator == self._notes_of:
            return self
        other = copy.copy(self)
        other._notes_of = annotator
        return other

    @property
    def examples(self) -> NDArray[np.int32]:
        """The row of each example in the dataset, ascending."""
        return self._ranking.rows

    def at(self, name: str, positions: NDArray[np.integer]) -> NDArray[np.generic]:
        """A column of the ranking, such as ``row``, at some positions."""
        return self._ranking.at(name, positions)

    def position(self, row: int) -> int | None:
        """Where the example of a row stands here; None where the ranking does not have it."""
        return self._ranking.position(row)

    @property
    def pair(self) -> list[str]:
        """``["text_pair"]`` where the examples are pairs of texts."""
        return ["text_pair"] if self._manifest.mapping.text_pair else []

    @property
    def score_names(self) -> list[str]:
        """Scores that there are, in the catalogue's order."""
        return self._ranking.scores

    def __contains__(self, name: str) -> bool:
        return name in self._ranking

    def __getitem__(self, name: str) -> NDArray[np.generic]:
        """A column of the ranking."""
        return self._ranking.column(name)

    def score(self, name: str) -> NDArray[np.float32]:
        """A score; NotFoundError says why it is not there."""
        self._check(name)
        return np.asarray(self[name], dtype=np.float32)

    def ranks(self, name: str) -> NDArray[np.int32]:
        """Ranks by a score, from 1 on within each split; 1 is the most suspicious. NotFoundError as from `score`."""
        return self.ranked(name).ranks()

    def ranks_at(self, name: str, positions: NDArray[np.integer]) -> NDArray[np.int32]:
        """The same at some positions, for which no other ranks are looked up."""
        return self.ranked(name).ranks_at(positions, self.order.splits[positions])

    def values_at(self, name: str, positions: NDArray[np.integer]) -> NDArray[np.float32]:
        """A score at some positions."""
        return np.asarray(self._ranking.at(name, positions), dtype=np.float32)

    def ranked(self, name: str) -> RankOrder:
        """The order by a score; NotFoundError as from `score`."""
        self._check(name)
        return RankOrder.of(self._ranking, name, self.order)

    def _check(self, name: str) -> None:
        entry = catalogue.score(name)
        if name in self:
            return
        if entry.span == "training" and not any(other in self for other in catalogue.TRAINING_NAMES):
            raise NotFoundError(
                f"There is no {entry.title} before training.", "Choose a checkpoint after training has begun."
            )
        raise NotFoundError(f"This run did not record {entry.title}.", f"It recorded: {', '.join(self.score_names)}.")

    def deviations(self, name: str, positions: NDArray[np.integer]) -> NDArray[np.float32]:
        """Standard deviation of a score over the seeds at some positions."""
        return self._ranking.deviations(name, positions)

    def coordinate(self, name: str) -> NDArray[np.float32]:
        """What points are drawn by: a score, or ``<map>.x`` and ``<map>.y`` of an embedding map."""
        map_name, dot, axis = name.rpartition(".")
        for known in _MAP_FILES:
            if dot and map_name == known and axis in ("x", "y"):
                return self.map(known)[axis == "y"]
        return self.score(name)

    @cached_property
    def order(self) -> ExampleOrder:
        """Splits of the examples, and their positions in id order."""
        order = read_example_order(self._store.files, self._manifest.id)
        return order if len(self) == len(order) else order.part(self.examples)

    def decisions_at(self, rows: NDArray[np.integer]) -> tuple[NDArray[np.int8], Mask]:
        """The position among `DECISION_STATES` of some rows of the dataset, and whether they are flagged; costs nothing
        for all the others."""
        states, flagged = np.zeros(len(rows), dtype=np.int8), np.zeros(len(rows), dtype=bool)
        table = self._decisions.table_of(rows) if self._decisions is not None else None
        if table is not None and len(table):
            decided = table["row"].to_numpy()
            at = np.minimum(np.searchsorted(decided, rows), len(decided) - 1)
            there = np.flatnonzero(decided[at] == rows)
            chosen = table.take(pa.array(at[there]))
            codes = pc.index_in(chosen["state"], pa.array(DECISION_STATES, pa.string())).fill_null(0)
            states[there], flagged[there] = codes.to_numpy(), chosen["flagged"].fill_null(False).to_numpy()
        return states, flagged

    def percentiles(self, name: str) -> NDArray[np.float32]:
        """The share, in percent, of each example's split that is less suspicious by a score."""
        codes = self.order.splits
        totals = np.bincount(codes).astype(np.float32)
        return np.asarray(100 * (1 - self.ranks(name) / totals[codes]), dtype=np.float32)

    def of_classes(self, column: Literal["label", "predicted"], names: Sequence[str]) -> Mask:
        """Which have one of these classes as given or predicted label."""
        wanted = {self.class_code(name) for name in names}
        return _any_of(self[column], [code in wanted for code in range(len(self._manifest.classes))])

    def of_splits(self, names: Sequence[str]) -> Mask:
        """Which are of one of these splits."""
        return _any_of(self.order.splits, [name in names for name in self.order.split_names])

    def of_trajectories(self, kinds: Sequence[str]) -> Mask:
        """Which have one of these types of trajectory."""
        if "trajectory" not in self:
            raise NotFoundError(
                "There are no types of trajectory before training.", "Choose a checkpoint after training has begun."
            )
        return _any_of(self["trajectory"], [kind in kinds for kind in TRAJECTORIES])

    def of_decisions(self, states: Sequence[str]) -> Mask:
        """Which are in one of these states."""
        mask = np.full(self._manifest.rows, DECISION_STATES[0] in states)
        if self._decisions is not None:
            table = self._decisions.table()
            held = table["state"].fill_null(DECISION_STATES[0])
            mask[table["row"].to_numpy()] = pc.is_in(held, value_set=pa.array(states, pa.string()))
        return self._here(mask)

    def in_none_of(self, states: Sequence[str]) -> NDArray[np.int64] | None:
        """Positions, ascending, of examples in none of these states, of which undecided must be one; None otherwise."""
        if DECISION_STATES[0] not in states:
            return None
        if self._decisions is None:
            return np.empty(0, dtype=np.int64)
        table = self._decisions.table()
        held = table["state"].fill_null(DECISION_STATES[0])
        others = pc.invert(pc.is_in(held, value_set=pa.array(states, pa.string())))
        return self._positions(table["row"].filter(others).to_numpy())

    def of_ids(self, ids: Sequence[str]) -> Mask:
        """Which have one of these ids."""
        return self._of_rows(self.dataset.rows_of(ids))

    def of_search(self, query: str) -> Mask:
        """Which a search of the texts matches."""
        if self._search is None:
            raise ValueError("a filter by text needs a search")
        return self._here(self._search(query))

    def of_values(self, values: Sequence[tuple[str, str]]) -> Mask:
        """Which have, in each further column that is named, one of the values named with it.

        The columns may be of any type; see `data.value_texts.matches`.
        """
        by_column: dict[str, list[str]] = {}
        for column, value in values:
            by_column.setdefault(column, []).append(value)
        mask = np.ones(self._manifest.rows, dtype=bool)
        for column, wanted in by_column.items():
            self._check_column(column)
            parts = [matches(part, wanted) for part in further_column(self._store.files, self._manifest.id, column)]
            mask &= np.concatenate([part.to_numpy(zero_copy_only=False) for part in parts])
        return self._here(mask)

    def disagree(self) -> Mask:
        """Whether given and predicted label differ."""
        return np.asarray(self["disagree"], dtype=bool)

    def flagged(self) -> Mask:
        """Whether an annotator flagged the example."""
        if self._decisions is None:
            return self._of_rows(np.empty(0, np.int32))
        table = self._decisions.table()
        return self._of_rows(table.filter(table["flagged"])["row"].to_numpy())

    def noted(self, text: str = "") -> Mask:
        """Which have a note that contains a text, or any note."""
        ledger = self._decisions
        return self._of_rows(np.empty(0, np.int32) if ledger is None else ledger.noted(text, by=self._notes_of))

    def lengths(self) -> NDArray[np.int32]:
        """Characters of each example, both texts of a pair together."""
        return self._here(self.dataset.lengths())

    def disagreement(self, rows: NDArray[np.integer] | None = None) -> NDArray[np.float64]:
        """The share of each example's people who say another label than it has, or of those of some rows of the dataset
        only; NaN where nobody gave one."""
        shares = self.dataset.disagreement(rows)
        if shares is None:
            raise NotFoundError(
                "The dataset has one label per example, so that no annotators disagree.",
                "Filter by it where labels by several people were imported.",
            )
        return self._here(shares) if rows is None else shares

    def map(self, name: MapName) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Where each example lies on a map."""
        if name == "data":
            return self.score("variability"), self.score("confidence")
        path = EmbeddingFiles(self._store.files, self._store.run_id).paths.map(_MAP_FILES[name])
        if not self._store.files.exists(path):
            raise NotFoundError(f"The {MAP_TITLES[name]} has not been drawn yet.", "Draw it on the embedding map page.")
        with self._store.files.open_read(path) as stream:
            table = pq.read_table(stream, columns=["x", "y"])
        return self._here(table["x"].to_numpy()), self._here(table["y"].to_numpy())

    def in_range(self, column: str, low: End | None, high: End | None) -> Mask:
        """Which have a value in [low, high] in a further column of numbers or times."""
        self._check_column(column)
        try:
            values = self.dataset.ordered(column)
        except KeyError:
            raise BadInputError(
                f"The column {column!r} holds neither numbers nor times.", "Filter it by value instead of by range."
            ) from None
        return self._here(in_range(values, low, high, column))

    def _of_rows(self, rows: NDArray[np.integer]) -> Mask:
        mask = np.zeros(self._manifest.rows, dtype=bool)
        mask[rows] = True
        return self._here(mask)

    def _positions(self, rows: NDArray[np.integer]) -> NDArray[np.int64]:
        """Where the examples of some rows, ascending, stand here; without those that are not here."""
        if len(self) == self._manifest.rows:
            return rows.astype(np.int64)
        return np.flatnonzero(np.isin(self.examples, rows))

    def _here(self, of_dataset: NDArray[T]) -> NDArray[T]:
        """The part of an array over the dataset that belongs to these examples."""
        whole = len(self) == self._manifest.rows
        return of_dataset if whole else of_dataset[self.examples]

    def class_code(self, name: str) -> int:
        """The code of a class; NotFoundError where there is none of the name."""
        try:
            return self._manifest.classes.index(name)
        except ValueError:
            known = ", ".join(self._manifest.classes[:20])
            raise NotFoundError(f"The dataset has no class {name!r}.", f"Its classes: {known}.") from None

    def _check_column(self, column: str) -> None:
        known = [entry["name"] for entry in self._manifest.columns if entry["role"] == "metadata"]
        if column not in known:
            hint = " In a filter, a colon of a name is written %3A and a percent sign %25."
            raise NotFoundError(
                f"The dataset has no further column {column!r}.",
                f"Its further columns: {', '.join(known) or 'none'}."
                + (hint if any(":" in name or "%" in name for name in known) else ""),
            )


def _any_of(codes: NDArray[np.generic], wanted: Sequence[bool]) -> Mask:
    """Which of the codes are wanted; a few comparisons are quicker than looking all codes up."""
    chosen = np.flatnonzero(wanted)
    if len(chosen) > _FEW_CODES:
        return np.asarray(np.array(wanted, dtype=bool)[codes])
    mask = np.asarray(codes == chosen[0]) if len(chosen) else np.zeros(len(codes), dtype=bool)
    for code in chosen[1:]:
        np.logical_or(mask, codes == code, out=mask)
    return mask
