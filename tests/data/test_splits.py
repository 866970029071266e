from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diet_explorer.data.splits import hold_out, split_role


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("train", "train"),
        (" Training ", "train"),
        ("DEV", "validation"),
        ("val", "validation"),
        ("validation", "validation"),
        ("Test", "test"),
        ("eval", "test"),
        ("validation_matched", "validation_matched"),
        (" Fold 3 ", "Fold 3"),
    ],
)
def test_roles(name: str, role: str) -> None:
    assert split_role(name) == role


@given(st.lists(st.integers(0, 4), max_size=80), st.floats(0, 0.99), st.integers(0, 99))
def test_hold_out_is_stratified_and_repeatable(labels: list[int], fraction: float, seed: int) -> None:
    codes = np.array(labels, dtype=np.int64)
    held_out = hold_out(codes, fraction, seed)
    assert np.array_equal(held_out, hold_out(codes, fraction, seed))
    for label in set(labels):
        size = labels.count(label)
        assert held_out[codes == label].sum() == min(round(size * fraction), size - 1)


def test_another_seed_holds_out_other_rows() -> None:
    labels = np.zeros(100, dtype=np.int64)
    assert not np.array_equal(hold_out(labels, 0.2, 1), hold_out(labels, 0.2, 2))


@pytest.mark.parametrize("fraction", [-0.1, 1.0, float("nan")])
def test_a_share_out_of_range(fraction: float) -> None:
    with pytest.raises(ValueError, match="fraction"):
        hold_out(np.array([0, 1]), fraction, 0)
