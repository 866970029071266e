"""The bytes of one data file, plain, compressed, or in a zip archive."""

from __future__ import annotations

import io
import lzma
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from diet_explorer.data.limits import current_limits
from diet_explorer.data.readers.unpacking import open_archive, open_xz
from diet_explorer.errors import BadInputError
from diet_explorer.store.files import file_sha256
from diet_explorer.store.reach import EVERYWHERE, Reach

BEGINNING = 1 << 16
_COPIED = 1 << 22
_DAMAGED = (EOFError, lzma.LZMAError, zlib.error, zipfile.BadZipFile, RuntimeError, NotImplementedError, ValueError)


@dataclass(frozen=True)
class Compression:
    """One way to compress a single file, known by its first bytes."""

    name: str
    ending: str
    magic: bytes
    open: Callable[[Any], Any]  # from an Arrow stream to an Arrow stream


COMPRESSIONS = (
    Compression("gzip", ".gz", b"\x1f\x8b", lambda stream: pa.CompressedInputStream(stream, "gzip")),
    Compression("bz2", ".bz2", b"BZh", lambda stream: pa.CompressedInputStream(stream, "bz2")),
    Compression("xz", ".xz", b"\xfd7zXZ\x00", lambda stream: _arrow_stream(open_xz(stream))),
    Compression("zstd", ".zst", b"\x28\xb5\x2f\xfd", lambda stream: pa.CompressedInputStream(stream, "zstd")),
)
ARCHIVE_ENDINGS = (".zip", ".tar", ".tgz")
CONTAINER_ENDINGS = (*(compression.ending for compression in COMPRESSIONS), *ARCHIVE_ENDINGS)


class DataFile:
    """A file, or a member of a zip archive; compressed ones are read as what they hold.

    Parameters
    ----------
    path : Path
        The file on disk.
    member : str, optional
        The member of the zip archive at `path`.
    location : str, optional
        What messages call it; by default the path, and the member after it.
    keep : object, optional
        What has to live as long as this file, such as the temporary folder it lies in.
    reach : Reach, optional
        What may be read; asked whenever the file is opened, since a link may have changed since.

    Raises
    ------
    BadInputError
        It is out of reach, or damaged.
    """

    def __init__(
        self,
        path: Path,
        *,
        member: str | None = None,
        location: str | None = None,
        keep: object = None,
        reach: Reach = EVERYWHERE,
    ) -> None:
        self.member = member
        self.location = location or (str(path) if member is None else f"{path}/{member}")
        self.reach = reach
        self._path = path
        self._keep = keep
        self._size = self._packed = self.path.stat().st_size
        self._read_so_far = 0  # bytes of the latest opened stream
        with self._raw() as stream:
            beginning = self._read(stream, 16)
        self._compression = next((c for c in COMPRESSIONS if beginning.startswith(c.magic)), None)

    @property
    def path(self) -> Path:
        """The file on disk; BadInputError where it is out of reach."""
        return self.reach.check(self._path, self.location)

    @cached_property
    def beginning(self) -> bytes:
        """The first bytes, decompressed; empty for an empty file."""
        with self.open() as stream:
            return self._read(stream, BEGINNING)

    @property
    def _name(self) -> Path:
        """The file's name without an ending that only tells how it is compressed."""
        name = Path(self.path.name if self.member is None else self.member)
        return Path(name.stem) if name.suffix.lower() in CONTAINER_ENDINGS else Path(name.name)

    @property
    def ending(self) -> str:
        """The ending that tells the format, in lower case; empty where there is none."""
        return self._name.suffix.lower()

    @property
    def stem(self) -> str:
        """The file's name without its endings."""
        return self._name.stem

    def open(self) -> Any:
        """Open the content as an Arrow stream; what is damaged is an OSError while it is read."""
        raw = self._raw()
        self._read_so_far = 0
        return raw if self._compression is None else self._compression.open(raw)

    def read(self, stream: Any, size: int = -1) -> bytes:
        """Read from an opened stream.

        Raises
        ------
        BadInputError
            The file is damaged or incomplete; or it unpacks to far more than it is, see `Limits`.
        """
        return self._read(stream, size)

    def fraction(self) -> float:
        """How much of the file the latest opened stream has consumed, from 0 to 1."""
        return float(self._latest.tell() / max(self._size, 1))

    def sha256(self) -> str:
        """SHA-256 of the file's bytes as they are on disk, in hexadecimal."""
        return file_sha256(self.path)

    @cached_property
    def local_path(self) -> Path:
        """A file with the content as it is when decompressed, for formats that are not read from front to back."""
        if self.member is None and self._compression is None:
            return self.path
        folder = tempfile.TemporaryDirectory(prefix="diet-explorer-")
        self._unpacked = folder  # removed with this object
        target = Path(folder.name) / self._name.name
        with self.open() as stream, target.open("wb") as copy:
            while chunk := self._read(stream, _COPIED):
                copy.write(chunk)
        return target

    def _raw(self) -> Any:
        if self.member is None:
            self._latest = pa.OSFile(str(self.path))
            return self._latest
        archive = open_archive(self.path)
        info = archive.getinfo(self.member)
        self._size, self._packed = info.file_size, min(info.compress_size, self._packed)
        try:
            self._latest = _arrow_stream(archive.open(self.member))
        except zipfile.BadZipFile as error:
            raise BadInputError(
                f"The file {self.location} cannot be read to its end: {str(error).rstrip('.')}.",
                "Check that it is complete; copy it again.",
            ) from error
        except (RuntimeError, NotImplementedError) as error:
            raise BadInputError(
                f"{self.location} cannot be unpacked: {'it has a password' if 'password' in str(error) else error}.",
                "Unpack the archive, and give the file in it.",
            ) from error
        return self._latest

    def _read(self, stream: Any, size: int) -> bytes:
        try:
            data: bytes = stream.read(size)
        except OSError as error:
            raise BadInputError(
                f"The file {self.location} cannot be read to its end: {error}.",
                "Check that it is complete; copy it again.",
            ) from error
        self._read_so_far += len(data)
        if self._read_so_far > self._size or self.member is not None:
            current_limits().check_unpacked(self._read_so_far, self._packed, self.location)
        return data


def spooled(stream: Any, name: str, location: str) -> DataFile:
    """A data file with the bytes of something that can be read only once, such as a pipe."""
    folder = tempfile.TemporaryDirectory(prefix="diet-explorer-")
    path = Path(folder.name) / name
    with path.open("wb") as copy:
        shutil.copyfileobj(stream, copy, _COPIED)
    return DataFile(path, location=location, keep=folder)


class _Guarded(io.RawIOBase):
    """A stream of Python's decompressors, all of whose failures are OSErrors, as Arrow's are."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._position = 0

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def read(self, size: int = -1) -> bytes:
        try:
            data: bytes = self._stream.read(size)
        except _DAMAGED as error:
            raise OSError(str(error) or "it is cut off") from error
        self._position += len(data)
        return data

    def close(self) -> None:
        self._stream.close()
        super().close()


def _arrow_stream(stream: Any) -> Any:
    return pa.PythonFile(_Guarded(stream), mode="r")
