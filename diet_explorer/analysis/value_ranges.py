"""Ranges of further columns, compared in the column's own type: no digit is lost on the way."""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from diet_explorer.data.value_texts import read_number, read_value
from diet_explorer.errors import BadInputError

End = int | float | str
"""An end of a range; a text holds a date, a time, a duration or a number of more digits than a float has."""
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_WITH_COLONS = re.compile(
    r"\d{4}-\d\d-\d\d([T ]\d\d(:\d\d){0,2}(\.\d+)?(Z|[+-]\d\d:?\d\d)?)?|-?\d+(:\d\d){1,2}(\.\d+)?"
)
_EXACT = Context(prec=200)


def end_of(text: str) -> End:
    """An end of a range as somebody wrote it, with every digit."""
    number = read_number(text)
    if number is None:
        return text.strip()
    if number == number.to_integral_value() and re.fullmatch(r"\s*[+-]?\d+\s*", text):
        return int(number)
    return float(number) if Decimal(repr(float(number))) == number else text.strip()


def split_ends(text: str) -> tuple[str, str] | None:
    """Cut ``low:high`` in two, where times in the ends may hold colons; None where that is not clear."""
    parts = text.split(":")
    cuts = [(":".join(parts[:number]), ":".join(parts[number:])) for number in range(1, len(parts))]
    if len(cuts) < 2:
        return cuts[0] if cuts else None
    good = [cut for cut in cuts if all(end == "" or _WITH_COLONS.fullmatch(end) for end in cut)]
    return min(good, key=lambda cut: abs(cut[0].count(":") - cut[1].count(":")), default=None)


def is_end(text: str, kind: str) -> bool:
    """Whether a text can be an end of a range of a column, whose type has this name in Arrow."""
    if kind.startswith("timestamp"):
        return any(read_value(text, pa.timestamp("ns", zone)) is not None for zone in (None, "UTC"))
    if kind.startswith("date"):
        return read_value(text, pa.date32()) is not None
    if kind.startswith("time"):
        return read_value(text, pa.time64("ns")) is not None
    return (read_value(text, pa.duration("ns")) if kind.startswith("duration") else read_number(text)) is not None


def how_ends_are(kind: str) -> str:
    """How the ends of a range of a column are written, whose type has this name in Arrow."""
    if kind.startswith(("date", "timestamp")):
        return "Write days as 2024-01-31 and points in time as 2024-01-31 12:30:00."
    if kind.startswith(("time", "duration")):
        return "Write times as hours:minutes:seconds, such as 12:30:00."
    return "Write numbers such as 10 or 0.5, without separators."


def describe_end(end: End) -> str:
    """An end of a range in words, with every digit and no separators."""
    return repr(end).removesuffix(".0") if isinstance(end, float) else str(end)


def in_range(column: pa.Array | pa.ChunkedArray, low: End | None, high: End | None, name: str) -> NDArray[np.bool_]:
    """Which values lie in [low, high]; every row where both ends are open, missing values too.

    Parameters
    ----------
    column : pyarrow.Array or pyarrow.ChunkedArray
        Of a type of `value_texts.ORDERED_TYPES`.
    low, high : int, float, str or None
        A day as the upper end of points in time is meant to its end.
    name : str
        Of the column, for errors.

    Raises
    ------
    BadInputError
        An end is no value of the column's type.
    """
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.int8())
    mask = np.ones(len(column), dtype=bool)
    for end, is_low in ((low, True), (high, False)):
        if end is not None:
            mask &= _one_side(column, end, is_low, name)
    return mask


def _one_side(column: pa.Array | pa.ChunkedArray, end: End, is_low: bool, name: str) -> NDArray[np.bool_]:
    kind = column.type
    number = read_number(describe_end(end))
    if _is_number(kind) != (number is not None):
        raise _no_value(name, kind, end)
    if number is None:
        return _mask(_beside_a_moment(column, str(end), is_low, name))
    if pa.types.is_floating(kind):
        value = _nearest(number, kind, is_low)
        if pa.types.is_float16(kind):  # Arrow compares no halves
            column, value = column.cast(pa.float32()), value.cast(pa.float32())
        return _mask((pc.greater_equal if is_low else pc.less_equal)(column, value))
    rounded = number.quantize(Decimal(1).scaleb(-_scale(kind)), ROUND_CEILING if is_low else ROUND_FLOOR, _EXACT)
    try:
        value = pa.scalar(rounded if pa.types.is_decimal(kind) else int(rounded), kind)
    except (OverflowError, pa.ArrowInvalid, ValueError):  # beyond what the type can hold
        return np.full(len(column), is_low == (rounded < 0)) & _mask(column.is_valid())
    return _mask((pc.greater_equal if is_low else pc.less_equal)(column, value))


def _beside_a_moment(
    column: pa.Array | pa.ChunkedArray, text: str, is_low: bool, name: str
) -> pa.Array | pa.ChunkedArray:
    value = read_value(text, column.type)
    if value is None:
        raise _no_value(name, column.type, text)
    if is_low:
        return pc.greater_equal(column, value)
    if pa.types.is_timestamp(column.type) and _DAY.fullmatch(text):
        following = str(np.datetime64(text) + np.timedelta64(1, "D"))
        return pc.less(column, read_value(following, column.type))
    return pc.less_equal(column, value)


def _nearest(number: Decimal, kind: pa.DataType, is_low: bool) -> pa.Scalar:
    """The float of the column's type nearest to an end: what is shown of a value finds it."""
    own = np.dtype(kind.to_pandas_dtype()).type
    with np.errstate(over="ignore"):
        value = own(float(number))
    if np.isinf(value) and (value < 0) == is_low:
        value = np.nextafter(value, own(0))
    return pa.scalar(value, kind)


def _scale(kind: pa.DataType) -> int:
    return int(kind.scale) if pa.types.is_decimal(kind) else 0


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _mask(values: pa.Array | pa.ChunkedArray) -> NDArray[np.bool_]:
    return np.asarray(pc.fill_null(values, False).to_numpy(zero_copy_only=False), dtype=bool)


def _no_value(name: str, kind: pa.DataType, end: End) -> BadInputError:
    dates = pa.types.is_date(kind) or pa.types.is_timestamp(kind)
    holds = "numbers" if _is_number(kind) else "dates" if dates else "times"
    return BadInputError(f"The column {name!r} holds {holds}, and {end!r} is none.", how_ends_are(str(kind)))
