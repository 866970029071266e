"""Files of a workspace: any fsspec location, written so that nobody ever sees half a file."""

from __future__ import annotations

import copy
import errno
import hashlib
import json
import os
import shutil
import tempfile
import threading
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

import fsspec

from diet_explorer.config import local_path
from diet_explorer.errors import BadInputError, DietExplorerError, NotFoundError, WorkspaceError
from diet_explorer.store.happenings import happened
from diet_explorer.store.private import make_private_folder, private_opener, tighten

_REMEDIES = {
    errno.ENOSPC: "Free some disk space and try again; nothing half-written was left behind.",
    errno.EDQUOT: "Your disk quota is used up. Free some space and try again; nothing half-written was left behind.",
    errno.EROFS: "The disk is read-only. Choose another workspace with --workspace or DIET_EXPLORER_HOME.",
    errno.EACCES: "Give this user the right to write there, or choose another workspace with --workspace or "
    "DIET_EXPLORER_HOME.",
}
_REMEDIES[errno.EPERM] = _REMEDIES[errno.EACCES]
KEPT_COPIES = 8
_KILO = 1000
EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs", "abfs": "azure", "abfss": "azure", "az": "azure"}
"""Kinds of fsspec URLs, each with the extra of this package that brings what it needs."""


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

    BadInputError where there is no such kind of URL, WorkspaceError where what it needs is not installed.
    """

    def __init__(self, root: str | Path) -> None:
        path = local_path(root)
        self.is_local = path is not None
        self.root = str(root).rstrip("/") if path is None else str(path)
        self.filesystem: Any = _remote_filesystem(self.root) if path is None else fsspec.filesystem("file")
        self._copies: OrderedDict[tuple[str, str], IO[bytes]] = OrderedDict()
        self._copies_lock = threading.Lock()
        self.before_write: Callable[[], None] = _nothing
        """Called before something that was written is put in place; what it raises keeps it from being."""

    def guarded(self, before_write: Callable[[], None]) -> Files:
        """The same files for somebody who may lose the right to write them; see `before_write`."""
        other = copy.copy(self)
        other.before_write = before_write
        return other

    def path(self, *parts: str) -> str:
        """Absolute path or URL of something below the root."""
        return "/".join([self.root, *parts])

    def open_read(self, path: str) -> BinaryIO:
        """Open a file for reading; NotFoundError where there is none."""
        try:
            return cast(BinaryIO, self.filesystem.open(path, "rb"))
        except FileNotFoundError as error:
            raise NotFoundError(f"There is no file {path}.", "Check the name, or create it again.") from error

    def local_path(self, path: str) -> str:
        """A local file with the same bytes, to be opened at once: the file itself, or a temporary copy of a remote one.

        The last few copies are kept; what has been opened or mapped stays readable when its copy goes.
        """
        if self.is_local:
            return path
        with self._copies_lock:
            key = (path, str(self.filesystem.ukey(path)))
            if key not in self._copies:
                local = tempfile.NamedTemporaryFile(prefix="diet-explorer-")  # noqa: SIM115  closed when others replace it
                self.filesystem.get_file(path, local.name)
                self._copies[key] = cast(IO[bytes], local)
            self._copies.move_to_end(key)
            if len(self._copies) > KEPT_COPIES:
                self._copies.popitem(last=False)[1].close()
            return self._copies[key].name

    @contextmanager
    def atomic_writer(self, path: str) -> Iterator[BinaryIO]:
        """A binary stream whose bytes appear at `path` only when the block ends without an exception."""
        with explained("write", path):
            if not self.is_local:
                with tempfile.NamedTemporaryFile() as local:  # elsewhere a whole file is put in place at once
                    yield cast(BinaryIO, local)
                    local.flush()
                    self.before_write()
                    self.filesystem.makedirs(path.rsplit("/", 1)[0], exist_ok=True)
                    self.filesystem.put_file(local.name, path)
                return
            target = Path(path)
            make_private_folder(target.parent)
            temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.tmp")
            try:
                with open(temporary, "wb", opener=private_opener) as stream:
                    yield stream
                    stream.flush()
                    os.fsync(stream.fileno())
                self.before_write()
                temporary.replace(target)
                _sync_folder(target.parent)
            finally:
                temporary.unlink(missing_ok=True)

    @contextmanager
    def atomic_folder(self, path: str) -> Iterator[str]:
        """A temporary folder that becomes `path` when the block ends without an exception.

        If `path` exists by then (another process was faster), the existing folder stays.
        """
        temporary = f"{path}.{uuid.uuid4().hex[:8]}.tmp"
        with explained("write", path):
            try:
                if not self.is_local:
                    yield temporary
                    self.before_write()
                    if not self.filesystem.exists(path):
                        self.filesystem.mv(temporary, path, recursive=True)
                    return
                make_private_folder(Path(temporary))
                yield temporary
                tighten(Path(temporary))  # also what libraries wrote into it
                self.before_write()
                if not Path(path).exists():
                    Path(temporary).rename(path)
                    _sync_folder(Path(path).parent)
            finally:
                self.remove_folder(temporary)

    def write_bytes(self, path: str, data: bytes) -> None:
        """Write a small file in one go, atomically."""
        with self.atomic_writer(path) as stream:
            stream.write(data)

    def create(self, path: str, data: bytes) -> bool:
        """Write a small file that is not there, and whether that was done; of several who try at once one does."""
        with explained("write", path):
            if not self.is_local:
                try:
                    self.filesystem.pipe_file(path, data, mode="create")
                except FileExistsError:
                    return False
                return True
            target = Path(path)
            make_private_folder(target.parent)
            temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.tmp")
            try:
                with open(temporary, "wb", opener=private_opener) as stream:
                    stream.write(data)
                    stream.flush()
                    os.fsync(stream.fileno())
                os.link(temporary, target)
            except FileExistsError:
                return False
            finally:
                temporary.unlink(missing_ok=True)
            return True

    def read_bytes(self, path: str) -> bytes:
        """The whole file."""
        with self.open_read(path) as stream:
            return stream.read()

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

    def exists(self, path: str) -> bool:
        """Whether a file or folder is there."""
        return bool(self.filesystem.exists(path))

    def list(self, path: str) -> list[str]:
        """Sorted names of what is in a folder, temporary things left out; empty where there is no folder."""
        try:
            entries = self.filesystem.ls(path, detail=False)
        except (FileNotFoundError, NotADirectoryError):
            return []
        names = (entry.rstrip("/").rsplit("/", 1)[-1] for entry in entries)
        return sorted(name for name in names if not name.endswith(".tmp"))

    def make_folder(self, path: str) -> None:
        """Create a folder and its parents."""
        with explained("create", path):
            if self.is_local:
                make_private_folder(Path(path))
            else:
                self.filesystem.makedirs(path, exist_ok=True)

    def remove_folder(self, path: str) -> None:
        """Remove a folder and all below it, if it is there."""
        if self.is_local:
            with suppress(FileNotFoundError):
                shutil.rmtree(path)
        elif self.filesystem.exists(path):
            self.filesystem.rm(path, recursive=True)

    def remove(self, path: str) -> None:
        """Remove a file, or a folder and all below it, if it is there; also while others remove parts of it."""
        with explained("remove", path):
            if not self.is_local:
                self.remove_folder(path)
                return
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
            return int(self.filesystem.du(path))
        return 0

    def remove_file(self, path: str) -> None:
        """Remove a file, if it is there."""
        with suppress(FileNotFoundError):
            self.filesystem.rm_file(path)


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


def bytes_in_words(size: int) -> str:
    """A size, such as "12.3 MB"."""
    value, unit = float(size), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if value < _KILO:
            break
        value, unit = value / _KILO, larger
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"


def file_sha256(path: str | Path) -> str:
    """SHA-256 of a local file, in hexadecimal."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextmanager
