"""The clock that the job library asks SQLite for, where SQLite is too old to have it.

From Python 3.12 on the library stamps its times by ``unixepoch('subsec')``, which SQLite below 3.42 (Debian 12, Ubuntu
22.04) answers with NULL or does not know at all: no job could be queued, and one that waits would wait for ever. The
expression also stands in the tables of a jobs database that was made elsewhere.
"""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine, event

_NOW = ("subsec", "subsecond")
_databases: set[Path] = set()


def lend_clock(url: URL) -> None:
    """Have every connection that this process opens to a SQLite jobs database know ``unixepoch('subsec')``."""
    if url.get_backend_name() != "sqlite" or not url.database:
        return
    _databases.add(Path(url.database).resolve())
    if not event.contains(Engine, "connect", _on_connect):
        event.listen(Engine, "connect", _on_connect)


def _on_connect(connection: Any, _record: object) -> None:
    if isinstance(connection, sqlite3.Connection) and _is_jobs_database(connection) and not _has_clock(connection):
        connection.create_function("unixepoch", 1, _unixepoch)


def _is_jobs_database(connection: sqlite3.Connection) -> bool:
    files = (row[2] for row in connection.execute("PRAGMA database_list") if row[1] == "main" and row[2])
    return any(Path(file).resolve() in _databases for file in files)


def _has_clock(connection: sqlite3.Connection) -> bool:
    try:
        return connection.execute("SELECT unixepoch('subsec')").fetchone()[0] is not None
    except sqlite3.OperationalError:  # before SQLite 3.38 there is no such function
        return False


def _unixepoch(moment: object) -> float | None:
    """Seconds since 1970 with milliseconds; the job library asks for nothing but the present."""
    return round(time.time(), 3) if moment in _NOW else None
