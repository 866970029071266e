"""Scores over the training against the papers' formulas, written here one example and one checkpoint at a time."""

from itertools import pairwise
from math import sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diet_explorer.data.example_order import read_example_order
from diet_explorer.scoring.dynamics import TRAJECTORIES, TrainingDynamics, most_common_trajectory
from diet_explorer.scoring.rank_order import RankOrder
from diet_explorer.store.files import Files
from diet_explorer.store.scores import ScoreFiles
from tests.synthetic import write_dataset, write_scores

CLASSES = 3


def softmax(z):
    powers = [2.718281828459045**value for value in z]
    return [power / sum(powers) for power in powers]


def of_papers(logits, label, norms, rates):
    """All scores of one example from its logits at each checkpoint."""
    p = [softmax(z)[label] for z in logits]
    right = [max(range(CLASSES), key=lambda k, z=z: z[k]) == label for z in logits]
    margins = [z[label] - max(z[k] for k in range(CLASSES) if k != label) for z in logits]
    mean = sum(p) / len(p)
    return {
        "confidence": mean,  # Swayamdipta et al. 2020, μ̂
        "variability": sqrt(sum((value - mean) ** 2 for value in p) / len(p)),  # σ̂
        "correctness": sum(right) / len(right),
        "forgetting": sum(a and not b for a, b in pairwise(right)),  # Toneva et al. 2019
        "aum": sum(margins) / len(margins),  # Pleiss et al. 2020
        "self_influence": sum(rate * norm**2 for rate, norm in zip(rates, norms, strict=True)),  # Pruthi et al. 2020
        "aleatoric": sum(value * (1 - value) for value in p) / len(p),  # Data-IQ, Seedat et al. 2022
        "right": right,
    }


def trajectory(points, right):
    """The rule as it is told to people."""
    if not any(right):
        return "never learned"
    if not right[-1]:
        return "forgotten"
    since = next(place for place, point in enumerate(points) if point >= min(1, points[-1]))
    return "learned early" if all(right[since:]) else "learned late"


@given(st.data())
def test_dynamics_are_the_papers(data):
    points = data.draw(st.sampled_from([[0.5], [1.0], [0.25, 0.5], [0.5, 1.0, 2.0], [0.3, 1.5, 2.0], [1.0, 2.0, 3.0]]))
    random = np.random.default_rng(data.draw(st.integers(0, 9999)))
    rows = 8
    labels = random.integers(0, CLASSES, rows)
    logits = random.normal(0, 3, (len(points), rows, CLASSES))
    norms, rates = random.gamma(2, size=(len(points), rows)), random.uniform(0, 1e-3, len(points))
    dynamics = TrainingDynamics(rows)
    truth = [of_papers(logits[:, row].tolist(), labels[row], norms[:, row], rates) for row in range(rows)]
    for step, point in enumerate(points):
        p = np.array([softmax(z)[label] for z, label in zip(logits[step], labels, strict=True)])
        others = np.where(np.arange(CLASSES) == labels[:, None], -np.inf, logits[step]).max(1)
        margins = logits[step][np.arange(rows), labels] - others
        dynamics.add(point, p, margins, logits[step].argmax(1) == labels, norms[step], rates[step])
    scores = dynamics.scores()
    for name, values in scores.items():
        np.testing.assert_allclose(values, [entry[name] for entry in truth], rtol=1e-6, atol=1e-9)
    aleatoric = scores["confidence"] * (1 - scores["confidence"]) - scores["variability"] ** 2
    np.testing.assert_allclose(aleatoric, [entry["aleatoric"] for entry in truth], atol=1e-6)
    expected = [trajectory(points, entry["right"]) for entry in truth]
    assert [TRAJECTORIES[code] for code in dynamics.trajectory()] == expected


@given(st.lists(st.integers(0, 3), min_size=1, max_size=6))
def test_most_seeds_decide_and_ties_go_to_the_worse(codes):
    most = max(codes.count(code) for code in codes)
    worst = max(code for code in codes if codes.count(code) == most)
    assert most_common_trajectory([np.array([code], np.int8) for code in codes]).tolist() == [worst]


def test_rankings_hold_the_dynamics_of_each_seed_and_their_mean(tmp_path):
    files, random = Files(tmp_path), np.random.default_rng(1)
    labels, points = random.integers(0, CLASSES, 40), (0.0, 0.5, 1.0, 2.0)
    manifest = write_dataset(
        files, [f"t{n}" for n in range(40)], labels, ["a", "b", "c"], ["train"] * 30 + ["test"] * 10
    )
    store = ScoreFiles(files, "r")
    logits = random.normal(0, 2, (2, len(points), 40, CLASSES)).astype(np.float32)
    norms, rates = random.gamma(2, size=(2, len(points), 40)).astype(np.float32), (None, 3e-5, 2e-5, 1e-5)
    for seed in range(2):
        for step, point in enumerate(points):
            more = {"grand_head": norms[seed, step]}
            write_scores(files, manifest, "r", seed, point, logits[seed, step], more=more, learning_rate=rates[step])
    assert "confidence" not in store.read_ranking(0, 0.0)
    truth = [
        [
            of_papers(logits[seed, 1:, row].tolist(), labels[row], norms[seed, 1:, row].tolist(), rates[1:])
            for row in range(40)
        ]
        for seed in range(2)
    ]
    for name in ("confidence", "variability", "correctness", "forgetting", "aum", "self_influence"):
        each = np.array([[entry[name] for entry in of_seed] for of_seed in truth])
        mean = store.read_ranking(None, 2.0)
        every = np.arange(40)
        np.testing.assert_allclose(mean.column(name), each.mean(0), rtol=2e-6, atol=1e-7)
        np.testing.assert_allclose(mean.deviations(name, every), each.std(0), rtol=1e-4, atol=1e-6)
        assert mean.at(name, every).tolist() == mean.column(name).tolist()
        assert not store.read_ranking(1, 2.0).deviations(name, every).any()
        np.testing.assert_allclose(store.read_ranking(1, 2.0).column(name), each[1], rtol=2e-6, atol=1e-7)
        order = RankOrder.of(mean, name, read_example_order(files, manifest.id))
        assert sorted(order.ranks()[:30]) == list(range(1, 31))
    types = [[trajectory(points[1:], entry["right"]) for entry in of_seed] for of_seed in truth]
    worse = [max(pair, key=TRAJECTORIES.index) for pair in zip(*types, strict=True)]
    assert [TRAJECTORIES[code] for code in store.read_ranking(None, 2.0).column("trajectory").tolist()] == worse
    never = [not any(truth[0][row]["right"]) or not any(truth[1][row]["right"]) for row in range(40)]
    assert store.read_ranking(None, 2.0).column("never_learned").tolist() == never


def test_without_norms_or_rates_there_is_no_self_influence():
    dynamics = TrainingDynamics(1)
    values = np.array([0.5])
    dynamics.add(0.5, values, values, values > 0, values, 1e-5)
    assert dynamics.scores()["self_influence"] == pytest.approx([0.25e-5])
    dynamics.add(1.0, values, values, values > 0, values, None)
    assert "self_influence" not in dynamics.scores()
