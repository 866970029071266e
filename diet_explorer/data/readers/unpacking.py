"""What is in archives, and streams of the compressions that Arrow does not know; both bounded."""

from __future__ import annotations

import io
import lzma
import struct
import zipfile
from functools import lru_cache
from pathlib import Path
from typing import Any

from diet_explorer.data.limits import current_limits
from diet_explorer.errors import BadInputError

_READ = 1 << 20
_XZ_MEMORY = 1 << 28  # the strongest preset of xz takes 65 MiB
_END = b"PK\x05\x06"
_LONGEST_END = 22 + (1 << 16)
_A_MEMBER = 46  # bytes of the shortest entry of an archive's directory


def open_archive(path: Path) -> zipfile.ZipFile:
    """A zip archive to be read; its directory is parsed once as long as the file stays the same."""
    facts = path.stat()
    return _archive(str(path), facts.st_mtime_ns, facts.st_size)


@lru_cache(maxsize=2)
def _archive(path: str, _changed: int, _size: int) -> zipfile.ZipFile:
    return zipfile.ZipFile(path)


def members_of(path: Path, location: str) -> list[str]:
    """Names of the files in a zip archive that is not of too many, and does not unpack to far too much.

    Raises
    ------
    BadInputError
        See `Limits`; or the archive is damaged.
    """
    limits = current_limits()
    size = path.stat().st_size
    if _directory_bytes(path, size) // _A_MEMBER > limits.files:
        _count_members(path, location)
    try:
        members = open_archive(path).infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise BadInputError(
            f"The archive {location} cannot be read: {str(error).rstrip('.')}.",
            "Check that it is complete; copy it again.",
        ) from error
    limits.check_files(len(members), location)
    limits.check_unpacked(sum(info.file_size for info in members), size, location)
    # a damaged directory may have a member without a name, of which zipfile cannot tell whether it is a folder
    return [info.filename for info in members if info.filename and not info.filename.endswith("/")]


def _directory_bytes(path: Path, size: int) -> int:
    """Bytes of an archive's directory by its last record; those of the file where there is none."""
    with path.open("rb") as stream:
        stream.seek(max(0, size - _LONGEST_END))
        tail = stream.read()
    at = tail.rfind(_END)
    if at < 0 or at + 22 > len(tail):
        return size
    (directory,) = struct.unpack_from("<I", tail, at + 12)
    return size if directory == 0xFFFFFFFF else min(int(directory), size)


def _count_members(path: Path, location: str) -> None:
    """Count the entries of a large directory one by one, which takes no memory."""
    limits, number = current_limits(), 0
    with path.open("rb") as stream:
        tail = b""
        while chunk := stream.read(_READ):
            number += (tail + chunk).count(b"PK\x01\x02")
            tail = chunk[-3:]
            limits.check_files(number, location)


class _Xz(io.RawIOBase):
    """The content of an xz file, whose header cannot ask for any memory that it likes."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._decompressor = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)
        self._waiting = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        """Read up to `size` bytes, or all."""
        pieces, length = [], 0
        while (size < 0 or length < size) and (piece := self._piece(-1 if size < 0 else size - length)):
            pieces.append(piece)
            length += len(piece)
        return b"".join(pieces)

    def _piece(self, size: int) -> bytes:
        while True:
            if self._decompressor.eof:
                self._waiting = (self._decompressor.unused_data or self._stream.read(_READ)).lstrip(b"\0")
                while not self._waiting and (more := self._stream.read(_READ)):
                    self._waiting = more.lstrip(b"\0")
                if not self._waiting:
                    return b""
                self._decompressor = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)
            if self._decompressor.needs_input and not self._waiting:
                self._waiting = self._stream.read(_READ)
                if not self._waiting:
                    raise EOFError("it is cut off")
            packed, self._waiting = self._waiting, b""
            piece = self._decompressor.decompress(packed, size)
            if piece:
                return piece

    def close(self) -> None:
        self._stream.close()
        super().close()


def open_xz(stream: Any) -> Any:
    """A stream of the content of an xz file."""
    return _Xz(stream)
