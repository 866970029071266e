"""Intervals that may be looked at after every seed: a confidence sequence for the mean of values of unknown deviation.

The values are taken as independent and normal, with mean m and deviation s, both unknown. For each m that is asked for,
the likelihood ratio of the ratios (x_i − m) / |x_1 − m|, "the mean differs from m by d deviations"
against "the mean is m", mixed over d ~ N(0, g), is ::

    B_n = (1 + n g)^(-1/2) · [(1 + u) / (1 + u / (1 + n g))]^(n/2),   u = t² / (n − 1),   t = √n (mean − m) / s_n

It is the Bayes factor of the t-test with a right Haar prior on s. Where the mean is m, it is a martingale of mean 1, so
that by Ville's inequality it reaches 1/α at any n whatever with a probability of at most α. The m for which it has not
are an interval around the sample's mean, and all intervals together hold the mean with a probability of at least 1 − α,
however often one looks and whatever makes one stop: Lai (1976), "On confidence sequences"; Wang and Ramdas (2024),
"Anytime-valid t-tests and confidence sequences for Gaussian means with unknown variance", arXiv 2310.03722, the
scale-invariant martingale with a Gaussian mixture.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, isinf, nan, sqrt

import numpy as np

from diet_explorer.pruning.proof import Interval

EFFECT_VARIANCE = 4.0
"""g. At 10 to 20 seeds the intervals are within 4 % of the narrowest that any g gives for 6 comparisons or more, and
within 8 % for fewer; the first ones come after 4 to 6 seeds, where a g of 1 needs 5 to 7, so that
great effects are seen early."""


def half_width(count: int, deviation: float, alpha: float) -> float:
    """How far the interval reaches to either side of the mean.

    Parameters
    ----------
    count : int
        Values, n.
    deviation : float
        Their sample's deviation, with n − 1.
    alpha : float
        In (0, 1): how often at most any of the intervals may miss the mean.

    Returns
    -------
    float
        √(u (n − 1) / n) · deviation with u = (c − 1) / (1 − c / (1 + n g)) and c = (√(1 + n g) / α)^(2/n); infinite for
        so few values that nothing can be said.
    """
    if count < 2:
        return inf
    spread = 1 + count * EFFECT_VARIANCE
    bound = (sqrt(spread) / alpha) ** (2 / count)
    if bound >= spread:
        return inf
    return sqrt((bound - 1) / (1 - bound / spread) * (count - 1) / count) * deviation


def first_count(alpha: float) -> int:
    """After how many values there is an interval at all."""
    count = 2
    while isinf(half_width(count, 1.0, alpha)):
        count += 1
    return count


def sequential_interval(values: Sequence[float], alpha: float, resolution: float = 0.0) -> Interval:
    """Mean of the values so far, and what all intervals up to now have in common.

    Since all of them together hold the mean with a probability of at least 1 − α, so does what they have in common: it
    only ever shrinks as values are added, and what it has excluded stays so.

    Parameters
    ----------
    values : sequence of float
        In an order that was settled beforehand.
    alpha : float
        In (0, 1), see `half_width`.
    resolution : float
        The values are measured in steps of this size, such as one over the number of examples for accuracies. The
        rounding of two results is added to the deviation, so that equal values are not taken for certainty.

    Returns
    -------
    Interval
        `low` and `high` are NaN where there are too few values. Where intervals contradict each other, which by chance
        happens with a probability of at most α, it is what those before had in common.
    """
    if not len(values):
        return Interval(nan, nan, nan, 0)
    counts = np.arange(1, len(values) + 1)
    shifted = np.asarray(values, dtype=np.float64) - values[0]  # so that nothing is lost where they hardly differ
    means = shifted.cumsum() / counts
    squares = np.maximum((shifted**2).cumsum() - counts * means**2, 0.0)
    deviations = np.sqrt(squares / np.maximum(counts - 1, 1) + resolution**2 / 6)
    low, high = -inf, inf
    for count, mean, deviation in zip(counts.tolist(), means.tolist(), deviations.tolist(), strict=True):
        half = half_width(count, deviation, alpha)
        if mean + half < low or mean - half > high:
            break
        low, high = max(low, mean - half), min(high, mean + half)
    mean, first = float(np.mean(values)), values[0]
    return Interval(mean, *((nan, nan) if isinf(low) else (first + low, first + high)), len(values))
