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

    def read_vectors(self, which: Representation) -> NDArray[np.float16]:
        """All vectors, (N, d), in row order; NotFoundError where they have not been computed."""
        path = self.paths.vectors(which)
        if not self.files.exists(path):
            raise NotFoundError(f"The run {self.run_id} has no {which} embeddings.", "Draw its embedding map first.")
        with self.files.open_read(path) as stream:
            reader = pq.ParquetFile(stream)
            width = reader.schema_arrow.field("vector").type.list_size
            vectors = np.empty((reader.metadata.num_rows, width), dtype=np.float16)
            done = 0
            for batch in reader.iter_batches(CHUNK_ROWS, columns=["vector"]):
                vectors[done : done + batch.num_rows] = batch.column(0).flatten().to_numpy().reshape(-1, width)
                done += batch.num_rows
        return vectors

    def write_table(self, path: str, table: pa.Table) -> None:
        """Write a table that has one row per example, atomically."""
        with self.files.atomic_writer(path) as stream:
            pq.write_table(table, stream, compression="zstd", row_group_size=CHUNK_ROWS)
