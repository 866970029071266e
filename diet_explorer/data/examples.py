"""Reading `examples.parquet` by the exact names of its columns, which SQL would fold where they differ in case only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from diet_explorer.data.manifest import METADATA_PREFIX
from diet_explorer.data.value_texts import texts_of
from diet_explorer.store.files import Files
from diet_explorer.store.layout import Layout


def further_column(files: Files, dataset_id: str, column: str) -> Iterator[pa.Array]:
    """The values of a further column, part by part, in row order; texts as dictionaries, which are quick to compare."""
    name = METADATA_PREFIX + column
    with files.open_read(Layout(files).dataset(dataset_id).examples) as stream:
        for batch in pq.ParquetFile(stream, read_dictionary=[name]).iter_batches(columns=[name]):
            yield batch[name]


def read_examples(files: Files, dataset_id: str, rows: Sequence[int] | NDArray[np.integer] | None = None) -> pa.Table:
    """All examples, or those of some rows (each once, those that there are), in row order."""
    with files.open_read(Layout(files).dataset(dataset_id).examples) as stream:
        reader = pq.ParquetFile(stream)
        if rows is None:
            return reader.read()
        ends = np.cumsum([reader.metadata.row_group(number).num_rows for number in range(reader.num_row_groups)])
        wanted = np.unique(np.asarray(rows, dtype=np.int64))
        wanted = wanted[(wanted >= 0) & (wanted < reader.metadata.num_rows)]
        owners = np.searchsorted(ends, wanted, side="right")
        parts = [reader.schema_arrow.empty_table()]
        for group in np.unique(owners):
            table = reader.read_row_group(group)
            parts.append(table.take(pa.array(wanted[owners == group] - (ends[group] - len(table)))))
        return pa.concat_tables(parts)


def read_labels(files: Files, dataset_id: str) -> NDArray[np.int32]:
    """Class codes (N,) of all examples, in row order."""
    with files.open_read(Layout(files).dataset(dataset_id).examples) as stream:
        return np.asarray(pq.read_table(stream, columns=["label"])["label"].to_numpy())


def plain_value(column: pa.ChunkedArray) -> Any:
    """The one value of a column; as text where Python has none like it, such as a date after the year 9999."""
    try:
        return column[0].as_py()
    except (ValueError, OverflowError):
        return texts_of(column.combine_chunks())[0].as_py()
