"""Score files of one run: one Parquet file per seed and checkpoint, and the rankings made from them.

Layout below ``runs/<run id>/``::

    scores/seed=0/checkpoint=0.25.parquet      one row per example: scores and logits
    rankings/seed=0/checkpoint=0.25.arrow      the same scores and those of the training so far, with a rank each
    rankings/seed=mean/checkpoint=0.25.arrow   means and standard deviations over the seeds that have landed
    statistics/seed=mean/checkpoint=0.25.json  what charts show of a ranking, counted once when it landed
"""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from diet_explorer.store.arrow import read_arrow, write_arrow
from diet_explorer.store.files import Files
from diet_explorer.store.layout import Layout

ROW_GROUP = 16_384  # small enough that one example's scores do not cost a whole file's
FIGURES = "figures"
_REPEATED = ("split", "seed", "checkpoint", "label", "predicted")
_LEARNING_RATE = b"learning_rate"
_NAME = re.compile(r"checkpoint=(?P<checkpoint>[0-9.e+-]+)\.(parquet|arrow)")


def ranked_scores(ranking: pa.RecordBatch) -> list[str]:
    """Scores of a ranking, in the order of its columns and of `figures_of`."""
    return [name for name in ranking.schema.names if f"rank_{name}" in ranking.schema.names]


def figures_of(ranking: pa.RecordBatch) -> NDArray[np.float32]:
    """All scores of each example side by side, (N, S, 2): the value, and its standard deviation over the seeds.

    The values stand in columns of their own as well, for reading one score of all examples. Reading all scores of a few
    examples from these columns would touch a page of the file for each.
    """
    flat: NDArray[np.float32] = ranking[FIGURES].flatten().to_numpy()
    return flat.reshape(len(ranking), -1, 2)


class ScoreFiles:
    """Where the score files of one run lie, and which have landed.

    Parameters
    ----------
    files : Files
    run_id : str
    """

    def __init__(self, files: Files, run_id: str) -> None:
        self.files = files
        self.run_id = run_id
        self.paths = Layout(files).run(run_id)

    def scores_path(self, seed: int, checkpoint: float) -> str:
        """Path of the scores of one seed at one checkpoint (in epochs)."""
        return self.paths.scores(seed, checkpoint)

    def ranking_path(self, seed: int | None, checkpoint: float) -> str:
        """Path of the ranking of one seed, or of the mean over seeds for None."""
        return self.paths.ranking(seed, checkpoint)

    def has_scores(self, seed: int, checkpoint: float) -> bool:
        """Whether the scores of this seed and checkpoint have landed."""
        return self.files.exists(self.scores_path(seed, checkpoint))

    def statistics_path(self, seed: int | None, checkpoint: float) -> str:
        """Path of the statistics of one seed's ranking, or of the mean's for None."""
        return self.paths.statistics(seed, checkpoint)

    def write_scores(self, seed: int, checkpoint: float, table: pa.Table, learning_rate: float | None = None) -> None:
        """Write one score file, atomically, with the learning rate of the optimisation step before it."""
        if learning_rate is not None:
            table = table.replace_schema_metadata({_LEARNING_RATE: repr(float(learning_rate))})
        self._write(self.scores_path(seed, checkpoint), table)

    def learning_rate(self, seed: int, checkpoint: float) -> float | None:
        """The learning rate of the optimisation step before a checkpoint, where it was recorded."""
        metadata = pq.read_schema(self.files.open_read(self.scores_path(seed, checkpoint))).metadata or {}
        return float(metadata[_LEARNING_RATE]) if _LEARNING_RATE in metadata else None

    def write_ranking(self, seed: int | None, checkpoint: float, ranking: pa.RecordBatch) -> None:
        """Write one ranking, atomically; it replaces an earlier one."""
        write_arrow(self.files, self.ranking_path(seed, checkpoint), ranking.schema, [ranking])

    def read_ranking(self, seed: int | None, checkpoint: float) -> pa.RecordBatch:
        """One ranking, mapped into memory: a row per example of the dataset, in its order."""
        return read_arrow(self.files, self.ranking_path(seed, checkpoint))[0]

    def landed(self) -> dict[int, list[float]]:
        """Seed to its checkpoints whose scores are there, both ascending."""
        folder = self.paths.scores_folder
        seeds = sorted(int(name.removeprefix("seed=")) for name in self.files.list(folder) if name.startswith("seed="))
        return {seed: _checkpoints(self.files.list(f"{folder}/seed={seed}")) for seed in seeds}

    def ranked_checkpoints(self, seed: int | None) -> list[float]:
        """Checkpoints whose ranking is there, ascending."""
        return _checkpoints(self.files.list(self.paths.rankings_folder(seed)))

    def is_of_this_form(self, seed: int | None, checkpoint: float) -> bool:
        """Whether a ranking has all that this version reads; earlier ones wrote less."""
        return FIGURES in self.read_ranking(seed, checkpoint).schema.names

    def ranked_seeds(self, checkpoint: float) -> list[int]:
        """Seeds whose own ranking is there at a checkpoint, ascending."""
        return [seed for seed in self.landed() if self.files.exists(self.ranking_path(seed, checkpoint))]

    def stamp(self) -> str:
        """Changes whenever another score file lands; a key for caches."""
        return ";".join(f"{seed}:{','.join(map(str, points))}" for seed, points in self.landed().items())

    def _write(self, path: str, table: pa.Table) -> None:
        """Bytes of floats are stored by their place in the number, which packs a third better and faster."""
        floats = [field.name for field in table.schema if pa.types.is_float32(field.type)]
        lists = [f"{field.name}.list.element" for field in table.schema if pa.types.is_fixed_size_list(field.type)]
        with self.files.atomic_writer(path) as stream:
            pq.write_table(
                table,
                stream,
                compression="zstd",
                row_group_size=ROW_GROUP,
                use_dictionary=[name for name in table.column_names if name in _REPEATED],
                use_byte_stream_split=[*floats, *lists],
            )


def _checkpoints(names: list[str]) -> list[float]:
    matches = (_NAME.fullmatch(name) for name in names)
    return sorted(float(match["checkpoint"]) for match in matches if match)
