"""Scores that follow from the logits alone: pure functions of tensors.

Notation: logits z (B, K), labels y (B,), p = softmax(z), one-hot label e_y. All results are fp32,
and the softmax is taken in fp32 whatever the logits' precision.
"""

from __future__ import annotations

import torch
from torch import Tensor


def probabilities(logits: Tensor) -> Tensor:
    """Class probabilities p = softmax(z), shape (B, K), fp32."""
    return torch.softmax(logits.float(), dim=-1)


def p_label(logits: Tensor, labels: Tensor) -> Tensor:
    """Probability of the given label, shape (B,), range [0, 1], low = hard."""
    return torch.exp(-loss(logits, labels))


def el2n(logits: Tensor, labels: Tensor) -> Tensor:
    """EL2N ‖p − e_y‖₂ (Paul et al. 2021), shape (B,), range [0, √2], high = hard or mislabelled.

    1 − p_y is summed from the other classes, since the subtraction would lose the digits that order the easy examples.
    """
    others = _without_label(probabilities(logits), labels)
    return torch.sqrt(others.sum(-1).square() + others.square().sum(-1))


def loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy −log p_y in nats, shape (B,), range [0, ∞), high = hard."""
    return torch.nn.functional.cross_entropy(logits.float(), labels, reduction="none")


def margin(logits: Tensor, labels: Tensor) -> Tensor:
    """Logit margin z_y − max_{k≠y} z_k (Pleiss et al. 2020), shape (B,), any sign, low = suspect."""
    logits = logits.float()
    given = logits.gather(-1, labels[:, None]).squeeze(-1)
    others = logits.scatter(-1, labels[:, None], float("-inf"))
    return given - others.max(-1).values


def entropy(logits: Tensor) -> Tensor:
    """Entropy −Σ p log p in nats, shape (B,), range [0, log K], high = ambiguous to the model."""
    log_p = torch.log_softmax(logits.float(), dim=-1)
    terms = (log_p.exp() * log_p).nan_to_num(0.0)  # 0 · log 0 counts as 0
    return (-terms.sum(-1)).clamp_min(0.0)


def _without_label(values: Tensor, labels: Tensor) -> Tensor:
    return values.scatter(-1, labels[:, None], 0.0)
