"""Types of columns in exports: those that every form and the `datasets` library hold, and what others become."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from diet_explorer.data.json_texts import MOST_DIGITS
from diet_explorer.data.scalar_texts import is_bytes, without_wrapping


def exported_type(kind: pa.DataType) -> pa.DataType:
    """What a type becomes: itself, or the plainest one that holds the same values.

    Maps become lists of ``key`` and ``value``, since the `datasets` library knows no maps; dictionaries, encoded runs
    and extension types become the values that they stand for, UUIDs texts; short decimals longer ones.
    """
    inner = without_wrapping(pa.nulls(0, kind)).type
    if inner != kind:
        return exported_type(inner)
    if pa.types.is_map(kind):
        key, value = exported_type(kind.key_type), exported_type(kind.item_type)
        return pa.list_(pa.struct([("key", key), ("value", value)]))
    if pa.types.is_struct(kind):
        fields = [kind.field(number) for number in range(kind.num_fields)]
        return pa.struct([(field.name, exported_type(field.type)) for field in fields])
    if pa.types.is_nested(kind):
        return _list_type(kind)
    if pa.types.is_decimal32(kind) or pa.types.is_decimal64(kind):
        return pa.decimal128(kind.precision, kind.scale)
    if pa.types.is_string_view(kind):
        return pa.string()
    return pa.binary() if pa.types.is_binary_view(kind) else kind


def as_exported(column: pa.Array) -> pa.Array:
    """A column in its `exported_type`."""
    kind = exported_type(column.type)
    column = without_wrapping(column)
    if kind == column.type:
        return column
    if pa.types.is_map(column.type):
        entries = pa.struct([("key", column.type.key_type), ("value", column.type.item_type)])
        return as_exported(column.cast(pa.list_(entries)))
    if pa.types.is_struct(column.type):
        children = [as_exported(child) for child in column.flatten()]
        fields = [kind.field(number) for number in range(kind.num_fields)]
        return pa.StructArray.from_arrays(children, fields=fields, mask=column.is_null())
    if pa.types.is_nested(column.type):
        lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False)
        bounds = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
        large = pa.types.is_large_list(kind)
        lists = pa.LargeListArray if large else pa.ListArray
        offsets = pa.array(bounds, pa.int64() if large else pa.int32())
        return lists.from_arrays(offsets, as_exported(column.flatten()), type=kind, mask=column.is_null())
    return column.cast(kind)


def how_written(kind: pa.DataType, form: str) -> str | None:
    """In words, what stands in an export for the values of a type; None where they stand there as they are."""
    kind = without_wrapping(pa.nulls(0, kind)).type
    if form in ("csv", "jsonl"):
        if is_bytes(kind):
            return "bytes as base64"
        if pa.types.is_duration(kind):
            return "durations as hours:minutes:seconds"
        if form == "csv" and pa.types.is_nested(kind):
            return "JSON; maps as lists of key and value" if "map<" in str(kind) else "JSON"
        if form == "jsonl" and pa.types.is_decimal(kind) and kind.precision > MOST_DIGITS:
            return "decimals as text, which keeps every digit"
    if "map<" in str(kind):
        return "maps as lists of key and value"
    return None


def _list_type(kind: pa.DataType) -> pa.DataType:
    inner = exported_type(kind.value_type)
    if inner == kind.value_type and not (pa.types.is_list_view(kind) or pa.types.is_large_list_view(kind)):
        return kind
    large = pa.types.is_large_list(kind) or pa.types.is_large_list_view(kind)
    return pa.large_list(inner) if large else pa.list_(inner)
