"""Bringing a workspace of an older version of this program into the form of this one, after a backup."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Engine, inspect, text, update

from diet_explorer.config import Settings
from diet_explorer.errors import BadInputError, WorkspaceError
from diet_explorer.review.annotators import allowed
from diet_explorer.store.audit_log import AuditLog
from diet_explorer.store.backup.places import writing_to
from diet_explorer.store.backup.writing import write_backup
from diet_explorer.store.belonging import belonging, check_version, workspace_id, write_version
from diet_explorer.store.database import connected, database_errors, time_of, transaction
from diet_explorer.store.files import Files
from diet_explorer.store.locks import is_locked
from diet_explorer.store.migrating import known_revisions, latest_revision, migrate, revision_of, take_turn
from diet_explorer.store.runs import ACTIVE
from diet_explorer.store.tables import RunRow, WorkspaceRow
from diet_explorer.workspace.backup import check_apart, end_jobs, interrupted, place_of
from diet_explorer.workspace.context import Context, has_own_database

Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class UpgradePlan:
    """What an upgrade does.

    Attributes
    ----------
    home : str
        The workspace.
    earlier, later : str
        Forms of its tables, before and after; the same where nothing is to be done.
    backup : str
        Where the backup goes that is made first.
    """

    home: str
    earlier: str
    later: str
    backup: str

    @property
    def is_needed(self) -> bool:
        """Whether anything is to be done."""
        return self.earlier != self.later


def plan_upgrade(settings: Settings, backup: str | None = None) -> UpgradePlan:
    """What is to be done; WorkspaceError where there is no workspace, or a newer version made it."""
    files = Files.of(settings)
    check_version(files, being_restored=False)
    there = files.exists(files.root)
    engine = connected(settings) if there or settings.database_url is not None else None
    current = None
    if engine is not None:
        with database_errors(engine), engine.connect() as connection:
            current = revision_of(connection)
    if current is None:
        raise WorkspaceError(f"There is no workspace in {files.root}.", "Name it with --workspace.")
    if current not in known_revisions():
        raise WorkspaceError(
            f"This workspace was made by a newer version of diet-explorer (database revision {current}).",
            "Upgrade diet-explorer itself.",
        )
    target = place_of(backup) if backup is not None else f"{files.root}-before-upgrade"
    return UpgradePlan(files.root, current, latest_revision(), target)


def upgrade(settings: Settings, plan: UpgradePlan, progress: Progress) -> None:
    """Back the workspace up and bring it into the form of this version.

    WorkspaceError where an app or a worker works on it, or the backup cannot be made; nothing is
    changed then.
    """
    files, engine = Files.of(settings), connected(settings)
    _check_idle(settings, engine)
    check_apart(plan.home, plan.backup)
    with writing_to(plan.backup) as place:
        write_backup(files, engine, workspace_id(files), place, progress)
    with database_errors(engine), engine.begin() as connection:
        take_turn(connection)
        if revision_of(connection) == plan.earlier:
            migrate(connection, settings.home)
    belonging(files, engine, own_database=has_own_database(settings))
    words = f"upgrades the tables from {plan.earlier} to {plan.later}"
    log = AuditLog(engine)
    who = allowed(None, None, "lead", "upgrade a workspace", log)
    log.add("upgrade", who.name, words, role=who.role)


def take_own_id(settings: Settings) -> str:
    """Give a copied workspace an id of its own, and return it.

    BadInputError where its database does not lie in it, which may be the original's too; WorkspaceError where an app or
    a worker works on it.
    """
    files = Files.of(settings)
    check_version(files, being_restored=False)
    if not has_own_database(settings):
        raise BadInputError(
            f"The database of {files.root} does not lie in it: it may be that of the original too.",
            "Make the copy by `diet-explorer backup` and `diet-explorer restore`, which give it an id of its own.",
        )
    if not files.exists(files.root):
        raise BadInputError(f"There is no workspace in {files.root}.", "Name it with --workspace.")
    engine = connected(settings)
    _check_idle(settings, engine)
    context = Context.opened(settings)
    who = context.allow("lead", "give the workspace an id of its own")
    end_jobs(context)
    own, before = str(uuid.uuid4()), context.id
    write_version(files, None)  # cut off here, the files get the database's id again
    with transaction(engine) as session:
        session.execute(update(WorkspaceRow).values(id=own))
        cut_off = update(RunRow).where(RunRow.status.in_(ACTIVE))
        session.execute(cut_off.values(**interrupted("It is the original's run.", time_of(session))))
    write_version(files, own)
    context.note("upgrade", who, f"gives this copy of {before} the id {own}")
    return own


def _check_idle(settings: Settings, engine: Engine) -> None:
    folder = settings.home_folder
    locks = [folder / "app.lock", *(folder / "workers").glob("slot-*.lock")]
    host = "this machine" if any(is_locked(path) for path in locks) else _busy_host(engine)
    if host is not None:
        raise WorkspaceError(
            f"An app or a worker on {host} has the workspace open.",
            "Stop them, here and on other machines, and upgrade again; then start the new version.",
        )


def _busy_host(engine: Engine) -> str | None:
    """Where a worker has given a sign of life lately; the tables may be older than what this version declares."""
    lately = {"sqlite": "datetime('now', '-30 seconds')", "postgresql": "now() - interval '30 seconds'"}
    query = text(f"SELECT host FROM workers WHERE seen_at > {lately[engine.dialect.name]}")
    with database_errors(engine), engine.connect() as connection:
        return connection.scalar(query) if inspect(connection).has_table("workers") else None
