"""Cut a padded batch into parts of similar length, so that little padding is computed and activations stay small."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

_PER_TOKEN = frozenset({"input_ids", "attention_mask", "token_type_ids", "position_ids"})
"""Inputs (B, T) that can be cut after the last real token; a batch with any other input keeps its width."""


def take_rows(batch: Mapping[str, object], rows: Tensor, batch_size: int) -> dict[str, object]:
    """The given rows of every tensor that has a batch dimension; other entries as they are."""
    return {
        name: value[rows] if isinstance(value, Tensor) and value.dim() and value.shape[0] == batch_size else value
        for name, value in batch.items()
    }


def real_lengths(batch: Mapping[str, object]) -> Tensor | None:
    """(B,) index after each example's last attended token; None where that cannot be told from the inputs."""
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
    """Parts of about `tokens` tokens each, made of examples of similar length.

    Parameters
    ----------
    batch : mapping
        Inputs of the model.
    batch_size : int
        Examples in `batch`.
    tokens : int
        Tokens that a part may hold, padding included; one example at least.

    Returns
    -------
    list of (Tensor, dict)
        Row numbers, and those rows without padding that they do not need.
    """
    lengths = real_lengths(batch)
    if lengths is None:
        return [(torch.arange(batch_size), dict(batch))]
    parts: list[list[int]] = [[]]
    for row in torch.argsort(lengths, stable=True, descending=True).tolist():
        widest = int(lengths[parts[-1][0]]) if parts[-1] else 0
        if parts[-1] and (len(parts[-1]) + 1) * widest > tokens:
            parts.append([])
        parts[-1].append(row)
    rows = [torch.tensor(part, device=lengths.device) for part in parts]
    return [(part, without_padding(take_rows(batch, part, batch_size))) for part in rows]
