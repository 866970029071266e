"""Intervals that may be looked at after every seed, against integration and by simulation; and what they decide."""

import math
from itertools import pairwise

import numpy as np
import pytest
from scipy import integrate, stats

from diet_explorer.errors import BadInputError
from diet_explorer.pruning.deciding import (
    UntilDecided,
    checked_bound,
    checked_precision,
    comparisons_of,
    first_decision,
)
from diet_explorer.pruning.policies import Policy
from diet_explorer.pruning.proof import Figures, variants_of
from diet_explorer.pruning.results import results_table
from diet_explorer.pruning.sequential import EFFECT_VARIANCE, half_width, sequential_interval

HARDEST, WINDOW = Policy("hardest", keep=50), Policy("window", drop_hardest=5)
SEQUENCES, LONGEST = 4000, 50


def outcomes(values):
    return {seed: Figures(value, value / 2, 1 - value) for seed, value in enumerate(values)}


def mixture_ratio(t, count):
    """How much likelier t is where the effect is drawn from N(0, g) than where there is none, by integration."""
    effects = np.linspace(-10, 10, 1001)
    likelihood = stats.nct.pdf(t, count - 1, effects * math.sqrt(count))
    weights = stats.norm.pdf(effects, scale=math.sqrt(EFFECT_VARIANCE))
    return integrate.simpson(likelihood * weights, x=effects) / stats.t.pdf(t, count - 1)


@pytest.mark.parametrize(("count", "alpha"), [(4, 0.05), (6, 0.05 / 6), (10, 0.05), (20, 0.05 / 9)])
def test_the_interval_ends_where_the_mixture_has_gained_one_over_alpha(count, alpha):
    t = half_width(count, 1.0, alpha) * math.sqrt(count)
    assert mixture_ratio(t, count) == pytest.approx(1 / alpha, rel=1e-3)
    assert half_width(count, 3.0, alpha) == pytest.approx(3 * half_width(count, 1.0, alpha))


def test_few_values_have_no_interval():
    for alpha in (0.05, 0.05 / 12):
        widths = [half_width(count, 1.0, alpha) for count in range(1, 30)]
        first = next(count for count, width in enumerate(widths, start=1) if math.isfinite(width))
        assert 4 <= first <= 6 and first == first_decision(round(0.05 / alpha))
        assert all(later < earlier for earlier, later in pairwise(widths[first - 1 :]))
        early = sequential_interval([0.1] * (first - 1), alpha)
        assert math.isnan(early.low) and math.isnan(early.high) and early.holds_zero
    assert sequential_interval([], 0.05).seeds == 0


def missed(values, half):
    """The share of sequences whose interval misses 0 after any number of values; `half` widens a deviation of 1."""
    counts = np.arange(1, values.shape[1] + 1)
    means = values.cumsum(1) / counts
    squares = (values**2).cumsum(1) - counts * means**2
    deviations = np.sqrt(np.maximum(squares, 0) / np.maximum(counts - 1, 1))
    widths = np.array([half(count) if count > 1 else np.inf for count in counts])
    outside = np.abs(means[:, 1:]) > widths[1:] * deviations[:, 1:]
    return outside.any(1).mean()


@pytest.mark.parametrize("comparisons", [1, 9])
def test_looking_after_every_seed_misses_as_seldom_as_is_said(comparisons):
    alpha = 0.05 / comparisons
    values = np.random.default_rng(7).normal(scale=0.01, size=(SEQUENCES, LONGEST))
    slack = 4 * math.sqrt(alpha * (1 - alpha) / SEQUENCES)
    assert missed(values, lambda count: half_width(count, 1.0, alpha)) <= alpha + slack
    # the usual interval, which holds for one look, does not stand that
    assert missed(values, lambda count: stats.t.ppf(1 - alpha / 2, count - 1) / math.sqrt(count)) > 3 * alpha + slack


def test_what_all_intervals_have_in_common_holds_the_mean_too():
    random = np.random.default_rng(3)
    sequences = random.normal(0.2, 0.01, size=(300, 20))
    intervals = [sequential_interval(values, 0.05) for values in sequences]
    assert sum(not entry.low <= 0.2 <= entry.high for entry in intervals) <= 0.05 * 300 + 4 * math.sqrt(15)
    for values in sequences[:5]:
        path = [sequential_interval(values[:count], 0.05) for count in range(4, 21)]
        assert all(one.low <= two.low and two.high <= one.high for one, two in pairwise(path))
        last = half_width(20, values.std(ddof=1), 0.05)
        assert path[-1].high - path[-1].low <= 2 * last + 1e-12


