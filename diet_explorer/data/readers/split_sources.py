"""Several sources as one table: files or splits, one after the other."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from diet_explorer.data.column_types import as_strings, plain
from diet_explorer.data.readers.source import Batch, Source
from diet_explorer.data.report import Notice
from diet_explorer.errors import BadInputError

# Lines of part k are counted from k times this number on, so that a line tells its part.
_LINES_OF_A_PART = 1 << 40


@dataclass(frozen=True)
class Part:
    """One of several sources."""

    source: Source
    split: str | None  # the split that its rows are of; None where rows have none
    title: str  # what the part is called in messages: a file's name, or a split's


@dataclass(frozen=True)
class _Column:
    """How the parts make one column."""

    type: pa.DataType
    names: list[str] | None = None  # of classes, the same in all parts
    decoded: bool = False  # whether class codes are replaced by the names that each part has for them
    conflict: BadInputError | None = None  # why it cannot be the column of the label


class SplitsSource(Source):
    """Several sources one after the other, told apart by a column with the name of the split.

    The column is called ``split``, or ``split name`` if a part has one of that name. A column that a part lacks is
    empty there. Codes of classes stay codes if all parts give them the same names, and become each part's names if not.

    Raises
    ------
    BadInputError
        Parts with types of their own stand beside parts of text, or a column is of types that do not go together.
    """

    def __init__(self, parts: Sequence[Part], location: str, name: str, kind: str) -> None:
        super().__init__(location, name)
        self.kind = kind
        self._parts = list(parts)
        self.typed = self._parts[0].source.typed
        for part in self._parts:
            if part.source.typed != self.typed:
                raise BadInputError(
                    f"{location} mixes formats: {self._parts[0].title} and {part.title}.",
                    "Give files of one format.",
                )
        names = {column for part in self._parts for column in part.source.columns()}
        self._has_splits = any(part.split is not None for part in self._parts)
        self._split_column = "split" if "split" not in names else "split name"
        if len({part.split for part in self._parts}) > 1:
            self.split_column = self._split_column
        self._schema = {column: self._column(column) for column in self._own_columns()} if self.typed else {}
        self.notices = [notice for part in self._parts for notice in part.source.notices]
        self.has_header = all(part.source.has_header for part in self._parts)
        for part in self._parts:
            self.aliases.update(part.source.aliases)

    def columns(self) -> list[str]:
        return [*self._own_columns(), *([self._split_column] if self._has_splits else [])]

    def sha256(self) -> str:
        digest = hashlib.sha256()
        for part in self._parts:
            digest.update(f"{part.split}\0".encode())
            digest.update(bytes.fromhex(part.source.sha256()))
        return digest.hexdigest()

    def class_names(self, column: str) -> list[str] | None:
        known = self._schema.get(column)
        if known is not None and known.conflict is not None:
            raise known.conflict
        return None if known is None else known.names

    def types(self) -> dict[str, pa.DataType]:
        return {name: column.type for name, column in self._schema.items()}

    def place(self, line: int) -> tuple[str | None, int]:
        part, line_of_part = divmod(line, _LINES_OF_A_PART)
        return self._parts[part].title, line_of_part

    def read_as(self) -> list[str]:
        return [f"{part.title}: {sentence}" for part in self._parts for sentence in part.source.read_as()]

    def batches(self, size: int = 65_536) -> Iterator[Batch]:
        self.bad_rows, self.fraction_read = [], 0.0
        for number, part in enumerate(self._parts):
            offset = number * _LINES_OF_A_PART
            taken = 0
            for table, lines in part.source.batches(size):
                taken = self._take_bad_rows(part.source, taken, offset)
                self.fraction_read = (number + part.source.fraction_read) / len(self._parts)
                yield self._united(table, part), lines + offset
            self._take_bad_rows(part.source, taken, offset)
        self.fraction_read = 1.0
        self.notices += [notice for notice in self._about_missing_columns() if notice not in self.notices]

    def _about_missing_columns(self) -> Iterator[Notice]:
        for part in self._parts:
            missing = [name for name in self._own_columns() if name not in part.source.columns()]
            if missing:
                words = f"is no column {missing[0]!r}"
                if len(missing) > 1:
                    words = f"are no columns {', '.join(map(repr, missing))}"
                yield Notice(
                    f"There {words} in {part.title}; its rows are empty there.",
                    "Nothing to do if that is meant so.",
                )

    def _take_bad_rows(self, source: Source, taken: int, offset: int) -> int:
        self.quoted_columns |= source.quoted_columns
        for row in source.bad_rows[taken:]:
            self.set_aside(replace(row, line=row.line + offset))
        return len(source.bad_rows)

    def _own_columns(self) -> list[str]:
        return list(dict.fromkeys(column for part in self._parts for column in part.source.columns()))

    def _united(self, table: pa.Table, part: Part) -> pa.Table:
        """A batch of a part with the columns of all."""
        columns = {}
        for name in self._own_columns():
            kind = self._schema[name].type if self.typed else pa.string()
            if name not in table.column_names:
                columns[name] = pa.nulls(table.num_rows, kind)
                continue
            column = plain(table.column(name))
            names = part.source.class_names(name) if self.typed and self._schema[name].decoded else None
            if names is not None:
                column = decode_classes(column, names)
            elif self.typed and self._schema[name].decoded and not pa.types.is_string(column.type):
                column = pa.nulls(len(column), kind)  # the column of a part without labels
            columns[name] = _converted(column, kind, name)
        if self._has_splits:
            columns[self._split_column] = pa.array([part.split] * table.num_rows, pa.string())
        return pa.table(columns)

    def _column(self, name: str) -> _Column:
        having = [part for part in self._parts if name in part.source.columns()]
        types = {part.title: _plain_type(part.source.types().get(name, pa.null())) for part in having}
        named = {part.title: part.source.class_names(name) for part in having}
        with_names = {title: names for title, names in named.items() if names is not None}
        if not with_names:
            return self._plain_column(name, types)
        if any(map(pa.types.is_nested, types.values())):
            column = self._plain_column(name, types)
            first, *others = with_names.values()
            alike = len(with_names) == len(having) and all(names == first for names in others)
            return replace(column, names=first) if alike else replace(column, conflict=self._other_lists(name))
        bare = [part for part in having if named[part.title] is None and not pa.types.is_null(types[part.title])]
        numbers = [part for part in bare if not pa.types.is_string(types[part.title])]
        unnamed = [part for part in numbers if not _is_unlabelled(part.source, name)]
        first = next(iter(with_names.values()))
        if unnamed:
            return replace(self._plain_column(name, types), conflict=self._unnamed(name, with_names, unnamed[0].title))
        if len(bare) == len(numbers) and all(names == first for names in with_names.values()):
            return _Column(pa.int64(), names=first)
        return _Column(pa.string(), decoded=True)

    def _other_lists(self, name: str) -> BadInputError:
        return BadInputError(
            f"The lists in column {name!r} of {self.location} do not have the same class names in every file.",
            f"Give all of them the same names, with cast_column({name!r}, …); or import one of them.",
        )

    def _unnamed(self, name: str, with_names: dict[str, list[str]], bare: str) -> BadInputError:
        title, names = next(iter(with_names.items()))
        some = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
        return BadInputError(
            f"Column {name!r} has class names in {title} ({some}) but plain numbers in {bare} of {self.location}; "
            "nothing says that the numbers mean the same classes.",
            f"Give {bare} the class names too, with cast_column({name!r}, ClassLabel(names=…)); or import one of them.",
        )

    def _plain_column(self, name: str, types: dict[str, pa.DataType]) -> _Column:
        kinds = {kind for kind in types.values() if not pa.types.is_null(kind)}
        if len(kinds) <= 1:
            return _Column(next(iter(kinds), pa.string()))
        if all(map(pa.types.is_integer, kinds)):
            return _Column(pa.uint64() if kinds <= _UNSIGNED else pa.int64())
        if all(pa.types.is_integer(kind) or pa.types.is_floating(kind) for kind in kinds):
            having = [part for part in self._parts if name in part.source.columns()]
            return _Column(pa.int64() if all(_is_whole(part.source, name) for part in having) else pa.float64())
        try:
            united = pa.unify_schemas([pa.schema([(name, kind)]) for kind in kinds], promote_options="permissive")
            return _Column(united.field(name).type)
        except (pa.ArrowTypeError, pa.ArrowInvalid):
            words = " and ".join(f"{kind} in {title}" for title, kind in _different(types).items())
            conflict = BadInputError(
                f"Column {name!r} of {self.location} holds {words}.",
                "Give it the same type everywhere, or import one of them.",
            )
        if any(pa.types.is_nested(kind) or pa.types.is_binary(kind) for kind in kinds):
            raise conflict
        return _Column(pa.string(), conflict=conflict)


_UNSIGNED = {pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()}


def decode_classes(column: pa.Array, names: list[str]) -> pa.Array:
    """Replace codes of classes by their names; null where there is no such class."""
    known = pc.and_(pc.greater_equal(column, 0), pc.less(column, len(names)))
    return pa.array(names, pa.string()).take(pc.if_else(known, column, pa.scalar(None, column.type)))


def _different(types: dict[str, pa.DataType]) -> dict[str, pa.DataType]:
    """The first part of each type."""
    first: dict[pa.DataType, str] = {}
    for title, kind in types.items():
        first.setdefault(kind, title)
    return {title: kind for kind, title in first.items()}


def _plain_type(kind: pa.DataType) -> pa.DataType:
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return pa.string() if pa.types.is_large_string(kind) or pa.types.is_string_view(kind) else kind


def _converted(column: pa.Array, kind: pa.DataType, name: str) -> pa.Array:
    if column.type == kind:
        return column
    if pa.types.is_string(kind):
        return as_strings(column, name)
    if pa.types.is_floating(column.type) and pa.types.is_integer(kind):
        column = pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
    try:
        return column.cast(kind)
    except pa.ArrowInvalid as error:
        raise BadInputError(
            f"Column {name!r} holds numbers that do not all fit one type: {error}.", "Write them as text."
        ) from error


def _cells(source: Source, name: str) -> Iterator[pa.Array]:
    return (plain(table.column(name)) for table, _ in source.batches())


def _is_unlabelled(source: Source, name: str) -> bool:
    """Whether a column of numbers holds none but −1 and nothing, which stand for an unknown class."""
    return all(
        pc.all(pc.or_kleene(pc.equal(cells, -1), pc.is_null(cells, nan_is_null=True))).as_py() is not False
        for cells in _cells(source, name)
    )


def _is_whole(source: Source, name: str) -> bool:
    """Whether a column of numbers holds no fraction."""
    return all(
        pa.types.is_integer(cells.type)
        or pc.all(pc.or_kleene(pc.is_nan(cells), pc.equal(cells, pc.round(cells)))).as_py() is not False
        for cells in _cells(source, name)
    )
