"""Ids and texts of a dataset by row: an Arrow file beside its examples, made from them.

A page shows 50 rows that lie anywhere in a million; out of `examples.parquet` their texts would take half a second.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from diet_explorer.data.manifest import DatasetManifest, dataset_folder, examples_path
from diet_explorer.store.arrow import read_arrow, write_arrow
from diet_explorer.store.files import Files

BATCH_ROWS = 131_072
_LENGTH = "characters"


class ExampleTexts:
    """Reads ids and texts of one dataset by row; makes the file that this needs where it is missing.

    Parameters
    ----------
    files : Files
    manifest : DatasetManifest
    """

    def __init__(self, files: Files, manifest: DatasetManifest) -> None:
        self._files = files
        self._manifest = manifest
        self._columns = ["id", "text", *(["text_pair"] if manifest.mapping.text_pair else [])]
        self._path = f"{dataset_folder(files, manifest.id)}/texts.arrow"

    def make(self) -> None:
        """Write the file unless it is there."""
        if not self._files.exists(self._path):
            schema = pa.schema([*((name, pa.string()) for name in self._columns), (_LENGTH, pa.int32())])
            write_arrow(self._files, self._path, schema, self._examples(schema))

    def of(self, rows: NDArray[np.integer]) -> pa.Table:
        """``id, text`` and, for pairs, ``text_pair`` of some rows, in their order."""
        batches = self._batches()
        ends = np.cumsum([batch.num_rows for batch in batches])
        owners = np.searchsorted(ends, rows, side="right")
        order = np.argsort(owners, kind="stable")
        parts = []
        for owner in np.unique(owners):
            here = rows[order[owners[order] == owner]]
            parts.append(
                batches[owner].select(self._columns).take(pa.array(here - (ends[owner] - batches[owner].num_rows)))
            )
        if not parts:
            return pa.table({name: pa.array([], pa.string()) for name in self._columns})
        places = np.empty(len(rows), dtype=np.int64)
        places[order] = np.arange(len(rows))
        return pa.Table.from_batches(parts).combine_chunks().take(pa.array(places))

    def rows_of(self, ids: Sequence[str]) -> NDArray[np.int64]:
        """Rows of the examples that have one of some ids, ascending."""
        wanted = pa.array(ids, pa.string())
        found = [pc.is_in(batch["id"], wanted).to_numpy(zero_copy_only=False) for batch in self._batches()]
        return np.flatnonzero(np.concatenate(found)) if found else np.empty(0, dtype=np.int64)

    def lengths(self) -> NDArray[np.int32]:
        """Characters of every example, both texts of a pair together."""
        parts = [batch[_LENGTH].to_numpy() for batch in self._batches()]
        return np.concatenate(parts) if parts else np.empty(0, dtype=np.int32)

    def _batches(self) -> list[pa.RecordBatch]:
        self.make()
        return read_arrow(self._files, self._path)

    def _examples(self, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        with self._files.open_read(examples_path(self._files, self._manifest.id)) as stream:
            for batch in pq.ParquetFile(stream).iter_batches(BATCH_ROWS, columns=self._columns):
                characters = sum(pc.utf8_length(batch[name]).to_numpy() for name in self._columns[1:])
                yield pa.record_batch([*batch.columns, pa.array(characters, pa.int32())], schema=schema)
