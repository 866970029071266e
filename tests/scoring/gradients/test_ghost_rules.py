"""Products of short matrices and norms from Gram matrices against the gradients formed in full."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from diet_explorer.scoring.gradients.ghost_rules import LookupPiece, OuterPiece, SharedInput, squared_norm
from diet_explorer.scoring.gradients.wide_products import wide_products


@given(
    seed=st.integers(0, 10**6),
    size=st.integers(1, 12),
    rows=st.integers(1, 5),
    length=st.integers(1, 20),
    offset=st.booleans(),
)
def test_wide_products_begin_with_the_products(seed: int, size: int, rows: int, length: int, offset: bool) -> None:
    generator = torch.Generator().manual_seed(seed)
    left = torch.randn(size, rows, 3, generator=generator)
    right = torch.randn(size + offset, length, 3, generator=generator)[int(offset) :]
    found = wide_products(left, right)[:, :, :length]
    torch.testing.assert_close(found, left @ right.transpose(1, 2))


def test_an_example_that_is_not_finite_stays_alone() -> None:
    rows = torch.ones(4, 3, 2)
    rows[2] = torch.inf
    found = squared_norm([OuterPiece(SharedInput(torch.ones(4, 3, 2)), rows)])
    assert found.isfinite().tolist() == [True, True, False, True]


@pytest.mark.parametrize("length", [1, 9, 63, 64, 65, 130])
@pytest.mark.parametrize("bias", [False, True])
def test_gram_strips_give_the_norm_of_the_gradient(length: int, bias: bool) -> None:
    generator = torch.Generator().manual_seed(length)
    inputs, grads = (torch.randn(3, length, 256, generator=generator, dtype=torch.float64) for _ in range(2))
    expected = torch.einsum("bti,bto->bio", inputs, grads).square().sum((1, 2))
    if bias:
        expected = expected + grads.sum(1).square().sum(1)
    shared = SharedInput(inputs)
    torch.testing.assert_close(squared_norm([OuterPiece(shared, grads, bias)]), expected)
    assert shared.gram_strips is not None


@pytest.mark.parametrize("length", [9, 130])
def test_lookups_of_one_row_are_added_up(length: int) -> None:
    generator = torch.Generator().manual_seed(length)
    ids = torch.randint(0, 7, (3, length), generator=generator)
    grads = torch.randn(3, length, 5, generator=generator, dtype=torch.float64)
    table = torch.zeros(3, 7, 5, dtype=torch.float64)
    table.scatter_add_(1, ids.unsqueeze(2).expand_as(grads), grads)
    table[:, 2] = 0
    torch.testing.assert_close(squared_norm([LookupPiece(ids, grads, 2)]), table.square().sum((1, 2)))
