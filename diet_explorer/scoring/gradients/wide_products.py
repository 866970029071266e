"""Batched products ``L Rᵀ`` of short matrices, in a shape that a CPU's matrix kernels are good at."""

from __future__ import annotations

import torch
from torch import Tensor

_SLOW_REMAINDERS = frozenset({3, 5, 6, 7})
"""Widths modulo 8 for which kernels lose a fifth to a half of their speed on a CPU (measured)."""


def wide_products(left: Tensor, right: Tensor) -> Tensor:
    """``left @ rightᵀ`` of (B, S, d) and (B, T, d): (B, S, W) with W ≥ T, to be cut to its first T columns.

    The others hold anything, NaN too. On a CPU they come from reading on into the rows of the next matrix, which saves
    a copy; elsewhere there are none.
    """
    size, length, width = right.shape
    slow = right.device.type == "cpu" and length % 8 in _SLOW_REMAINDERS
    wide = -(-length // 8) * 8
    # so many matrices at the end have too few rows behind them
    last = -(-(wide - length) // length) if slow else 0
    if not 0 < last < size or not right.is_contiguous():
        return torch.bmm(left, right.transpose(1, 2))
    windows = right.as_strided((size - last, wide, width), (length * width, width, 1), right.storage_offset())
    products = left.new_empty(size, left.shape[1], wide)
    torch.bmm(left[:-last], windows.transpose(1, 2), out=products[:-last])
    products[-last:, :, :length] = torch.bmm(left[-last:], right[-last:].transpose(1, 2))
    return products
