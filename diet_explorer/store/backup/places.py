"""Where a backup is kept: a folder or an address, to which a later backup adds what is new, or one archive."""

from __future__ import annotations

import io
import shutil
import tarfile
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import IO, BinaryIO, cast

from diet_explorer.errors import BadInputError, NotFoundError, WorkspaceError
from diet_explorer.store.backup.manifest import MANIFEST
from diet_explorer.store.files import Files

ARCHIVES = (".zip", ".tar")
_HASH_LENGTH = 64


class Place(ABC):
    """Contents by their hashes, and a manifest that is written last: without it there is no backup."""

    @abstractmethod
    def sizes(self) -> dict[str, int]:
        """Bytes of each content that is there."""

    @abstractmethod
    def manifest(self) -> bytes:
        """The manifest; NotFoundError where there is none."""

    @abstractmethod
    def open(self, sha256: str) -> AbstractContextManager[BinaryIO]:
        """A content, to be read."""

    @abstractmethod
    def put(self, sha256: str, size: int, stream: IO[bytes]) -> None:
        """Add a content."""

    @abstractmethod
    def finish(self, manifest: bytes) -> None:
        """Write the manifest: from now on the backup is there."""

    @abstractmethod
    def remove(self, hashes: set[str]) -> None:
        """Remove contents that no manifest names any more."""

    def is_foreign(self) -> bool:
        """Whether something else than a backup, or the beginning of one, is there."""
        return False


class FolderPlace(Place):
    """A folder, local or of an object store."""

    def __init__(self, root: str) -> None:
        self._files = Files(root)

    def sizes(self) -> dict[str, int]:
        """Bytes of each content that is there."""
        found = self._files.all_below(self._files.path("contents"))
        named = ((path.rsplit("/", 1)[-1], facts["size"]) for path, facts in found.items())
        return {name: int(size) for name, size in named if len(name) == _HASH_LENGTH}

    def manifest(self) -> bytes:
        """The manifest; NotFoundError where there is none."""
        return self._files.read_bytes(self._files.path(MANIFEST))

    def open(self, sha256: str) -> AbstractContextManager[BinaryIO]:
        """A content, to be read."""
        return self._files.open_read(self._path(sha256))

    def put(self, sha256: str, size: int, stream: IO[bytes]) -> None:
        """Add a content."""
        with self._files.atomic_writer(self._path(sha256)) as target:
            shutil.copyfileobj(stream, target, 1 << 20)

    def finish(self, manifest: bytes) -> None:
        """Write the manifest: from now on the backup is there."""
        self._files.write_bytes(self._files.path(MANIFEST), manifest)

    def remove(self, hashes: set[str]) -> None:
        """Remove contents that no manifest names any more."""
        for sha256 in sorted(hashes):
            self._files.remove_file(self._path(sha256))

    def is_foreign(self) -> bool:
        """Whether something else than a backup, or the beginning of one, is there."""
        return bool(set(self._files.list(self._files.root)) - {MANIFEST, "contents"})

    def _path(self, sha256: str) -> str:
        return self._files.path("contents", sha256[:2], sha256)


class ArchiveWriter(Place):
    """One archive that is being written; it appears under its name when all of it is written."""

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self._there: dict[str, int] = {}
        self._zip = zipfile.ZipFile(stream, "w") if name.endswith(".zip") else None
        self._tar = None if self._zip else tarfile.TarFile(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT)

    def sizes(self) -> dict[str, int]:
        """Bytes of each content that is there."""
        return dict(self._there)

    def manifest(self) -> bytes:
        """There is none before the end."""
        raise NotFoundError("The archive is being written.", "Wait until it is done.")

    def open(self, sha256: str) -> AbstractContextManager[BinaryIO]:
        """Nothing is read before the end."""
        raise NotFoundError("The archive is being written.", "Wait until it is done.")

    def put(self, sha256: str, size: int, stream: IO[bytes]) -> None:
        """Add a content."""
        self._add(f"contents/{sha256}", size, stream)
        self._there[sha256] = size

    def finish(self, manifest: bytes) -> None:
        """Write the manifest: from now on the backup is there."""
        self._add(MANIFEST, len(manifest), io.BytesIO(manifest))
        if self._zip is not None:
            self._zip.close()
        if self._tar is not None:
            self._tar.close()

    def remove(self, hashes: set[str]) -> None:
        """An archive begins empty, so that nothing in it is old."""

    def abandon(self) -> None:
        """Write nothing more: the stream goes."""
        if self._zip is not None:
            self._zip.fp = None

    def _add(self, name: str, size: int, stream: IO[bytes]) -> None:
        if self._zip is not None:
            entry = zipfile.ZipInfo(name)
            entry.file_size, entry.external_attr = size, 0o600 << 16
            with self._zip.open(entry, "w", force_zip64=size >= 1 << 31) as target:
                shutil.copyfileobj(stream, target, 1 << 20)
        if self._tar is not None:
            member = tarfile.TarInfo(name)
            member.size, member.mode = size, 0o600
            self._tar.addfile(member, stream)


