"""Tar archives, plain or compressed, as trees of the data files in them.

A tar has to be read from its beginning for every member; it is unpacked once, into a temporary folder.
"""

from __future__ import annotations

import shutil
import tarfile
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path, PurePosixPath

from diet_explorer.data.limits import current_limits
from diet_explorer.data.readers.data_file import DataFile
from diet_explorer.data.readers.folders import Tree, is_hidden
from diet_explorer.errors import BadInputError
from diet_explorer.store.files import explained

_MAGIC = (257, b"ustar")
_LONGEST_FACTS = 1 << 20
_FACTS = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)
_RESERVE = 1 << 28  # bytes that stay free on the disk of temporary files


def is_tar(beginning: bytes) -> bool:
    """Whether a file, once it is decompressed, is a tar archive, by its first bytes."""
    at, magic = _MAGIC
    return beginning[at : at + len(magic)] == magic


def tree_of_tar(file: DataFile) -> Tree:
    """All files of a tar archive.

    Raises
    ------
    BadInputError
        It is damaged or does not fit the disk; or a member is a link or leads out of the archive.
    """
    folder = tempfile.TemporaryDirectory(prefix="diet-explorer-")
    with explained("write temporary files in", folder.name):
        try:
            paths = _unpack(file, Path(folder.name))
        except (tarfile.TarError, EOFError, OSError) as error:
            if isinstance(error, OSError) and error.errno:
                raise  # of the disk that it is unpacked to
            raise BadInputError(
                f"The archive {file.location} cannot be read: {str(error).rstrip('.')}.",
                "Check that it is complete; copy it again.",
            ) from error
    files: dict[PurePosixPath, Callable[[], DataFile]] = {
        member: partial(DataFile, path, location=f"{file.location}/{member}", keep=folder)
        for member, path in sorted(paths.items())
    }
    return Tree(file.location, Path(file.stem).stem, "tar", files)


def _unpack(file: DataFile, root: Path) -> dict[PurePosixPath, Path]:
    """Write the files of an archive that are not hidden below a folder, and give where each of them is."""
    limits, packed, unpacked = current_limits(), file.path.stat().st_size, 0
    paths: dict[PurePosixPath, Path] = {}
    with file.open() as stream, tarfile.open(fileobj=stream, mode="r|", tarinfo=_Member) as archive:
        for number, member in enumerate(archive):
            # What a sparse member says of its size costs nothing in the archive.
            unpacked += member.size + tarfile.BLOCKSIZE
            limits.check_files(number + 1, file.location)
            limits.check_unpacked(unpacked, packed, file.location)
            archive.members.clear()  # type: ignore[attr-defined]  # it keeps all that it has seen
            name = PurePosixPath(member.name)
            _check(name, member, file.location)
            if member.isdir() or is_hidden(name.parts):
                continue
            _check_room(root, member, file.location)
            # under numbers of its own, so that no name of a member leads anywhere
            target = root / str(number) / name.name
            target.parent.mkdir()
            content = archive.extractfile(member)
            assert content is not None  # it is a regular file
            with content, target.open("wb") as copy:
                shutil.copyfileobj(content, copy, 1 << 22)
            paths[name] = target
    return paths


class _Member(tarfile.TarInfo):
    """A member whose name and other facts cannot take all memory."""

    def _proc_member(self, tarfile_: tarfile.TarFile) -> tarfile.TarInfo:
        if self.type in _FACTS and self.size > _LONGEST_FACTS:
            raise tarfile.ReadError("the name of a member is too long")
        return super()._proc_member(tarfile_)  # type: ignore[misc,no-any-return]


def _check(name: PurePosixPath, member: tarfile.TarInfo, location: str) -> None:
    if name.is_absolute() or ".." in name.parts:
        raise BadInputError(
            f"The archive {location} holds {name}, which leads out of it.",
            "Unpack it where it does no harm, and give the file or folder in it.",
        )
    if not (member.isdir() or member.isfile() or is_hidden(name.parts)):
        raise BadInputError(
            f"{name} in the archive {location} is a link or a device, not a file.",
            "Pack the file itself, for instance with tar --dereference.",
        )


def _check_room(root: Path, member: tarfile.TarInfo, location: str) -> None:
    if member.size > shutil.disk_usage(root).free - _RESERVE:
        raise BadInputError(
            f"The disk of {root.parent} has no room to unpack {member.name} of {location}.",
            "Free some space, set TMPDIR to a larger disk, or unpack the archive elsewhere and give the folder.",
        )
