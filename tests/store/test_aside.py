"""Arrays that wait on the disk: what they hold, of which type, and that they take no memory."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from numpy.typing import DTypeLike

from diet_explorer.store.aside import LEAST_BYTES, AsideArray, laid_aside, zeros_aside

SMALL, LARGE = 10, LEAST_BYTES // 4 + 7


@pytest.mark.parametrize("rows", [0, SMALL, LARGE])
@pytest.mark.parametrize("kind", [np.float32, np.int8, np.bool_])
def test_what_is_laid_aside_in_parts_comes_back(rows: int, kind: DTypeLike) -> None:
    values = np.random.default_rng(0).integers(0, 2, (rows, 2)).astype(kind)
    for parts in ([values], [values[::-1]], np.array_split(values, 7)):
        found = laid_aside(parts)
        assert found.dtype == values.dtype
        assert found.shape == values.shape
        assert np.array_equal(found, np.concatenate(parts))


@pytest.mark.parametrize("rows", [SMALL, LARGE])
def test_zeros_are_filled_in_any_order(rows: int) -> None:
    values = zeros_aside((rows, 2), np.float32)
    values[[rows - 1, 2]] = [[1, 2], [3, 4]]
    assert values.sum() == 10
    assert values[rows - 1].tolist() == [1, 2]


def test_parts_take_no_memory_once_they_are_many() -> None:
    def peak(parts: int) -> int:
        tracemalloc.start()
        column = AsideArray()
        for number in range(parts):
            column.add(np.full(LEAST_BYTES // 16, number, dtype=np.float32))
        assert column.array()[-1] == parts - 1
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    assert peak(32) < 1.1 * peak(8)
