"""Which fold each example belongs to: parts of the training split that a model is not trained on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def assign_folds(labels: NDArray[np.integer], groups: NDArray[np.integer], folds: int, seed: int) -> NDArray[np.int32]:
    """Share examples out to folds 0 … folds − 1 at random, alike in size and in classes: int32 (N,).

    Near-duplicates stay together: a model that was trained on one of them has as good as seen the others. Examples with
    the same group of 0 or above belong together, a negative number is a group of one. Without groups the sizes of folds
    differ by one at most, in all and in each class.
    """
    alone = np.flatnonzero(groups < 0)
    unit = np.empty(len(labels), dtype=np.int64)
    unit[groups >= 0] = np.unique(groups[groups >= 0], return_inverse=True)[1]
    units = int(unit[groups >= 0].max(initial=-1)) + 1
    unit[alone] = units + np.arange(len(alone))
    first = np.unique(unit, return_index=True)[1]
    shuffled = np.random.default_rng([seed, folds]).permutation(len(first))
    dealt = shuffled[np.argsort(labels[first[shuffled]], kind="stable")]  # class by class, at random within each
    fold_of_unit = np.empty(len(first), dtype=np.int32)
    fold_of_unit[dealt] = np.arange(len(first)) % folds
    fold: NDArray[np.int32] = fold_of_unit[unit]
    return fold
