"""How many of the first suspects are wrong: what the evidence makes likely, corrected by what annotators decided."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from diet_explorer.store.in_words import counted

_TAIL = 0.025  # of 95 %, on each side
_LEAST_DOUBT = 0.0025
_EDGE = math.log(1.0 / _LEAST_DOUBT - 1.0)
_DRIFTS = np.array([-(3**0.5), 0.0, 3**0.5])  # in standard deviations: with these weights the moments of a normal
_DRIFT_WEIGHTS = np.array([1 / 6, 2 / 3, 1 / 6])
_STEPS = 80  # of the doubts' scale: what is said of an example hardly changes within one

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Belief:
    """What is believed before anybody has decided: an example of doubt d is wrong with the chance σ(level + slope ·
    logit d), and level and slope are independent and normal, with these means and standard deviations."""

    level: float
    level_spread: float
    slope: float
    slope_spread: float
    drift: float  # standard deviation of how far the level of those left may lie from that of those decided


ERRORS = Belief(level=-0.8, level_spread=0.9, slope=0.8, slope_spread=0.6, drift=0.4)
SUGGESTIONS = Belief(level=-1.0, level_spread=0.9, slope=0.8, slope_spread=0.6, drift=0.4)
"""Means near those fitted to the first 400 suspects of sets with simulated annotators. Spreads are 2.5 times those
between the sets, since others may lie farther apart; with the drift 203 of 210 intervals for such sets held
(docs/finding-wrong-labels.md)."""


@dataclass(frozen=True)
class Expected:
    """How many of a number of examples are, with a 95 % interval.

    Attributes
    ----------
    of : int
        Examples.
    estimate : float
        The expected number.
    low, high : int
        The middle 95 % of what is likely.
    decided, counted : int
        About how many of them annotators have decided, and how many of these are; they are in the three figures above.
    informed : int
        All decisions that the estimate of the others rests on.
    """

    of: int
    estimate: float
    low: int
    high: int
    decided: int
    counted: int
    informed: int


@dataclass(frozen=True)
class ExpectedErrors:
    """How many of the first suspects have wrong labels, and how many of their suggested labels are right.

    Attributes
    ----------
    errors : Expected
        Of the first suspects.
    suggestions : Expected
        Of those among them that have a suggested label; right is what annotators relabelled an example to.
    words : str
        Both in plain words; of suggested labels only where something is known of them.
    """

    errors: Expected
    suggestions: Expected

    @property
    def words(self) -> str:
        """Both in plain words."""
        errors, right = self.errors, self.suggestions
        if errors.of and errors.decided == errors.of:
            return f"All of the first {errors.of:,} suspects are decided, {errors.counted:,} as wrong."
        line = (
            f"Of the first {errors.of:,} suspects about {errors.estimate:,.0f} are wrong ({errors.low:,} to "
            f"{errors.high:,})"
        )
        if (right.low, right.high) != (0, right.of):  # else nothing is known of them
            shares = (right.estimate / right.of, right.low / right.of, right.high / right.of)
            share, low, high = (f"{value:.0%}".replace("%", " %") for value in shares)
            line += f"; about {share} of the suggested labels are right ({low} to {high})"
        if not errors.informed:
            return f"{line}. Judged by the models and neighbours alone; decisions will make it narrower."
        return (
            f"{line}. Of these suspects {errors.decided:,} are decided, {errors.counted:,} as wrong; the others are "
            f"judged by the evidence and by {counted(errors.informed, 'decision')}."
        )


def doubts(beliefs: Sequence[NDArray[np.floating]]) -> NDArray[np.float64]:
    """How much independent evidence doubts each label: one minus the mean of what each kind of it (N,) believes of the
    given label, in [0, 1]; NaN is no opinion, and without any the doubt is ½."""
    stacked = np.stack(beliefs).astype(np.float64)
    known = ~np.isnan(stacked)
    total = np.where(known, stacked, 0.0).sum(0)
    return np.asarray(1.0 - np.where(known.any(0), total / np.maximum(known.sum(0), 1), 0.5))


def expected(
    doubt: NDArray[np.floating], outcomes: NDArray[np.floating], first: NDArray[np.bool_], belief: Belief
) -> Expected:
    """The number of examples among the `first` (N,) that are wrong, or whatever else the `outcomes` (N,) say: 1 where
    an annotator decided that it is, 0 where that it is not, NaN where nobody has decided.

    The chance of an example of doubt d is σ(a + b · logit d). What is likely of a and b beforehand is the `belief`; all
    decisions together change it by Bayes' rule (on a grid), and what is decided is known. It is assumed that, of
    examples of equal doubt, those that annotators have come to are like the others but for a normal drift of the level;
    that they come to the most suspicious first is no matter, since the doubt is allowed for. The interval holds what is
    not known of a, b and the drift, and the chance of each example.
    """
    known = ~np.isnan(outcomes)
    place = np.clip(doubt, _LEAST_DOUBT, 1.0 - _LEAST_DOUBT)
    step = np.rint((np.log(place / (1.0 - place)) / _EDGE + 1.0) / 2 * _STEPS).astype(np.int64)

    def count(chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
        return np.bincount(step[chosen], minlength=_STEPS + 1)

    chance, log_prior = _grid(belief)
    log_weight = log_prior + np.log(chance) @ count(known & (outcomes == 1))
    log_weight += np.log1p(-chance) @ count(known & (outcomes == 0))
    weight = np.exp(log_weight - log_weight.max())
    weight /= weight.sum()

    open_ = count(first & ~known)
    drifted = _drifted(belief)
    mean, spread = drifted @ open_, np.sqrt((drifted * (1.0 - drifted)) @ open_)
    weight = (weight[:, None] * _DRIFT_WEIGHTS).ravel()
    left, decided = int(open_.sum()), int((first & known).sum())
    counted = int((outcomes[first & known] == 1).sum())

    def share_up_to(number: int) -> float:
        from scipy.special import ndtr  # here, since the command line's help does not need it

        return float(weight @ ndtr((number + 0.5 - mean) / np.maximum(spread, 1e-9)))

    low, high = (bisect_left(range(left), share, key=share_up_to) for share in (_TAIL, 1.0 - _TAIL))
    return Expected(
        of=left + decided,
        estimate=counted + float(weight @ mean),
        low=counted + low,
        high=counted + high,
        decided=decided,
        counted=counted,
        informed=int(known.sum()),
    )


@lru_cache
def _grid(belief: Belief) -> tuple[Floats, Floats]:
    """For pairs of a level and a slope, G in all, the chance of each step of doubt (G, steps), and the logarithm of
    how likely the pair is beforehand (G,), but for a constant."""
    level, slope, away = _pairs(belief)
    return _chances(level, slope), -away / 2


@lru_cache
def _drifted(belief: Belief) -> Floats:
    """The chance of each step of doubt among those left, for each pair with each drift (G · drifts, steps)."""
    level, slope, _ = _pairs(belief)
    levels = level[:, None] + belief.drift * _DRIFTS
    return _chances(levels.ravel(), np.repeat(slope, len(_DRIFTS)))


def _pairs(belief: Belief) -> tuple[Floats, Floats, Floats]:
    """Levels, slopes, and the square of how many standard deviations each pair is away from the means."""
    levels, slopes = (axis.ravel() for axis in np.meshgrid(np.linspace(-4, 4, 41), np.linspace(-4, 4, 21)))
    slope = np.maximum(belief.slope + belief.slope_spread * slopes, 0.0)  # more doubt is never less wrong
    return belief.level + belief.level_spread * levels, slope, levels**2 + slopes**2


def _chances(level: Floats, slope: Floats) -> Floats:
    """σ(level + slope · logit d) at every step of doubt, never quite 0 or 1."""
    chances = 1.0 / (1.0 + np.exp(-(level[:, None] + slope[:, None] * np.linspace(-_EDGE, _EDGE, _STEPS + 1))))
    return np.asarray(np.clip(chances, 1e-9, 1.0 - 1e-9))
