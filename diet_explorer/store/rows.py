"""Which rows a run is trained on, and which it scores, where that is not the whole dataset.

The rows held out are training rows kept for a proof: the run neither learns nor scores them.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import ArrayLike, NDArray

from diet_explorer.errors import NotFoundError
from diet_explorer.store.files import Files
from diet_explorer.store.layout import Layout


class RunRows:
    """The lists of rows of one run."""

    def __init__(self, files: Files, run_id: str) -> None:
        self._files = files
        self._paths = Layout(files).run(run_id)

    def write_training(self, seed: int, rows: ArrayLike, labels: ArrayLike) -> None:
        """Say what a seed is trained on: rows of the dataset, ascending, and the class code of each."""
        self._write(self._paths.training_rows(seed), {"row": rows, "label": labels})

    def read_training(self, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows that a seed is trained on, and their labels; NotFoundError where there is no such list."""
        table = self._read(self._paths.training_rows(seed))
        return table["row"].to_numpy().astype(np.int64), table["label"].to_numpy().astype(np.int64)

    def write_scored(self, rows: ArrayLike) -> None:
        """Say which rows are scored, ascending."""
        self._write(self._paths.scored_rows, {"row": rows})

    def read_scored(self) -> NDArray[np.int64] | None:
        """Rows that are scored; None for all."""
        return self._read_rows(self._paths.scored_rows)

    def write_held_out(self, rows: ArrayLike) -> None:
        """Say which training rows are held out, ascending."""
        self._write(self._paths.held_out_rows, {"row": rows})

    def read_held_out(self) -> NDArray[np.int64] | None:
        """Training rows that are held out; None where the run has no such rows."""
        return self._read_rows(self._paths.held_out_rows)

    def _read_rows(self, path: str) -> NDArray[np.int64] | None:
        try:
            rows: NDArray[np.int64] = self._read(path)["row"].to_numpy().astype(np.int64)
        except NotFoundError:
            return None
        return rows

    def _read(self, path: str) -> pa.Table:
        with self._files.open_read(path) as stream:
            return pq.read_table(stream)

    def _write(self, path: str, columns: dict[str, ArrayLike]) -> None:
        table = pa.table({name: np.asarray(values, dtype=np.int32) for name, values in columns.items()})
        with self._files.atomic_writer(path) as stream:
            pq.write_table(table, stream, compression="zstd")
