"""How far scores agree: rank correlation and overlap of the worst examples."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import pandas as pd

from diet_explorer.scoring import catalogue

SHARES = (0.01, 0.05, 0.10)


def agreement(scores: pd.DataFrame, names: Sequence[str], shares: Sequence[float] = SHARES) -> pd.DataFrame:
    """Agreement of every pair of scores over the same examples.

    Parameters
    ----------
    scores : DataFrame
        One row per example with a column per score.
    names : sequence of str
        Scores of the catalogue; each is turned so that its worst end comes first.
    shares : sequence of float
        Sizes of the worst part, as shares of all examples in (0, 1].

    Returns
    -------
    pandas.DataFrame
        ``first, second, spearman`` in [-1, 1] (NaN where a score is constant), and ``top_<share>`` in [0, 1] for
        each share: how much of the one's worst part is in the other's. Ties go by the row's position.
    """
    turned = pd.DataFrame(
        {name: -scores[name] if catalogue.score(name).worst == "high" else scores[name] for name in names}
    ).reset_index(drop=True)
    correlations = turned.corr(method="spearman")
    order = {name: turned[name].argsort(kind="stable") for name in names}
    rows = []
    for first, second in combinations(names, 2):
        entry: dict[str, object] = {
            "first": first,
            "second": second,
            "spearman": float(correlations.loc[first, second]),  # type: ignore[arg-type]
        }
        for share in shares:
            size = max(1, round(share * len(turned)))
            entry[f"top_{share:g}"] = len({*order[first][:size]} & {*order[second][:size]}) / size
        rows.append(entry)
    return pd.DataFrame(rows, columns=["first", "second", "spearman", *(f"top_{share:g}" for share in shares)])
