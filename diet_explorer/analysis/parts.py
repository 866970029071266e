"""A page out of the order of a million keys, without sorting them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from diet_explorer.errors import BadInputError

_SAMPLE = 8192
_ENOUGH = 512
_SPREADS = 5.0

Positions = NDArray[np.int64]


def check_part(offset: int, limit: int | None) -> None:
    """Raise BadInputError where these are no numbers of examples."""
    for name, value in (("limit", 0 if limit is None else limit), ("offset", offset)):
        if not isinstance(value, int | np.integer) or value < 0:
            raise BadInputError(f"The {name} is {value!r}.", "Give a whole number of examples.")


def part_of_order(keys: NDArray[np.generic], mask: NDArray[np.bool_], offset: int, limit: int | None) -> Positions:
    """Positions `offset` to `offset + limit` of the stable ascending order of the keys (N,) that a mask (N,) keeps;
    ties go by position, and a limit of None takes all the rest."""
    check_part(offset, limit)
    size = int(np.count_nonzero(mask))
    end = size if limit is None else min(offset + limit, size)
    if offset >= end:
        return np.empty(0, dtype=np.int64)
    near = None if end - offset > size // 2 else _near(keys, mask, offset, end, size)
    before, positions = (0, np.flatnonzero(mask)) if near is None else near
    kept, start, stop = keys[positions], offset - before, end - before
    if stop - start > len(kept) // 2:
        return np.asarray(positions[np.argsort(kept, kind="stable")[start:stop]])
    return positions[_part_with_ties(kept, start, stop)]


def _near(
    keys: NDArray[np.generic], mask: NDArray[np.bool_], offset: int, end: int, size: int
) -> tuple[int, Positions] | None:
    """How many kept keys come before a part of their order, and few positions among which all of it is.

    A sample shows about where the part lies, counting whether it does; None where it does not, or ties make it many.
    """
    step = max(1, len(keys) // _SAMPLE)
    sample = np.sort(keys[::step][mask[::step]])
    if len(sample) < _ENOUGH:
        return None
    slack = int(_SPREADS * 0.5 * np.sqrt(len(sample)))  # a quantile of the sample is off by half a root at most
    low, high = int(offset / size * len(sample)) - slack, int(end / size * len(sample)) + slack
    kept, before = mask, 0
    if low > 0:
        before = int(np.count_nonzero(mask & (keys < sample[low])))
        kept = kept & (keys >= sample[low])
    if high < len(sample):
        kept = kept & (keys <= sample[high])
    candidates = int(np.count_nonzero(kept))
    certain = before <= offset and before + candidates >= end
    return (before, np.flatnonzero(kept)) if certain and candidates <= size // 4 else None


def _part_with_ties(keys: NDArray[np.generic], offset: int, end: int) -> Positions:
    """The same for keys of which all are kept, whatever their ties."""
    parted = np.partition(keys, (offset, end - 1))
    least, most = parted[offset], parted[end - 1]
    # ties at both ends are taken in the order of their positions; what lies between them all belongs
    before = int(np.count_nonzero(keys < least))
    first = np.flatnonzero(keys == least)[offset - before : end - before]
    if least == most:
        return np.asarray(first)
    between = np.flatnonzero((keys > least) & (keys < most))
    between = between[np.argsort(keys[between], kind="stable")]
    last = np.flatnonzero(keys == most)[: end - offset - len(first) - len(between)]
    return np.concatenate([first, between, last])
