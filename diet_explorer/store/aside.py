"""Arrays that lie on the disk until they are needed again, in files without a name, mapped into memory.

What is made of a large set takes no memory of the process' own then: the system keeps of it what there is room for. The
file is gone as soon as nobody has the array any more.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from typing import IO, Any, TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from diet_explorer.store.files import explained

LEAST_BYTES = 1 << 22
"""What takes less stays in memory."""

T = TypeVar("T", bound=np.generic)


class AsideArray:
    """An array (N, …) that is put together part by part."""

    def __init__(self) -> None:
        self._file: IO[bytes] | None = None
        self._parts: list[NDArray[Any]] = []
        self._held = 0

    def add(self, part: NDArray[Any]) -> None:
        """Take in the next rows, of the type and the further dimensions of those before."""
        self._held += part.nbytes
        if self._held >= LEAST_BYTES:
            self._parts.append(np.ascontiguousarray(part))
            self._lay_aside()
        else:
            self._parts.append(np.array(part))  # which else may keep a larger array

    def array(self) -> NDArray[Any]:
        """What was taken in; nothing may be added any more."""
        if self._file is None:
            return np.concatenate(self._parts) if len(self._parts) != 1 else self._parts[0]
        kind, shape = self._parts[0].dtype, self._parts[0].shape[1:]
        self._lay_aside()
        with self._file as file, explained("map temporary files in", tempfile.gettempdir()):
            rows = file.tell() // (kind.itemsize * int(np.prod(shape, dtype=np.int64)))
            return np.asarray(np.memmap(file, kind, "r+", shape=(rows, *shape)))

    def _lay_aside(self) -> None:
        with explained("write temporary files in", tempfile.gettempdir()):
            if self._file is None:
                self._file = tempfile.TemporaryFile(prefix="diet-explorer-")  # noqa: SIM115  closed with the array
            for part in self._parts:
                self._file.write(part.reshape(-1).view(np.uint8).data)
        self._parts, self._held = [self._parts[0][:0]], 0


def laid_aside(parts: Iterable[NDArray[T]]) -> NDArray[T]:
    """An array of which the parts are given; at least one."""
    whole = AsideArray()
    for part in parts:
        whole.add(part)
    return whole.array()


def zeros_aside(shape: tuple[int, ...], kind: DTypeLike) -> NDArray[Any]:
    """An array of zeros that is filled in any order."""
    size = np.dtype(kind).itemsize * int(np.prod(shape, dtype=np.int64))
    if size < LEAST_BYTES:
        return np.zeros(shape, dtype=kind)
    with (
        explained("write temporary files in", tempfile.gettempdir()),
        tempfile.TemporaryFile(prefix="diet-explorer-") as file,
    ):
        return np.asarray(np.memmap(file, kind, "w+", shape=shape))
