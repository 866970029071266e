"""Attention over short texts on a CPU: explicit probabilities, kept for the backward pass.

PyTorch's fused kernel recomputes the probabilities in its backward pass and works in blocks made for long texts. For a
few dozen positions keeping them is cheaper and needs little memory. What is not known to be equal is left to PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

LONGEST = 64
"""Positions up to which this was measured to be faster."""

_attention = nn.functional.scaled_dot_product_attention


class ShortAttention(TorchFunctionMode):
    """Inside ``with ShortAttention():`` short attention on a CPU takes the explicit way, whatever model calls it."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Exchange one function, pass every other call on."""
        if func is not _attention:  # hundreds of calls in every pass: nothing else is done for them
            return func(*args, **kwargs) if kwargs else func(*args)
        named = dict(kwargs or {})
        if len(args) == 3 and _is_known(*args, **named):
            query = args[0]
            scale = named.get("scale")
            return _ExplicitAttention.apply(  # type: ignore[no-untyped-call]
                *args, named.get("attn_mask"), query.shape[-1] ** -0.5 if scale is None else scale
            )
        return func(*args, **named)


def _is_known(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> bool:
    tensors = (query, key, value)
    return (
        not (is_causal or enable_gqa or dropout_p)
        and all(tensor.device.type == "cpu" and tensor.dtype == torch.float32 for tensor in tensors)
        and query.dim() == 4
        and query.shape == key.shape == value.shape
        and query.shape[2] <= LONGEST
        and (attn_mask is None or (attn_mask.dim() == 4 and not attn_mask.requires_grad))
        and not torch.is_autocast_enabled("cpu")
    )


class _ExplicitAttention(torch.autograd.Function):
    """``softmax(q kᵀ · scale + mask) v`` over (B, H, T, d), all heads as one batch of matrices."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scale: float) -> Tensor:
        batch, heads, length, width = query.shape
        query, key, value = (tensor.reshape(-1, length, width) for tensor in (query, key, value))
        scores = torch.bmm(query, key.transpose(1, 2)).mul_(scale).view(batch, heads, length, length)
        if mask is not None:
            # the least number instead of −∞: a position that sees nothing, as padding may, must not become NaN
            least = torch.finfo(scores.dtype).min
            scores = scores.masked_fill_(~mask, least) if mask.dtype == torch.bool else scores.add_(mask)
        weights = torch.softmax(scores, -1).view(-1, length, length)
        ctx.save_for_backward(query, key, value, weights)
        ctx.scale = scale
        return torch.bmm(weights, value).view(batch, heads, length, width)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        query, key, value, weights = ctx.saved_tensors
        shape = grads[0].shape
        grad = grads[0].reshape(query.shape)
        on_weights = torch.bmm(grad, value.transpose(1, 2)).mul_(weights)
        on_scores = on_weights.sub_(weights * on_weights.sum(-1, keepdim=True)).mul_(ctx.scale)
        attended = (
            torch.bmm(on_scores, key),
            torch.bmm(on_scores.transpose(1, 2), query),
            torch.bmm(weights.transpose(1, 2), grad),
        )
        return (*(tensor.view(shape) for tensor in attended), None, None)
