"""A hash of the content of a table that does not depend on how it is cut into batches."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from diet_explorer.data.column_types import string_bytes


class ColumnHash:
    """SHA-256 of a column: of its lengths (or validity) and of its values."""

    def __init__(self) -> None:
        self._shape = hashlib.sha256()
        self._values = hashlib.sha256()

    def add(self, column: pa.Array) -> None:
        """Take in the next cells."""
        if pa.types.is_integer(column.type) or pa.types.is_floating(column.type) or pa.types.is_boolean(column.type):
            self._shape.update(pc.is_valid(column).to_numpy(zero_copy_only=False).tobytes())
            filled = pc.fill_null(column, pa.scalar(0).cast(column.type))
            self._values.update(filled.to_numpy(zero_copy_only=False).tobytes())
            return
        if not pa.types.is_string(column.type):
            column = _as_text(column)
        self._shape.update(pc.fill_null(pc.binary_length(column), -1).to_numpy().tobytes())
        self._values.update(string_bytes(pc.fill_null(column, "")))

    def add_nulls(self, count: int) -> None:
        """Take in strings that are null; for columns that appear late in a JSON Lines file."""
        self._shape.update(np.full(count, -1, dtype=np.int32).tobytes())

    def hexdigest(self) -> str:
        """Return the hash so far, in hexadecimal."""
        return hashlib.sha256(self._shape.digest() + self._values.digest()).hexdigest()


def hash_of(facts: object) -> str:
    """Return the SHA-256 of plain data, in hexadecimal."""
    return hashlib.sha256(json.dumps(facts, ensure_ascii=False, sort_keys=True).encode()).hexdigest()


def _as_text(column: pa.Array) -> pa.StringArray:
    if pa.types.is_temporal(column.type) or pa.types.is_decimal(column.type):
        return column.cast(pa.string())
    return pa.array([None if value is None else repr(value) for value in column.to_pylist()], pa.string())
