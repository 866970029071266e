"""Training dynamics: scores over the checkpoints of one seed, and the four types of trajectory.

Checkpoint after checkpoint is added, so that memory does not grow with their number. The moment before training is none
of them, since nothing has been learned there.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

TRAJECTORIES = ("learned early", "learned late", "forgotten", "never learned")
"""Types of trajectory from the best to the worst; the code in column `trajectory` is the position here."""
TRAJECTORY_RULE = (
    "Learned early: right by the end of epoch 1 and ever after. "
    "Learned late: right at the last checkpoint, but not all the time since epoch 1. "
    "Forgotten: wrong at the last checkpoint, right at an earlier one. "
    "Never learned: wrong at every checkpoint. The moment before training does not count."
)
LEARNED_EARLY, LEARNED_LATE, FORGOTTEN, NEVER_LEARNED = range(4)
EARLY_UNTIL = 1.0  # epochs


class TrainingDynamics:
    """Scores over the training so far, of N examples and one seed.

    Parameters
    ----------
    rows : int
        N.
    """

    def __init__(self, rows: int) -> None:
        self._checkpoints = 0
        self._p_mean, self._p_squares = np.zeros(rows), np.zeros(rows)  # Welford's running mean and sum of squares
        self._margins = np.zeros(rows)
        self._influence: Array | None = np.zeros(rows)
        self._rights = np.zeros(rows, dtype=np.int32)
        self._forgotten = np.zeros(rows, dtype=np.int32)
        self._right_now = np.zeros(rows, dtype=bool)
        self._right_since_early: NDArray[np.bool_] | None = None

    def add(
        self,
        point: float,
        p_label: NDArray[np.floating],
        margin: NDArray[np.floating],
        correct: NDArray[np.bool_],
        grand_head: NDArray[np.floating] | None = None,
        learning_rate: float | None = None,
    ) -> None:
        """Go on to the next checkpoint.

        Parameters
        ----------
        point : float
            In epochs, above 0 and above the ones before.
        p_label, margin : float array (N,)
            Probability of the given label; margin on logits.
        correct : bool array (N,)
            Whether the prediction is the given label.
        grand_head : float array (N,), optional
        learning_rate : float, optional
            Of the optimisation step before the checkpoint; without it or `grand_head` there is no self-influence.
        """
        self._checkpoints += 1
        change = p_label - self._p_mean
        self._p_mean += change / self._checkpoints
        self._p_squares += change * (p_label - self._p_mean)
        self._margins += margin
        if grand_head is None or learning_rate is None:
            self._influence = None
        elif self._influence is not None:
            self._influence += learning_rate * np.square(grand_head, dtype=np.float64)
        self._forgotten += self._right_now & ~correct
        self._rights += correct
        self._right_now = correct
        if point >= EARLY_UNTIL:
            before = self._right_since_early
            self._right_since_early = correct if before is None else before & correct

    def scores(self) -> dict[str, Array]:
        """Arrays (N,) by catalogue name; self-influence only where it is known of every checkpoint."""
        scores = {
            "confidence": self._p_mean,
            "variability": np.sqrt(self._p_squares / self._checkpoints),
            "correctness": self._rights / self._checkpoints,
            "forgetting": self._forgotten.astype(np.float64),
            "aum": self._margins / self._checkpoints,
        }
        return scores if self._influence is None else {**scores, "self_influence": self._influence}

    def trajectory(self) -> NDArray[np.int8]:
        """Codes of `TRAJECTORIES` by `TRAJECTORY_RULE`; before the end of epoch 1 the last checkpoint decides."""
        early = self._right_now if self._right_since_early is None else self._right_since_early
        codes = np.where(early, LEARNED_EARLY, LEARNED_LATE)
        codes = np.where(self._right_now, codes, FORGOTTEN)
        return np.where(self._rights > 0, codes, NEVER_LEARNED).astype(np.int8)


def most_common_trajectory(codes: Sequence[NDArray[np.int8]]) -> NDArray[np.int8]:
    """The type (N,) that most seeds have; ties go to the worse one."""
    worst_first = range(NEVER_LEARNED, LEARNED_EARLY - 1, -1)
    votes = np.stack([np.sum([seed == code for seed in codes], axis=0, dtype=np.int16) for code in worst_first])
    return np.asarray(NEVER_LEARNED - votes.argmax(0), dtype=np.int8)
