"""Files of a workspace: any fsspec location, written so that nobody ever sees half a file."""

from __future__ import annotations

import copy
import errno
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import fsspec

from diet_explorer.config import COPIES_MB, Settings, home_cache, local_path
from diet_explorer.errors import NotFoundError, WorkspaceError
from diet_explorer.store.copies import LocalCopies
from diet_explorer.store.happenings import happened
from diet_explorer.store.patience import patiently
from diet_explorer.store.private import make_private_folder, private_opener, tighten
from diet_explorer.store.remote import PLACE, has_folders, open_store, store_error, store_errors

_REMEDIES = {
    errno.ENOSPC: "Free some disk space and try again; nothing half-written was left behind.",
    errno.EDQUOT: "Your disk quota is used up. Free some space and try again; nothing half-written was left behind.",
    errno.EROFS: f"The disk is read-only. Choose another {PLACE}.",
    errno.EACCES: f"Give this user the right to write there, or choose another {PLACE}.",
    errno.EEXIST: f"A file is called so. Choose another {PLACE}.",
}
_REMEDIES[errno.EPERM] = _REMEDIES[errno.EACCES]
PATIENCE = 2.0
"""So many seconds a store may be away before people are told."""
T = TypeVar("T")


@contextmanager
def explained(action: str, path: str) -> Iterator[None]:
    """Turn an OSError of the block into a WorkspaceError that names the path and the remedy."""
    try:
        yield
    except OSError as error:
        happened("store_errors")
        reason = (error.strerror or str(error)).lower()
        remedy = _REMEDIES.get(error.errno or 0, "Check that the location is there and can be written.")
        raise WorkspaceError(f"Cannot {action} {path}: {reason}.", remedy) from error


