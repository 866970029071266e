"""Reading what a policy is applied to: ids, labels, splits and duplicates of a dataset, a score of a run, decisions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from diet_explorer.data.example_order import ExampleOrder, read_example_order
from diet_explorer.data.manifest import DatasetManifest
from diet_explorer.data.splits import TRAIN
from diet_explorer.errors import NotFoundError
from diet_explorer.pruning.selection import NO_GROUP, NO_LABEL, Material
from diet_explorer.scoring import catalogue
from diet_explorer.store.decisions import DECISION_STATES
from diet_explorer.store.files import Files
from diet_explorer.store.layout import Layout
from diet_explorer.store.ranking_files import RankingFile

_GROUP = "near_duplicate_group"


@dataclass(frozen=True)
class Population:
    """The rows of a dataset, apart from what runs and annotators say about them: arrays with an entry per row (N,).

    Attributes
    ----------
    order : ExampleOrder
        Splits and positions in id order.
    labels : int32 array
        Codes of the given classes.
    groups : int32 array
        Group of near-duplicates, -1 for rows that are alone.
    """

    order: ExampleOrder
    labels: NDArray[np.int32]
    groups: NDArray[np.int32]

    @property
    def train(self) -> NDArray[np.bool_]:
        """Which rows are in the training split."""
        return self.order.in_split(TRAIN)


def load_population(files: Files, manifest: DatasetManifest) -> Population:
    """Read the rows of a dataset."""
    with files.open_read(Layout(files).dataset(manifest.id).examples) as stream:
        reader = pq.ParquetFile(stream)
        labels = reader.read(columns=["label"])["label"].to_numpy()
        groups = np.full(len(labels), NO_GROUP, dtype=np.int32)
        if _GROUP in reader.schema_arrow.names:
            groups = pc.fill_null(reader.read(columns=[_GROUP])[_GROUP], NO_GROUP).to_numpy()
    return Population(read_example_order(files, manifest.id), labels, groups)


def hardness_of(ranking: RankingFile, score: str, rows: int) -> NDArray[np.float32]:
    """A score of each row of the dataset (N,), turned so that higher is harder; NaN where the run did not score it.

    Raises
    ------
    NotFoundError
        The ranking does not have the score.
    """
    entry = catalogue.score(score)
    if score not in ranking:
        raise NotFoundError(
            f"There is no {entry.title} at this checkpoint.", "Choose a later checkpoint, or another score."
        )
    values = ranking.column(score)
    turned: NDArray[np.float32] = values if entry.worst == "high" else -values
    if ranking.is_counted and len(ranking) == rows:
        return turned
    hardness = np.full(rows, np.nan, dtype=np.float32)
    hardness[ranking.rows] = turned
    return hardness


def no_scores(rows: int) -> NDArray[np.float32]:
    """The hardness of every row where no score is asked for."""
    return np.full(rows, np.nan, dtype=np.float32)


def material_of(
    population: Population,
    hardness: NDArray[np.floating],
    decisions: pa.Table,
    manifest: DatasetManifest,
    held_out: NDArray[np.integer] | None = None,
) -> Material:
    """Put together what a policy is applied to.

    Parameters
    ----------
    population : Population
    hardness : float array (N,)
    decisions : pyarrow.Table
        ``row, state, label`` of what holds, as the ledger gives it.
    manifest : DatasetManifest
    held_out : int array or None
        Training rows that the run keeps for a proof; they are treated as if they were of another split.
    """
    states = np.zeros(manifest.rows, dtype=np.int8)
    new_labels = np.full(manifest.rows, NO_LABEL, dtype=np.int32)
    rows = decisions["row"].to_numpy()
    states[rows] = _codes(decisions["state"], DECISION_STATES, 0)
    new_labels[rows] = _codes(decisions["label"], manifest.classes, NO_LABEL)
    train = population.train
    if held_out is not None:
        train[held_out] = False
    return Material(
        hardness=hardness,
        tie_order=population.order.tie,
        labels=population.labels,
        train=train,
        states=states,
        new_labels=new_labels,
        groups=population.groups,
    )


def _codes(words: pa.ChunkedArray, known: tuple[str, ...] | list[str], absent: int) -> NDArray[np.int32]:
    codes: NDArray[np.int32] = pc.fill_null(pc.index_in(words, pa.array(known, pa.string())), absent).to_numpy()
    return codes
