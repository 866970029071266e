"""Fields inside the objects of a column, named by a dotted path such as ``data.text``, as columns of their own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from diet_explorer.data.columns import ColumnMapping
from diet_explorer.data.readers.source import Batch, Source
from diet_explorer.errors import BadInputError

_LOOKED_AT = 100
_DEPTH = 6
_TABLES = ("csv", "tsv")  # kinds whose cells are never objects
_JSON = ("json", "jsonl")


class NestedSource(Source):
    """A source with some fields of its objects as further columns."""

    def __init__(self, inner: Source, paths: list[str]) -> None:
        super().__init__(inner.location, inner.name)
        self.kind, self.typed = inner.kind, inner.typed
        self.aliases, self.notices = inner.aliases, inner.notices
        self.quoted_columns = inner.quoted_columns
        self.described_classes = inner.described_classes
        self.split_column = inner.split_column
        self._inner = inner
        self._paths = paths

    def columns(self) -> list[str]:
        return [*self._inner.columns(), *self._paths]

    def sha256(self) -> str:
        return self._inner.sha256()

    def class_names(self, column: str) -> list[str] | None:
        return None if column in self._paths else self._inner.class_names(column)

    def place(self, line: int) -> tuple[str | None, int]:
        return self._inner.place(line)

    def read_as(self) -> list[str]:
        return self._inner.read_as()

    def batches(self, size: int = 65_536) -> Iterator[Batch]:
        for table, lines in self._inner.batches(size):
            self._take_over()
            for path in self._paths:
                table = table.append_column(path, self._field(table, path))
            yield table, lines
        self._take_over()

    def _take_over(self) -> None:
        self.bad_rows, self.fraction_read = self._inner.bad_rows, self._inner.fraction_read
        self.notices = self._inner.notices

    def _field(self, table: pa.Table, path: str) -> pa.Array:
        name, rest = _split(path, table.column_names)
        if not name:  # a column that first appears later in the source
            return pa.nulls(table.num_rows, pa.string())
        column = table.column(name).combine_chunks()
        if pa.types.is_struct(column.type):
            for part in rest:
                if not pa.types.is_struct(column.type) or column.type.get_field_index(part) < 0:
                    break
                column = pc.struct_field(column, part)
            else:
                return column
        values = [_inside(value, rest) for value in table.column(name).to_pylist()]
        if any(isinstance(value, str) for value in values):
            self.quoted_columns.add(path)
        return pa.array([None if value is None else _written(value) for value in values], pa.string())


def settle(source: Source, mapping: ColumnMapping) -> tuple[Source, ColumnMapping]:
    """Find what the mapping's names stand for: columns, fields inside objects, or cells of a line that is no header.

    Names are as they are where a column is called so, else without blanks around them.

    Raises
    ------
    BadInputError
        A column holds objects, of which a field must be named.
    """
    columns = source.columns()
    renamed = {}
    for _, name in mapping.columns():
        near = name if name in columns else source.aliases.get(name, name.strip())
        renamed[name] = near if near in columns or _split(near, columns)[0] else name
    paths = [name for name in dict.fromkeys(renamed.values()) if name not in columns and _split(name, columns)[0]]
    if source.kind not in _TABLES:
        _refuse_objects(source, [renamed[name] for role, name in mapping.columns() if role != "split"], paths)
    if source.kind in _JSON:
        _refuse_lists(source, [renamed[name] for role, name in mapping.roles() if role in ("text", "text_pair")])
    return (NestedSource(source, paths) if paths else source), mapping.renamed(renamed)


def nested_fields(source: Source) -> dict[str, list[str]]:
    """Dotted paths to the fields of the columns that hold objects, as far as the first rows show them."""
    if source.kind in _TABLES:
        return {}
    preview = source.preview(_LOOKED_AT)
    fields: dict[str, list[str]] = {}
    for name in preview.columns:
        values = [_decoded(value) for value in preview[name]]
        is_text = source.kind not in _JSON or name in source.quoted_columns
        paths = dict.fromkeys(path for value in values for path in _paths_of(value, str(name), with_lists=not is_text))
        if paths:
            fields[str(name)] = list(paths)
    return fields


def _paths_of(value: Any, name: str, *, with_lists: bool) -> Iterator[str]:
    """Paths to the fields of an object, or of the first object of a list of them."""
    if isinstance(value, dict):
        yield from _paths(value, name, _DEPTH)
    elif with_lists and isinstance(value, list) and value and isinstance(value[0], dict):
        yield from _paths(value[0], f"{name}.0", _DEPTH)


def _refuse_objects(source: Source, names: list[str], paths: list[str]) -> None:
    fields = nested_fields(source)
    for path in paths:
        head = _split(path, source.columns())[0]
        inside = [other for other in fields.get(head, []) if other.startswith(f"{path}.")]
        if inside:
            fields[path] = inside
    for name in names:
        if name in fields:
            some = ", ".join(fields[name][:8])
            raise BadInputError(
                f"Column {name!r} holds objects, not single values.", f"Name a field inside them: {some}."
            )


def _refuse_lists(source: Source, names: list[str]) -> None:
    """Refuse texts that are lists, such as of tokens, and not written as text."""
    for name in names:
        if name in source.columns() and name not in source.quoted_columns:
            values = [_decoded(value) for value in source.preview(_LOOKED_AT)[name].dropna()]
            if values and all(isinstance(value, list) for value in values):
                raise BadInputError(
                    f"Column {name!r} holds lists, not texts.",
                    f"Join the entries of each to one text first, or name one entry, such as {name}.0 for the first.",
                )


def _split(path: str, columns: list[str]) -> tuple[str, list[str]]:
    """The column at the beginning of a path and the rest of it; an empty name where there is no such column."""
    parts = path.split(".")
    for number in range(len(parts) - 1, 0, -1):
        name = ".".join(parts[:number])
        if name in columns and all(parts[number:]):
            return name, parts[number:]
    return "", []


def _inside(value: Any, parts: list[str]) -> Any:
    value = _decoded(value)
    for part in parts:
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            return None
    return value


def _decoded(value: Any) -> Any:
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


def _paths(value: dict[str, Any], prefix: str, depth: int) -> Iterator[str]:
    for key, inner in value.items():
        path = f"{prefix}.{key}"
        if isinstance(inner, dict) and inner and depth:
            yield from _paths(inner, path, depth - 1)
        else:
            yield path


def _written(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