def reaching(root: str) -> Iterator[None]:
    """Turn whatever keeps a remote root from being reached in the block into a WorkspaceError.

    Each kind of fsspec URL has errors of its own: for missing credentials, an unknown bucket, no network.
    """
    try:
        yield
    except DietExplorerError:
        raise
    except Exception as error:
        if local_path(root) is not None:
            raise
        happened("store_errors")
        raise WorkspaceError(
            f"The workspace {root} cannot be reached: {_in_one_line(error)}.",
            "Check the address, the credentials and the network, or choose another workspace with --workspace or "
            "DIET_EXPLORER_HOME.",
        ) from error


def _nothing() -> None:
    """What is called where nothing is to be done."""


def _remote_filesystem(root: str) -> Any:
    scheme = root.partition("://")[0]
    try:
        with reaching(root):
            return fsspec.core.url_to_fs(root)[0]
    except WorkspaceError as error:
        cause = error.__cause__
        if scheme not in fsspec.available_protocols():
            raise BadInputError(
                f"The workspace {root} cannot be used: there is no kind of address {scheme}://.",
                "Give a folder, or the address of a store, such as s3://, gs:// or az://.",
            ) from cause
        if not isinstance(cause, ImportError):
            raise
        extra = EXTRAS.get(scheme)
        install = f"Install it: pip install 'diet-explorer[{extra}]'." if extra else f"{_in_one_line(cause)}."
        raise WorkspaceError(
            f"A workspace at {scheme}:// needs a package that is not installed{_named(cause)}.", install
        ) from cause


def _named(error: ImportError) -> str:
    origin = error.__cause__ or error.__context__ or error
    name = getattr(origin, "name", None)
    return f" ({name})" if name else ""


def _in_one_line(error: BaseException) -> str:
    return " ".join(str(error).split()).rstrip(".")[:300] or type(error).__name__


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
