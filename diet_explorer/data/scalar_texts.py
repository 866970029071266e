"""Numbers, truth values, times and bytes as texts."""

from __future__ import annotations

import base64

import pyarrow as pa
import pyarrow.compute as pc

TICKS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
"""Ticks of a second by Arrow's unit of time."""


def is_text(kind: pa.DataType) -> bool:
    """Whether a type is one of Arrow's kinds of strings."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def is_bytes(kind: pa.DataType) -> bool:
    """Whether a type is one of Arrow's kinds of bytes."""
    return bool(
        pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_fixed_size_binary(kind)
        or pa.types.is_binary_view(kind)
    )


def without_wrapping(column: pa.Array) -> pa.Array:
    """The values of a dictionary, of encoded runs or of an extension type; UUIDs are texts."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return without_wrapping(column.dictionary_decode())
    if pa.types.is_run_end_encoded(kind):
        return without_wrapping(pc.run_end_decode(column))
    if isinstance(kind, pa.UuidType):
        return pa.array([None if value is None else str(value) for value in column.to_pylist()], pa.string())
    if isinstance(kind, pa.Bool8Type):
        return column.storage.cast(pa.bool_())
    return without_wrapping(column.storage) if isinstance(kind, pa.BaseExtensionType) else column


def scalar_texts(column: pa.Array) -> pa.StringArray:
    """See `texts_of`: of a column of numbers, truth values, times or bytes."""
    kind = column.type
    if is_bytes(kind):
        values = column.to_pylist()
        return pa.array([None if value is None else base64.b64encode(value).decode() for value in values], pa.string())
    if pa.types.is_duration(kind):
        return _duration_texts(column)
    if pa.types.is_date64(kind):
        column = column.cast(pa.date32())
    if pa.types.is_timestamp(kind) or pa.types.is_time(kind):
        return _without_empty_fractions(_clock_texts(column))
    return column.cast(pa.string())


def _clock_texts(column: pa.Array) -> pa.StringArray:
    try:
        return column.cast(pa.string())
    except pa.ArrowInvalid:  # a zone that this machine does not know
        return column.cast(pa.timestamp(column.type.unit, "UTC")).cast(pa.string())


def _without_empty_fractions(texts: pa.StringArray) -> pa.StringArray:
    texts = pc.replace_substring_regex(texts, r"(\.\d*?)0+($|[Z+-])", r"\1\2")
    return pc.replace_substring_regex(texts, r"\.($|[Z+-])", r"\1")


def _duration_texts(column: pa.Array) -> pa.StringArray:
    each = TICKS[column.type.unit]
    digits = len(str(each)) - 1
    written: list[str | None] = []
    for ticks in column.cast(pa.int64()).to_pylist():
        if ticks is None:
            written.append(None)
            continue
        seconds, rest = divmod(abs(ticks), each)
        fraction = f".{rest:0{digits}d}".rstrip("0").rstrip(".") if digits else ""
        minutes = seconds // 60
        sign = "-" if ticks < 0 else ""
        written.append(f"{sign}{minutes // 60:02d}:{minutes % 60:02d}:{seconds % 60:02d}{fraction}")
    return pa.array(written, pa.string())
