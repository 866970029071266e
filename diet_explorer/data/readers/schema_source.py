"""What sources share whose file has a schema of Arrow: Parquet, Arrow and `datasets`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from diet_explorer.data.limits import current_limits
from diet_explorer.data.readers.source import Source
from diet_explorer.errors import BadInputError

_MAX_BYTES = 1 << 25
_LISTS = ("Sequence", "List", "LargeList")
_A_ROW = 16  # bytes that a row counts for at least


class SchemaSource(Source):
    """A source whose columns have types and, where `datasets` left them in the metadata, names of classes."""

    typed = True
    schema: pa.Schema

    def columns(self) -> list[str]:
        return list(self.schema.names)

    def class_names(self, column: str) -> list[str] | None:
        return class_names_of(self.schema).get(column)

    def types(self) -> dict[str, pa.DataType]:
        return {field.name: field.type for field in self.schema}

    def check_names(self) -> None:
        """Refuse two columns of the same name, too many columns, or types too deep in one another."""
        limits = current_limits()
        limits.check_columns(len(self.schema.names), self.location)
        for field in self.schema:
            if _depth(field.type) > limits.depth:
                raise limits.too_deep(f"Column {field.name!r} of {self.location}")
        for name, times in Counter(self.schema.names).items():
            if times > 1:
                raise BadInputError(
                    f"{self.location} has more than one column {name!r}.", "Give each column a name of its own."
                )


def bounded_batch_size(size: int, bytes_per_row: float) -> int:
    """Return how many rows to read at once so that a batch stays near 32 MiB at most."""
    return max(1, min(size, int(_MAX_BYTES / max(bytes_per_row, 1.0))))


class Decoded:
    """Counts what the batches of a file come to once each value has a place of its own.

    A value that stands in a dictionary, or a run of equal ones, costs next to nothing where it is repeated.

    Parameters
    ----------
    location : str
    size : int
        Bytes of the file.
    schema : pyarrow.Schema
        The types that the columns are to have; dictionaries that are not among them become plain texts.
    """

    def __init__(self, location: str, size: int, schema: pa.Schema) -> None:
        self._location = location
        self._size = size
        self._schema = schema
        self._total = 0

    def parts(self, batch: pa.Table) -> Iterator[pa.Table]:
        """The batch in parts of at most 32 MiB or of one row; LimitError where all is far larger than the file."""
        limits = current_limits()
        limits.check_unpacked(self._total + _A_ROW * batch.num_rows, self._size, self._location)
        sizes = np.full(batch.num_rows, _A_ROW, dtype=np.int64)
        for column in batch.columns:
            sizes += _decoded_sizes(column)
        ends = np.cumsum(sizes)
        self._total += int(ends[-1]) if len(ends) else 0
        limits.check_unpacked(self._total, self._size, self._location)
        starts = [0, *(np.flatnonzero(np.diff(ends // _MAX_BYTES)) + 1).tolist(), batch.num_rows]
        for start, end in pairwise(starts):
            yield self._as_schema(batch.slice(start, end - start))

    def _as_schema(self, part: pa.Table) -> pa.Table:
        for number, field in enumerate(self._schema):
            column = part.column(number)
            if column.type != field.type and pa.types.is_dictionary(column.type):
                plain = pa.chunked_array([chunk.dictionary_decode() for chunk in column.chunks], field.type)
                part = part.set_column(number, field, plain)
        return part


def _decoded_sizes(column: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    """Bytes of each value; those of a column without dictionary or runs on the average."""
    sizes = [np.zeros(0, dtype=np.int64)]
    for chunk in column.chunks:
        values, lengths = chunk, None
        if pa.types.is_run_end_encoded(chunk.type):
            ends = chunk.find_physical_length() + chunk.find_physical_offset()
            lengths = np.full(len(chunk), chunk.values.slice(0, ends).nbytes, dtype=np.int64)
        elif pa.types.is_dictionary(chunk.type) and _has_length(chunk.type.value_type):
            values = pc.binary_length(chunk.dictionary).take(chunk.indices)
            lengths = pc.fill_null(values, 0).to_numpy(zero_copy_only=False).astype(np.int64)
        sizes.append(np.full(len(chunk), chunk.nbytes // max(len(chunk), 1)) if lengths is None else lengths)
    return np.concatenate(sizes)


def _has_length(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
    )


def class_names_of(schema: pa.Schema) -> dict[str, list[str]]:
    """Return the names of `datasets`' ClassLabel columns and lists of them, which stand in the schema's metadata."""
    try:
        described = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
    except (ValueError, RecursionError):
        return {}  # the codes of the classes say as much as where nobody left names for them
    info = described.get("info") if isinstance(described, dict) else None
    features = info.get("features") if isinstance(info, dict) else None
    named = {column: _names_of(feature) for column, feature in features.items()} if isinstance(features, dict) else {}
    return {column: names for column, names in named.items() if names}


def _names_of(feature: Any) -> list[str]:
    """Names of a ClassLabel, also of the entries of a list of them; none for any other feature."""
    while isinstance(feature, dict) and feature.get("_type") in _LISTS:
        feature = feature.get("feature")
    feature = feature[0] if isinstance(feature, list) and len(feature) == 1 else feature
    is_class = isinstance(feature, dict) and feature.get("_type") == "ClassLabel"
    names = feature.get("names") if is_class else None
    return names if isinstance(names, list) and all(isinstance(name, str) for name in names) else []


def _depth(kind: pa.DataType) -> int:
    """How many lists, structures and the like are in one another."""
    depth, level = 0, [kind]
    while level := [part.field(number).type for part in level for number in range(part.num_fields)]:
        depth += 1
    return depth
