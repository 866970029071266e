"""Arrow's own files: Feather and the IPC file and stream formats."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from diet_explorer.data.readers.data_file import DataFile
from diet_explorer.data.readers.formats import Format
from diet_explorer.data.readers.options import ReadingOptions
from diet_explorer.data.readers.schema_source import Decoded, SchemaSource
from diet_explorer.data.readers.source import Batch, Source
from diet_explorer.errors import BadInputError

FILE_MAGIC = b"ARROW1"
FEATHER_1_MAGIC = b"FEA1"


class ArrowSource(SchemaSource):
    """A Feather or Arrow IPC file; the class names that `datasets` leaves in its metadata are used."""

    kind = "arrow"

    def __init__(self, file: DataFile) -> None:
        super().__init__(file.location, file.stem)
        self._file = file
        if file.beginning.startswith(FEATHER_1_MAGIC):
            raise BadInputError(
                f"The file {self.location} is of Feather's first version, which is no longer read.",
                "Write it again with a newer pandas or pyarrow, or as Parquet.",
            )
        self._is_stream = not file.beginning.startswith(FILE_MAGIC)
        self._size = max(file.local_path.stat().st_size, 1)
        with self._mapped() as mapped:
            self.schema = self._reader(mapped).schema
        self.check_names()

    def sha256(self) -> str:
        return self._file.sha256()

    def batches(self, size: int = 65_536) -> Iterator[Batch]:
        self.bad_rows, self.fraction_read = [], 0.0
        rows = 0
        decoded = Decoded(self.location, self._size, self.schema)
        with self._mapped() as mapped:
            for table, share in self._tables(mapped):
                for part in _at_most(size, decoded.parts(table)):
                    lines = np.arange(rows + 1, rows + 1 + part.num_rows)
                    rows += part.num_rows
                    self.fraction_read = share
                    yield part, lines
        self.fraction_read = 1.0

    def _tables(self, mapped: Any) -> Iterator[tuple[pa.Table, float]]:
        """Every batch of the file, and how much of the file lies before its end."""
        reader = self._reader(mapped)
        number = 0
        while True:
            try:
                if self._is_stream:
                    batch = reader.read_next_batch()
                elif number < reader.num_record_batches:
                    batch = reader.get_batch(number)
                else:
                    return
                batch.validate(full=True)  # else its offsets may lead anywhere
            except StopIteration:
                return
            except (pa.ArrowException, OSError) as error:
                raise self._damaged(error) from error
            number += 1
            share = mapped.tell() / self._size if self._is_stream else number / reader.num_record_batches
            yield pa.Table.from_batches([batch]), share

    def _mapped(self) -> Any:
        return pa.memory_map(str(self._file.local_path))

    def _reader(self, mapped: Any) -> Any:
        try:
            return pa.ipc.open_stream(mapped) if self._is_stream else pa.ipc.open_file(mapped)
        except (pa.ArrowException, OSError) as error:
            raise self._damaged(error) from error

    def _damaged(self, error: Exception) -> BadInputError:
        reason = str(error).splitlines()[0].rstrip(".")
        return BadInputError(
            f"The file {self.location} is not readable as Arrow: {reason}.",
            "Check that it is complete; write it again.",
        )


def _at_most(size: int, tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
    for table in tables:
        for start in range(0, table.num_rows, size):
            yield table.slice(start, size)


def _open(file: DataFile, options: ReadingOptions) -> Source:
    options.check("an Arrow file")
    return ArrowSource(file)


ARROW = Format(
    title="Arrow and Feather",
    endings=(".arrow", ".feather", ".ipc"),
    open=_open,
    description="Arrow's IPC files and streams, Feather",
    has_signature=lambda beginning: beginning.startswith((FILE_MAGIC, FEATHER_1_MAGIC)),
)
