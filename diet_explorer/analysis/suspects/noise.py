"""Labels made wrong on purpose, and how well each witness finds them again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from diet_explorer.analysis.suspects.witnesses import witness
from diet_explorer.errors import BadInputError

if TYPE_CHECKING:
    import pandas as pd

NoiseMode = Literal["uniform", "class-conditional"]
TOP_SHARES = (0.01, 0.02, 0.05)
CAUTION = (
    "Labels flipped by chance are easier to find than people's mistakes, which fall on texts that are hard to judge. "
    "Take these figures for an upper limit."
)


def flipped_labels(
    labels: NDArray[np.integer],
    share: float,
    mode: NoiseMode,
    seed: int,
    probabilities: NDArray[np.floating],
) -> NDArray[np.int32]:
    """Labels of which a share was changed, always to a different class.

    Parameters
    ----------
    labels : int array (N,)
        Class codes.
    share : float
        In (0, ½]; ``round(share · N)`` labels are changed, at random.
    mode : {"uniform", "class-conditional"}
        The new class is any other with equal chance, or another with the chance that models give it on the average
        of the given class, so that classes are mixed up that are alike.
    seed : int
    probabilities : float array (N, K)
        What models believe; says how many classes there are, and which are alike.

    Raises
    ------
    BadInputError
        The share or the seed is out of its range, nothing would change, or there is one class only.
    """
    classes = probabilities.shape[1]
    if not 0.0 < share <= 0.5:
        raise BadInputError(f"The share of labels to flip is {share:g}.", "Give a number above 0, up to 0.5.")
    if classes < 2:
        raise BadInputError("The dataset has one class only.", "Noise can be checked from two classes on.")
    if seed < 0:
        raise BadInputError(f"The seed is {seed}.", "Give a whole number from 0 on.")
    random = np.random.default_rng(seed)
    count = round(share * len(labels))
    if not count:
        raise BadInputError(
            f"{share:.1%} of {len(labels):,} labels is not even one.", "Give a larger share, or use a larger set."
        )
    chosen = np.sort(random.choice(len(labels), size=count, replace=False))
    weights = np.ones((classes, classes))
    if mode == "class-conditional":
        for code in np.unique(labels):
            weights[code] = np.nanmean(probabilities[labels == code], axis=0) + np.finfo(float).tiny
    others = weights[~np.eye(classes, dtype=bool)].reshape(classes, classes - 1)
    limits = np.cumsum(others, axis=1)
    limits = (limits / limits[:, -1:])[labels[chosen]]  # ends with 1 exactly, which no draw reaches
    drawn = (random.random(count)[:, None] >= limits).sum(1)
    new = np.asarray(labels, dtype=np.int32).copy()
    new[chosen] = drawn + (drawn >= new[chosen])
    return new


def precision_at(wrong: NDArray[np.bool_], suspicion: NDArray[np.floating], count: int) -> float:
    """Share of wrong examples among the `count` most suspicious; ties at the end count with their own share."""
    order = np.argsort(-suspicion, kind="stable")
    last = suspicion[order[count - 1]]
    above, level = suspicion > last, suspicion == last
    return float((wrong[above].sum() + (count - above.sum()) * wrong[level].mean()) / count)


def noise_report(wrong: NDArray[np.bool_], suspicions: Mapping[str, NDArray[np.floating]]) -> pd.DataFrame:
    """How well each witness finds the wrong labels (N,) by its suspicions (N,), high = suspicious; best first.

    Columns: ``witness, title, average_precision``, ``precision`` among as many as are wrong, ``precision_0.01, …_0.02,
    …_0.05`` among the most suspicious shares, and ``chance``, the share of wrong labels.
    """
    import pandas as pd  # here, since the command line's help reads this file
    from sklearn.metrics import average_precision_score

    rows = []
    for name, values in suspicions.items():
        tops = {
            f"precision_{share:g}": precision_at(wrong, values, max(1, round(share * len(wrong))))
            for share in TOP_SHARES
        }
        rows.append(
            {
                "witness": name,
                "title": witness(name).title,
                "average_precision": average_precision_score(wrong, values) if wrong.any() else float("nan"),
                "precision": precision_at(wrong, values, max(1, int(wrong.sum()))),
                **tops,
                "chance": float(wrong.mean()),
            }
        )
    return pd.DataFrame(rows).sort_values("average_precision", ascending=False, ignore_index=True)
