"""Which workspace files and database are of: both have its id, so that those of two are never taken for one."""

from __future__ import annotations

import json
import shlex
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine, select, text, update

from diet_explorer.errors import WorkspaceError
from diet_explorer.store.backup.manifest import MANIFEST
from diet_explorer.store.database import database_errors, transaction, writing
from diet_explorer.store.files import Files
from diet_explorer.store.layout import Layout
from diet_explorer.store.migrating import take_turn
from diet_explorer.store.tables import Base, RunRow, WorkspaceRow

WORKSPACE_VERSION = 1
_OPEN_TABLES = frozenset({"workspace", "audit_log", "workers", "leases"})
BEING_RESTORED = "restoring"
"""Key in `workspace.json` of what is only being put in place."""
MOVED = "moved"
"""Key in `workspace.json` of what lies elsewhere now."""


@dataclass(frozen=True)
class Belonging:
    """Which workspace it is, and where it went if it was moved."""

    id: str
    moved_to: str | None = None


def check_version(files: Files, *, being_restored: bool) -> None:
    """WorkspaceError where this program cannot read the files, or where they are only a part of what is to come."""
    facts = _facts(files)
    version = facts.get("version", WORKSPACE_VERSION)
    if not isinstance(version, int) or version > WORKSPACE_VERSION:
        raise WorkspaceError(
            f"The workspace {files.root} was made by a newer version of diet-explorer "
            f"(workspace version {version}, this one reads up to {WORKSPACE_VERSION}).",
            "Upgrade diet-explorer, or choose another workspace with --workspace or DIET_EXPLORER_HOME.",
        )
    if facts.get(BEING_RESTORED) and not being_restored:
        raise WorkspaceError(
            f"The workspace {files.root} is being restored from a backup, or that was cut off.",
            "Wait until it is done. If nobody restores it any more, remove it and restore it again.",
        )
    if not facts and files.exists(files.path(MANIFEST)):
        raise WorkspaceError(
            f"{files.root} is a backup, and no workspace.",
            f"Put it in place with: diet-explorer restore {shlex.quote(files.root)} --workspace NEW",
        )


def belonging(files: Files, engine: Engine, *, own_database: bool) -> Belonging:
    """Which workspace files and database are of; both are told where they are new.

    With `own_database` it lies among the files, so that no other workspace can have it. WorkspaceError where files and
    database are of two workspaces.
    """
    theirs = _of_database(engine) or _claim(files, engine)
    own = workspace_id(files)  # only now: whoever claims the database makes the files first
    if own is None and (own_database or files.exists(Layout(files).version)):
        write_version(files, theirs.id)
        own = theirs.id
    if own != theirs.id:
        raise _of_two(files, engine, own, theirs.id)
    return theirs


def check_not_moved(it: Belonging, files: Files) -> None:
    """WorkspaceError where the workspace was moved or is being moved, so that nothing in it is to change any more."""
    if it.moved_to is None:
        return
    if not is_moved(files):
        raise WorkspaceError(
            f"The move of this workspace to {it.moved_to} is not done, or was cut off.",
            "Wait until it is done. If nobody moves it any more, `diet-explorer move --back` opens this one again, and "
            f"{being_moved(it.moved_to)} can be removed.",
        )
    raise WorkspaceError(
        f"This workspace was moved to {it.moved_to}, and nothing changes here any more.",
        "Work there; `diet-explorer move --back` opens this one again.",
    )


def being_moved(where: str) -> str:
    """Where the copy lies that is checked while a workspace is moved to a home."""
    return f"{where}-moving"


def close_for_move(engine: Engine, where: str) -> None:
    """Let the database refuse all changes but lines of the audit log, also by whoever has it open already."""
    reason = f"the workspace was moved to {where}".replace("'", "''")
    with database_errors(engine), engine.begin() as connection:
        take_turn(connection)
        connection.execute(update(WorkspaceRow).values(moved_to=where))
        if engine.dialect.name == "sqlite":
            for name, verb in _guarded():
                connection.exec_driver_sql(
                    f"CREATE TRIGGER moved_{name}_{verb} BEFORE {verb} ON {name} "
                    f"BEGIN SELECT RAISE(ABORT, '{reason}'); END"
                )
            return
        body = f"BEGIN RAISE EXCEPTION '{reason.replace('%', '%%')}'; END"
        connection.execute(text(f"CREATE FUNCTION moved() RETURNS trigger LANGUAGE plpgsql AS $moved$ {body} $moved$"))
        for name, verb in _guarded():
            connection.exec_driver_sql(
                f"CREATE TRIGGER moved_{verb} BEFORE {verb} ON {name} FOR EACH STATEMENT EXECUTE FUNCTION moved()"
            )


