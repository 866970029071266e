"""Training dynamics as Dataset Cartography keeps them: JSON Lines of logits, a file per epoch.

``dynamics_epoch_N.jsonl``, N from 0, has a line ``{"guid": …, "logits_epoch_N": […], "gold": …}`` per training example,
as the authors' code writes and reads it (Swayamdipta et al. 2020, arXiv 2009.10795).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from diet_explorer.data.manifest import DatasetManifest
from diet_explorer.data.splits import TRAIN
from diet_explorer.errors import BadInputError, NotFoundError
from diet_explorer.scoring import metrics
from diet_explorer.store.files import Files
from diet_explorer.store.layout import Layout
from diet_explorer.store.queries import Queries, parquet, quote_text
from diet_explorer.store.reach import EVERYWHERE, Reach
from diet_explorer.store.scores import ScoreFiles, score_table

_NAME = re.compile(r"dynamics_epoch_(?P<epoch>\d+)\.jsonl")
SEED = 0  # the files of one folder are one training
_SUBFOLDER = "training_dynamics"


def export_dynamics(
    queries: Queries, store: ScoreFiles, manifest: DatasetManifest, seed: int, folder: Path
) -> list[Path]:
    """Write the training examples of one seed at the end of each epoch; NotFoundError where none has landed."""
    points = [point for point in store.landed().get(seed, []) if point > 0 and float(point).is_integer()]
    if not points:
        raise NotFoundError(
            f"Seed {seed} of the run {store.run_id} has no scores at the end of an epoch.", "Wait for one to land."
        )
    written = []
    examples = parquet(Layout(store.files).dataset(manifest.id).examples)
    for point in points:
        epoch = int(point) - 1
        target = folder / f"dynamics_epoch_{epoch}.jsonl"
        sql = (
            f"SELECT e.id AS guid, s.logits AS logits_epoch_{epoch}, s.label AS gold "
            f"FROM {parquet(store.paths.scores(seed, point))} s JOIN {examples} e ON e.row = s.row "
            f"WHERE e.split = {quote_text(TRAIN)} ORDER BY s.row"
        )
        with Files(folder).atomic_writer(str(target)) as stream:
            queries.copy(sql, stream.name, "json")
        written.append(target)
    return written


class CartographyFolder:
    """A folder of training dynamics that belong to a dataset, whose ids are the files' guids.

    It holds the files itself or in ``training_dynamics``; BadInputError where there is none, or one is out of reach.
    """

    def __init__(
        self, queries: Queries, files: Files, manifest: DatasetManifest, folder: Path, reach: Reach = EVERYWHERE
    ) -> None:
        self._queries = queries
        self._examples = parquet(Layout(files).dataset(manifest.id).examples)
        self._manifest = manifest
        inner = reach.check(reach.check(folder) / _SUBFOLDER)
        files_folder = inner if inner.is_dir() else folder
        matches = [(_NAME.fullmatch(path.name), path) for path in files_folder.glob("*.jsonl")]
        self._paths = {int(match["epoch"]): reach.check(path) for match, path in sorted(matches, key=str) if match}
        if not self._paths:
            raise BadInputError(
                f"There is no dynamics_epoch_N.jsonl in {folder}.",
                "Name the folder that the training dynamics were written to.",
            )

    @property
    def seeds(self) -> int:
        """One: the files of one folder are one training."""
        return 1

    @property
    def checkpoints(self) -> list[float]:
        """The end of each epoch that has a file, ascending."""
        return [epoch + 1.0 for epoch in sorted(self._paths)]

    def tables(self) -> Iterator[tuple[int, float, pa.Table]]:
        """Seed, checkpoint and score file of each epoch; BadInputError where one does not fit the dataset or the
        first."""
        rows: NDArray[np.int32] | None = None
        for epoch in sorted(self._paths):
            path = self._paths[epoch]
            table = self._read(path, epoch)
            here = table["row"].to_numpy()
            if rows is not None and not np.array_equal(here, rows):
                raise BadInputError(
                    f"{path.name} has other examples than the file of the first epoch.",
                    "Every file must name the same ones.",
                )
            rows = here
            labels, logits = table["label"].to_numpy(), self._logits(table, path)
            scores = metrics.scores_of(logits, labels)
            yield SEED, epoch + 1.0, score_table(SEED, epoch + 1.0, rows, labels, logits, scores)

    def _read(self, path: Path, epoch: int) -> pa.Table:
        columns = f"{{guid: 'VARCHAR', logits_epoch_{epoch}: 'FLOAT[]', gold: 'INTEGER'}}"
        sql = (
            f"SELECT j.guid, j.gold, j.logits_epoch_{epoch} AS logits, e.row, e.label FROM read_json("
            f"{quote_text(str(path))}, format = 'newline_delimited', columns = {columns}) j "
            f"LEFT JOIN {self._examples} e ON e.id = j.guid ORDER BY e.row NULLS FIRST"
        )
        try:
            table = self._queries.table(sql)
        except duckdb.Error as error:
            raise BadInputError(
                f"{path.name} cannot be read: {str(error).splitlines()[0]}",
                "Every line must be a JSON object with guid, logits and gold.",
            ) from error
        with path.open("rb") as stream:
            lines = sum(not line.isspace() for line in stream)
        if lines != len(table):  # DuckDB leaves out a last line that was cut off
            raise BadInputError(
                f"{path.name} has {lines:,} lines, but only {len(table):,} can be read.",
                "Its end may be cut off; write it again.",
            )
        if not lines:
            raise BadInputError(f"{path.name} is empty.", "Remove it, or write it again.")
        if table["row"].null_count:
            raise BadInputError(
                f"{path.name} names the example {table['guid'][0].as_py()!r}, which the dataset does not have.",
                "Import the dataset with the column that holds the files' guids as its id.",
            )
        rows = table["row"].to_numpy()
        twice = np.flatnonzero(rows[1:] == rows[:-1])
        if len(twice):
            guid = table["guid"][int(twice[0])].as_py()
            raise BadInputError(f"{path.name} names the example {guid!r} twice.", "Remove one of the lines.")
        return table

    def _logits(self, table: pa.Table, path: Path) -> NDArray[np.float32]:
        """Logits (N, K) in the order of the dataset's classes."""
        classes = len(self._manifest.classes)
        lists = table["logits"].combine_chunks()
        lengths = lists.value_lengths().fill_null(0).to_numpy()
        flat = lists.flatten().to_numpy(zero_copy_only=False)
        wrong = np.flatnonzero(lengths != classes)
        if not len(wrong) and not np.isfinite(flat).all():
            wrong = np.flatnonzero(~np.isfinite(flat)) // classes
        if len(wrong):
            guid = table["guid"][int(wrong[0])].as_py()
            raise BadInputError(
                f"{path.name} does not have {classes} finite logits for the example {guid!r}.",
                "They must be one number for each class of the dataset.",
            )
        return np.ascontiguousarray(flat.reshape(-1, classes)[:, self._gold_of_class(table, path)], dtype=np.float32)

    def _gold_of_class(self, table: pa.Table, path: Path) -> list[int]:
        """Which number `gold` each class of the dataset has, as the examples tell."""
        classes = len(self._manifest.classes)
        labels = table["label"].to_numpy()
        golds = table["gold"].fill_null(-1).to_numpy()
        known: dict[int, int] = {}
        for label in np.unique(labels).tolist():
            given, positions = np.unique(golds[labels == label], return_index=True)
            gold = int(given[0])
            if len(given) > 1 or gold in known.values() or not 0 <= gold < classes:
                position = int(np.flatnonzero(labels == label)[positions[-1]])
                raise BadInputError(
                    f"{path.name} gives the example {table['guid'][position].as_py()!r} of the class "
                    f"{self._manifest.classes[label]!r} the number {golds[position]} as gold, unlike the others.",
                    "Import the dataset with the labels that the files were made with.",
                )
            known[label] = gold
        left = iter(sorted(set(range(classes)) - set(known.values())))
        return [known[label] if label in known else next(left) for label in range(classes)]
