"""Variants, keys, intervals and verdicts of a proof, against scipy, scikit-learn and counting by hand."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import accuracy_score, f1_score, log_loss

from diet_explorer.errors import BadInputError
from diet_explorer.pruning.policies import Policy
from diet_explorer.pruning.proof import (
    Figures,
    Variant,
    checked_seeds,
    choices_of,
    evaluate,
    mean_interval,
    paired_difference,
    training_config,
    training_key,
    variants_of,
)
from diet_explorer.pruning.results import results_table
from diet_explorer.training.config import RunConfig

CONFIG = RunConfig("d", epochs=3, seeds=3, batch_size=16)
HARDEST, WINDOW = Policy("hardest"), Policy("window", drop_hardest=5)


def outcomes(values):
    return {seed: Figures(value, value / 2, 1 - value) for seed, value in enumerate(values)}


@given(st.lists(st.floats(0, 1), min_size=2, max_size=12))
def test_intervals_are_those_of_the_t_test(values):
    found = mean_interval(values)
    error = stats.sem(values)
    low, high = stats.t.interval(0.95, len(values) - 1, np.mean(values), error) if error else (values[0], values[0])
    assert (found.mean, found.low, found.high) == pytest.approx((np.mean(values), low, high), abs=1e-9)


def test_one_seed_gives_no_interval_and_no_verdict():
    found = mean_interval([0.5])
    assert found.mean == 0.5 and math.isnan(found.low) and math.isnan(found.high) and found.holds_zero
    assert mean_interval([]).seeds == 0


@given(st.integers(1, 5), st.integers(1, 60), st.integers(0, 1000))
def test_measures(classes, count, seed):
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, count)
    logits = random.normal(size=(count, classes))
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    predicted = shares.argmax(1)
    found = evaluate(labels, predicted, -np.log(shares[np.arange(count), labels]))
    assert found.accuracy == pytest.approx(accuracy_score(labels, predicted))
    assert found.macro_f1 == pytest.approx(f1_score(labels, predicted, average="macro", zero_division=0))
    if classes > 1:
        assert found.loss == pytest.approx(log_loss(labels, shares, labels=range(classes)))


def test_paired_differences_use_the_seeds_that_both_have():
    first, second = {0: Figures(0.9, 0, 0), 1: Figures(0.8, 0, 0), 2: Figures(0.7, 0, 0)}, outcomes([0.8, 0.75])
    found = paired_difference(first, second)
    # differences 0.10 and 0.05: mean 0.075, s = 0.05/√2, t(1) = 12.7062
    half = 12.7062 * (0.05 / math.sqrt(2)) / math.sqrt(2)
    assert (found.mean, found.low, found.high) == pytest.approx((0.075, 0.075 - half, 0.075 + half), abs=1e-5)
    assert found.holds_zero


@given(
    st.lists(st.tuples(st.sampled_from(["hardest", "random", "stratified"]), st.integers(1, 99)), min_size=1),
    st.integers(100, 300),
)
def test_random_is_drawn_along_at_every_size(chosen, full):
    variants = variants_of([(Policy(kind, keep=size), float(size), size) for kind, size in chosen], full)
    assert [variant.kind for variant in variants].count("full") == 1 and variants[0].size == full
    drawn = [variant.size for variant in variants if variant.kind == "random"]
    assert sorted(drawn) == sorted({size for _, size in chosen})
    assert [variant.size for variant in variants if variant.kind == "policy"] == [
        size for kind, size in chosen if kind != "random"
    ]
    assert [Variant.from_json(variant.to_json()) for variant in variants] == variants


def test_choices():
    decisions = Policy("decisions")
    found = choices_of([WINDOW, decisions, HARDEST], [30, 70])
    assert found == [
        (replace(WINDOW, drop_easiest=25), 70),
        (replace(HARDEST, keep=70), 70),
        (replace(WINDOW, drop_easiest=65), 30),
        (replace(HARDEST, keep=30), 30),
        (decisions, None),
    ]
    assert choices_of([WINDOW], []) == [(WINDOW, None)]
    for policies, fractions, message in (
        ([], [50], "No policy"),
        ([WINDOW], [0.5], "kept share is 0.5"),
        ([WINDOW], [100], "100"),
    ):
        with pytest.raises(BadInputError, match=message):
            choices_of(policies, fractions)
    for seeds in (2, 101):
        with pytest.raises(BadInputError, match="number of seeds"):
            checked_seeds(seeds)


def test_policies_as_a_command_line_has_them():
    assert Policy.from_text("window:hardest=5:checkpoint=1") == replace(WINDOW, checkpoint=1)
    assert Policy.from_text(" decisions ") == Policy("decisions")
    assert Policy.from_text("stratified:hardest=2.5:strata=10:decisions=no:seed=3") == Policy(
        "stratified", drop_hardest=2.5, strata=10, use_decisions=False, run_seed=3
    )
    for text, message in (
        ("windows", "no policy 'windows'"),
        ("window:hard=5", "setting 'hard=5'"),
        ("window:hardest", "setting 'hardest'"),
        ("hardest:hardest=5", "does not use 'hardest'"),
        ("window:hardest=many", "hardest='many'"),
    ):
        with pytest.raises(BadInputError, match=message):
            Policy.from_text(text)


def test_titles_tell_policies_apart_and_shares_not():
    policies = [
        HARDEST,
        replace(HARDEST, checkpoint=1),
        replace(HARDEST, score="grand_head"),
        replace(HARDEST, run_seed=0),
        replace(HARDEST, use_decisions=False),
        replace(HARDEST, deduplicate=True),
        replace(HARDEST, minimum_per_class=9),
        Policy("stratified"),
        Policy("stratified", strata=10),
        Policy("stratified", seed=1),
        WINDOW,
        Policy("window"),
    ]
    titles = [Variant("policy", 5, policy).title for policy in policies]
    assert len(set(titles)) == len(policies)
    assert titles[1] == "Keep the hardest (EL2N after epoch 1)"
    assert [Variant("policy", 5, policy.at_fraction(30)).title for policy in policies] == titles


@given(full=st.integers(1, 5000), seed=st.integers(0, 50))
def test_every_training_takes_the_steps_of_full_data(full, seed):
    config = training_config(CONFIG, full, seed)
    assert config.steps(1) == config.steps(full) == (CONFIG.steps(full)[1] / 3, CONFIG.steps(full)[1])
    assert config.checkpoint_steps(7) == {CONFIG.steps(full)[1]: [3.0]}
    assert list(config.seed_numbers) == [seed]


def test_a_key_changes_with_all_that_a_result_depends_on():
    rows, labels, evaluated = np.arange(4), np.array([0, 1, 0, 1]), np.arange(4, 6)
    config = training_config(CONFIG, 40, 0)
    keys = [
        training_key("a", config, rows, labels, evaluated),
        training_key("b", config, rows, labels, evaluated),
        training_key("a", training_config(CONFIG, 40, 1), rows, labels, evaluated),
        training_key("a", training_config(CONFIG, 60, 0), rows, labels, evaluated),
        training_key("a", replace(config, learning_rate=1e-5), rows, labels, evaluated),
        training_key("a", config, rows + 1, labels, evaluated),
        training_key("a", config, rows, labels[::-1], evaluated),
        training_key("a", config, rows, labels, evaluated + 1),
        training_key("a", config, rows[:3], labels[:3], np.array([3, 4, 5])),
    ]
    assert len(set(keys)) == len(keys)
    same = replace(config, dataset_id="imported again under another name")
    assert training_key("a", same, rows.astype(np.int16), labels, evaluated) == keys[0]


def test_table_and_verdicts():
    variants = variants_of([(replace(HARDEST, keep=50), 50.0, 50), (WINDOW, None, 95)], 100)
    assert [(variant.kind, variant.size) for variant in variants] == [
        ("full", 100), ("random", 50), ("policy", 50), ("random", 95), ("policy", 95),
    ]  # fmt: skip
    full, drawn = [0.90, 0.91, 0.92], [0.80, 0.83, 0.82]
    results = [full, drawn, [0.71, 0.735, 0.725], [0.89, 0.9, 0.93], [0.9101, 0.9199, 0.9301]]
    table = results_table(variants, [outcomes(values) for values in results], 3)
    hardest, window = table.iloc[2], table.iloc[4]
    for name, other in (("vs_random", drawn), ("vs_full", full)):
        expected = stats.ttest_rel(results[2], other).confidence_interval(0.95)
        assert (hardest[f"{name}_low"], hardest[f"{name}_high"]) == pytest.approx(tuple(expected))
    assert hardest["verdict"] == (
        "Keep the hardest (EL2N), 50 of 100 training examples (50.0 %), reaches an accuracy of 72.3 % over 3 seeds: "
        "9.3 points worse than random of the same size (95 % interval -10.1 to -8.6); "
        f"18.7 points worse than full data (95 % interval {100 * hardest['vs_full_low']:+.1f} to "
        f"{100 * hardest['vs_full_high']:+.1f})."
    )
    assert "no difference seen from random of the same size (+1.3 points" in window["verdict"]
    assert "1.0 points better than full data" in window["verdict"]
    assert table.loc[0, "verdict"] == "Full data, 100 training examples, reaches an accuracy of 91.0 % over 3 seeds."
    assert table["vs_random"].isna().tolist() == [True, True, False, True, False]
    assert table["vs_full"].isna().tolist() == [True, False, False, False, False]
    assert table["loss"].tolist() == pytest.approx([1 - np.mean(values) for values in results])

    whole = results_table(
        [variants[0], Variant("policy", 100, Policy("decisions"))], [outcomes(full), outcomes(full)], 3
    )
    assert whole.loc[1, "verdict"] == (
        "Decisions only, 100 of 100 training examples (100.0 %), reaches an accuracy of 91.0 % over 3 seeds: "
        "no difference seen from full data (+0.0 points, 95 % interval +0.0 to +0.0)."
    )

    begun = results_table(
        variants, [outcomes(full), {}, outcomes(drawn[:1]), outcomes(full[:2]), outcomes(full[:2])], 3
    )
    assert begun["seeds"].tolist() == [3, 0, 1, 2, 2]
    assert "no training is done yet" in begun.loc[1, "verdict"]
    assert "1 of 3 seeds so far: not yet compared with random" in begun.loc[2, "verdict"]
    assert "no difference seen from full data (+0.0 points" in begun.loc[4, "verdict"]
