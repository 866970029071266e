"""Columns of any type as JSON, built by Arrow's own kernels: no digit goes through a float that was none."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from diet_explorer.data.scalar_texts import is_text, scalar_texts, without_wrapping

MOST_DIGITS = 15
"""Decimals of more digits are written as JSON strings, since readers take JSON's numbers for floats."""
_ESCAPES = {character: json.dumps(character)[1:-1] for character in map(chr, range(0x20))}
_NONE = pa.nulls(0, pa.string())
_MOST_BYTES = 1 << 23
"""Of lists and structures so many bytes are written at once, since each of their numbers becomes a text of its own."""
_CONTROLS = r"[\x00-\x1f]"


def json_texts(column: pa.Array, null: str | None = "null") -> pa.StringArray:
    """Each value as JSON.

    Numbers that JSON does not know (NaN, infinities) are null; bytes are base64; times and durations are strings as
    `value_texts.texts_of` has them; maps are lists of ``{"key": …, "value": …}``.

    Parameters
    ----------
    column : pyarrow.Array
    null : str or None
        What stands for a missing value.
    """
    parts = max(1, min(len(column), column.nbytes // _MOST_BYTES)) if pa.types.is_nested(column.type) else 1
    step = max(1, -(-len(column) // parts))
    texts = pa.concat_arrays([_texts(column.slice(start, step)) for start in range(0, len(column), step)] or [_NONE])
    return texts if null is None else pc.fill_null(texts, null)


def _texts(column: pa.Array) -> pa.StringArray:
    column = without_wrapping(column)
    kind = column.type
    if pa.types.is_null(kind):
        return pa.nulls(len(column), pa.string())
    if pa.types.is_struct(kind):
        return _objects(column)
    if pa.types.is_nested(kind):
        return _lists(column)
    if pa.types.is_floating(kind):
        return _floats(column)
    if pa.types.is_boolean(kind) or pa.types.is_integer(kind):
        return column.cast(pa.string())
    if pa.types.is_decimal(kind) and kind.precision <= MOST_DIGITS:
        return scalar_texts(column)
    return _quoted(column.cast(pa.string()) if is_text(kind) else scalar_texts(column))


def _floats(column: pa.Array) -> pa.StringArray:
    column = pc.if_else(pc.is_finite(column), column, pa.scalar(None, column.type))
    texts = scalar_texts(column)
    return pc.if_else(
        pc.match_substring_regex(texts, r"^-?\d+$"), pc.binary_join_element_wise(texts, ".0", ""), texts
    )  # without a point readers would take a column of them for whole numbers


def _quoted(texts: pa.StringArray) -> pa.StringArray:
    texts = pc.replace_substring(pc.replace_substring(texts, "\\", "\\\\"), '"', '\\"')
    if pc.any(pc.match_substring_regex(texts, _CONTROLS), min_count=0).as_py():
        for character, escaped in _ESCAPES.items():
            texts = pc.replace_substring(texts, character, escaped)
    return pc.binary_join_element_wise('"', texts, '"', "")


def _lists(column: pa.Array) -> pa.StringArray:
    if pa.types.is_map(column.type):
        column = column.cast(pa.list_(pa.struct([("key", column.type.key_type), ("value", column.type.item_type)])))
    lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False)
    bounds = pa.array(np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]))
    lists = pa.LargeListArray.from_arrays(bounds, json_texts(column.flatten()))
    joined = pc.binary_join_element_wise("[", pc.binary_join(lists, ", "), "]", "")
    return pc.if_else(column.is_valid(), joined, pa.scalar(None, pa.string()))


def _objects(column: pa.StructArray) -> pa.StringArray:
    parts: list[pa.Array | str] = ["{"]
    for number, values in enumerate(column.flatten()):
        name = json.dumps(column.type.field(number).name, ensure_ascii=False)
        parts += [("" if number == 0 else ", ") + f"{name}: ", json_texts(values)]
    if len(parts) == 1:
        whole = pa.array(["{}"] * len(column), pa.string())
    else:
        whole = pc.binary_join_element_wise(*parts, "}", "")
    return pc.if_else(column.is_valid(), whole, pa.scalar(None, pa.string()))
