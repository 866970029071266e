"""The form of the explorer database's tables: which one it has, which one this program reads, and the way there."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

_LOCK = 0x64696574  # one number for this program in PostgreSQL's space of advisory locks


def revision_of(connection: Connection) -> str | None:
    """The form that the tables have; None where there are no tables."""
    return MigrationContext.configure(connection).get_current_revision()


def latest_revision() -> str:
    """The form that this version of the program reads and writes."""
    return str(_scripts().get_current_head())


def known_revisions() -> list[str]:
    """All forms that this version of the program can begin with, the oldest first."""
    return [script.revision for script in _scripts().walk_revisions()][::-1]


def take_turn(connection: Connection) -> None:
    """Wait for whoever else makes or changes tables; others wait until the transaction ends."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")


def migrate(connection: Connection, home: str, revision: str = "head") -> None:
    """Bring the tables into a form, in the transaction of the connection; the workspace's files are in `home`."""
    settings = _config()
    settings.attributes.update(connection=connection, home=home)
    command.upgrade(settings, revision)


def _config() -> Config:
    settings = Config()
    settings.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return settings


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())
