"""Names of splits, and holding rows out."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

TRAIN, VALIDATION, TEST = "train", "validation", "test"
_ROLES = {
    "train": TRAIN,
    "training": TRAIN,
    "validation": VALIDATION,
    "valid": VALIDATION,
    "val": VALIDATION,
    "dev": VALIDATION,
    "test": TEST,
    "testing": TEST,
    "eval": TEST,
}


def split_role(name: str) -> str:
    """Return ``train``, ``validation`` or ``test`` for the usual spellings, and any other name as it is, trimmed."""
    name = name.strip()
    return _ROLES.get(name.lower(), name)


def hold_out(labels: npt.NDArray[np.integer], fraction: float, seed: int) -> npt.NDArray[np.bool_]:
    """Choose rows to hold out, class by class.

    Parameters
    ----------
    labels : (n,) integer array
        Class of each row.
    fraction : float
        Share to hold out, between 0 and 1. Each class gives its rounded share, but keeps at least one row.
    seed : int
        The same seed, labels and fraction give the same rows.

    Returns
    -------
    (n,) bool array
        True for the rows to hold out.
    """
    if not 0.0 <= fraction < 1.0:
        raise ValueError(f"fraction must lie in [0, 1), not {fraction}")
    held_out = np.zeros(len(labels), dtype=bool)
    rng = np.random.default_rng(seed)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        count = min(round(len(rows) * fraction), len(rows) - 1)
        held_out[rng.choice(rows, size=count, replace=False)] = True
    return held_out
