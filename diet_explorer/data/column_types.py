"""Types of columns: one rule for text files, and plain Arrow types for all."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from diet_explorer.data.scalar_texts import without_wrapping
from diet_explorer.errors import BadInputError

# No leading zeros or plus signs, which mark codes and telephone numbers. Whole numbers of 19 digits may fit 64 bits.
_BOOLEAN = r"^(?i:true|false)?$"
_INTEGER = r"^(0|-?[1-9]\d{0,18})?$"
_NUMBER = r"^(-?((0|[1-9]\d{0,17})(\.\d*)?|\.\d+)([eE](-\d{1,3}|\+?([0-2]?\d{1,2}|30[0-7])))?)?$"


# Numbers of 16 digits and more, and very small ones, may be others once they are floats.
_LONG = r"^-?0*\.?0*(\d\.?){16}|\.0{200}|[eE]-[2-9]\d\d$"
_DIGITS_OF_A_FLOAT = 17


class ColumnTyper:
    """Finds the type of a column of strings from all of its cells.

    A column is boolean, integer or double only if every cell that is not empty is written as such, and holds a number
    that the type keeps; a single other cell makes it a column of strings, wherever it stands.
    """

    def __init__(self) -> None:
        self._candidates = [(pa.bool_(), _BOOLEAN), (pa.int64(), _INTEGER), (pa.float64(), _NUMBER)]
        self._has_values = False

    def add(self, column: pa.Array) -> None:
        """Look at the next cells."""
        if not self._candidates:
            return
        self._has_values = self._has_values or bool(pc.any(pc.not_equal(column, "")).as_py())
        self._candidates = [
            (candidate, pattern)
            for candidate, pattern in self._candidates
            if pc.all(pc.match_substring_regex(column, pattern), min_count=0).as_py() and _holds(candidate, column)
        ]

    @property
    def type(self) -> pa.DataType:
        """The type, as far as it is known from the cells so far."""
        return self._candidates[0][0] if self._candidates and self._has_values else pa.string()


def _holds(kind: pa.DataType, column: pa.StringArray) -> bool:
    """Whether a type keeps the numbers that are written in the cells."""
    if kind == pa.int64():
        try:
            parse_column(column, kind)
        except pa.ArrowInvalid:
            return False
    if kind == pa.float64():
        long = column.filter(pc.match_substring_regex(column, _LONG))
        differing = long.filter(pc.not_equal(long, long.cast(kind).cast(pa.string())))
        return all(_is_a_float(text) for text in differing.to_pylist())
    return True


def _is_a_float(text: str) -> bool:
    """Whether a number is a float, written in as few digits as tell it from others or in more than it needs."""
    number, nearest = Decimal(text), float(text)
    if number == Decimal(repr(nearest)):
        return True
    digits = len(number.normalize().as_tuple().digits)
    return digits >= _DIGITS_OF_A_FLOAT and Decimal(f"{nearest:.{digits - 1}e}") == number


def parse_column(column: pa.Array, to: pa.DataType) -> pa.Array:
    """Turn a column of strings into the type of its `ColumnTyper`; empty cells of typed columns become null."""
    if to == pa.string():
        return column
    column = pc.if_else(pc.equal(column, ""), pa.scalar(None, pa.string()), column)
    return pc.equal(pc.utf8_lower(column), "true") if to == pa.bool_() else column.cast(to)


def plain(column: Any) -> pa.Array:
    """Return a column as one array of plain values (no dictionary or extension), all kinds of strings as ``string``."""
    array = without_wrapping(column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column)
    if pa.types.is_large_string(array.type) or pa.types.is_string_view(array.type):
        array = array.cast(pa.string())
    return array


def check_storable(name: str, kind: pa.DataType) -> None:
    """Refuse a column that no dataset can hold, by its name."""
    parts = [kind]
    while parts:
        part = parts.pop()
        if pa.types.is_union(part) or pa.types.is_interval(part) or (pa.types.is_struct(part) and not part.num_fields):
            held = "structures without fields" if pa.types.is_struct(part) else str(part)
            raise BadInputError(
                f"Column {name!r} holds {held}, which no Parquet file can hold.",
                "Write the file without this column, or with it as text.",
            )
        parts += [part.field(number).type for number in range(part.num_fields)]


def as_strings(column: pa.Array, name: str) -> pa.StringArray:
    """Return a column of texts, numbers or booleans as strings; whole numbers without a fraction.

    A column of lists, structures or bytes is a BadInputError.
    """
    if pa.types.is_string(column.type):
        return column
    if pa.types.is_float16(column.type):
        column = column.cast(pa.float32())
    if pa.types.is_floating(column.type):
        whole = pc.and_(pc.equal(column, pc.round(column)), pc.less(pc.abs(column), 1e15))
        as_whole = pc.if_else(whole, column, pa.scalar(None, column.type)).cast(pa.int64()).cast(pa.string())
        missing = pc.is_nan(column)
        written = pc.if_else(missing, pa.scalar(None, pa.string()), column.cast(pa.string()))
        return pc.if_else(pc.fill_null(whole, False), as_whole, written)
    try:
        if pa.types.is_binary(column.type) or pa.types.is_nested(column.type):
            raise pa.ArrowNotImplementedError
        return column.cast(pa.string())
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid) as error:
        raise BadInputError(
            f"Column {name!r} holds {column.type}, not text, numbers or booleans.",
            "Map another column, or convert it first.",
        ) from error


def string_bytes(column: pa.StringArray) -> memoryview:
    """Return the bytes of all strings of a column, one behind the other, without copying; nulls must be empty."""
    _, offsets, values = column.buffers()
    if not len(column) or values is None:
        return memoryview(b"")
    bounds = np.frombuffer(offsets, dtype=np.int32)[column.offset : column.offset + len(column) + 1]
    return memoryview(values)[bounds[0] : bounds[-1]]


def has_nul(column: pa.StringArray) -> bool:
    """Whether any string of a column may hold a NUL character."""
    values = np.frombuffer(string_bytes(column), dtype=np.uint8)
    return bool(len(values)) and not values.min()
