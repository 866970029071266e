"""How many suspects are wrong: the formula against simulation, and what is said of a run."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diet_explorer import ExampleFilter
from diet_explorer.analysis.suspects.calibration import (
    ERRORS,
    SUGGESTIONS,
    Belief,
    Expected,
    ExpectedErrors,
    doubts,
    expected,
)
from diet_explorer.errors import BadInputError
from tests.analysis.suspects.test_suspects import made  # noqa: F401  a fixture
from tests.tiny_runs import inside

BELIEF = Belief(level=-0.5, level_spread=1.0, slope=0.8, slope_spread=0.3, drift=0.4)


def chances(doubt, level, slope):
    return 1 / (1 + np.exp(-(level + slope * np.log(doubt / (1 - doubt)))))


def suspects(random, count=100):
    """Doubts from the most suspicious on."""
    return np.sort(random.beta(2, 1.5, count))[::-1].clip(0.01, 0.99)


def first_decided(wrong, decided):
    outcomes = np.full(len(wrong), np.nan)
    outcomes[:decided] = wrong[:decided]
    return outcomes


@pytest.mark.parametrize("decided", [0, 12])
def test_it_is_bayes_rule(decided):
    """By drawing levels and slopes, weighing them by the decisions, and drawing what is left."""
    random = np.random.default_rng(0)
    doubt = suspects(random, 60)
    outcomes = first_decided(random.random(60) < 0.5, decided)
    level, slope = random.normal(-0.5, 1.0, 8_000), np.maximum(random.normal(0.8, 0.3, 8_000), 0)
    chance = chances(doubt[:, None], level, slope)
    known = np.where(outcomes[:decided, None] == 1, chance[:decided], 1 - chance[:decided])
    weight = np.prod(known, axis=0)
    left = chances(doubt[decided:40, None], level + random.normal(0, 0.4, 8_000), slope)
    total = outcomes[:decided].sum() + (random.random((40 - decided, 8_000)) < left).sum(0)
    order = np.argsort(total)
    reached = np.cumsum(weight[order]) / weight.sum()
    result = expected(doubt, outcomes, np.arange(60) < 40, BELIEF)
    assert result.estimate == pytest.approx(np.average(total, weights=weight), abs=0.4)
    assert abs(result.low - total[order][np.searchsorted(reached, 0.025)]) <= 1
    assert abs(result.high - total[order][np.searchsorted(reached, 0.975)]) <= 1
    assert (result.of, result.decided, result.informed) == (40, decided, decided)


@pytest.mark.parametrize("decided", [0, 10, 30])
def test_the_interval_holds_as_often_as_it_says(decided):
    """Sets drawn from what is believed of sets; annotators work from the top, as everybody does."""
    random, held, widths = np.random.default_rng(decided), 0, []
    for _ in range(100):
        doubt = suspects(random)
        level, slope = (
            random.normal(BELIEF.level, BELIEF.level_spread),
            random.normal(BELIEF.slope, BELIEF.slope_spread),
        )
        levels = np.where(np.arange(100) < decided, level, level + random.normal(0, BELIEF.drift))
        wrong = random.random(100) < chances(doubt, levels, max(slope, 0))
        result = expected(doubt, first_decided(wrong, decided), np.ones(100, dtype=bool), BELIEF)
        held += result.low <= wrong.sum() <= result.high
        widths.append(result.high - result.low)
    assert held / 100 == pytest.approx(0.95, abs=0.05)
    assert np.mean(widths) == pytest.approx({0: 73, 10: 55, 30: 36}[decided], abs=8)


@given(seed=st.integers(0, 50), decided=st.integers(0, 30), belief=st.sampled_from([BELIEF, ERRORS, SUGGESTIONS]))
def test_what_is_decided_is_known(seed, decided, belief):
    random = np.random.default_rng(seed)
    doubt, wrong = suspects(random, 30), random.random(30) < 0.5
    result = expected(doubt, first_decided(wrong, decided), np.ones(30, dtype=bool), belief)
    assert result.counted == wrong[:decided].sum()
    assert result.counted <= result.low <= result.high <= result.counted + 30 - decided
    assert result.counted <= result.estimate <= result.counted + 30 - decided
    if decided == 30:
        assert result.low == result.high == result.estimate == wrong.sum()


@given(seed=st.integers(0, 50))
def test_wrong_ones_raise_and_right_ones_lower_it(seed):
    doubt = suspects(np.random.default_rng(seed))
    first = np.arange(100) >= 20  # those left
    all_right, unknown, all_wrong = (
        expected(doubt, np.where(first, np.nan, value), first, BELIEF).estimate for value in (0.0, np.nan, 1.0)
    )
    assert all_right < unknown < all_wrong


def test_examples_out_of_reach_are_no_matter():
    """Only doubts count, not how many other examples there are or in which order they come."""
    random = np.random.default_rng(1)
    doubt, wrong = suspects(random), random.random(100) < 0.5
    outcomes, first = first_decided(wrong, 20), np.arange(100) < 50
    shuffled = random.permutation(200)
    pairs = (doubt, doubt), (outcomes, np.full(100, np.nan)), (first, np.zeros(100, dtype=bool))
    more = [np.concatenate(pair)[shuffled] for pair in pairs]
    assert expected(*more, BELIEF) == expected(doubt, outcomes, first, BELIEF)


def test_doubts_are_the_mean_of_the_opinions_there_are():
    seen, unseen = np.array([0.9, 0.1, 0.3, np.nan]), np.array([0.5, np.nan, 0.1, np.nan])
    np.testing.assert_allclose(doubts([seen, unseen]), [0.3, 0.9, 0.8, 0.5])
    np.testing.assert_allclose(doubts([seen]), [0.1, 0.9, 0.7, 0.5])


def test_decisions_about_single_suspects_are_heard(made):  # noqa: F811
    run = made[0]
    ledger = run.dataset.ledger
    before = run.audit.expected_errors(10)
    assert (before.errors.of, before.errors.informed) == (10, 0)
    assert "Judged by the models" in before.words and before.words.startswith("Of the first 10 suspects about ")
    top = run.audit.suspects(limit=10)
    believed = top[top["suggested"].notna()]
    assert before.suggestions.of == len(believed) > 3
    first, second, third = believed["row"].tolist()[:3]
    other = next(name for name in run.dataset.classes if name not in (*believed.iloc[1][["label", "suggested"]],))
    ledger.decide(np.array([first]), "relabel", annotator="ann", label=believed["suggested"].iloc[0])
    ledger.decide(np.array([second]), "relabel", annotator="ann", label=other)
    ledger.decide(np.array([third]), "exclude", annotator="ann")
    ledger.decide(np.array([int(run.audit.order()[-1])]), "keep", annotator="ann")
    ledger.decide(run.audit.order()[10:14], "exclude", annotator="bulk")  # nobody looked at each of them
    after = run.audit.expected_errors(10)
    assert (after.errors.decided, after.errors.counted, after.errors.informed) == (3, 3, 4)
    assert (after.suggestions.decided, after.suggestions.counted) == (2, 1)
    assert (
        "Of these suspects 3 are decided, 3 as wrong" in after.words and after.errors.estimate > before.errors.estimate
    )
    where = ExampleFilter(decided=("undecided",))
    assert run.audit.expected_errors(10, where=where).errors.decided == 0
    assert run.audit.expected_errors(1000).errors.of == len(run.audit.order())
    home = run.context.settings.home_folder
    command = ["suspects", run.id, "--top", "2", "--first", "10"]
    said = json.loads(inside(*command, "--json", home=home).stdout)["expected"]
    assert said["errors"]["counted"] == 3 and said["words"] == after.words
    assert after.words in inside(*command, home=home).stderr.replace("\n", " ")
    for who in ("ann", "ann", "ann", "ann", "bulk"):
        run.dataset.undo(who)
    assert run.audit.expected_errors(10) == before
    with pytest.raises(BadInputError, match="0 suspects were asked about"):
        run.audit.expected_errors(0)


@pytest.mark.parametrize(("of", "low", "high", "said"), [(3, 0, 3, False), (0, 0, 0, False), (3, 1, 3, True)])
def test_suggestions_of_which_nothing_is_known_are_left_out(of, low, high, said):
    errors = Expected(of=100, estimate=21, low=2, high=64, decided=0, counted=0, informed=0)
    suggestions = Expected(of=of, estimate=of / 2, low=low, high=high, decided=0, counted=0, informed=0)
    words = ExpectedErrors(errors, suggestions).words
    assert words.startswith("Of the first 100 suspects about 21 are wrong (2 to 64)")
    assert ("of the suggested labels are right (33 % to 100 %)" in words) == said


def test_what_is_all_decided_is_no_estimate() -> None:
    errors = Expected(of=5, estimate=3.0, low=3, high=3, decided=5, counted=3, informed=9)
    assert ExpectedErrors(errors, errors).words == "All of the first 5 suspects are decided, 3 as wrong."
