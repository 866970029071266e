"""Ranked, filtered pages of examples with their scores, read by precomputed rank."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pandas as pd

from diet_explorer.analysis.filters import ExampleFilter
from diet_explorer.data.manifest import METADATA_PREFIX, DatasetManifest, examples_path
from diet_explorer.errors import BadInputError, NotFoundError
from diet_explorer.scoring import catalogue
from diet_explorer.store.queries import Queries, parquet, quote_name
from diet_explorer.store.scores import ScoreFiles

_NUMERIC = ("int", "uint", "float", "double", "decimal", "bool")


@dataclass
class _Conditions:
    """Parts of a WHERE clause over ``s`` (scores) and ``e`` (examples)."""

    parts: list[str] = field(default_factory=list)
    parameters: list[object] = field(default_factory=list)
    needs_examples: bool = False

    def add(self, sql: str, *parameters: object, on_examples: bool = False) -> None:
        self.parts.append(sql)
        self.parameters.extend(parameters)
        self.needs_examples |= on_examples

    @property
    def sql(self) -> str:
        return " AND ".join(self.parts) or "TRUE"


class Ranking:
    """The ranking of one run at one checkpoint, of one seed or of the mean over seeds.

    Parameters
    ----------
    queries : Queries
    store : ScoreFiles
    manifest : DatasetManifest
    checkpoint : float
        In epochs; must have landed.
    seed : int or None
        None for the mean over the seeds that have landed.
    """

    def __init__(
        self, queries: Queries, store: ScoreFiles, manifest: DatasetManifest, checkpoint: float, seed: int | None
    ) -> None:
        self._queries = queries
        self._manifest = manifest
        path = store.ranking_path(seed, checkpoint)
        if not store.files.exists(path):
            landed = ", ".join(f"{point:g}" for point in store.ranked_checkpoints(seed))
            whose = "" if seed is None else f" for seed {seed}"
            raise NotFoundError(
                f"There are no scores{whose} at checkpoint {checkpoint:g}.",
                f"Recorded checkpoints: {landed}."
                if landed
                else "No checkpoint has been scored yet; wait for the run.",
            )
        self._scores = parquet(path)
        self._examples = parquet(examples_path(store.files, manifest.id))

    @property
    def score_names(self) -> list[str]:
        """Recorded scores, in the catalogue's order."""
        columns = self._queries.table(f"SELECT * FROM {self._scores} LIMIT 0").column_names
        return [name for name in catalogue.SCORE_NAMES if name in columns]

    def count(self, where: ExampleFilter) -> int:
        """How many examples the filter keeps."""
        conditions = self._conditions(where)
        sql = f"SELECT count(*) FROM {self._source(conditions)} WHERE {conditions.sql}"
        return int(str(self._queries.value(sql, conditions.parameters)))

    def page(self, by: str, where: ExampleFilter, limit: int | None, offset: int = 0) -> pd.DataFrame:
        """Examples from the worst on.

        Returns
        -------
        pandas.DataFrame
            ``rank, row, id, text, [text_pair,] label, predicted, split``, then each recorded score and its
            ``_std``; label and predicted are class names. `rank` counts within the example's split.
        """
        conditions = self._conditions(where)
        self._check_score(by)
        # a rank is found by its number; across splits, values decide
        worst_first = "DESC" if catalogue.score(by).worst == "high" else "ASC"
        single = len(where.splits) == 1
        keys = f"s.{quote_name('rank_' + by)}" if single else f"s.{quote_name(by)} {worst_first}, s.row"
        hits = f"SELECT s.row FROM {self._source(conditions)} WHERE {conditions.sql} ORDER BY {keys}"
        if limit is not None:
            hits += f" LIMIT {int(limit)} OFFSET {int(offset)}"
        pair = "e.text_pair, " if self._manifest.mapping.text_pair else ""
        scores = "".join(f", s.{quote_name(name)}, s.{quote_name(name + '_std')}" for name in self.score_names)
        sql = (
            f"WITH hits AS ({hits}) SELECT s.{quote_name('rank_' + by)} AS rank, s.row, e.id, e.text, {pair}"
            f"s.label, s.predicted, s.split{scores} FROM hits JOIN {self._scores} s USING (row) "
            f"JOIN {self._examples} e USING (row) ORDER BY {keys}"
        )
        frame = self._queries.frame(sql, conditions.parameters)
        classes = dict(enumerate(self._manifest.classes))
        for column in ("label", "predicted"):
            frame[column] = frame[column].map(classes)
        return frame

    def histogram(self, by: str, where: ExampleFilter, bins: int) -> pd.DataFrame:
        """Counts of a score in equal-width bins over the range it takes in the filter's examples.

        Returns
        -------
        pandas.DataFrame
            ``left, right, count``; empty where the filter keeps no example.
        """
        self._check_score(by)
        conditions = self._conditions(where)
        name = f"s.{quote_name(by)}"
        values = f"SELECT {name} AS v FROM {self._source(conditions)} WHERE {conditions.sql}"
        limits = self._queries.table(f"SELECT min(v), max(v) FROM ({values})", conditions.parameters)
        low, high = limits.column(0)[0].as_py(), limits.column(1)[0].as_py()
        if low is None:
            return pd.DataFrame({"left": [], "right": [], "count": []})
        width = (high - low) / bins or 1.0
        sql = (
            f"SELECT least(floor((v - {low!r}) / {width!r}), {bins - 1})::INT AS bin, count(*) AS count "
            f"FROM ({values}) GROUP BY bin"
        )
        counts = self._queries.frame(sql, conditions.parameters).set_index("bin")["count"]
        frame = pd.DataFrame({"left": [low + width * number for number in range(bins)]})
        frame["right"] = frame["left"] + width
        frame["count"] = counts.reindex(range(bins), fill_value=0).to_numpy()
        return frame

    def values(self, names: Sequence[str], where: ExampleFilter) -> pd.DataFrame:
        """Only the values of some scores, a row per example in row order."""
        for name in names:
            self._check_score(name)
        conditions = self._conditions(where)
        columns = ", ".join(f"s.{quote_name(name)}" for name in names)
        sql = f"SELECT {columns} FROM {self._source(conditions)} WHERE {conditions.sql} ORDER BY s.row"
        return self._queries.frame(sql, conditions.parameters)

    def percentiles(self, row: int) -> dict[str, float]:
        """For each score the share, in percent, of the example's split that is less suspicious than it."""
        sql = (
            f"SELECT *, (SELECT count(*) FROM {self._scores} o WHERE o.split = s.split) AS total "
            f"FROM {self._scores} s WHERE row = ?"
        )
        found = self._queries.table(sql, [row]).to_pylist()
        if not found:
            raise NotFoundError(f"The run has no example in row {row}.", "Choose an example of this dataset.")
        entry = found[0]
        return {name: 100.0 * (1 - entry[f"rank_{name}"] / entry["total"]) for name in self.score_names}

    def _check_score(self, by: str) -> None:
        catalogue.score(by)
        if by not in self.score_names:
            raise NotFoundError(
                f"This run did not record {catalogue.score(by).title}.", f"It recorded: {', '.join(self.score_names)}."
            )

    def _source(self, conditions: _Conditions) -> str:
        joined = f" JOIN {self._examples} e USING (row)" if conditions.needs_examples else ""
        return f"{self._scores} s{joined}"

    def _conditions(self, where: ExampleFilter) -> _Conditions:
        conditions = _Conditions()
        for column, names in (("label", where.labels), ("predicted", where.predicted)):
            if names:
                conditions.add(f"s.{column} IN ({_marks(names)})", *(self._class_code(name) for name in names))
        if where.disagree is not None:
            conditions.add("s.disagree = ?", where.disagree)
        if where.splits:
            conditions.add(f"s.split IN ({_marks(where.splits)})", *where.splits)
        if where.ids:
            conditions.add(f"e.id IN ({_marks(where.ids)})", *where.ids, on_examples=True)
        if where.text:
            columns = ["e.text", "e.text_pair"] if self._manifest.mapping.text_pair else ["e.text"]
            contains = " OR ".join(f"contains(lower({column}), lower(?))" for column in columns)
            conditions.add(f"({contains})", *([where.text] * len(columns)), on_examples=True)
        for entry in where.scores:
            self._check_score(entry.name)
            _add_range(conditions, f"s.{quote_name(entry.name)}", entry.low, entry.high, on_examples=False)
        for limits in where.metadata:
            if not self._metadata_type(limits.column).startswith(_NUMERIC):
                raise BadInputError(
                    f"The column {limits.column!r} holds no numbers.", "Filter it by value instead of by range."
                )
            name = f"e.{quote_name(METADATA_PREFIX + limits.column)}::DOUBLE"
            _add_range(conditions, name, limits.low, limits.high, on_examples=True)
        by_column: dict[str, list[str]] = {}
        for pair in where.values:
            by_column.setdefault(pair.column, []).append(pair.value)
        for column, values in by_column.items():
            self._metadata_type(column)
            name = f"e.{quote_name(METADATA_PREFIX + column)}::VARCHAR"
            conditions.add(f"{name} IN ({_marks(values)})", *values, on_examples=True)
        return conditions

    def _class_code(self, name: str) -> int:
        try:
            return self._manifest.classes.index(name)
        except ValueError:
            known = ", ".join(self._manifest.classes[:20])
            raise NotFoundError(f"The dataset has no class {name!r}.", f"Its classes: {known}.") from None

    def _metadata_type(self, column: str) -> str:
        types = {entry["name"]: entry["type"] for entry in self._manifest.columns if entry["role"] == "metadata"}
        if column not in types:
            known = ", ".join(types) or "none"
            raise NotFoundError(f"The dataset has no further column {column!r}.", f"Its further columns: {known}.")
        return types[column]


def _add_range(conditions: _Conditions, name: str, low: float | None, high: float | None, *, on_examples: bool) -> None:
    if low is not None:
        conditions.add(f"{name} >= ?", low, on_examples=on_examples)
    if high is not None:
        conditions.add(f"{name} <= ?", high, on_examples=on_examples)


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))
