"""Rows that somebody means: numbers and masks are taken, what is none of a dataset's rows is refused, never rounded."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from diet_explorer.data.row_numbers import checked_rows
from diet_explorer.errors import BadInputError


@pytest.mark.parametrize(
    ("given", "rows"),
    [
        ([3, 1, 3], [3, 1, 3]),
        ((2.0, 0.0), [2, 0]),
        (range(2), [0, 1]),
        (iter([1]), [1]),
        (np.array([4], dtype=np.uint8), [4]),
        (pd.Series([1, 2], index=["a", "b"]), [1, 2]),
        ([False, True, False, False, True], [1, 4]),
        (pd.Series([True] + [False] * 4), [0]),
        ([], []),
    ],
)
def test_rows_and_masks(given: Any, rows: list[int]) -> None:
    assert checked_rows(given, 5).tolist() == rows


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("k1", "no list of rows"),
        (["k1"], "k1 is no row"),
        ([1.7], "1.7 is no row"),
        ([float("nan")], "nan is no row"),
        ([None], "None is no row"),
        ([-1], "no row -1"),
        ([2, 5], "no row 5"),
        ([True, False], "A mask of 2 values"),
        (np.zeros((2, 5), dtype=bool), "A mask"),
        ([[1, 2]], "is no row"),
    ],
)
def test_what_is_no_row(given: Any, words: str) -> None:
    with pytest.raises(BadInputError, match=words):
        checked_rows(given, 5)
