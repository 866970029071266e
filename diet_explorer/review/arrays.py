"""Arrays that a replay of events fills as it goes on."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


class Numbers:
    """A number for each row, -1 at first; rows that have none take no memory."""

    def __init__(self, rows: int) -> None:
        self._following = np.zeros(rows, dtype=np.int32)

    def __getitem__(self, rows: Any) -> NDArray[np.int32]:
        return np.asarray(self._following[rows] - 1, dtype=np.int32)

    def __setitem__(self, rows: Any, numbers: Any) -> None:
        self._following[rows] = np.asarray(numbers) + 1


class Growing:
    """An array that is added to at its end, without copying all of it each time."""

    def __init__(self, dtype: type[np.generic]) -> None:
        self._room: NDArray[Any] = np.empty(1024, dtype=dtype)
        self.values: NDArray[Any] = self._room[:0]

    def add(self, values: Any) -> None:
        start, end = len(self.values), len(self.values) + len(values)
        if end > len(self._room):
            room = np.empty(max(end, 2 * len(self._room)), dtype=self._room.dtype)
            room[:start] = self.values
            self._room = room
        self._room[start:end] = values
        self.values = self._room[:end]
