"""Making a backup while people decide and runs train.

What is written last in a workspace refers to what was written before it, so the copy is made in the opposite order:
first the tables, as they are at one moment; then the JSON files, which say what is there; then all other files. What
the tables or a JSON file speak of is thus there when it is copied. The other way round, a proof or an export begun
after that moment speaks of runs and decisions that the copied tables do not have: such things, and runs without a
record, are left out as if they had been begun after the backup. Where something was removed meanwhile, it is done
again, which costs little: what was copied is known by its hash.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from tempfile import SpooledTemporaryFile
from typing import Any

from sqlalchemy import Connection, Engine, select

from diet_explorer import __version__
from diet_explorer.errors import BadInputError, NotFoundError, WorkspaceError
from diet_explorer.store.backup.manifest import BackupFile, BackupManifest, BackupTable, Content
from diet_explorer.store.backup.places import Place
from diet_explorer.store.backup.tables import KEPT_IN_MEMORY, described_tables, parts_of, snapshot
from diet_explorer.store.files import Files
from diet_explorer.store.layout import KEPT, DatasetPaths
from diet_explorer.store.migrating import revision_of

TRIES = 5
PASSING_TABLES = frozenset({"workers", "leases"})
"""Tables of what goes on at one moment."""
_CHUNK = 1 << 20
_LISTING, _SAID = 0.05, 0.2  # share of the time until the first file is copied, and until the JSON files are

Report = Callable[[float, str], None]


@dataclass
class Copied:
    """What a backup has cost."""

    contents: int = 0
    bytes: int = 0
    known: dict[str, int] = field(default_factory=dict)  # what is there by now, new or not: hash to size


class _GoneError(Exception):
    """Something was removed while it was being copied."""


def write_backup(
    files: Files, engine: Engine, workspace: str | None, place: Place, report: Report
) -> tuple[BackupManifest, Copied]:
    """Copy a workspace to a place, and give what is there now and what was new.

    BadInputError where something else than a backup of this workspace is there, WorkspaceError where files went while
    they were copied, time and again.
    """
    earlier = _earlier(place, workspace)
    at_begin = set(place.sizes())
    writer = _Writer(files, place, earlier, report)
    for _ in range(TRIES):
        try:
            manifest = writer.copy(engine, workspace)
            break
        except _GoneError as error:
            gone = str(error)
    else:
        raise WorkspaceError(
            f"The backup was not made: files are removed from the workspace all the time, {gone} at last.",
            "Try again when nobody deletes or cleans up.",
        )
    place.finish(manifest.to_bytes())
    place.remove(at_begin - manifest.contents.keys())
    return manifest, writer.copied


def _earlier(place: Place, workspace: str | None) -> BackupManifest | None:
    """The manifest of the last backup there, which must be of the same workspace."""
    try:
        earlier = BackupManifest.from_bytes(place.manifest(), "there")
    except NotFoundError:
        if place.is_foreign():
            raise BadInputError("There is something else where the backup is to be.", "Name an empty folder.") from None
        return None
    if earlier.workspace is not None and earlier.workspace != workspace:
        raise BadInputError(
            f"The backup there is of another workspace ({earlier.workspace}, not {workspace}).",
            "Name another folder or file: each workspace has backups of its own.",
        )
    return earlier


class _Writer:
    def __init__(self, files: Files, place: Place, earlier: BackupManifest | None, report: Report) -> None:
        self._files, self._place, self._report = files, place, report
        self._marks = {file.path: file for file in earlier.files} if earlier is not None else {}
        self.copied = Copied(known=place.sizes())

    def copy(self, engine: Engine, workspace: str | None) -> BackupManifest:
        """Copy all that is not there yet."""
        self._report(0.0, "Reading the tables")
        begun = self._things()
        with snapshot(engine) as connection:
            made_at = datetime.now(UTC).isoformat(timespec="seconds")
            revision = revision_of(connection)
            if revision is None:
                raise WorkspaceError("The workspace has no tables yet.", "There is nothing to back up.")
            tables = tuple(self._table(connection, table) for table in described_tables(connection, PASSING_TABLES))
            runs = _runs(connection)
        said = self._copies([entry for entry in self._found(begun, runs) if _says(entry[0])], _LISTING, _SAID)
        rest = self._copies([entry for entry in self._found(begun, runs) if not _says(entry[0])], _SAID, 1.0)
        gone = begun - self._things()
        if gone:
            raise _GoneError("/".join(sorted(gone)[0]))
        entries = tuple(sorted([*said, *rest], key=lambda file: file.path))
        return BackupManifest(workspace, made_at, __version__, revision, entries, tables)

    def _table(self, connection: Connection, table: Any) -> BackupTable:
        parts, rows = [], 0
        for count, stream in parts_of(connection, table):
            content = _content(stream)
            self._put(content, stream)
            parts.append(content)
            rows += count
        return BackupTable(table.name, tuple(table.columns.keys()), rows, tuple(parts))

    def _found(self, begun: set[tuple[str, str]], runs: set[str]) -> Iterator[tuple[str, dict[str, Any]]]:
        """The files that belong to the backup, each with what the file system says of it."""
        for folder in KEPT:
            for inside, facts in self._files.all_below(self._path(folder)).items():
                thing = _thing(inside)
                known = thing in runs if folder == "runs" else folder == "datasets" or (folder, thing) in begun
                if known and not _is_passing(inside) and not (folder == "datasets" and can_be_remade(inside)):
                    yield f"{folder}/{inside}", facts

    def _things(self) -> set[tuple[str, str]]:
        """What there is in each folder, now."""
        things = {(folder, name) for folder in KEPT for name in self._files.list(self._path(folder))}
        return things | {("proofs", f"trainings/{name}") for name in self._files.list(self._path("proofs/trainings"))}

    def _copies(self, found: list[tuple[str, dict[str, Any]]], begin: float, end: float) -> list[BackupFile]:
        sizes = [int(facts["size"] or 0) + 1 for _, facts in found]
        total, done, copies = sum(sizes), 0, []
        for (path, facts), size in zip(found, sizes, strict=True):
            self._report(begin + (end - begin) * done / total, f"Copying {path}")
            copies.append(self._copy(path, facts))
            done += size
        return copies

    def _copy(self, path: str, facts: dict[str, Any]) -> BackupFile:
        mark = hashlib.sha256(repr(sorted((key, str(value)) for key, value in facts.items())).encode()).hexdigest()
        earlier = self._marks.get(path)
        if earlier is not None and earlier.mark == mark and self._is_there(earlier.content):
            return earlier
        try:
            with self._files.open_read(self._path(path)) as stream, SpooledTemporaryFile(KEPT_IN_MEMORY) as kept:
                while chunk := stream.read(_CHUNK):
                    kept.write(chunk)
                content = _content(kept)
                self._put(content, kept)
        except (FileNotFoundError, NotFoundError) as error:
            raise _GoneError(path) from error
        self._marks[path] = BackupFile(path, content, mark)
        return self._marks[path]

    def _put(self, content: Content, stream: Any) -> None:
        if not self._is_there(content):
            stream.seek(0)
            self._place.put(content.sha256, content.size, stream)
            self.copied.known[content.sha256] = content.size
            self.copied.contents += 1
            self.copied.bytes += content.size

    def _is_there(self, content: Content) -> bool:
        return self.copied.known.get(content.sha256) == content.size

    def _path(self, path: str) -> str:
        return self._files.path(*path.split("/"))


def _content(stream: Any) -> Content:
    """Hash and size of a stream that is rewound first."""
    stream.seek(0)
    digest, size = hashlib.sha256(), 0
    while chunk := stream.read(_CHUNK):
        digest.update(chunk)
        size += len(chunk)
    return Content(digest.hexdigest(), size)


def _runs(connection: Connection) -> set[str]:
    """Ids of the runs that have a record."""
    runs = next(table for table in described_tables(connection) if table.name == "runs")
    return set(connection.scalars(select(runs.columns["id"])))


def _thing(path: str) -> str:
    """What a file below one of the folders belongs to: trainings of proofs are things of their own."""
    parts = path.split("/")
    return "/".join(parts[:2]) if parts[0] == "trainings" else parts[0]


def _is_passing(path: str) -> bool:
    """Whether a file is a lock or half written."""
    parts = path.split("/")
    return any(part.endswith((".tmp", ".lock")) for part in parts) or parts[-1] == "lock"


def can_be_remade(path: str) -> bool:
    """Whether a dataset's file is made anew where it is missing: token ids are, by the next training."""
    folder = DatasetPaths("").tokens.strip("/")
    return path.split("/")[1:2] == [folder]


def _says(path: str) -> bool:
    return path.endswith((".json", ".jsonl"))