def open_after_move(engine: Engine) -> None:
    """Let the database take changes again."""
    with database_errors(engine), engine.begin() as connection:
        take_turn(connection)
        connection.execute(update(WorkspaceRow).values(moved_to=None))
        if engine.dialect.name == "sqlite":
            for name, verb in _guarded():
                connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS moved_{name}_{verb}")
        else:
            connection.exec_driver_sql("DROP FUNCTION IF EXISTS moved() CASCADE")


def _guarded() -> list[tuple[str, str]]:
    """Tables and verbs that are refused once the workspace was moved."""
    return [
        (name, verb)
        for name in sorted(Base.metadata.tables)
        if name not in _OPEN_TABLES
        for verb in ("INSERT", "UPDATE", "DELETE")
    ]


def workspace_id(files: Files) -> str | None:
    """The id of a workspace by its files; None where they have none."""
    value = _facts(files).get("id")
    return value if isinstance(value, str) else None


def is_moved(files: Files) -> bool:
    """Whether a workspace was moved to another home, by its files."""
    return bool(_facts(files).get(MOVED))


def write_version(files: Files, workspace: str | None, **further: object) -> None:
    """Write down of which form and which workspace the files are."""
    facts = {"version": WORKSPACE_VERSION, "id": workspace, **further}
    files.write_json(Layout(files).version, {name: value for name, value in facts.items() if value is not None})


def _facts(files: Files) -> dict[str, Any]:
    path = Layout(files).version
    facts = files.find_json(path)
    if facts is None:
        return {}
    if not isinstance(facts, dict):
        raise WorkspaceError(f"The file {path} is damaged: it holds no object.", "Restore it from a backup.")
    return facts


def _given_id(files: Files) -> str:
    """The id of files; new ones are given one, unless another process is faster."""
    own, path = workspace_id(files), Layout(files).version
    if own is None and not files.exists(path):
        files.make_folder(files.root)
        facts = {"version": WORKSPACE_VERSION, "id": str(uuid.uuid4())}
        files.create(path, (json.dumps(facts, indent=1) + "\n").encode())
        own = workspace_id(files)
    return own or str(uuid.uuid4())


def _of_database(engine: Engine) -> Belonging | None:
    with transaction(engine) as session:
        row = session.scalar(select(WorkspaceRow))
        return None if row is None else Belonging(row.id, row.moved_to)


def _claim(files: Files, engine: Engine) -> Belonging:
    """Say of which workspace a database is, unless somebody has said so already.

    Of several processes that start at once one makes the files too, while the others wait: not every store tells two
    apart that create the same object.
    """
    with writing(engine, "workspace") as session:
        row = session.scalar(select(WorkspaceRow))
        if row is None:
            row = WorkspaceRow(id=_given_id(files), made_at=datetime.now(UTC))
            session.add(row)
        return Belonging(row.id, row.moved_to)


def _of_two(files: Files, engine: Engine, own: str | None, theirs: str) -> WorkspaceError:
    with transaction(engine) as session:
        newest = session.scalar(select(RunRow.name).order_by(RunRow.created_at.desc()))
    known = "" if newest is None else f", whose newest run is {newest!r}"
    which = "which is new" if own is None else f"which has the id {own}"
    return WorkspaceError(
        f"The database {engine.url.render_as_string()} is of another workspace (id {theirs}{known}) than "
        f"{files.root}, {which}.",
        "Give each workspace a database of its own in DIET_EXPLORER_DATABASE_URL; `workspace.json` has a workspace's "
        "id. What was lost comes back with `diet-explorer restore BACKUP`.",
    )
