"""Backing up a workspace, and putting a backup in place."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, get_args

from sqlalchemy import Connection, delete, insert, update

from diet_explorer.config import Settings, local_path
from diet_explorer.errors import BadInputError, NotFoundError
from diet_explorer.redaction import redacted
from diet_explorer.review.annotators import Identity, allowed
from diet_explorer.store.backup.manifest import BackupManifest
from diet_explorer.store.backup.places import NoArchiveError, is_archive, reading_from, writing_to
from diet_explorer.store.backup.reading import Backup, check_database, opened_backup
from diet_explorer.store.backup.writing import write_backup
from diet_explorer.store.belonging import BEING_RESTORED, write_version
from diet_explorer.store.database import connected
from diet_explorer.store.embeddings import Representation
from diet_explorer.store.files import Files
from diet_explorer.store.layout import KEPT
from diet_explorer.store.runs import ACTIVE
from diet_explorer.store.tables import RunRow, WorkspaceRow
from diet_explorer.workspace.context import Context
from diet_explorer.workspace.core import RunCore
from diet_explorer.workspace.exports import Exports
from diet_explorer.workspace.maps import Maps

Progress = Callable[[float, str], None]
_CHECKED = 0.4  # share of a restore's time until the backup is checked
_COPIED = 0.9
_ELSEWHERE = "Restore into a new or empty folder with --workspace, and look at it there before you remove the old one."
_CUT_OFF = "It was in work when the backup was made that it comes from."
_GO_ON = "Resume it: it goes on from its last checkpoint."


@dataclass(frozen=True)
class BackupResult:
    """What a backup has now.

    Attributes
    ----------
    target : str
        Where it is; of an address without what is secret in it.
    made_at : datetime
        The moment that it shows, in UTC.
    files, rows : int
        How many files it has, and rows of tables.
    size : int
        Bytes of these.
    new_bytes : int
        Bytes that were not there before.
    """

    target: str
    made_at: datetime
    files: int
    rows: int
    size: int
    new_bytes: int


def back_up(context: Context, target: str, progress: Progress | None, by: Identity | str | None = None) -> BackupResult:
    """Copy all of a workspace to one place; see `Workspace.backup`."""
    who = allowed(context.identity, by, "lead", "back up the workspace", context.audit_log)  # also a moved one
    address = place_of(target)
    check_apart(context.files.root, address)
    _check_archive(address, context.id)
    context.note("backup", who, f"backs up the workspace to {address}")
    with writing_to(address) as place:
        manifest, copied = write_backup(context.files, context.database, context.id, place, progress or _silent)
    return BackupResult(
        redacted(address),
        datetime.fromisoformat(manifest.made_at),
        len(manifest.files),
        sum(table.rows for table in manifest.tables),
        manifest.size,
        copied.bytes,
    )


def restore_backup(settings: Settings, source: str, progress: Progress | None, moved: str | None = None) -> None:
    """Put a backup in place as a workspace of its own, or as that of the id `moved`; see `Workspace.from_backup`."""
    report, address = progress or _silent, place_of(source)
    with opened_backup(address) as backup:
        files = check_is_new(settings, _ELSEWHERE)
        backup.check(lambda share, words: report(share * _CHECKED, words))
        with _cleared_on_failure(settings, files):
            workspace = moved or str(uuid.uuid4())
            _put_in_place(settings, files, backup, workspace, report)
            context = Context.opened(settings, being_restored=True)
            end_jobs(context)
            if moved is None:
                who = context.allow("lead", "restore a backup")
                words = f"restores the workspace from the backup {address} of {backup.made_at:%Y-%m-%d %H:%M} UTC"
                context.note("backup", who, words)
            write_version(files, workspace)
    report(1.0, "Restored")


def end_jobs(context: Context) -> None:
    """Close the jobs of maps and exports that waited or were in work in the workspace that was copied."""
    for record in context.records.list():
        maps = Maps(RunCore(context, record.id, record))
        for which in get_args(Representation):
            if maps.progress(which).is_active:
                maps.cancel(which)
    for export in Exports(context).list():
        if export.progress().is_active:
            export.cancel()


def interrupted(why: str, at: datetime) -> dict[str, Any]:
    """What the record of a run becomes that was in work in the workspace that was copied."""
    return {"status": "interrupted", "error": why, "remedy": _GO_ON, "finished_at": at, "workflow_id": None}


def _put_in_place(settings: Settings, files: Files, backup: Backup, workspace: str, report: Progress) -> None:
    write_version(files, workspace, **{BEING_RESTORED: True})
    backup.put_files(files, lambda share, words: report(_CHECKED + share * (_COPIED - _CHECKED), words))
    report(_COPIED, "Filling the database")

    def finish(connection: Connection) -> None:
        connection.execute(delete(WorkspaceRow))
        connection.execute(insert(WorkspaceRow).values(id=workspace, made_at=datetime.now(UTC)))
        active = update(RunRow).where(RunRow.status.in_(ACTIVE))
        connection.execute(active.values(**interrupted(_CUT_OFF, backup.made_at)))

    engine = connected(settings)
    try:
        backup.fill_database(engine, settings.home, finish)
    finally:
        engine.dispose()


@contextmanager
def _cleared_on_failure(settings: Settings, files: Files) -> Iterator[None]:
    """Where the block fails, the home that was empty before is empty again."""
    try:
        yield
    except BaseException:
        for name in (*KEPT, "workspace.json"):
            files.remove(files.path(name))
        if settings.database_url is None:
            for path in settings.home_folder.glob("explorer.sqlite*"):
                path.unlink(missing_ok=True)
        raise


def check_is_new(settings: Settings, remedy: str) -> Files:
    """The files of a home that has nothing yet; BadInputError where it has, or its database has tables already."""
    files = Files.of(settings)
    there = files.list(files.root)
    if there:
        raise BadInputError(f"{files.root} is not empty: it has {there[0]!r}.", remedy)
    if settings.database_url is not None:
        engine = connected(settings)
        try:
            check_database(engine)
        finally:
            engine.dispose()
    return files


def check_apart(home: str, target: str) -> None:
    """BadInputError where a copy would lie in the workspace that it is of."""
    inside = f"{target.rstrip('/')}/".startswith(f"{home.rstrip('/')}/")
    local, root = local_path(target), local_path(home)
    if local is not None and root is not None:
        inside = local.resolve().is_relative_to(root.resolve())
    if inside:
        raise BadInputError(
            f"{target} would lie in {home}, of which it is to be a copy.",
            "Name a place outside, on another disk if you can.",
        )


def _check_archive(target: str, workspace: str) -> None:
    """BadInputError where an archive would take the place of something else than an earlier backup of the workspace."""
    if not is_archive(target):
        return
    try:
        with reading_from(target) as place:
            earlier = BackupManifest.from_bytes(place.manifest(), target)
    except NotFoundError:
        with suppress(NotFoundError), reading_from(target):
            raise _something_else(target) from None
        return
    except NoArchiveError as error:
        raise _something_else(target) from error
    if earlier.workspace not in (None, workspace):
        raise _something_else(target)


def _something_else(target: str) -> BadInputError:
    return BadInputError(f"{target} is no backup of this workspace.", "Name another file, or remove it first.")


def place_of(text: str) -> str:
    """A place of a backup as a whole path or URL."""
    local = local_path(text)
    return text.rstrip("/") if local is None else str(local)


def _silent(share: float, words: str) -> None:
    """Report to nobody."""
