"""When a proof that goes on "until it decides" has decided, and which of its variants need further seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any, Literal

from diet_explorer.errors import BadInputError
from diet_explorer.pruning.proof import CONFIDENCE, Figures, Interval, Measure, Variant
from diet_explorer.pruning.sequential import first_count, sequential_interval

Against = Literal["random", "full"]
Decision = Literal["better", "worse", "no difference", "undecided"]
PRECISION = 0.5  # points of accuracy
MOST_SEEDS = 20


@dataclass(frozen=True)
class Comparison:
    """A variant and what it is compared with, as positions in the list of variants.

    Attributes
    ----------
    first, second : int
    against : {"random", "full"}
        What the second is.
    is_asked : bool
        Whether the proof goes on until it is decided. Random examples against full data are asked for only where
        nothing but random examples of that number is to be proven; elsewhere they stand beside a policy.
    """

    first: int
    second: int
    against: Against
    is_asked: bool


def comparisons_of(variants: Sequence[Variant]) -> list[Comparison]:
    """All comparisons of a proof: policies against random of the same size and full data, and random against full data.

    Parameters
    ----------
    variants : sequence of Variant
        As `variants_of` gives them.
    """
    full = next(number for number, variant in enumerate(variants) if variant.kind == "full")
    drawn = {variant.size: number for number, variant in enumerate(variants) if variant.kind == "random"}
    taken = {variant.size for variant in variants if variant.kind == "policy"}
    comparisons = []
    for number, variant in enumerate(variants):
        if variant.kind == "policy" and variant.size in drawn:
            comparisons.append(Comparison(number, drawn[variant.size], "random", True))
        if variant.kind != "full":
            is_asked = variant.kind == "policy" or variant.size not in taken
            comparisons.append(Comparison(number, full, "full", is_asked))
    return comparisons


@dataclass(frozen=True)
class UntilDecided:
    """A proof's rule for going on, and its intervals, which may be looked at after every seed.

    A comparison is decided once its interval excludes 0 or reaches at most `precision` to either side of its middle.
    Seeds count in their order, up to the first that is not done: what is decided stays so whatever ends later.

    Attributes
    ----------
    precision : float
        Of the differences of accuracy, as a share: 0.005 is half a point.
    evaluated : int
        How many examples accuracy is taken over.
    """

    precision: float
    evaluated: int

    def alpha(self, comparisons: int) -> float:
        """How often each of so many comparisons may be wrong, so that all of them hold together (Bonferroni)."""
        return (1 - CONFIDENCE) / comparisons

    def mean(self, figures: Mapping[int, Figures], measure: Measure) -> Interval:
        """The mean of one variant's results, whose interval is corrected for no other."""
        values = [getattr(entry, measure) for entry in in_order(figures)]
        return sequential_interval(values, 1 - CONFIDENCE, self._resolution(measure))

    def difference(
        self,
        first: Mapping[int, Figures],
        second: Mapping[int, Figures],
        comparisons: int,
        measure: Measure = "accuracy",
    ) -> Interval:
        """Mean difference, first minus second, paired by seed, as one of so many comparisons."""
        pairs = zip(in_order(first), in_order(second), strict=False)
        values = [getattr(one, measure) - getattr(other, measure) for one, other in pairs]
        return sequential_interval(values, self.alpha(comparisons), self._resolution(measure))

    def decision(self, difference: Interval) -> Decision:
        """What an interval of a difference decides."""
        if not isfinite(difference.low):
            return "undecided"
        if not difference.holds_zero:
            return "better" if difference.low > 0 else "worse"
        return "no difference" if difference.high - difference.low <= 2 * self.precision else "undecided"

    def needed(self, variants: Sequence[Variant], results: Sequence[Mapping[int, Figures]]) -> set[int]:
        """Variants that a comparison needs which is asked for and not decided, as positions."""
        comparisons = comparisons_of(variants)
        needed: set[int] = set()
        for entry in comparisons:
            if entry.is_asked and not needed.issuperset({entry.first, entry.second}):
                difference = self.difference(results[entry.first], results[entry.second], len(comparisons))
                if self.decision(difference) == "undecided":
                    needed |= {entry.first, entry.second}
        return needed

    def _resolution(self, measure: Measure) -> float:
        return 1 / self.evaluated if measure == "accuracy" else 0.0


def in_order(figures: Mapping[int, Figures]) -> list[Figures]:
    """Results of the seeds 0, 1, … up to the first that is not done."""
    seeds = next(seed for seed in range(len(figures) + 1) if seed not in figures)
    return [figures[seed] for seed in range(seeds)]


def first_decision(comparisons: int) -> int:
    """After how many seeds the first of so many comparisons can be decided at all."""
    return first_count((1 - CONFIDENCE) / comparisons)


def checked_precision(precision: float) -> None:
    """Refuse what cannot be a precision in points of accuracy, with a BadInputError."""
    if not 0 < precision < 100:
        raise BadInputError(
            f"The precision is {precision:g} points.", "Give it in points of accuracy, above 0 and below 100."
        )


def checked_bound(comparisons: int, seeds: int) -> None:
    """Refuse a bound up to which nothing could be decided.

    Parameters
    ----------
    comparisons : int
        Of the proof, see `comparisons_of`.
    seeds : int
        The most that are drawn.

    Raises
    ------
    BadInputError
        It is below the number of seeds after which there are intervals.
    """
    least = first_decision(comparisons)
    if seeds < least:
        raise BadInputError(
            f"With {seeds} seeds at most, none of the {comparisons} comparisons can be decided.",
            f"Allow {least} seeds or more.",
        )


def rule_of(record: Mapping[str, Any]) -> UntilDecided | None:
    """The rule in a proof's file; None for a proof of a fixed number of seeds."""
    points = record.get("until_decided")
    return None if points is None else UntilDecided(points / 100, record["evaluated"])
