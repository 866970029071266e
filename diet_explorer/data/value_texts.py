"""How values read as text, the same in filters, on the card and in exports, and how such a text is read again."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation
from numbers import Integral
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from diet_explorer.data.json_texts import json_texts
from diet_explorer.data.scalar_texts import TICKS, is_text, scalar_texts, without_wrapping

ORDERED_TYPES = (
    *("int", "uint", "float", "double", "halffloat", "decimal", "bool"),
    *("date", "time", "duration"),  # timestamps among them
)
"""How the names of Arrow's types begin that a range can be asked of."""
_DURATION = re.compile(
    r"(?P<sign>-?)(?:(?P<days>\d+) days? )?(?P<h>\d+):(?P<m>[0-5]?\d):(?P<s>[0-5]?\d)(?:\.(?P<f>\d{1,9}))?"
)
_ZONE = re.compile(r".*(?:Z|[+-]\d\d:?\d\d)", re.DOTALL)
_MOST_EXPONENT = 400


def as_name(given: Any) -> Any:
    """A class or an id that somebody gives as a whole number, as it is written; anything else as it is."""
    return str(given) if isinstance(given, Integral) and not isinstance(given, bool) else given


def texts_of(column: pa.Array) -> pa.StringArray:
    """How each value of a column reads; null where there is none.

    Numbers have every digit and no separators; times are ISO 8601 with a blank between date and time; durations are
    ``hours:minutes:seconds``; bytes are base64; lists, structures and maps are JSON.
    """
    column = without_wrapping(column)
    kind = column.type
    if pa.types.is_null(kind):
        return pa.nulls(len(column), pa.string())
    if is_text(kind):
        return column.cast(pa.string())
    return json_texts(column, null=None) if pa.types.is_nested(kind) else scalar_texts(column)


def matches(column: pa.Array, wanted: Sequence[str]) -> pa.BooleanArray:
    """Which values are one of those that are meant by some texts, whichever way these are written."""
    if pa.types.is_dictionary(column.type):
        return pc.fill_null(matches(column.dictionary, wanted).take(column.indices), False)
    column = without_wrapping(column)
    masks = []
    for text in wanted:
        values = column
        value = read_value(text, column.type)
        if value is not None and pa.types.is_float16(column.type):  # Arrow compares no halves
            value, values = value.cast(pa.float32()), column.cast(pa.float32())
        if value is None:
            own = pc.equal(texts_of(column), _as_json(text) if pa.types.is_nested(column.type) else text)
        elif pa.types.is_floating(column.type) and pc.is_nan(value).as_py():
            own = pc.is_nan(values)
        else:
            own = pc.equal(values, value)
        masks.append(pc.fill_null(own, False))
    mask = masks[0]
    for other in masks[1:]:
        mask = pc.or_(mask, other)
    return mask


def read_value(text: str, kind: pa.DataType) -> pa.Scalar | None:
    """The value of a type that a text means; None where it means none, or the type has no order."""
    try:
        if pa.types.is_boolean(kind):
            return {"true": pa.scalar(True), "false": pa.scalar(False)}.get(text.strip().lower())
        if pa.types.is_floating(kind):
            value = float(text)
            return pa.scalar(np.dtype(kind.to_pandas_dtype()).type(value), kind)
        if pa.types.is_integer(kind):
            number = read_number(text)
            return pa.scalar(int(number), kind) if number is not None and number == number.to_integral_value() else None
        if pa.types.is_decimal(kind):
            return pa.scalar(read_number(text), kind)
        if pa.types.is_duration(kind):
            return _read_duration(text, kind)
        if pa.types.is_date(kind):
            return pa.scalar(datetime.fromisoformat(text).date() if len(text) > 10 else date.fromisoformat(text), kind)
        if pa.types.is_time(kind):
            return pa.scalar(time.fromisoformat(text), kind)
        if pa.types.is_timestamp(kind):
            return _read_timestamp(text, kind)
    except (ValueError, OverflowError, TypeError, pa.ArrowInvalid):
        return None
    return None


def read_number(text: str) -> Decimal | None:
    """A finite number with all of its digits; None where the text is none."""
    try:
        number = Decimal(text.strip())
    except InvalidOperation:
        return None
    return number if number.is_finite() and abs(number.adjusted()) < _MOST_EXPONENT else None


def _as_json(text: str) -> str:
    """A text of JSON as `json_texts` would write it."""
    try:
        return json.dumps(json.loads(text), ensure_ascii=False)
    except ValueError:
        return text


def _read_duration(text: str, kind: pa.DataType) -> pa.Scalar | None:
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        return None
    hours = 24 * int(match["days"] or 0) + int(match["h"])
    seconds = Decimal(hours * 3600 + int(match["m"]) * 60 + int(match["s"])) + Decimal(f"0.{match['f'] or 0}")
    ticks: Any = seconds * TICKS[kind.unit]
    if ticks != ticks.to_integral_value():
        return None
    return pa.scalar(int(-ticks if match["sign"] else ticks), pa.int64()).cast(kind)


def _read_timestamp(text: str, kind: pa.DataType) -> pa.Scalar:
    """A point in time; one without an offset is meant in the column's zone."""
    text = text.strip()
    if kind.tz is None or (len(text) > 10 and _ZONE.fullmatch(text)):
        return pa.scalar(text).cast(kind)
    return pc.assume_timezone(pa.scalar(text).cast(pa.timestamp(kind.unit)), kind.tz)
