"""Which examples an epoch trains on, given their EL2N: the pure part of training on a diet."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MOST_DROPPED = 0.9
"""At most this share of the easy examples is dropped at random, so that those that stay do not weigh too much."""


@dataclass(frozen=True)
class DietChoice:
    """The examples of one epoch.

    Attributes
    ----------
    kept : ndarray (N,) of bool
    weights : ndarray (N,) of float32 or None
        What the gradient of each example is multiplied by; None where all count alike.
    """

    kept: NDArray[np.bool_]
    weights: NDArray[np.float32] | None = None

    @property
    def size(self) -> int:
        """How many are kept."""
        return int(self.kept.sum())


def sizes(examples: int, keep: float, drop_hardest: float, multiple: int = 1) -> tuple[int, int]:
    """How many examples are kept, and how many of the highest scores are left out.

    The number kept is rounded down to a multiple, but to one at least; the hardest are left out as far as `keep` leaves
    room, so that all are kept where it is 1.
    """
    kept = round(keep * examples)
    if kept < examples:
        kept = max(kept // multiple, 1) * multiple
    kept = min(max(kept, 1), examples)
    return kept, min(int(drop_hardest / 100 * examples), examples - kept)


def hardest(scores: NDArray[np.floating], kept: int, left_out: int) -> DietChoice:
    """The highest scores but for the very highest (a window, as in pruning).

    Parameters
    ----------
    scores : ndarray (N,)
        EL2N; NaN where an example has none yet: it is kept before all others.
    kept, left_out : int
        As `sizes` gives them. Ties are broken by the place of the example.
    """
    order = _hardest_first(scores)
    known = order[: int(np.isfinite(scores).sum())]
    unknown = order[known.size :]
    mask = np.zeros(scores.size, dtype=np.bool_)
    mask[np.concatenate([unknown, known[min(left_out, known.size) :]])[:kept]] = True
    return DietChoice(mask)


def rescaled(scores: NDArray[np.floating], kept: int, left_out: int, rng: np.random.Generator) -> DietChoice:
    """A random part of the easy examples is dropped and the rest of them counts for all (InfoBatch, arXiv 2303.04947).

    Easy is what scores below the mean, or a larger part of the lowest scores where that is too little to drop from. The
    expected gradient over all choices is that of all examples but the hardest that are left out.

    Parameters
    ----------
    scores : ndarray (N,)
        EL2N; an example with NaN has none yet and is kept.
    kept, left_out : int
        As `sizes` gives them; more are kept where `MOST_DROPPED` forbids to drop so many.
    rng : numpy.random.Generator
    """
    order = _hardest_first(scores)
    known = order[: int(np.isfinite(scores).sum())]
    mask = np.ones(scores.size, dtype=np.bool_)
    weights = np.ones(scores.size, dtype=np.float32)
    mask[known[:left_out]] = False
    known = known[left_out:]
    dropped = min(int(mask.sum()) - kept, int(MOST_DROPPED * known.size))
    if dropped > 0:
        below_mean = int((scores[known] < scores[known].mean()).sum())
        easy = known[-max(below_mean, int(np.ceil(dropped / MOST_DROPPED))) :]
        mask[rng.choice(easy, dropped, replace=False)] = False
        weights[easy] = easy.size / (easy.size - dropped)
    return DietChoice(mask, weights)


def _hardest_first(scores: NDArray[np.floating]) -> NDArray[np.int64]:
    """Places by falling score; NaN last."""
    return np.lexsort((np.arange(scores.size), -scores))