class NoArchiveError(WorkspaceError):
    """A file is no archive, or not a whole one."""


class ArchiveReader(Place):
    """One finished archive."""

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self._name = name
        try:
            self._zip = zipfile.ZipFile(stream) if name.endswith(".zip") else None
            self._tar = None if self._zip else tarfile.TarFile(fileobj=stream)
            self._members: dict[str, tuple[zipfile.ZipInfo | tarfile.TarInfo, int]] = {}
            if self._zip is not None:
                self._members = {entry.filename: (entry, entry.file_size) for entry in self._zip.infolist()}
            elif self._tar is not None:
                self._members = {entry.name: (entry, entry.size) for entry in self._tar if entry.isreg()}
        except (zipfile.BadZipFile, tarfile.TarError, EOFError) as error:
            raise NoArchiveError(
                f"The backup {name} is damaged: it is no whole {name[-3:]} archive.",
                "Copy it again from where it was made, or use another backup.",
            ) from error

    def sizes(self) -> dict[str, int]:
        """Bytes of each content that is there."""
        return {name.rpartition("/")[2]: size for name, (_, size) in self._members.items() if name != MANIFEST}

    def manifest(self) -> bytes:
        """The manifest; NotFoundError where there is none."""
        with self._open(MANIFEST) as stream:
            return stream.read()

    def open(self, sha256: str) -> AbstractContextManager[BinaryIO]:
        """A content, to be read."""
        return self._open(f"contents/{sha256}")

    def put(self, sha256: str, size: int, stream: IO[bytes]) -> None:
        """An archive is written once."""
        raise NotImplementedError

    def finish(self, manifest: bytes) -> None:
        """An archive is written once."""
        raise NotImplementedError

    def remove(self, hashes: set[str]) -> None:
        """An archive is written once."""
        raise NotImplementedError

    @contextmanager
    def _open(self, name: str) -> Iterator[BinaryIO]:
        entry, _ = self._members.get(name, (None, 0))
        stream: IO[bytes] | None = None
        if self._zip is not None and isinstance(entry, zipfile.ZipInfo):
            stream = self._zip.open(entry)
        elif self._tar is not None and isinstance(entry, tarfile.TarInfo):
            stream = self._tar.extractfile(entry)
        if stream is None:
            raise NotFoundError(f"The archive {self._name} has no {name}.", "Use another backup.")
        try:
            with stream:
                yield cast(BinaryIO, stream)
        except (zipfile.BadZipFile, tarfile.TarError, EOFError) as error:
            raise WorkspaceError(
                f"The backup {self._name} is damaged at {name}.", "Copy it again, or use another backup."
            ) from error


def is_archive(target: str) -> bool:
    """Whether a backup there is one archive; BadInputError for a kind of archive that is not written."""
    if target.endswith((".gz", ".tgz", ".bz2", ".xz", ".zst", ".7z")):
        raise BadInputError(
            f"A backup cannot be a compressed archive such as {target}.",
            "Name a file that ends in .zip or .tar, or a folder; what is large in a workspace is compressed already.",
        )
    return target.endswith(ARCHIVES)


@contextmanager
def writing_to(target: str) -> Iterator[Place]:
    """The place of a backup that is to be written; an archive appears when the block ends without an exception."""
    if not is_archive(target):
        yield FolderPlace(target)
        return
    files, path = _parent(target)
    with files.atomic_writer(path) as stream:
        archive = ArchiveWriter(stream, path)
        try:
            yield archive
        except BaseException:
            archive.abandon()
            raise


@contextmanager
def reading_from(target: str) -> Iterator[Place]:
    """The place of a backup that is there; NotFoundError where there is nothing."""
    if not is_archive(target):
        yield FolderPlace(target)
        return
    files, path = _parent(target)
    with files.open_read(path) as stream:
        yield ArchiveReader(stream, path)


def _parent(target: str) -> tuple[Files, str]:
    files = Files(target.rpartition("/")[0] or ("/" if target.startswith("/") else "."))
    return files, files.path(target.rpartition("/")[2])
