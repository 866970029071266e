"""What the trainings of a proof say: one line per variant, with intervals, comparisons and a sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite, nan
from typing import Any

import pandas as pd

from diet_explorer.pruning.deciding import Against, Decision, UntilDecided, comparisons_of, in_order
from diet_explorer.pruning.proof import (
    MEASURES,
    Figures,
    Interval,
    Measure,
    Variant,
    mean_interval,
    paired_difference,
)
from diet_explorer.store.in_words import counted

_TITLES: dict[Against, str] = {"random": "random of the same size", "full": "full data"}
_NOTHING = Interval(nan, nan, nan, 0)


def results_table(
    variants: Sequence[Variant],
    results: Sequence[Mapping[int, Figures]],
    seeds: int,
    rule: UntilDecided | None = None,
) -> pd.DataFrame:
    """One line per variant: its results over the seeds that are done, and how it compares.

    Parameters
    ----------
    variants : sequence of Variant
        As `variants_of` gives them.
    results : sequence of mapping of int to Figures
        For each variant the seeds that are done, and their results.
    seeds : int
        How many there will be, at most where there is a rule.
    rule : UntilDecided, optional
        Of a proof that goes on until it decides: its intervals hold however often one looks, count the seeds in their
        order, and those of differences hold together (Bonferroni over all comparisons of the table). Without one,
        intervals are Student's, which hold for one look, and nothing is corrected for comparing many variants.

    Returns
    -------
    pandas.DataFrame
        ``title, kind, policy`` (words; None but for policies), ``fraction`` (per cent asked for, NaN where none was),
        ``kept`` (training examples), ``share`` (per cent of full data), ``seeds`` (done); ``accuracy, macro_f1, loss``
        as means with ``_low`` and ``_high``; ``vs_random, vs_full``: paired differences of accuracy with ``_low`` and
        ``_high`` (positive: better than random of the same size, than full data; NaN where there is nothing to compare
        with); ``vs_random_decision, vs_full_decision``: better, worse, no difference or undecided, missing where no
        decision is waited for; ``verdict`` in words.
    """
    asked = {(entry.first, entry.against): entry.is_asked for entry in comparisons_of(variants)}
    full = next(number for number, variant in enumerate(variants) if variant.kind == "full")
    drawn = {variant.size: number for number, variant in enumerate(variants) if variant.kind == "random"}

    def mean(figures: Mapping[int, Figures], measure: Measure) -> Interval:
        if rule is None:
            return mean_interval([getattr(entry, measure) for entry in figures.values()])
        return rule.mean(figures, measure)

    def difference(first: int, second: int) -> Interval:
        if rule is None:
            return paired_difference(results[first], results[second])
        return rule.difference(results[first], results[second], len(asked))

    lines = []
    for number, (variant, figures) in enumerate(zip(variants, results, strict=True)):
        intervals = {measure: mean(figures, measure) for measure in MEASURES}
        against: dict[Against, Interval] = {
            "random": difference(number, drawn.get(variant.size, full)) if variant.kind == "policy" else _NOTHING,
            "full": difference(number, full) if variant.kind != "full" else _NOTHING,
        }
        decisions: dict[Against, Decision | None] = {
            other: rule.decision(interval) if rule is not None and asked.get((number, other)) else None
            for other, interval in against.items()
        }
        line: dict[str, Any] = {
            "title": variant.title,
            "kind": variant.kind,
            "policy": None if variant.policy is None else variant.policy.describe(),
            "fraction": nan if variant.fraction is None else variant.fraction,
            "kept": variant.size,
            "share": 100 * variant.size / variants[full].size,
            "seeds": len(figures) if rule is None else len(in_order(figures)),
        }
        differences = {f"vs_{other}": interval for other, interval in against.items()}
        for name, interval in (*intervals.items(), *differences.items()):
            line |= {name: interval.mean, f"{name}_low": interval.low, f"{name}_high": interval.high}
        line |= {f"vs_{other}_decision": decision for other, decision in decisions.items()}
        line["verdict"] = verdict(
            variant, variants[full].size, intervals["accuracy"], against, seeds, decisions if rule is not None else None
        )
        lines.append(line)
    return pd.DataFrame(lines)


def verdict(
    variant: Variant,
    full: int,
    accuracy: Interval,
    against: Mapping[Against, Interval],
    seeds: int,
    decisions: Mapping[Against, Decision | None] | None = None,
) -> str:
    """One sentence on a variant in plain words; "no difference seen" where the interval holds 0.

    Parameters
    ----------
    variant : Variant
    full : int
        Training examples of full data.
    accuracy : Interval
        In [0, 1].
    against : mapping of {"random", "full"} to Interval
        Paired differences of accuracy; positive where the variant is better. Random counts for policies only.
    seeds : int
        How many there will be, at most where there are decisions.
    decisions : mapping of {"random", "full"} to Decision or None, optional
        Of a proof that goes on until it decides.
    """
    name = f"{variant.title}, {variant.size:,} of {full:,} training examples ({100 * variant.size / full:.1f} %)"
    if variant.kind == "full":
        name = f"Full data, {full:,} training examples"
    if not accuracy.seeds:
        return f"{name}: no training is done yet."
    compared: list[Against] = []
    if variant.kind == "policy" and variant.size != full:  # random of all is full data
        compared.append("random")
    if variant.kind != "full":
        compared.append("full")
    open_yet = decisions is not None and any(decisions[other] == "undecided" for other in compared)
    if accuracy.seeds == seeds or (decisions is not None and not open_yet):
        over = f"over {counted(accuracy.seeds, 'seed')}"
    else:
        over = f"over {accuracy.seeds} of {'' if decisions is None else 'at most '}{seeds} seeds so far"
    parts: list[str] = []
    for other in compared:
        if decisions is None or decisions[other] is None:
            parts.append(_difference(against[other], _TITLES[other]))
        else:
            parts.append(_decided(against[other], _TITLES[other], decisions[other], accuracy.seeds == seeds))
    compares = f": {'; '.join(parts)}" if parts else ""
    return f"{name}, reaches an accuracy of {100 * accuracy.mean:.1f} % {over}{compares}."


def _difference(interval: Interval, other: str) -> str:
    """How a difference compares whose number of seeds was fixed, or that nothing waits for."""
    if not isfinite(interval.low):
        return f"not yet compared with {other}"
    if interval.holds_zero:
        return f"no difference seen from {other} ({100 * interval.mean:+.1f} points, 95 % interval {_bounds(interval)})"
    return _beyond(interval, other)


def _decided(interval: Interval, other: str, decision: Decision | None, at_bound: bool) -> str:
    """What was decided, or that it was not, up to the most seeds or so far."""
    if decision in ("better", "worse"):
        return _beyond(interval, other)
    if decision == "no difference":
        most = 100 * max(-interval.low, interval.high)
        return f"no difference from {other} larger than {most:.1f} points (95 % interval {_bounds(interval)})"
    words = f"undecided against {other}" if at_bound else f"not yet decided against {other}"
    if not isfinite(interval.low):
        return words if interval.seeds == 0 else f"{words} ({100 * interval.mean:+.1f} points, no interval yet)"
    return f"{words} ({100 * interval.mean:+.1f} points, 95 % interval {_bounds(interval)})"


def _beyond(interval: Interval, other: str) -> str:
    direction = "better" if interval.low > 0 else "worse"
    return f"{100 * abs(interval.mean):.1f} points {direction} than {other} (95 % interval {_bounds(interval)})"


def _bounds(interval: Interval) -> str:
    return f"{100 * interval.low:+.1f} to {100 * interval.high:+.1f}"
