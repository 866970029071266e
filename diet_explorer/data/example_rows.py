"""What is asked of single rows of a dataset: an Arrow file beside its examples, made from them.

A page shows 50 rows that lie anywhere in a million; out of `examples.parquet` their texts would take half a second.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from diet_explorer.data.manifest import DISAGREEMENT, METADATA_PREFIX, DatasetManifest
from diet_explorer.data.value_texts import ORDERED_TYPES
from diet_explorer.store.arrow import arrow_reader, read_arrow, write_arrow
from diet_explorer.store.files import Files
from diet_explorer.store.layout import Layout

BATCH_ROWS = 131_072
_LENGTH = "characters"
_FEW = 256  # rows, which are quicker cut out one by one than gathered per batch


class ExampleRows:
    """Reads ids, texts, numbers and times of one dataset by row; makes the file that this needs where it is missing."""

    def __init__(self, files: Files, manifest: DatasetManifest) -> None:
        self._files = files
        self._manifest = manifest
        self._columns = ["id", "text", *(["text_pair"] if manifest.mapping.text_pair else [])]
        self._ordered = [METADATA_PREFIX + entry["name"] for entry in manifest.columns if _has_order(entry)]
        self._shares = [DISAGREEMENT] if manifest.mapping.annotators else []
        self._path = Layout(files).dataset(manifest.id).rows

    def make(self) -> None:
        """Write the file unless it is there."""
        if not self._files.exists(self._path):
            with self._files.open_read(Layout(self._files).dataset(self._manifest.id).examples) as stream:
                reader = pq.ParquetFile(stream)
                fields = [(name, pa.string()) for name in self._columns] + [(_LENGTH, pa.int32())]
                ordered = [reader.schema_arrow.field(name) for name in (*self._ordered, *self._shares)]
                schema = pa.schema([*fields, *ordered]).remove_metadata()
                write_arrow(self._files, self._path, schema, self._examples(reader, schema))

    def of(self, rows: NDArray[np.integer]) -> pa.Table:
        """``id, text`` and, for pairs, ``text_pair`` of some rows, in their order."""
        return self._taken(rows, self._columns)

    def ids(self, rows: NDArray[np.integer]) -> pa.ChunkedArray:
        """Ids of some rows, in their order."""
        return self._taken(rows, ["id"])["id"]

    def _taken(self, rows: NDArray[np.integer], columns: list[str]) -> pa.Table:
        if not len(rows):
            return pa.table(
                {name: pa.array([], pa.float64() if name in self._shares else pa.string()) for name in columns}
            )
        self.make()
        with arrow_reader(self._files, self._path) as reader:
            starts = self._starts(reader)
            owners = np.searchsorted(starts, rows, side="right") - 1
            batches = {owner: reader.get_batch(owner).select(columns) for owner in np.unique(owners).tolist()}
        if len(rows) <= _FEW:
            places = zip(owners.tolist(), (rows - starts[owners]).tolist(), strict=True)
            return pa.Table.from_batches([batches[owner].slice(at, 1) for owner, at in places]).combine_chunks()
        order = np.argsort(owners, kind="stable")
        ends = np.searchsorted(owners[order], list(batches), side="right")
        groups = np.split(rows[order], ends[:-1])
        parts = [
            batches[owner].take(pa.array(here - starts[owner])) for owner, here in zip(batches, groups, strict=True)
        ]
        positions = np.empty(len(rows), dtype=np.int64)
        positions[order] = np.arange(len(rows))
        return pa.Table.from_batches(parts).combine_chunks().take(pa.array(positions))

    def _starts(self, reader: pa.RecordBatchFileReader) -> NDArray[np.int64]:
        """The first row of each batch."""
        last = reader.num_record_batches - 1
        if last * BATCH_ROWS + reader.get_batch(last).num_rows == self._manifest.rows:  # then all others are full
            return np.arange(last + 1) * BATCH_ROWS
        sizes = [reader.get_batch(number).num_rows for number in range(last)]
        return np.cumsum([0, *sizes])

    def rows_of(self, ids: Sequence[str]) -> NDArray[np.int64]:
        """Rows of the examples that have one of some ids, ascending."""
        wanted = pa.array(ids, pa.string())
        matches = [pc.is_in(batch["id"], wanted).to_numpy(zero_copy_only=False) for batch in self._batches()]
        return np.flatnonzero(np.concatenate(matches)) if matches else np.empty(0, dtype=np.int64)

    def lengths(self) -> NDArray[np.int32]:
        """Characters of every example, both texts of a pair together."""
        parts = [batch[_LENGTH].to_numpy() for batch in self._batches()]
        return np.concatenate(parts) if parts else np.empty(0, dtype=np.int32)

    def disagreement(self, rows: NDArray[np.integer] | None = None) -> NDArray[np.float64] | None:
        """The share of each example's people who say another label than it has, or of those of some rows only; NaN
        where nobody gave one, None where the source has no labels of several people."""
        if not self._shares:
            return None
        if rows is not None:
            shares: NDArray[np.float64] = self._taken(rows, self._shares)[DISAGREEMENT].to_numpy(zero_copy_only=False)
            return shares
        parts = [batch[DISAGREEMENT].to_numpy(zero_copy_only=False) for batch in self._batches()]
        return np.concatenate(parts) if parts else np.empty(0)

    def ordered(self, column: str) -> pa.ChunkedArray:
        """A further column of numbers or times, in its own type; KeyError where it holds none."""
        name = METADATA_PREFIX + column
        if name not in self._ordered:
            raise KeyError(column)
        return pa.chunked_array([batch[name] for batch in self._batches()])

    def _batches(self) -> list[pa.RecordBatch]:
        self.make()
        return read_arrow(self._files, self._path)

    def _examples(self, reader: pq.ParquetFile, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        further = (*self._ordered, *self._shares)
        for batch in reader.iter_batches(BATCH_ROWS, columns=[*self._columns, *further]):
            length = sum(pc.utf8_length(batch[name]).to_numpy() for name in self._columns[1:])
            texts, ordered = ([batch[name] for name in names] for names in (self._columns, further))
            yield pa.record_batch([*texts, pa.array(length, pa.int32()), *ordered], schema=schema)


def _has_order(column: Mapping[str, str]) -> bool:
    return column["role"] == "metadata" and column["type"].startswith(ORDERED_TYPES)
