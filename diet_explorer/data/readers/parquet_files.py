"""Parquet files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from diet_explorer.data.readers.source import Batch, Source
from diet_explorer.errors import BadInputError
from diet_explorer.store.files import file_sha256

_MAX_BYTES = 1 << 25


class ParquetSource(Source):
    """A Parquet file; the class names that `datasets` leaves in its metadata are used."""

    typed = True
    kind = "parquet"

    def __init__(self, path: Path) -> None:
        super().__init__(str(path), path.stem)
        self._path = path
        if not path.stat().st_size:
            raise BadInputError(f"The file {path} is empty.", "Give a file with rows.")
        with self._open() as file:
            self._schema = file.schema_arrow
            self._rows = file.metadata.num_rows
            groups = (file.metadata.row_group(index) for index in range(file.metadata.num_row_groups))
            self._bytes_per_row = max((g.total_byte_size / max(g.num_rows, 1) for g in groups), default=1.0)
        check_unique(self._schema.names, self.location)

    def columns(self) -> list[str]:
        return list(self._schema.names)

    def sha256(self) -> str:
        return file_sha256(self._path)

    def class_names(self, column: str) -> list[str] | None:
        return class_names_of(self._schema).get(column)

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
            return pq.ParquetFile(self._path)
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
