"""Parquet files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from diet_explorer.data.readers.data_file import DataFile
from diet_explorer.data.readers.formats import Format
from diet_explorer.data.readers.options import ReadingOptions
from diet_explorer.data.readers.source import Batch, Source
from diet_explorer.errors import BadInputError

_MAX_BYTES = 1 << 25


class ParquetSource(Source):
    """A Parquet file; the class names that `datasets` leaves in its metadata are used."""

    typed = True
    kind = "parquet"

    def __init__(self, file: DataFile) -> None:
        super().__init__(file.location, file.stem)
        self._file = file
        with self._open() as parquet:
            self._schema = parquet.schema_arrow
            self._rows = parquet.metadata.num_rows
            groups = map(parquet.metadata.row_group, range(parquet.metadata.num_row_groups))
            self._bytes_per_row = max((g.total_byte_size / max(g.num_rows, 1) for g in groups), default=1.0)
        check_unique(self._schema.names, self.location)

    def columns(self) -> list[str]:
        return list(self._schema.names)

    def sha256(self) -> str:
        return self._file.sha256()

    def class_names(self, column: str) -> list[str] | None:
        return class_names_of(self._schema).get(column)

    def types(self) -> dict[str, pa.DataType]:
        return {field.name: field.type for field in self._schema}

    def batches(self, size: int = 65_536) -> Iterator[Batch]:
        self.bad_rows, self.fraction_read = [], 0.0
        rows = 0
        with self._open() as file:
            batches = file.iter_batches(batch_size=bounded_batch_size(size, self._bytes_per_row))
            while True:
                try:
                    table = pa.Table.from_batches([next(batches)])
                except StopIteration:
                    break
                except (pa.ArrowException, OSError) as error:
                    raise self._damaged(error) from error
                lines = np.arange(rows + 1, rows + 1 + table.num_rows)
                rows += table.num_rows
                self.fraction_read = rows / max(self._rows, 1)
                yield table, lines

    def _open(self) -> Any:
        try:
            return pq.ParquetFile(self._file.local_path)
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


def bounded_batch_size(size: int, bytes_per_row: float) -> int:
    """Return how many rows to read at once so that a batch stays near 32 MiB at most."""
    return max(1, min(size, int(_MAX_BYTES / max(bytes_per_row, 1.0))))


def check_unique(names: list[str], location: str) -> None:
    """Refuse two columns of the same name."""
    for name in names:
        if names.count(name) > 1:
            raise BadInputError(f"{location} has more than one column {name!r}.", "Give each column a name of its own.")


def class_names_of(schema: pa.Schema) -> dict[str, list[str]]:
    """Return the names of `datasets`' ClassLabel columns, which stand in the schema's metadata."""
    described = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
    features = described.get("info", {}).get("features") or {}
    return {
        column: list(feature["names"])
        for column, feature in features.items()
        if isinstance(feature, dict) and feature.get("_type") == "ClassLabel" and feature.get("names")
    }


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
