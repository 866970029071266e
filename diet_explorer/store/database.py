"""The explorer database: SQLite in WAL mode by default, PostgreSQL by URL."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from sqlalchemy import URL, DateTime, Engine, Table, create_engine, event, func, make_url, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session
from sqlalchemy.sql.functions import FunctionElement

from diet_explorer.config import Settings, local_path
from diet_explorer.errors import BadInputError, StoreAwayError, WorkspaceError
from diet_explorer.store.files import explained
from diet_explorer.store.happenings import happened
from diet_explorer.store.locks import wait_for_lock
from diet_explorer.store.migrating import known_revisions, latest_revision, migrate, revision_of, take_turn
from diet_explorer.store.private import make_private_file, make_private_folder

BUSY_SECONDS = 30
MOST_KEPT = 4
_kept: dict[tuple[str, int | None, int], Engine] = {}
CONNECT_SECONDS = 15
_SILENCE = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 6, "tcp_user_timeout": 90_000}
"""A server that has gone without a word is given up after a minute and a half: an outage of a minute is sat out, and
no process waits for ever. The system's own limits are a quarter of an hour for what is sent, and two hours else."""
CONNECTIONS = 2
"""Of one process to this database on PostgreSQL, at most, and as many to that of the jobs; who needs one waits."""
POOL_SECONDS = 30
_DRIVERS = {
    "sqlite": ("pysqlite", "aiosqlite"),
    "postgresql": ("psycopg", "psycopg2", "psycopg_async", "asyncpg", "pg8000"),
}
"""Drivers that addresses of other programs name; ours is taken in their place."""
_CAUSES = {
    "was moved to": "Work there. Nothing changes here any more; `diet-explorer move --back` opens this one again, also "
    "where the move was cut off.",
    "full": "The disk is full. Free some space and try again; nothing half-written was left behind.",
    "no space": "The disk is full. Free some space and try again; nothing half-written was left behind.",
    "readonly": "The disk or the file is read-only. Make it writable and try again; nothing was changed.",
    "read-only": "The disk or the database is read-only. Make it writable and try again; nothing was changed.",
}


def open_database(settings: Settings) -> Engine:
    """Connect to the explorer database, and make its tables where there are none.

    A WorkspaceError says why it cannot be reached or written, or that an older or a newer version of this program made
    it: nothing is upgraded in passing.
    """
    engine = connected(settings)
    make_tables(engine, settings.home)
    return engine


def shared_database(settings: Settings) -> Engine:
    """The explorer database as this process keeps it open; its connections are used for all that is looked up there."""
    url = database_address(settings.explorer_url, "DIET_EXPLORER_DATABASE_URL")
    file = Path(str(url.database)) if url.get_backend_name() == "sqlite" else None
    if file is not None and not file.exists():
        open_database(settings).dispose()
    key = (settings.explorer_url, None if file is None else file.stat().st_ino, os.getpid())
    if key not in _kept:
        _kept[key] = open_database(settings)
        while len(_kept) > MOST_KEPT:
            _kept.pop(next(iter(_kept)), None)
    return _kept[key]


def connected(settings: Settings) -> Engine:
    """The explorer database as it is."""
    engine = _engine(settings.explorer_url)
    if engine.dialect.name == "sqlite":
        folder = Path(str(engine.url.database)).parent
        with explained("create", str(folder)):
            make_private_folder(folder)
            make_private_file(Path(str(engine.url.database)))  # what SQLite writes beside it gets its mode
    return engine


def database_errors(engine: Engine) -> AbstractContextManager[None]:
    """Turn database failures of the block into a WorkspaceError that says where and what to do."""
    return errors_of_database(engine.url, "database", "DIET_EXPLORER_DATABASE_URL")


@contextmanager
def errors_of_database(url: URL, noun: str, setting: str) -> Iterator[None]:
    """Turn failures in the block of the database at an address, which a setting names, into a WorkspaceError."""
    try:
        yield
    except (DBAPIError, PoolTimeoutError) as error:
        happened("database_errors", database=noun)
        address = url.database if url.get_backend_name() == "sqlite" else url.render_as_string(hide_password=True)
        reason = _reason(error)
        known = next((remedy for word, remedy in _CAUSES.items() if word in reason.lower()), None)
        passing = known is None and isinstance(error, OperationalError | InterfaceError | PoolTimeoutError)
        raise (StoreAwayError if passing else WorkspaceError)(
            f"The {noun} {address} cannot be used: {reason}.",
            known
            or "Check that it is reachable, that this user may write it and that the disk is not full "
            f"(settings DIET_EXPLORER_HOME and {setting}).",
        ) from error


def _reason(error: DBAPIError | PoolTimeoutError) -> str:
    if isinstance(error, PoolTimeoutError):
        return f"none of this process's connections became free within {POOL_SECONDS} s"
    return next(iter(str(error.orig).strip().splitlines()), type(error.orig).__name__).rstrip(".")


