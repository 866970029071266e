"""How far annotators agree: raw agreement, Cohen's κ of each pair, Krippendorff's α, with bootstrap intervals.

References: Cohen, "A coefficient of agreement for nominal scales", 1960; Krippendorff, "Content Analysis", chapter 11
(nominal data, any number of annotators, missing votes).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]
_SAMPLES_AT_ONCE = 100


@dataclass(frozen=True)
class Interval:
    """A value with its 95 % interval, from examples drawn again with replacement (percentiles)."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class PairAgreement:
    """How far two annotators agree on the examples that both have decided about.

    Attributes
    ----------
    first, second : str
    rows : int
        How many examples those are.
    raw : Interval
        Share of equal verdicts, in [0, 1].
    kappa : Interval or None
        Cohen's κ, at most 1, 0 for chance; None where both have given one and the same verdict to everything.
    """

    first: str
    second: str
    rows: int
    raw: Interval
    kappa: Interval | None


@dataclass(frozen=True)
class Agreement:
    """How far all annotators agree.

    Attributes
    ----------
    rows : int
        Examples with at least two decisions.
    annotators : int
        People who decided about any of these.
    raw : Interval or None
        Share of pairs of decisions about the same example that are equal; None without such a pair.
    alpha : Interval or None
        Krippendorff's α for nominal verdicts, at most 1, 0 for chance; None where all verdicts are the same.
    pairs : list of PairAgreement
        Those with examples in common, most examples first.
    """

    rows: int
    annotators: int
    raw: Interval | None
    alpha: Interval | None
    pairs: list[PairAgreement]


def agreement(
    rows: NDArray[np.integer],
    people: NDArray[np.integer],
    verdicts: NDArray[np.integer],
    names: list[str],
    *,
    samples: int = 1000,
    seed: int = 0,
) -> Agreement:
    """Agreement of N votes, at most one per example and person, with intervals from bootstrap samples.

    Each has its example, in ascending order, who gave it (a position in `names`), and what it says: equal numbers are
    equal verdicts; "unsure" is a verdict too. The same seed gives the same intervals.
    """
    _, example, counts = np.unique(rows, return_inverse=True, return_counts=True)
    several = counts >= 2
    kept = several[example]
    units = (np.cumsum(several) - 1)[example[kept]]
    voters, who = np.unique(people[kept], return_inverse=True)
    kinds, verdict = np.unique(verdicts[kept], return_inverse=True)
    if not len(units):
        return Agreement(0, 0, None, None, [])
    patterns, repeats = _patterns(units, who, verdict, int(several.sum()), len(voters))
    draw = np.random.default_rng(seed)
    per_unit = np.stack([(patterns == kind).sum(axis=1) for kind in range(len(kinds))], axis=1)
    who_is = [names[voter] for voter in voters]
    compared = [
        _pair(patterns[:, pair], repeats, len(kinds), (who_is[pair[0]], who_is[pair[1]]), samples, draw)
        for pair in map(list, combinations(range(len(voters)), 2))
    ]
    raw = _interval(repeats, lambda weights: _raw(weights, per_unit), samples, draw)
    alpha = None if len(kinds) == 1 else _interval(repeats, lambda w: _alpha(w, per_unit), samples, draw)
    return Agreement(
        rows=int(several.sum()),
        annotators=len(voters),
        raw=raw,
        alpha=alpha,
        pairs=sorted(
            (pair for pair in compared if pair is not None), key=lambda pair: (-pair.rows, pair.first, pair.second)
        ),
    )


def _patterns(
    units: NDArray[np.integer], who: NDArray[np.integer], verdict: NDArray[np.integer], rows: int, voters: int
) -> tuple[NDArray[np.int32], Counts]:
    """The different ways in which examples were voted on, (P, voters) with -1 for no vote, and how many each has."""
    votes = np.full((rows, voters), -1, dtype=np.int32)
    votes[units, who] = verdict
    whole = np.ascontiguousarray(votes).view(np.dtype((np.void, votes.dtype.itemsize * voters))).ravel()
    _, first, repeats = np.unique(whole, return_index=True, return_counts=True)
    return votes[first], repeats


def _pair(
    votes: NDArray[np.int32],
    repeats: Counts,
    kinds: int,
    names: tuple[str, str],
    samples: int,
    draw: np.random.Generator,
) -> PairAgreement | None:
    both = (votes >= 0).all(axis=1)
    if not both.any():
        return None
    votes, repeats = votes[both], repeats[both]
    equal = votes[:, 0] == votes[:, 1]
    marks = [np.eye(kinds)[votes[:, voter]] for voter in (0, 1)]

    def kappa(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        total = weights.sum(axis=1)
        observed = weights @ equal / total
        chance = ((weights @ marks[0]) * (weights @ marks[1])).sum(axis=1) / total**2
        return _over_chance(1 - observed, 1 - chance)

    raw = _interval(repeats, lambda weights: weights @ equal / weights.sum(axis=1), samples, draw)
    one_verdict = len(np.unique(votes)) == 1
    return PairAgreement(
        first=names[0],
        second=names[1],
        rows=int(repeats.sum()),
        raw=raw,
        kappa=None if one_verdict else _interval(repeats, kappa, samples, draw),
    )


def _raw(weights: NDArray[np.float64], per_unit: NDArray[np.int64]) -> NDArray[np.float64]:
    votes = per_unit.sum(axis=1)
    equal = (per_unit * (per_unit - 1)).sum(axis=1)
    share: NDArray[np.float64] = (weights @ equal) / (weights @ (votes * (votes - 1)))
    return share


def _alpha(weights: NDArray[np.float64], per_unit: NDArray[np.int64]) -> NDArray[np.float64]:
    """Krippendorff's α from pairs of equal verdicts within examples, and among all pairable votes."""
    votes = per_unit.sum(axis=1)
    unequal = (votes**2 - (per_unit**2).sum(axis=1)) / (votes - 1)
    totals = weights @ per_unit
    n = totals.sum(axis=1)
    observed = (weights @ unequal) / n
    chance = (n**2 - (totals**2).sum(axis=1)) / (n * (n - 1))
    return _over_chance(observed, chance)


def _over_chance(disagreement: NDArray[np.float64], chance: NDArray[np.float64]) -> NDArray[np.float64]:
    """One minus observed by expected disagreement; a sample with one verdict only agrees wholly."""
    safe = np.where(chance > 0, chance, 1.0)
    return np.where(chance > 0, 1 - disagreement / safe, 1.0)


def _interval(
    repeats: Counts,
    statistic: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    samples: int,
    draw: np.random.Generator,
) -> Interval:
    """A statistic of weighted patterns, (S, P) to (S,), with its bootstrap interval."""
    total = int(repeats.sum())
    values = []
    for start in range(0, samples, _SAMPLES_AT_ONCE):
        weights = draw.multinomial(total, repeats / total, size=min(_SAMPLES_AT_ONCE, samples - start))
        values.append(statistic(weights.astype(np.float64)))
    low, high = np.quantile(np.concatenate(values), [0.025, 0.975])
    return Interval(float(statistic(repeats[None].astype(np.float64))[0]), float(low), float(high))
