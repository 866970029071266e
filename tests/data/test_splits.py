from __future__ import annotations

import pytest

from diet_explorer.data.splits import split_role


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
