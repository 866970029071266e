"""Score files of one run: one Parquet file per seed and checkpoint, and the rankings made from them.

A score file has scores and logits of each example. A ranking has the same scores and those of the training so far, and
the order by each; that of the mean has means over the seeds that have landed. See `store.ranking_files`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from diet_explorer.store.files import Files
from diet_explorer.store.layout import Layout
from diet_explorer.store.ranking_files import Array, RankingFile, read_ranking, write_ranking

ROW_GROUP = 16_384  # small enough that one example's scores do not cost a whole file's
PART = 16 * ROW_GROUP  # of a file that is read from its beginning to its end
_REPEATED = ("seed", "checkpoint", "label", "predicted")
_LEARNING_RATE = b"learning_rate"
_NAME = re.compile(r"checkpoint=(?P<checkpoint>[0-9.e+-]+)\.(parquet|arrow)")


def score_table(
    seed: int,
    checkpoint: float,
    rows: NDArray[np.integer],
    labels: NDArray[np.integer],
    logits: NDArray[np.float32],
    scores: Mapping[str, NDArray[np.floating]],
    learning_rate: float | None = None,
) -> pa.Table:
    """What a score file holds: ``row, seed, checkpoint, label, predicted``, the scores in float32, and ``logits``.

    Rows are ascending; ids and splits are joined by them where people see them. Labels (N,) are the class codes that
    the run was to learn, which may differ from the dataset's; logits are (N, K). Scores go by their catalogue names and
    ``grand.<group>``. The learning rate is that of the optimisation step before the checkpoint, which is in epochs.
    """
    table = pa.table(
        {
            "row": rows.astype(np.int32, copy=False),
            "seed": np.full(len(rows), seed, dtype=np.int32),
            "checkpoint": np.full(len(rows), checkpoint, dtype=np.float64),
            "label": labels.astype(np.int32, copy=False),
            "predicted": logits.argmax(1).astype(np.int32),
            **{name: values.astype(np.float32, copy=False) for name, values in scores.items()},
            "logits": _side_by_side(logits.astype(np.float32, copy=False)),
        }
    )
    return table if learning_rate is None else table.replace_schema_metadata({_LEARNING_RATE: repr(learning_rate)})


def learning_rate_of(table: pa.Table) -> float | None:
    """The learning rate of the optimisation step before a score table's checkpoint, where it was recorded."""
    metadata = table.schema.metadata or {}
    return float(metadata[_LEARNING_RATE]) if _LEARNING_RATE in metadata else None


def logits_of(table: pa.Table) -> NDArray[np.float32]:
    """Logits of a score table, (N, K)."""
    return _stacked(table["logits"].combine_chunks())


def _side_by_side(values: NDArray[np.float32]) -> pa.FixedSizeListArray:
    return pa.FixedSizeListArray.from_arrays(values.ravel(), values.shape[1])


def _stacked(lists: pa.FixedSizeListArray) -> NDArray[np.float32]:
    flat: NDArray[np.float32] = lists.flatten().to_numpy(zero_copy_only=False)
    return flat.reshape(len(lists), lists.type.list_size)


