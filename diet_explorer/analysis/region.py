"""A region of a map: a polygon in the map's own coordinates, as a lasso or a box draws it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import isfinite
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from diet_explorer.errors import BadInputError

MapName = Literal["data", "embedding-initial", "embedding-tuned"]
MAP_TITLES: dict[MapName, str] = {
    "data": "data map",
    "embedding-initial": "embedding map before training",
    "embedding-tuned": "embedding map after training",
}
Box = tuple[float, float, float, float]
"""A part of a map: least and greatest x, least and greatest y."""
MOST_POINTS = 64
_DIGITS = 4
_MANY_POINTS = 50_000
_CELLS = 128
_REMEDY = "Correct or remove the region, or draw it again."


@dataclass(frozen=True)
class Region:
    """What lies inside a polygon, by the even-odd rule: crossing its outline an odd number of times.

    BadInputError where the map is unknown, a number is not finite, or there are too few or too many corners.
    """

    map: MapName  # on the data map x is variability and y is confidence
    # 3 to 64 corners in order, kept to four significant digits; the last is joined to the first
    points: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        if self.map not in get_args(MapName):
            raise BadInputError(f"There is no map {self.map!r}.", f"Choose one of: {', '.join(get_args(MapName))}.")
        if not 3 <= len(self.points) <= MOST_POINTS:
            raise BadInputError(f"A region has {len(self.points):,} corners.", f"Give 3 to {MOST_POINTS} of them.")
        if not all(isfinite(value) for point in self.points for value in point):
            raise BadInputError("A corner of the region is not a number.", _REMEDY)
        object.__setattr__(self, "points", tuple((_short(x), _short(y)) for x, y in self.points))

    @classmethod
    def simplified(cls, map: MapName, points: Sequence[Sequence[float]]) -> Region:
        """A region of at most 64 corners that differs little from any polygon drawn by hand.

        The corners that change the area the least are left out, one after the other (Visvalingam and Whyatt 1993).
        """
        corners = [(float(x), float(y)) for x, y in points]
        while len(corners) > MOST_POINTS:
            around = np.array([corners[-1], *corners, corners[0]])
            (ax, ay), (bx, by) = (around[1:-1] - around[:-2]).T, (around[2:] - around[:-2]).T
            del corners[int(np.abs(ax * by - ay * bx).argmin())]
        return cls(map, tuple(corners))

    def to_text(self) -> str:
        """The region as one URL parameter, such as ``data:0.1,0.2;0.3,0.2;0.3,0.9``."""
        return f"{self.map}:{';'.join(f'{x:.{_DIGITS}g},{y:.{_DIGITS}g}' for x, y in self.points)}"

    @classmethod
    def from_text(cls, text: str) -> Region:
        """Read what `to_text` wrote; BadInputError where it is not of that form."""
        name, _, corners = text.partition(":")
        try:
            points = tuple((float(x), float(y)) for x, y in (corner.split(",") for corner in corners.split(";")))
        except ValueError:
            raise BadInputError(
                f"The filter's region={text[:80]!r} is not of the form map:x,y;x,y;x,y.", _REMEDY
            ) from None
        return cls(name, points)  # type: ignore[arg-type]  # checked by __post_init__

    def describe(self) -> str:
        """The region in words."""
        return f"region of the {MAP_TITLES[self.map]}"

    def contains(self, x: NDArray[np.floating], y: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Which of N points lie inside; NaN lies nowhere."""
        corners = np.array(self.points)
        (left, bottom), (right, top) = corners.min(0), corners.max(0)
        rows = np.flatnonzero((x >= left) & (x <= right) & (y >= bottom) & (y <= top))
        near_x, near_y = x[rows].astype(np.float64), y[rows].astype(np.float64)
        inside = np.zeros(len(x), dtype=bool)
        if len(rows) > _MANY_POINTS:
            inside[rows] = self._by_cells(near_x, near_y)
        else:
            inside[rows] = self._crossings_odd(near_x, near_y)
        return inside

    def _by_cells(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.bool_]:
        """The same as `_crossings_odd` for many points: a cell that no edge comes near is in or out as a whole."""
        corners = np.array(self.points)
        least, size = corners.min(0), (corners.max(0) - corners.min(0)) / _CELLS
        size[size == 0] = 1.0
        middles = (np.arange(_CELLS) + 0.5)[:, None] * size + least
        cells = self._crossings_odd(np.repeat(middles[:, 0], _CELLS), np.tile(middles[:, 1], _CELLS))
        # steps of half a cell along each edge, and the cells around each step, cover every cell that the edge crosses
        near = np.zeros((_CELLS + 2, _CELLS + 2), dtype=bool)
        for start, end in pairwise([corners[-1], *corners]):
            steps = 2 * int(np.ceil(np.abs((end - start) / size).max())) + 1
            along = start + np.linspace(0, 1, steps)[:, None] * (end - start)
            i, j = np.clip((along - least) / size, 0, _CELLS - 1).astype(np.int64).T + 1
            for across in (-1, 0, 1):
                for up in (-1, 0, 1):
                    near[i + across, j + up] = True
        unsure = near[1:-1, 1:-1].ravel()
        places = np.clip((x - least[0]) / size[0], 0, _CELLS - 1).astype(np.int32) * _CELLS
        places += np.clip((y - least[1]) / size[1], 0, _CELLS - 1).astype(np.int32)
        inside: NDArray[np.bool_] = cells[places]
        exact = np.flatnonzero(unsure[places])
        inside[exact] = self._crossings_odd(x[exact], y[exact])
        return inside

    def _crossings_odd(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Whether the ray from each point to the right crosses the outline an odd number of times."""
        odd = np.zeros(len(x), dtype=bool)
        below = y < self.points[-1][1]
        for (x1, y1), (x2, y2) in pairwise([self.points[-1], *self.points]):
            below_next = y < y2
            rows = np.flatnonzero(below != below_next)
            if len(rows):
                odd[rows] ^= x[rows] < x1 + (y[rows] - y1) * ((x2 - x1) / (y2 - y1))
            below = below_next
        return odd


def _short(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")