def database_address(text: str, setting: str) -> URL:
    """The address of a database, which a setting names; BadInputError where it is not SQLite or PostgreSQL."""
    try:
        url = make_url(text)
    except (ArgumentError, ValueError) as error:  # a port that is no number is a ValueError
        raise BadInputError(
            f"The setting {setting} is not a database address.",
            "Give sqlite:///path/to/file or postgresql://user:password@host/database.",
        ) from error
    backend, _, driver = url.drivername.partition("+")
    backend = "postgresql" if backend == "postgres" else backend
    if backend not in _DRIVERS:
        raise BadInputError(
            f"The setting {setting} names a {backend} database, which is not supported.", "Use SQLite or PostgreSQL."
        )
    if driver and driver not in _DRIVERS[backend]:
        raise BadInputError(
            f"The setting {setting} names the driver {driver}, which is not supported.",
            f"Write {backend}:// without a driver.",
        )
    if backend == "sqlite":
        if not url.database or url.database == ":memory:":
            raise BadInputError(
                f"The setting {setting} names a database in memory, which other processes cannot see.",
                "Give sqlite:///path/to/file.",
            )
        url = url.set(database=str(local_path(url.database) or url.database))
    return url.set(drivername=backend)


def silence_limits(url: URL) -> dict[str, int]:
    """How long a connection to PostgreSQL waits for a server that says nothing, where its address does not say that."""
    limits = {"connect_timeout": CONNECT_SECONDS, **_SILENCE}
    return {name: value for name, value in limits.items() if name not in url.query}


@contextmanager
def transaction(engine: Engine) -> Iterator[Session]:
    """A short transaction; it is on disk when the block ends."""
    with database_errors(engine), Session(engine) as session, session.begin():
        yield session


@contextmanager
def writing(engine: Engine, key: str) -> Iterator[Session]:
    """A transaction beside which no other one of the same key (such as a dataset's id) runs; other writers wait.

    What the block reads is still so when it writes, and ids that it is given grow in the order in which others see
    them. SQLite has one writer at a time whatever the key.
    """
    with database_errors(engine), _turn(engine), transaction(engine) as session:
        if engine.dialect.name == "sqlite":
            session.connection().exec_driver_sql("BEGIN IMMEDIATE")
        else:
            session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(key, 0))))
        yield session


@contextmanager
def _turn(engine: Engine) -> Iterator[None]:
    """Wait for one's turn to write to SQLite.

    Writers that find it locked sleep and try again, ever longer, and some of many have no luck for seconds; who waits
    for a lock file looks every millisecond, and the system frees the lock of a process that is killed.
    """
    path = engine.url.database
    if engine.dialect.name != "sqlite" or not path or path == ":memory:":
        yield
        return
    with explained("write", f"{path}.turn"):
        lock = wait_for_lock(f"{path}.turn")
    try:
        yield
    finally:
        lock.release()


class database_now(FunctionElement[datetime]):
    """The time by the database's clock, as part of a statement: the clocks of the machines need not agree."""

    type = DateTime(timezone=True)
    inherit_cache = True


@compiles(database_now, "sqlite")
def _sqlite_now(_element: object, _compiler: object, **_: object) -> str:
    return "(strftime('%Y-%m-%d %H:%M:%f', 'now') || '000')"  # in the form in which moments are stored


@compiles(database_now, "postgresql")
def _postgresql_now(_element: object, _compiler: object, **_: object) -> str:
    return "clock_timestamp()"  # the transaction may have begun long before it got its turn


def time_of(session: Session) -> datetime:
    """The time by the database's clock, in UTC."""
    return in_utc(session.execute(select(database_now())).scalar_one())


def inserting(engine: Engine, table: object, values: Mapping[str, object]) -> sqlite.Insert | postgresql.Insert:
    """An insertion that may say what to do where the row is there already."""
    insert = sqlite.insert if engine.dialect.name == "sqlite" else postgresql.insert
    return insert(cast(Table, table)).values(values)


def in_utc(moment: datetime) -> datetime:
    """A moment in UTC; one without a time zone, which SQLite does not keep, is in UTC already."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def connection_name() -> str:
    """What PostgreSQL's `pg_stat_activity` calls this process's connections."""
    return f"diet-explorer {socket.gethostname()[:32]} {os.getpid()}"


def _engine(address: str) -> Engine:
    url = database_address(address, "DIET_EXPLORER_DATABASE_URL")
    arguments: dict[str, Any] = {}
    pool: dict[str, Any] = {}
    if url.drivername == "postgresql":
        pool = {"pool_size": CONNECTIONS, "max_overflow": 0, "pool_timeout": POOL_SECONDS}
        url = url.set(drivername="postgresql+psycopg")
        arguments = {"application_name": connection_name()} if "application_name" not in url.query else {}
        arguments |= silence_limits(url)
    engine = create_engine(url, pool_pre_ping=True, connect_args=arguments, **pool)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _sqlite_settings)
    return engine


def _sqlite_settings(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.close()


def make_tables(engine: Engine, home: str) -> None:
    """Make the tables where there are none; WorkspaceError where an older or a newer version made them."""
    with database_errors(engine):
        _make_tables(engine, home)


def _make_tables(engine: Engine, home: str) -> None:
    with engine.connect() as connection:
        if revision_of(connection) == latest_revision():
            return
    with engine.begin() as connection:
        # several processes may start at once: one takes its turn, the others wait and find the work done
        take_turn(connection)
        current = revision_of(connection)
        if current == latest_revision():
            return
        if current is not None and current not in known_revisions():
            raise WorkspaceError(
                f"This workspace was made by a newer version of diet-explorer (database revision {current}).",
                "Upgrade diet-explorer, or choose another workspace with --workspace or DIET_EXPLORER_HOME.",
            )
        if current is not None:
            raise WorkspaceError(
                f"This workspace was made by an older version of diet-explorer (database revision {current}, this one "
                f"works with {latest_revision()}).",
                "Whoever runs it upgrades it with: diet-explorer upgrade. That makes a backup first; until then use "
                "the older version.",
            )
        migrate(connection, home)
