"""Arrow files: uncompressed columns that are mapped into memory, so that any row of a million is there at once.

They hold what is made from the Parquet files to be read by row: 50 rows out of a million take 0.2 ms, where Parquet has
to unpack whole columns.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import pandas as pd
import pyarrow as pa

from diet_explorer.errors import NotFoundError
from diet_explorer.store.files import Files


def write_arrow(files: Files, path: str, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> None:
    """Write an Arrow file atomically, batch by batch."""
    with files.atomic_writer(path) as stream, pa.ipc.new_file(stream, schema) as writer:
        for batch in batches:
            writer.write_batch(batch)


def read_arrow(files: Files, path: str) -> list[pa.RecordBatch]:
    """All batches of a file, or NotFoundError; what is used of their columns is read from the disk when it is."""
    with arrow_reader(files, path) as reader:
        return [reader.get_batch(number) for number in range(reader.num_record_batches)]


@contextmanager
def arrow_reader(files: Files, path: str) -> Iterator[pa.RecordBatchFileReader]:
    """The same for who needs few of many batches, each of which costs some 0.2 ms; they may be used after the block."""
    with files.local_copy(path) as local, _mapped(local, path) as source:
        yield pa.ipc.open_file(source)


def _mapped(local: str, path: str) -> pa.MemoryMappedFile:
    try:
        return pa.memory_map(local)
    except FileNotFoundError as error:
        raise NotFoundError(f"There is no file {path}.", "Check the name, or create it again.") from error


def exact_frame(table: pa.Table) -> pd.DataFrame:
    """A table as a data frame, where whole numbers stay whole also in columns that lack some (as pandas' ``Int64``)."""
    try:
        frame: pd.DataFrame = table.to_pandas()
    except (ValueError, KeyError, TypeError, AttributeError):  # what pandas left in the schema is damaged
        frame = table.replace_schema_metadata(None).to_pandas()
    for number, column in enumerate(table.columns):
        if pa.types.is_integer(column.type) and column.null_count:
            own = {column.type: getattr(pd, f"{str(column.type).replace('i', 'I').replace('u', 'U')}Dtype")()}
            frame.isetitem(number, column.to_pandas(types_mapper=own.get))
    return frame
