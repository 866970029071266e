"""Parquet files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from diet_explorer.data.limits import current_limits
from diet_explorer.data.readers.data_file import DataFile
from diet_explorer.data.readers.formats import Format
from diet_explorer.data.readers.options import ReadingOptions
from diet_explorer.data.readers.schema_source import Decoded, SchemaSource, bounded_batch_size
from diet_explorer.data.readers.source import Batch, Source
from diet_explorer.errors import BadInputError


class ParquetSource(SchemaSource):
    """A Parquet file; the class names that `datasets` leaves in its metadata are used."""

    kind = "parquet"

    def __init__(self, file: DataFile) -> None:
        super().__init__(file.location, file.stem)
        self._file = file
        with self._open() as parquet:
            self.schema = parquet.schema_arrow
            self._rows = parquet.metadata.num_rows
            groups = [parquet.metadata.row_group(number) for number in range(parquet.metadata.num_row_groups)]
        self._bytes_per_row = max((g.total_byte_size / max(g.num_rows, 1) for g in groups), default=1.0)
        unpacked = sum(group.total_byte_size for group in groups)
        current_limits().check_unpacked(unpacked, file.local_path.stat().st_size, self.location)
        self.check_names()

    def sha256(self) -> str:
        return self._file.sha256()

    def batches(self, size: int = 65_536) -> Iterator[Batch]:
        self.bad_rows, self.fraction_read = [], 0.0
        rows = 0
        # A text that stands in a dictionary costs a byte where it is repeated, until its column is decoded.
        decoded = Decoded(self.location, self._file.local_path.stat().st_size, self.schema)
        texts = [field.name for field in self.schema if pa.types.is_string(field.type)]
        with self._open(texts) as file:
            batches = file.iter_batches(batch_size=bounded_batch_size(size, self._bytes_per_row))
            while True:
                try:
                    batch = pa.Table.from_batches([next(batches)])
                except StopIteration:
                    break
                except (pa.ArrowException, OSError) as error:
                    raise self._damaged(error) from error
                for table in decoded.parts(batch):
                    lines = np.arange(rows + 1, rows + 1 + table.num_rows)
                    rows += table.num_rows
                    self.fraction_read = min(rows / max(self._rows, 1), 1.0)
                    yield table, lines

    def _open(self, as_dictionaries: Sequence[str] = ()) -> Any:
        try:
            return pq.ParquetFile(self._file.local_path, read_dictionary=list(as_dictionaries))
        except PermissionError:
            raise
        except (pa.ArrowException, OSError) as error:
            raise self._damaged(error) from error

    def _damaged(self, error: Exception) -> BadInputError:
        reason = str(error).splitlines()[0].rstrip(".")
        return BadInputError(
            f"The file {self.location} is not readable as Parquet: {reason}.",
            "Check that it is complete; write it again.",
        )


def _open(file: DataFile, options: ReadingOptions) -> Source:
    options.check("a Parquet file")
    return ParquetSource(file)


PARQUET = Format(
    title="Parquet",
    endings=(".parquet", ".pq"),
    open=_open,
    description="with the class names that `datasets` keeps in it",
    has_signature=lambda beginning: beginning.startswith(b"PAR1"),
)
