"""Scores that follow from the logits alone: pure functions of arrays, which every other file calls for a formula.

Notation: logits z (N, K), labels y (N,), p = softmax(z), one-hot label e_y. Results have the precision of the logits,
but at least fp32. SciPy is loaded by the first score, not by every command that could show one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Labels = NDArray[np.integer[Any]]


def probabilities(logits: Floats) -> Floats:
    """Class probabilities p = softmax(z), shape (N, K)."""
    from scipy.special import softmax

    values: Floats = softmax(_precise(logits), axis=-1)
    return values


def p_label(logits: Floats, labels: Labels) -> Floats:
    """Probability of the given label, shape (N,), range [0, 1], low = hard."""
    return np.exp(-loss(logits, labels))


def el2n(logits: Floats, labels: Labels) -> Floats:
    """EL2N ‖p − e_y‖₂ (Paul et al. 2021), shape (N,), range [0, √2], high = hard or mislabelled.

    1 − p_y is summed from the other classes, since the subtraction would lose the digits that order the easy examples.
    """
    others = probabilities(logits)
    np.put_along_axis(others, labels[:, None], 0.0, axis=-1)
    values: Floats = np.sqrt(np.square(others.sum(-1)) + np.square(others).sum(-1))
    return values


def loss(logits: Floats, labels: Labels) -> Floats:
    """Cross-entropy −log p_y in nats, shape (N,), range [0, ∞), high = hard."""
    from scipy.special import log_softmax

    return 0.0 - _of_label(log_softmax(_precise(logits), axis=-1), labels)  # unlike a sign, makes no −0 of 0


def margin(logits: Floats, labels: Labels) -> Floats:
    """Logit margin z_y − max_{k≠y} z_k (Pleiss et al. 2020), shape (N,), any sign, low = suspect."""
    others = _precise(logits).copy()
    given = _of_label(others, labels)
    np.put_along_axis(others, labels[:, None], -np.inf, axis=-1)
    values: Floats = given - others.max(-1)
    return values


def trailing(logits: Floats, labels: Labels) -> Floats:
    """How far the given label trails the likeliest other class: ½ (1 − p_y + max_{k≠y} p_k), shape (N,), range [0, 1],
    high = suspect; ½ where both are alike.

    Orders two classes as EL2N does; with more, EL2N also rises where the rest is spread over many classes. 1 − p_y is
    summed from the other classes, as in `el2n`.
    """
    others = probabilities(logits)
    np.put_along_axis(others, labels[:, None], 0.0, axis=-1)
    values: Floats = (others.sum(-1) + others.max(-1)) / 2
    return values


def entropy(logits: Floats) -> Floats:
    """Entropy −Σ p log p in nats, shape (N,), range [0, log K], high = ambiguous to the model."""
    from scipy.special import entr

    values: Floats = entr(probabilities(logits)).sum(-1)
    return values


def scores_of(logits: Floats, labels: Labels) -> dict[str, Floats]:
    """Every score of this file by its catalogue name, in the catalogue's order."""
    return {
        "p_label": p_label(logits, labels),
        "el2n": el2n(logits, labels),
        "loss": loss(logits, labels),
        "margin": margin(logits, labels),
        "entropy": entropy(logits),
    }


def _of_label(values: Floats, labels: Labels) -> Floats:
    return np.take_along_axis(values, labels[:, None], axis=-1)[:, 0]


def _precise(logits: Floats) -> Floats:
    return logits.astype(np.promote_types(logits.dtype, np.float32), copy=False)
