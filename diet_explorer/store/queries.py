"""DuckDB over the Parquet files of a workspace."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import duckdb
import pandas as pd
import pyarrow as pa

from diet_explorer.store.arrow import exact_frame
from diet_explorer.store.files import Files
from diet_explorer.store.remote import CopiedStore

_OPTIONS = {"parquet": "FORMAT parquet, COMPRESSION zstd", "csv": "FORMAT csv, HEADER", "json": "FORMAT json"}


class Queries:
    """Read-only SQL over Parquet files; one in-memory DuckDB, a cursor per call, safe to share between threads."""

    def __init__(self, files: Files) -> None:
        self._connection = duckdb.connect(
            config={
                "autoinstall_known_extensions": "false",
                "autoload_known_extensions": "false",
                "memory_limit": "2GB",
            }
        )
        if not files.is_local:
            self._connection.register_filesystem(CopiedStore(files.filesystem, files.local_copy))
        self._lock = threading.Lock()

    def table(self, sql: str, parameters: Sequence[object] = ()) -> pa.Table:
        """Run one statement and return all of its rows."""
        with self._cursor() as cursor:
            return cursor.sql(sql, params=list(parameters)).to_arrow_table()

    def frame(self, sql: str, parameters: Sequence[object] = ()) -> pd.DataFrame:
        """Run one statement and return all of its rows as a data frame."""
        return exact_frame(self.table(sql, parameters))

    def value(self, sql: str, parameters: Sequence[object] = ()) -> object:
        """Run one statement and return the first column of its first row."""
        return self.table(sql, parameters).column(0)[0].as_py()

    def copy(self, sql: str, path: str, form: str, parameters: Sequence[object] = ()) -> None:
        """Stream the result of a SELECT into a local file; `form` is parquet, csv or json (lines).

        OSError where the disk is full.
        """
        with self._cursor() as cursor, _full_disks_known():
            cursor.execute(f"COPY ({sql}) TO {quote_text(path)} ({_OPTIONS[form]})", list(parameters))

    def copy_batches(self, batches: pa.RecordBatchReader, path: str, form: str) -> None:
        """Stream batches into a local file, in their order, as `copy` does."""
        with self._cursor() as cursor, _full_disks_known():
            cursor.register("batches", batches)
            cursor.execute(f"COPY batches TO {quote_text(path)} ({_OPTIONS[form]})")
            cursor.unregister("batches")

    def _cursor(self) -> duckdb.DuckDBPyConnection:
        with self._lock:
            return self._connection.cursor()


@contextmanager
def _full_disks_known() -> Iterator[None]:
    """DuckDB's error about a full disk as that of the system, which `Files` explains."""
    try:
        yield
    except duckdb.IOException as error:
        for number in (errno.ENOSPC, errno.EDQUOT):
            if os.strerror(number) in str(error):
                raise OSError(number, os.strerror(number)) from error
        raise


def quote_text(text: str) -> str:
    """An SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def parquet(paths: str | Sequence[str]) -> str:
    """The FROM clause that reads one Parquet file or several of one schema."""
    listed = [paths] if isinstance(paths, str) else list(paths)
    return f"read_parquet([{', '.join(quote_text(path) for path in listed)}], hive_partitioning = false)"
