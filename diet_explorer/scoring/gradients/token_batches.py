"""Cut a padded batch into parts of similar length, so that little padding is computed and activations stay small."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise

import torch
from torch import Tensor

PARTS_PRICE = 8
"""A further part costs about as much time as one in so many of the largest part's tokens (measured on two cores)."""

_PER_TOKEN = frozenset({"input_ids", "attention_mask", "token_type_ids", "position_ids"})
"""Inputs (B, T) that can be cut after the last real token; a batch with any other input keeps its width."""


def take_rows(batch: Mapping[str, object], rows: Tensor, batch_size: int) -> dict[str, object]:
    """The given rows of every tensor that has a batch dimension; other entries as they are."""
    return {
        name: value[rows] if isinstance(value, Tensor) and value.dim() and value.shape[0] == batch_size else value
        for name, value in batch.items()
    }


def real_lengths(batch: Mapping[str, object]) -> Tensor | None:
    """(B,) index after each example's last attended token; None where the inputs do not say."""
    mask = batch.get("attention_mask")
    if not isinstance(mask, Tensor) or mask.dim() != 2 or not batch.keys() <= _PER_TOKEN:
        return None
    if any(not isinstance(value, Tensor) or value.shape != mask.shape for value in batch.values()):
        return None
    positions = torch.arange(1, mask.shape[1] + 1, device=mask.device)
    return ((mask != 0) * positions).amax(1).clamp_min(1)


def without_padding(batch: Mapping[str, object]) -> dict[str, object]:
    """The batch without its trailing columns that are padding in every row. Positions of tokens do not change."""
    lengths = real_lengths(batch)
    if lengths is None:
        return dict(batch)
    width = int(lengths.max())
    return {name: value[:, :width] if isinstance(value, Tensor) else value for name, value in batch.items()}


def padding_is_ignored(forward: Callable[[Mapping[str, object]], Tensor], batch: Mapping[str, object]) -> bool:
    """Whether the logits of each example stay the same without its padding."""
    with torch.no_grad():
        padded = forward(batch)
        rows = torch.split(torch.arange(len(padded), device=padded.device), 1)
        cut = torch.cat([forward(without_padding(take_rows(batch, row, len(padded)))) for row in rows])
    tolerance = 1e-4 if padded.dtype in (torch.float32, torch.float64) else 5e-2
    return torch.allclose(padded, cut, rtol=tolerance, atol=tolerance)


def split_by_tokens(
    batch: Mapping[str, object], batch_size: int, tokens: int
) -> list[tuple[Tensor, dict[str, object]]]:
    """Parts of about `tokens` tokens each, padding included, made of examples of similar length: row numbers, and those
    rows without padding that they do not need."""
    lengths = real_lengths(batch)
    if lengths is None:
        return [(torch.arange(batch_size), dict(batch))]
    order = torch.argsort(lengths, stable=True, descending=True)
    bounds = _cheapest_cuts(lengths[order].tolist(), tokens)
    rows = [order[start:end] for start, end in pairwise(bounds)]
    return [(part, without_padding(take_rows(batch, part, batch_size))) for part in rows]


def _cheapest_cuts(lengths: list[int], tokens: int) -> list[int]:
    """Where to cut lengths that descend, so that padded tokens (at most `tokens` in a part, but for one example) plus a
    fixed price per part are fewest: 0, the starts of all further parts, and the number of examples."""
    price = max(1, tokens // PARTS_PRICE)
    costs = [0]
    starts = [0]
    for end in range(1, len(lengths) + 1):
        options = []
        for start in range(end - 1, -1, -1):
            padded = lengths[start] * (end - start)
            if padded > tokens and start < end - 1:
                break
            options.append((costs[start] + padded + price, start))
        cost, start = min(options)
        costs.append(cost)
        starts.append(start)
    bounds = [len(lengths)]
    while bounds[-1]:
        bounds.append(starts[bounds[-1]])
    return bounds[::-1]