class ScoreFiles:
    """Reads and writes the score files of one run, and says which have landed."""

    def __init__(self, files: Files, run_id: str) -> None:
        self.files = files
        self.run_id = run_id
        self.paths = Layout(files).run(run_id)

    def has_scores(self, seed: int, checkpoint: float) -> bool:
        """Whether the scores of this seed and checkpoint have landed."""
        return self.files.exists(self.paths.scores(seed, checkpoint))

    def write_scores(self, seed: int, checkpoint: float, table: pa.Table) -> None:
        """Write one score file, atomically; see `score_table`."""
        floats = [field.name for field in table.schema if pa.types.is_float32(field.type)]
        with self.files.atomic_writer(self.paths.scores(seed, checkpoint)) as stream:
            pq.write_table(
                table,
                stream,
                compression="zstd",
                row_group_size=ROW_GROUP,
                use_dictionary=[name for name in table.column_names if name in _REPEATED],
                # storing the bytes of floats by their position in the number packs a third better and faster
                use_byte_stream_split=[*floats, "logits.list.element"],
                column_encoding={"row": "DELTA_BINARY_PACKED"},
            )

    def forget(self, seed: int, checkpoint: float) -> None:
        """Remove what has landed of one seed and checkpoint, for a run of that one seed."""
        for path in (
            *(self.paths.ranking(which, checkpoint) for which in (seed, None)),
            *(self.paths.ranking_order(which, checkpoint) for which in (seed, None)),
            *(self.paths.statistics(which, checkpoint) for which in (seed, None)),
            self.paths.scores(seed, checkpoint),
        ):
            self.files.remove_file(path)

    def read_scores(self, seed: int, checkpoint: float, columns: Sequence[str]) -> pa.Table:
        """Columns of one score file, those of them that there are."""
        with self.files.open_read(self.paths.scores(seed, checkpoint)) as stream:
            reader = pq.ParquetFile(stream)
            return reader.read([name for name in columns if name in reader.schema_arrow.names])

    def read_in_parts(
        self, seed: int, checkpoint: float, columns: Sequence[str], size: int = PART
    ) -> Iterator[pa.Table]:
        """The same, `size` rows at a time; at least one table, which may be empty."""
        with self.files.open_read(self.paths.scores(seed, checkpoint)) as stream:
            reader = pq.ParquetFile(stream, pre_buffer=False)  # a buffer ahead would hold the whole file
            names = [name for name in columns if name in reader.schema_arrow.names]
            held, is_first = reader.schema_arrow.empty_table().select(names), True
            for number in range(reader.num_row_groups):
                held = pa.concat_tables([held, reader.read_row_group(number, columns=names)])
                while len(held) >= size:
                    yield held.slice(0, size)
                    held, is_first = held.slice(size), False
            if len(held) or is_first:
                yield held

    def read_logits(self, seed: int, checkpoint: float) -> Iterator[NDArray[np.float32]]:
        """Logits of one score file, (`PART`, K) at a time."""
        return (logits_of(part) for part in self.read_in_parts(seed, checkpoint, ["logits"]))

    def write_ranking(
        self,
        seed: int | None,
        checkpoint: float,
        columns: Mapping[str, Array],
        seeds: Sequence[int],
        orders: Callable[[], pa.RecordBatch],
    ) -> None:
        """Write one ranking; it replaces an earlier one. See `ranking_files.write_ranking`."""
        write_ranking(self.files, self._of_ranking(seed, checkpoint), columns, seeds, orders)

    def read_ranking(self, seed: int | None, checkpoint: float) -> RankingFile:
        """One ranking, mapped into memory: its examples are in the dataset's order."""
        return read_ranking(
            self.files, self._of_ranking(seed, checkpoint), lambda number: self.read_ranking(number, checkpoint)
        )

    def _of_ranking(self, seed: int | None, checkpoint: float) -> tuple[str, str]:
        return self.paths.ranking(seed, checkpoint), self.paths.ranking_order(seed, checkpoint)

    def landed(self) -> dict[int, list[float]]:
        """Seed to its checkpoints whose scores are there, both ascending."""
        folder = self.paths.scores_folder
        seeds = sorted(int(name.removeprefix("seed=")) for name in self.files.list(folder) if name.startswith("seed="))
        return {seed: _checkpoints(self.files.list(f"{folder}/seed={seed}")) for seed in seeds}

    def ranked_checkpoints(self, seed: int | None) -> list[float]:
        """Checkpoints whose ranking is there, ascending."""
        return _checkpoints(self.files.list(self.paths.rankings_folder(seed)))

    def ranked_seeds(self, checkpoint: float) -> list[int]:
        """Seeds whose own ranking is there at a checkpoint, ascending."""
        return [seed for seed in self.landed() if self.files.exists(self.paths.ranking(seed, checkpoint))]

    def stamp(self) -> str:
        """Changes whenever another score file lands; a key for caches."""
        return ";".join(f"{seed}:{','.join(map(str, points))}" for seed, points in self.landed().items())


def _checkpoints(names: list[str]) -> list[float]:
    matches = (_NAME.fullmatch(name) for name in names)
    return sorted(float(match["checkpoint"]) for match in matches if match)
