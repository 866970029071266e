"""Putting a backup in place: checked as a whole before anything is touched, and once more while it is copied."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from typing import IO

from sqlalchemy import Connection, Engine

from diet_explorer.errors import BadInputError, NotFoundError, WorkspaceError
from diet_explorer.store.backup.manifest import BackupFile, BackupManifest, BackupTable, Content
from diet_explorer.store.backup.places import Place, reading_from
from diet_explorer.store.backup.tables import described_tables, fill_table
from diet_explorer.store.database import database_errors
from diet_explorer.store.files import Files
from diet_explorer.store.migrating import known_revisions, migrate, revision_of, take_turn

Report = Callable[[float, str], None]
_CHUNK = 1 << 20


class Backup:
    """A backup that is there, to be checked and put in place."""

    def __init__(self, place: Place, where: str) -> None:
        self._place, self._where = place, where
        self.manifest = BackupManifest.from_bytes(place.manifest(), where)
        if self.manifest.revision not in known_revisions():
            raise WorkspaceError(
                f"The backup {where} was made by a newer version of diet-explorer ({self.manifest.program}; database "
                f"revision {self.manifest.revision}).",
                "Upgrade diet-explorer, and restore it with that version.",
            )

    @property
    def made_at(self) -> datetime:
        """The moment that it shows, in UTC."""
        return datetime.fromisoformat(self.manifest.made_at)

    def check(self, report: Report) -> None:
        """Read all of it; WorkspaceError names what is missing or damaged."""
        there, wanted = self._place.sizes(), self.manifest.contents
        names = {file.content.sha256: file.path for file in self.manifest.files}
        done = 0
        for sha256, size in wanted.items():
            name = names.get(sha256, "a table")
            report(done / max(self.manifest.size, 1), f"Checking {name}")
            if there.get(sha256) != size:
                raise self._damaged(f"{name} is missing in it, or not whole")
            with self._opened(Content(sha256, size), name) as stream:
                while stream.read(_CHUNK):
                    pass
            done += size

    def put_files(self, files: Files, report: Report) -> None:
        """Copy all files into an empty workspace."""
        done = 0
        for file in self.manifest.files:
            report(done / max(self.manifest.size, 1), f"Copying {file.path}")
            self._put(files, file)
            done += file.content.size

    def fill_database(self, engine: Engine, home: str, finish: Callable[[Connection], None]) -> None:
        """Make the tables, fill them, bring them up to date and finish, in one transaction; the files are in `home`.

        BadInputError where the database has tables already.
        """
        with database_errors(engine), engine.begin() as connection:
            take_turn(connection)
            _check_is_empty(connection)
            migrate(connection, home, self.manifest.revision)
            tables = {table.name: table for table in described_tables(connection)}
            for kept in self.manifest.tables:
                if kept.name not in tables:
                    raise self._damaged(f"it has a table {kept.name}, which is not known here")
                count = fill_table(connection, tables[kept.name], kept.columns, self._parts(kept))
                if count != kept.rows:
                    raise self._damaged(f"the table {kept.name} has {count:,} rows, not {kept.rows:,}")
            migrate(connection, home)
            finish(connection)

    def _put(self, files: Files, file: BackupFile) -> None:
        target = files.path(*file.path.split("/"))
        with self._opened(file.content, file.path) as stream, files.atomic_writer(target) as copy:
            while chunk := stream.read(_CHUNK):
                copy.write(chunk)

    def _parts(self, table: BackupTable) -> Iterator[IO[bytes]]:
        for part in table.parts:
            with self._place.open(part.sha256) as stream:
                yield stream

    @contextmanager
    def _opened(self, content: Content, name: str) -> Iterator[_Hashed]:
        """A content that is damaged raises a WorkspaceError at the end of the block."""
        try:
            with self._place.open(content.sha256) as raw:
                stream = _Hashed(raw)
                yield stream
        except (NotFoundError, OSError) as error:
            raise self._damaged(f"{name} cannot be read in it ({error})") from error
        if stream.digest.hexdigest() != content.sha256:
            raise self._damaged(f"the bytes of {name} are not those that were copied")

    def _damaged(self, what: str) -> WorkspaceError:
        return WorkspaceError(
            f"The backup {self._where} is damaged: {what}.",
            "Copy it again from where it was made, or use another backup; nothing was changed.",
        )


class _Hashed:
    """A stream that knows the hash of what was read of it."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.digest = hashlib.sha256()

    def read(self, size: int) -> bytes:
        """So many bytes, or fewer at the end."""
        chunk = self._stream.read(size)
        self.digest.update(chunk)
        return chunk


def check_database(engine: Engine) -> None:
    """BadInputError where a database has tables already, WorkspaceError where it cannot be used."""
    with database_errors(engine), engine.connect() as connection:
        _check_is_empty(connection)


def _check_is_empty(connection: Connection) -> None:
    if revision_of(connection) is not None:
        raise BadInputError(
            f"The database {connection.engine.url.render_as_string()} has tables of a workspace already.",
            "Give an empty database; DIET_EXPLORER_DATABASE_URL, or --database-url of a move, names it.",
        )


@contextmanager
def opened_backup(where: str) -> Iterator[Backup]:
    """A backup by its file, folder or address; NotFoundError where there is none, WorkspaceError for a damaged one."""
    with ExitStack() as stack:
        try:
            backup = Backup(stack.enter_context(reading_from(where)), where)
        except NotFoundError as error:
            raise NotFoundError(
                f"There is no backup in {where}.",
                "Name the file, folder or address that a backup was made to; one that was cut off is none.",
            ) from error
        yield backup