def test_intervals_that_contradict_each_other_change_nothing_any_more():
    early = sequential_interval([0.1, 0.1001, 0.0999, 0.1, 0.1001, 0.1], 0.05)
    late = sequential_interval([0.1, 0.1001, 0.0999, 0.1, 0.1001, 0.1, *[0.3] * 30], 0.05)
    assert late.seeds == 36 and late.low >= early.low and late.high <= early.high and late.low < late.high


def test_rounded_accuracies_are_not_taken_for_certainty():
    # on 50 examples, three seeds in ten differ by one example and the others by none: many begin with equal values
    random = np.random.default_rng(5)
    sequences = (random.random((400, 12)) < 0.3) / 50
    certain = [sequential_interval(values, 0.05) for values in sequences]
    intervals = [sequential_interval(values, 0.05, 1 / 50) for values in sequences]
    assert sum(not entry.low <= 0.006 <= entry.high for entry in certain) > 0.2 * 400
    assert sum(not entry.low <= 0.006 <= entry.high for entry in intervals) <= 0.05 * 400
    same = sequential_interval([0.02] * 6, 0.05, 1 / 50)
    assert same.low < 0.02 < same.high


def test_what_is_decided_and_who_needs_further_seeds():
    variants = variants_of([(HARDEST, 50.0, 50), (WINDOW, None, 95)], 100)
    comparisons = comparisons_of(variants)
    assert [(entry.first, entry.second, entry.against, entry.is_asked) for entry in comparisons] == [
        (1, 0, "full", False), (2, 1, "random", True), (2, 0, "full", True),
        (3, 0, "full", False), (4, 3, "random", True), (4, 0, "full", True),
    ]  # fmt: skip
    rule = UntilDecided(precision=0.005, evaluated=10_000)
    noise = np.random.default_rng(0).normal(scale=0.004, size=(5, 40))
    full, drawn, hardest, more, window = noise + np.array([[0.9], [0.8], [0.6], [0.85], [0.9]])
    table = {}
    for seeds in (3, 6, 40):
        results = [outcomes(values[:seeds]) for values in (full, drawn, hardest, more, window)]
        table[seeds] = results_table(variants, results, 40, rule), rule.needed(variants, results)
    assert table[3][1] == {0, 1, 2, 3, 4}
    assert table[3][0]["vs_full_decision"].fillna("").tolist() == ["", "", "undecided", "", "undecided"]
    assert table[6][1] == {
        0,
        4,
    }  # the hardest half is worse than both, the window better than random; full data is open
    six, last = table[6][0], table[40][0]
    assert (six["vs_random_decision"][2], six["vs_full_decision"][2]) == ("worse", "worse")
    assert (six["vs_random_decision"][4], six["vs_full_decision"][4]) == ("better", "undecided")
    assert "over 6 seeds: 20." in six["verdict"][2]
    assert (
        "over 6 of at most 40 seeds so far" in six["verdict"][4]
        and "not yet decided against full data" in six["verdict"][4]
    )
    assert table[40][1] == set() and last["vs_full_decision"][4] == "no difference"
    assert "no difference from full data larger than 0." in last["verdict"][4]
    narrow = UntilDecided(precision=0.0001, evaluated=10_000)
    assert narrow.needed(variants, results) == {0, 4}
    assert "; undecided against full data (" in results_table(variants, results, 40, narrow)["verdict"][4]


def test_random_alone_is_asked_for():
    variants = variants_of([(Policy("random", keep=50), 50.0, 50)], 100)
    assert [(entry.first, entry.second, entry.is_asked) for entry in comparisons_of(variants)] == [(1, 0, True)]


def test_seeds_count_in_their_order():
    variants = variants_of([(Policy("random", keep=50), 50.0, 50)], 100)
    rule = UntilDecided(0.005, 10_000)
    full, drawn = outcomes([0.9, 0.901, 0.899, 0.9, 0.9, 0.902, 0.9]), outcomes([0.7, 0.702, 0.7, 0.699, 0.7, 0.7, 0.7])
    assert rule.needed(variants, [full, drawn]) == set()
    del drawn[2]  # it failed, or another worker has it
    assert rule.needed(variants, [full, drawn]) == {0, 1}
    table = results_table(variants, [full, drawn], 20, rule)
    assert table["seeds"].tolist() == [7, 2]
    assert (
        "over 2 of at most 20 seeds so far: not yet decided against full data (-20.0 points, no interval"
        in table["verdict"][1]
    )


def test_bounds_that_could_decide_nothing_are_refused():
    variants = variants_of([(HARDEST, 50.0, 50), (WINDOW, None, 95)], 100)
    number = len(comparisons_of(variants))
    checked_bound(number, 20)
    with pytest.raises(BadInputError, match="none of the 6 comparisons") as refused:
        checked_bound(number, 4)
    assert "5 seeds or more" in refused.value.remedy
    for precision in (0, -1, 100, math.nan):
        with pytest.raises(BadInputError, match="precision"):
            checked_precision(precision)