class Files:
    """All files below one root: a local folder or an fsspec URL such as ``s3://bucket/folder``.

    Elsewhere nothing is ever renamed: an object is put in place whole, and of a folder one file comes last without
    which readers find nothing. Nothing of listings is kept: what others wrote is seen at once.

    BadInputError where there is no such kind of URL, WorkspaceError where what it needs is not installed.

    Parameters
    ----------
    root : str or Path
    patience : float
        So many seconds it waits for a store that is away, and jobs for the database.
    cache : Path, optional
        Local folder for temporary copies of remote files; by default that of the home.
    copies_mb : int
        So many megabytes they may take.
    """

    def __init__(
        self,
        root: str | Path,
        *,
        patience: float = PATIENCE,
        cache: Path | None = None,
        copies_mb: int = COPIES_MB,
    ) -> None:
        path = local_path(root)
        self.is_local = path is not None
        self.root = str(root).rstrip("/") if path is None else str(path)
        self.patience = patience
        self.before_write: Callable[[], None] = _nothing
        """Called before something that was written is put in place; what it raises keeps it from being."""
        found = fsspec.filesystem("file") if self.is_local else open_store(self.root)
        self._filesystem: tuple[int, Any] = (os.getpid(), found)
        if not self.is_local:
            folder = (cache or home_cache(self.root)) / "copies"
            self._copies = LocalCopies(folder, copies_mb * 1_000_000)

    @classmethod
    def of(cls, settings: Settings, *, patience: float = PATIENCE) -> Files:
        """The files of a workspace."""
        return cls(settings.home, patience=patience, cache=settings.home_folder, copies_mb=settings.copies_mb)

    def guarded(self, before_write: Callable[[], None]) -> Files:
        """The same files for somebody who may lose the right to write them; see `before_write`."""
        other = copy.copy(self)
        other.before_write = before_write
        return other

    def at(self, location: str) -> Files:
        """The files that a folder belongs to, which may lie elsewhere than these: those of this machine, or a store."""
        inside = location == self.root or location.startswith(f"{self.root}/")
        return self if inside else Files(location, patience=self.patience).guarded(self.before_write)

    @property
    def filesystem(self) -> Any:
        """The fsspec file system of the root; a remote one is this process's own, for none survives a fork."""
        pid, found = self._filesystem
        if pid != os.getpid() and not self.is_local:
            found = open_store(self.root)
            self._filesystem = (os.getpid(), found)
        return found

    def path(self, *parts: str) -> str:
        """Absolute path or URL of something below the root."""
        return "/".join([self.root, *parts])

    def open_read(self, path: str) -> BinaryIO:
        """Open a file for reading, or a local copy of one elsewhere; NotFoundError where there is none."""
        with self.local_copy(path) as local:
            try:
                return Path(local).open("rb")
            except (FileNotFoundError, NotADirectoryError) as error:
                raise _missing(path) from error

    @contextmanager
    def local_copy(self, path: str) -> Iterator[str]:
        """A local file with the same bytes, there during the block: the file itself, or a copy of a remote one.

        What has been opened or mapped stays readable after it. NotFoundError where there is none.
        """
        if self.is_local:
            yield path
            return
        facts = self._facts(path)
        if facts is None or facts["type"] != "file":
            raise _missing(path)
        mark = next((facts[name] for name in ("ETag", "etag", "md5Hash", "mtime", "created") if facts.get(name)), "")

        def fetch(target: str) -> None:
            self._asked("read", path, lambda: self.filesystem.get_file(path, target))

        with self._copies.copy(f"{path} {mark} {facts['size']}", fetch) as local:
            yield local

    @contextmanager
    def atomic_writer(self, path: str) -> Iterator[BinaryIO]:
        """A binary stream whose bytes appear at `path` only when the block ends without an exception."""
        if not self.is_local:
            with self._copies.temporary_folder() as folder:
                local = folder / "object"
                with explained("write", str(local)), open(local, "wb", opener=private_opener) as stream:
                    yield stream
                self.put(local, path)
            return
        with explained("write", path):
            target = Path(path)
            with _beside(target) as (temporary, stream):
                yield stream
                _sync(stream)
                self.before_write()
                temporary.replace(target)
                _sync_folder(target.parent)

    @contextmanager
    def new_folder(self, path: str, last: str) -> Iterator[Files]:
        """Local files that become the folder `path` when the block ends without an exception.

        If it is there by then (another process was faster), that one stays. Elsewhere it is there as soon as its file
        `last` is: readers look for that, and a writer that is killed leaves nothing that they find.
        """
        if not self.is_local:
            with self._copies.temporary_folder() as folder:
                yield Files(folder)
                if not self.exists(f"{path}/{last}"):
                    self.put_folder(folder, path, last)
            return
        temporary = f"{path}.{uuid.uuid4().hex[:8]}.tmp"
        with explained("write", path):
            try:
                make_private_folder(Path(temporary))
                yield Files(temporary)
                tighten(Path(temporary))  # also what libraries wrote into it
                self.before_write()
                if not Path(path).exists():
                    Path(temporary).rename(path)
                    _sync_folder(Path(path).parent)
            finally:
                self.remove_folder(temporary)

    @contextmanager
    def temporary_folder(self) -> Iterator[Path]:
        """A local folder for what is put elsewhere at the end of the block; gone after it."""
        with self._copies.temporary_folder() as folder:
            yield folder

    def remove_abandoned_copies(self) -> None:
        """Remove what processes of this machine that were killed have left there of what lies elsewhere."""
        if not self.is_local:
            self._copies.remove_abandoned()

    def put_folder(self, folder: Path, path: str, last: str) -> None:
        """Put all files of a local folder elsewhere, the one named `last` after the others."""
        files = sorted(entry for entry in folder.rglob("*") if entry.is_file())
        for file in sorted(files, key=lambda entry: entry == folder / last):
            self.put(file, f"{path}/{file.relative_to(folder).as_posix()}")

    def put(self, local: Path, path: str) -> None:
        """Put a local file elsewhere, whole."""

        def send() -> None:
            self.before_write()
            if has_folders(self.root):
                self.filesystem.makedirs(path.rsplit("/", 1)[0], exist_ok=True)
            self.filesystem.put_file(str(local), path)

        self._changed("write", path, send)

    def write_bytes(self, path: str, data: bytes) -> None:
        """Write a small file in one go, atomically."""
        with self.atomic_writer(path) as stream:
            stream.write(data)

    def create(self, path: str, data: bytes) -> bool:
        """Write a small file that is not there, and whether that was done; of several who try at once one does."""
        try:
            if not self.is_local:
                self._changed("write", path, lambda: self.filesystem.pipe_file(path, data, mode="create"))
                return True
            with explained("write", path), suppress(FileExistsError), _beside(Path(path)) as (temporary, stream):
                stream.write(data)
                _sync(stream)
                os.link(temporary, path)
                return True
        except FileExistsError:
            pass
        return False

    def read_bytes(self, path: str) -> bytes:
        """The whole file; NotFoundError where there is none."""
        if self.is_local:
            with self.open_read(path) as stream:
                return stream.read()
        try:
            return bytes(self._asked("read", path, lambda: self.filesystem.cat_file(path)))
        except FileNotFoundError as error:
            raise _missing(path) from error

    def write_json(self, path: str, value: object) -> None:
        """Write a JSON document atomically."""
        self.write_bytes(path, (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode())

    def read_json(self, path: str) -> Any:
        """Read a JSON document; WorkspaceError where it is damaged."""
        data = self.read_bytes(path)
        try:
            return json.loads(data)
        except (ValueError, RecursionError) as error:
            raise WorkspaceError(
                f"The file {path} is damaged: {error}.", "Restore it from a backup, or remove the folder it is in."
            ) from error

    def find_json(self, path: str) -> Any:
        """A JSON document, None where there is none; to look first whether it is there would ask a store twice."""
        try:
            return self.read_json(path)
        except NotFoundError:
            return None

    def exists(self, path: str) -> bool:
        """Whether a file or folder is there."""
        return Path(path).exists() if self.is_local else self._facts(path) is not None

    def list(self, path: str) -> list[str]:
        """Sorted names of what is in a folder, temporary things left out; empty where there is no folder."""
        try:
            if self.is_local:
                names = [entry.name for entry in Path(path).iterdir()]
            else:
                entries = self._asked("list", path, lambda: self.filesystem.ls(path, detail=False))
                names = [entry.rstrip("/").rsplit("/", 1)[-1] for entry in entries]
        except (FileNotFoundError, NotADirectoryError):
            return []
        return sorted(name for name in names if not name.endswith(".tmp"))

    def all_below(self, path: str) -> dict[str, dict[str, Any]]:
        """All files below a folder by their paths in it, with what is known of each, such as its ``size``."""
        start = len(self.filesystem._strip_protocol(path)) + 1
        with suppress(FileNotFoundError):
            found = self._asked("list", path, lambda: self.filesystem.find(path, detail=True))
            return {name[start:]: facts for name, facts in found.items()}
        return {}

    def make_folder(self, path: str) -> None:
        """Create a folder and its parents; stores of objects have none."""
        if self.is_local:
            with explained("create", path):
                make_private_folder(Path(path))
        elif has_folders(self.root):
            self._changed("create", path, lambda: self.filesystem.makedirs(path, exist_ok=True))

    def remove_folder(self, path: str) -> None:
        """Remove a folder and all below it, if it is there; elsewhere its files in the order in which they hide it."""
        if self.is_local:
            with suppress(FileNotFoundError):
                shutil.rmtree(path)
            return
        with suppress(FileNotFoundError):
            found = self._asked("list", path, lambda: self.filesystem.find(path))
            marks = [name for name in found if name.endswith("/manifest.json")]
            for names in (marks, [name for name in found if name not in marks]):
                if names:
                    self._removed(path, names)
            if has_folders(self.root) and self._facts(path) is not None:
                self._changed("remove", path, lambda: self.filesystem.rm(path, recursive=True))

    def remove(self, path: str) -> None:
        """Remove a file, or a folder and all below it, if it is there; also while others remove parts of it."""
        if not self.is_local:
            self.remove_folder(path)
            return
        with explained("remove", path):
            local = Path(path)
            while local.is_symlink() or local.exists():
                with suppress(FileNotFoundError):
                    if local.is_dir() and not local.is_symlink():
                        shutil.rmtree(local)
                    else:
                        local.unlink()

    def size(self, path: str) -> int:
        """Bytes of a file, or of all files in a folder; 0 where there is none."""
        if self.is_local:
            return local_size(Path(path))
        with suppress(FileNotFoundError):
            return int(self._asked("list", path, lambda: self.filesystem.du(path)))
        return 0

    def remove_file(self, path: str) -> None:
        """Remove a file, if it is there."""
        with suppress(FileNotFoundError):
            if self.is_local:
                Path(path).unlink()
            else:
                self._removed(path, [path])

    def _facts(self, path: str) -> dict[str, Any] | None:
        """What a store says of a file or folder; None where there is none."""
        with suppress(FileNotFoundError):
            facts: dict[str, Any] = self._asked("read", path, lambda: self.filesystem.info(path))
            return facts
        return None

    def _removed(self, path: str, names: Sequence[str]) -> None:
        self._asked("remove", path, lambda: self.filesystem.rm([*names]))

    def _changed(self, action: str, path: str, work: Callable[[], object]) -> None:
        try:
            self._asked(action, path, work)
        except FileNotFoundError as error:  # the bucket
            raise store_error(self.root, action, path, error) from error

    def _asked(self, action: str, path: str, work: Callable[[], T]) -> T:
        """The answer of a store; FileNotFoundError, or a WorkspaceError that says what is wrong with the store."""

        def ask() -> T:
            with store_errors(self.root, action, path):
                return work()

        return patiently(ask, self.patience)


def _nothing() -> None:
    """What is called where nothing is to be done."""


def _missing(path: str) -> NotFoundError:
    return NotFoundError(f"There is no file {path}.", "Check the name, or create it again.")


def local_size(path: Path) -> int:
    """Bytes of a local file, or of all files in a folder, those that go meanwhile left out."""
    total = 0
    with suppress(FileNotFoundError):
        if not path.is_dir():
            return path.lstat().st_size
        with os.scandir(path) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):
                    folder = entry.is_dir(follow_symlinks=False)
                    total += local_size(Path(entry.path)) if folder else entry.stat(follow_symlinks=False).st_size
    return total


def file_sha256(path: str | Path) -> str:
    """SHA-256 of a local file, in hexadecimal."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextmanager
def _beside(target: Path) -> Iterator[tuple[Path, BinaryIO]]:
    """A new file beside another one, which may take its place; gone after the block."""
    make_private_folder(target.parent)
    temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        with open(temporary, "wb", opener=private_opener) as stream:
            yield temporary, stream
    finally:
        temporary.unlink(missing_ok=True)


def _sync(stream: BinaryIO) -> None:
    stream.flush()
    os.fsync(stream.fileno())


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":
        return  # no folder can be opened there
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
