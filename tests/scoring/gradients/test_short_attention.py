"""Explicit attention over short texts against PyTorch's own, forwards and backwards."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import scaled_dot_product_attention

from diet_explorer.scoring.gradients.short_attention import LONGEST, ShortAttention


def tensors(seed: int, shape: tuple[int, ...], count: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=generator, requires_grad=True) for _ in range(count)]


@given(
    seed=st.integers(0, 10**6),
    batch=st.integers(1, 4),
    heads=st.integers(1, 3),
    length=st.integers(1, 12),
    mask=st.sampled_from(["none", "bool", "float"]),
    scale=st.sampled_from([None, 0.3]),
)
def test_equals_the_fused_kernel(
    seed: int, batch: int, heads: int, length: int, mask: str, scale: float | None
) -> None:
    query, key, value = tensors(seed, (batch, heads, length, 5), 3)
    seen = torch.rand(batch, 1, length, length, generator=torch.Generator().manual_seed(seed)) < 0.6
    seen[..., 0] = True
    masks = {"none": None, "bool": seen, "float": torch.where(seen, 0.0, -1e4)}
    weights = torch.randn(batch, heads, length, 5, generator=torch.Generator().manual_seed(seed + 1))

    def run() -> tuple[torch.Tensor, ...]:
        output = scaled_dot_product_attention(query, key, value, attn_mask=masks[mask], scale=scale)
        return output, *torch.autograd.grad(output, (query, key, value), weights)

    expected = run()
    with ShortAttention():
        found = run()
    assert "ExplicitAttention" in type(found[0].grad_fn).__name__
    for mine, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-5)


def test_padding_that_sees_nothing_is_no_nan() -> None:
    query, key, value = tensors(0, (1, 1, 3, 4), 3)
    mask = torch.tensor([[[[True, True, False], [True, True, False], [False, False, False]]]])
    with ShortAttention():
        output = scaled_dot_product_attention(query, key, value, attn_mask=mask)
    assert output.isfinite().all()


@pytest.mark.parametrize("reason", ["long", "causal", "double", "grouped"])
def test_what_it_does_not_know_is_left_to_pytorch(reason: str) -> None:
    length = LONGEST + 1 if reason == "long" else 3
    query, key, value = tensors(0, (1, 2, length, 4), 3)
    if reason == "double":
        query, key, value = query.double(), key.double(), value.double()
    if reason == "grouped":
        key, value = key[:, :1], value[:, :1]
    more = {"is_causal": reason == "causal", "enable_gqa": reason == "grouped"}
    expected = scaled_dot_product_attention(query, key, value, **more)
    with ShortAttention():
        found = scaled_dot_product_attention(query, key, value, **more)
    assert "ExplicitAttention" not in type(found.grad_fn).__name__
    assert torch.equal(found, expected)
