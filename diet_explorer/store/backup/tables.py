"""The tables of an explorer database as lines of JSON, the same from SQLite and from PostgreSQL, and back.

The tables are taken as the database describes them, not as this version of the program does: an older workspace is
backed up before it is upgraded, and a backup is restored in the form in which it was made.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import islice
from tempfile import SpooledTemporaryFile
from typing import IO, Any

from sqlalchemy import (
    JSON,
    Column,
    Connection,
    DateTime,
    Engine,
    LargeBinary,
    MetaData,
    Table,
    Text,
    cast,
    func,
    select,
)

from diet_explorer.errors import WorkspaceError
from diet_explorer.store.database import database_errors, in_utc

PART_ROWS = 10_000
PART_BYTES = 64_000_000
"""Of a table with large cells, a part has fewer rows."""
ROWS_AT_ONCE = 500
KEPT_IN_MEMORY = 8_000_000
_OF_MIGRATIONS = "alembic_version"


@contextmanager
def snapshot(engine: Engine) -> Iterator[Connection]:
    """A connection that sees the database as it was when the block began, whoever writes meanwhile."""
    with database_errors(engine), engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN")
            connection.exec_driver_sql("SELECT count(*) FROM sqlite_master")  # the view is taken by the first read
        else:
            connection = connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            connection.exec_driver_sql("SELECT 1")
        yield connection
        connection.rollback()


def described_tables(connection: Connection, leave_out: frozenset[str] = frozenset()) -> list[Table]:
    """All tables of the database but some."""
    metadata = MetaData()
    metadata.reflect(connection)
    return [table for table in metadata.sorted_tables if table.name not in leave_out | {_OF_MIGRATIONS}]


def parts_of(connection: Connection, table: Table) -> Iterator[tuple[int, IO[bytes]]]:
    """The rows of a table by its key, some thousand at a time: how many, and what is kept of them.

    The same rows give the same bytes, so that of a table which only grows the new rows alone are new.
    """
    columns = [cast(column, Text) if isinstance(column.type, JSON) else column for column in table.columns]
    query = select(*columns).order_by(*table.primary_key.columns).execution_options(yield_per=ROWS_AT_ONCE)
    rows = iter(connection.execute(query))
    while (part := _part(rows))[0]:
        with part[1]:
            yield part


def _part(rows: Iterator[Any]) -> tuple[int, IO[bytes]]:
    kept: IO[bytes] = SpooledTemporaryFile(KEPT_IN_MEMORY)  # noqa: SIM115  whoever asked for it closes it
    count = size = 0
    with gzip.GzipFile("", "wb", 6, kept, mtime=0) as stream:
        while count < PART_ROWS and size < PART_BYTES and (row := next(rows, None)) is not None:
            line = json.dumps([_plain(value) for value in row], ensure_ascii=False).encode() + b"\n"
            count, size = count + 1, size + len(line)
            stream.write(line)
    kept.seek(0)
    return count, kept


def fill_table(connection: Connection, table: Table, columns: tuple[str, ...], parts: Iterable[IO[bytes]]) -> int:
    """Insert the rows of all parts into an empty table, and give how many there were."""
    unknown = set(columns) - set(table.columns.keys())
    if unknown:
        raise WorkspaceError(
            f"The backup has columns of the table {table.name} that are not known here: {', '.join(sorted(unknown))}.",
            "Restore it with the version of diet-explorer that made it.",
        )
    readers = [_reader(table.columns[name]) for name in columns]
    count = 0
    for part in parts:
        with gzip.GzipFile(fileobj=part, mode="rb") as stream:
            while lines := list(islice(stream, ROWS_AT_ONCE)):
                rows = [
                    {
                        name: None if value is None else read(value)
                        for name, read, value in zip(columns, readers, json.loads(line), strict=True)
                    }
                    for line in lines
                ]
                connection.execute(table.insert(), rows)
                count += len(rows)
    _continue_numbers(connection, table)
    return count


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return in_utc(value).isoformat()
    return base64.b64encode(value).decode() if isinstance(value, bytes | memoryview) else value


def _reader(column: Column[Any]) -> Callable[[Any], Any]:
    """What makes a column's value of what was kept of it; a JSON null is another thing than no value at all."""
    if isinstance(column.type, JSON):
        column.type = JSON(none_as_null=True)
        return lambda text: JSON.NULL if text == "null" else json.loads(text)
    if isinstance(column.type, DateTime):
        return datetime.fromisoformat
    return base64.b64decode if isinstance(column.type, LargeBinary) else lambda value: value


def _continue_numbers(connection: Connection, table: Table) -> None:
    """Let the next row get a number behind those that are there; SQLite does so by itself."""
    if connection.dialect.name == "sqlite":
        return
    for column in table.primary_key.columns:
        sequence = connection.scalar(select(func.pg_get_serial_sequence(table.name, column.name)))
        highest = connection.scalar(select(func.max(column))) if sequence is not None else None
        if highest is not None:
            connection.execute(select(func.setval(sequence, highest)))
