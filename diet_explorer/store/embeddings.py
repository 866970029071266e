"""Sentence embeddings of one run, and what is made from them.

There are those of ``initial`` weights, before fine-tuning, and of ``tuned`` ones, at the end of seed 0: a vector per
example, the nearest other examples of each, and a position on the plane for each.
"""

from __future__ import annotations

import json
from typing import Literal, get_args

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from diet_explorer.errors import NotFoundError
from diet_explorer.store.files import Files
from diet_explorer.store.layout import Layout

Representation = Literal["initial", "tuned"]
CHUNK_ROWS = 8_192


class StoredVectors:
    """The vectors (N, d) of a file, which may be many times what memory holds.

    Attributes
    ----------
    shape : tuple of int
    """

    def __init__(self, files: Files, path: str) -> None:
        self._files, self._path = files, path
        with files.open_read(path) as stream:
            reader = pq.ParquetFile(stream)
            groups = (reader.metadata.row_group(number).num_rows for number in range(reader.num_row_groups))
            self._ends = np.cumsum([0, *groups])
            self.shape = int(self._ends[-1]), int(reader.schema_arrow.field("vector").type.list_size)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: NDArray[np.integer]) -> NDArray[np.float16]:
        """The vectors of some rows, ascending; only the parts of the file that have them are unpacked."""
        vectors = np.empty((len(rows), self.shape[1]), dtype=np.float16)
        owners = np.searchsorted(self._ends, rows, side="right") - 1
        with self._files.open_read(self._path) as stream:
            reader = pq.ParquetFile(stream)
            for owner in np.unique(owners).tolist():
                here = slice(*np.searchsorted(owners, [owner, owner + 1]))
                flat = reader.read_row_group(owner, columns=["vector"])["vector"].combine_chunks().flatten()
                vectors[here] = flat.to_numpy().reshape(-1, self.shape[1])[rows[here] - self._ends[owner]]
        return vectors


class EmbeddingFiles:
    """Reads and writes the embeddings of one run."""

    def __init__(self, files: Files, run_id: str) -> None:
        self.files = files
        self.run_id = run_id
        self.paths = Layout(files).run(run_id)

    def has_vectors(self, which: Representation) -> bool:
        """Whether the vectors are there."""
        return self.files.exists(self.paths.vectors(which))

    def has_neighbours(self, which: Representation) -> bool:
        """Whether the neighbours are there."""
        return self.files.exists(self.paths.neighbours(which))

    def stamp(self) -> str:
        """Changes whenever a map is drawn with other parameters; a key for caches."""
        known = [self.files.find_json(self.paths.map_parameters(which)) for which in get_args(Representation)]
        return " ".join(json.dumps(value) for value in known if value is not None)

    def write_vectors(self, which: Representation, vectors: NDArray[np.float16]) -> None:
        """Write vectors (N, d) of all examples in row order, atomically; a memory-mapped array is read in parts."""
        width = vectors.shape[1]
        schema = pa.schema([("row", pa.int32()), ("vector", pa.list_(pa.float16(), width))])
        with (
            self.files.atomic_writer(self.paths.vectors(which)) as stream,
            pq.ParquetWriter(stream, schema, compression="zstd") as writer,
        ):
            for start in range(0, len(vectors), CHUNK_ROWS):
                part = np.ascontiguousarray(vectors[start : start + CHUNK_ROWS])
                rows = np.arange(start, start + len(part), dtype=np.int32)
                lists = pa.FixedSizeListArray.from_arrays(pa.array(part.ravel()), width)
                writer.write_table(pa.table([rows, lists], schema=schema))

    def vectors(self, which: Representation) -> StoredVectors:
        """All vectors, (N, d), in row order, of which as many are read as are asked for; NotFoundError where they have
        not been computed."""
        path = self.paths.vectors(which)
        if not self.files.exists(path):
            raise NotFoundError(f"The run {self.run_id} has no {which} embeddings.", "Draw its embedding map first.")
        return StoredVectors(self.files, path)

    def read_vectors(self, which: Representation) -> NDArray[np.float16]:
        """The same as an array."""
        vectors = self.vectors(which)
        return vectors[np.arange(len(vectors))]

    def write_table(self, path: str, table: pa.Table) -> None:
        """Write a table that has one row per example, atomically."""
        with self.files.atomic_writer(path) as stream:
            pq.write_table(table, stream, compression="zstd", row_group_size=CHUNK_ROWS)
