"""Logit scores against the definitions written out in numpy with double precision, and their invariants."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from diet_explorer.scoring import metrics

LOGITS = hnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 6), st.integers(2, 7)),
    elements=st.floats(-30, 30, width=32),
)


def by_hand(logits: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
    """Every score, one example at a time, in double precision and by the textbook."""
    rows = {"el2n": [], "loss": [], "margin": [], "entropy": [], "p_label": []}
    for z, y in zip(logits.astype(np.float64), labels, strict=True):
        p = np.exp(z - z.max())
        p = p / p.sum()
        one_hot = np.zeros_like(p)
        one_hot[y] = 1.0
        rows["el2n"].append(math.sqrt(sum((a - b) ** 2 for a, b in zip(p, one_hot, strict=True))))
        rows["loss"].append(-(z[y] - z.max() - math.log(np.exp(z - z.max()).sum())))
        rows["margin"].append(z[y] - max(value for k, value in enumerate(z) if k != y))
        rows["entropy"].append(-sum(a * math.log(a) for a in p if a > 0))
        rows["p_label"].append(p[y])
    return {name: np.array(values) for name, values in rows.items()}


def ours(logits: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
    return metrics.scores_of(logits, labels)


def labels_for(logits: np.ndarray, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, logits.shape[1], len(logits))


@given(LOGITS, st.integers(0, 1000))
def test_scores_are_their_definitions(logits, seed):
    labels = labels_for(logits, seed)
    expected, found = by_hand(logits, labels), ours(logits, labels)
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=2e-5, atol=2e-6, err_msg=name)


@given(LOGITS, st.integers(0, 1000))
def test_trailing_is_its_definition_and_orders_two_classes_as_el2n_does(logits, seed):
    labels = labels_for(logits, seed)
    found = metrics.trailing(logits, labels)
    p = np.exp(logits.astype(np.float64) - logits.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    own = p[np.arange(len(p)), labels]
    others = np.where(np.eye(p.shape[1], dtype=bool)[labels], -1, p).max(1)
    np.testing.assert_allclose(found, (1 - own + others) / 2, rtol=2e-5, atol=2e-6)
    assert (found >= 0).all() and (found <= 1 + 1e-6).all()
    if p.shape[1] == 2:
        np.testing.assert_allclose(found, ours(logits, labels)["el2n"] / math.sqrt(2), rtol=1e-5, atol=2e-6)


@given(LOGITS, st.integers(0, 1000))
def test_invariants(logits, seed):
    labels = labels_for(logits, seed)
    classes = logits.shape[1]
    found = ours(logits, labels)
    el2n, p = found["el2n"].astype(np.float64), found["p_label"].astype(np.float64)
    assert (el2n >= 0).all() and (el2n <= math.sqrt(2) + 1e-6).all()
    assert ((1 - p) * math.sqrt(classes / (classes - 1)) <= el2n + 1e-5).all()
    assert (el2n <= (1 - p) * math.sqrt(2) + 1e-5).all()
    right = logits.argmax(1) == labels
    assert right[el2n < math.sqrt(0.5) - 1e-6].all()
    assert (found["margin"][right] >= 0).all()
    assert (found["entropy"] >= 0).all() and (found["entropy"] <= math.log(classes) + 1e-5).all()


@pytest.mark.parametrize("classes", [2, 3, 10, 1000])
def test_uniform_probabilities_give_the_known_value(classes):
    z, y = np.zeros((1, classes), dtype=np.float32), np.array([0])
    assert metrics.el2n(z, y).item() == pytest.approx(math.sqrt(1 - 1 / classes), rel=1e-6)
    assert metrics.entropy(z).item() == pytest.approx(math.log(classes), rel=1e-6)


@given(LOGITS, st.integers(0, 1000), st.floats(-20, 20, width=32))
def test_adding_a_constant_to_all_logits_changes_nothing(logits, seed, constant):
    labels = labels_for(logits, seed)
    before, after = ours(logits, labels), ours(logits + np.float32(constant), labels)
    for name, values in before.items():
        np.testing.assert_allclose(after[name], values, rtol=2e-4, atol=2e-5, err_msg=name)


def test_easy_examples_keep_their_order():
    """Late in training p_y is 1 - 1e-9 and the like; 1 - p_y by subtraction would be 0 for all of them."""
    lead = np.linspace(16, 30, 15, dtype=np.float32)
    z = np.stack([lead, np.zeros_like(lead)], 1)
    el2n = metrics.el2n(z, np.zeros(15, dtype=np.int64))
    assert el2n.dtype == np.float32 and (np.diff(el2n) < 0).all()
    np.testing.assert_allclose(el2n, math.sqrt(2) * np.exp(-lead.astype(np.float64)), rtol=1e-4)


def test_half_precision_logits_are_scored_in_single_precision():
    z, y = np.array([[2.0, -1.0, 0.5]]), np.array([0])
    single = metrics.scores_of(z.astype(np.float32), y)
    for name, values in metrics.scores_of(z.astype(np.float16), y).items():
        assert values.dtype == np.float32
        assert values.item() == single[name].item(), name


def test_two_classes_rank_identically():
    random = np.random.default_rng(0)
    z, y = random.normal(size=(200, 2)), random.integers(0, 2, 200)
    scores = metrics.scores_of(z, y)
    order = scores["el2n"].argsort()
    assert order.tolist() == scores["loss"].argsort().tolist()
    assert order.tolist() == (-scores["p_label"]).argsort().tolist()
    assert order.tolist() == (-scores["margin"]).argsort().tolist()


@given(LOGITS, st.integers(0, 1000))
def test_scores_agree_with_torch(logits, seed):
    labels = labels_for(logits, seed)
    z, y = torch.from_numpy(logits), torch.from_numpy(labels)
    found = ours(logits, labels)
    expected = torch.nn.functional.cross_entropy(z, y, reduction="none").numpy()
    np.testing.assert_allclose(found["loss"], expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(metrics.probabilities(logits), torch.softmax(z, -1).numpy(), rtol=1e-5, atol=1e-7)
    expected = torch.distributions.Categorical(logits=z).entropy().numpy()
    np.testing.assert_allclose(found["entropy"], expected, rtol=1e-4, atol=1e-5)
