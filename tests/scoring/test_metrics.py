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
    z, y = torch.from_numpy(logits), torch.from_numpy(labels)
    return {
        "el2n": metrics.el2n(z, y).numpy(),
        "loss": metrics.loss(z, y).numpy(),
        "margin": metrics.margin(z, y).numpy(),
        "entropy": metrics.entropy(z).numpy(),
        "p_label": metrics.p_label(z, y).numpy(),
    }


def labels_for(logits: np.ndarray, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, logits.shape[1], len(logits))


@given(LOGITS, st.integers(0, 1000))
def test_scores_are_their_definitions(logits, seed):
    labels = labels_for(logits, seed)
    expected, found = by_hand(logits, labels), ours(logits, labels)
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=2e-5, atol=2e-6, err_msg=name)


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
    z, y = torch.zeros(1, classes), torch.tensor([0])
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
    lead = torch.linspace(16, 30, 15)
    z = torch.stack([lead, torch.zeros_like(lead)], 1)
    el2n = metrics.el2n(z, torch.zeros(15, dtype=torch.long))
    assert (el2n.diff() < 0).all()
    np.testing.assert_allclose(el2n.numpy(), math.sqrt(2) * np.exp(-lead.numpy().astype(np.float64)), rtol=1e-4)


def test_half_precision_logits_are_scored_in_single_precision():
    z = torch.tensor([[2.0, -1.0, 0.5]])
    for name in ("el2n", "loss", "margin", "p_label"):
        score = getattr(metrics, name)
        found = score(z.to(torch.bfloat16), torch.tensor([0]))
        assert found.dtype == torch.float32
        assert found.item() == score(z, torch.tensor([0])).item(), name


def test_two_classes_rank_identically():
    z = torch.randn(200, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    y = torch.randint(0, 2, (200,), generator=torch.Generator().manual_seed(1))
    order = metrics.el2n(z, y).argsort()
    assert torch.equal(order, metrics.loss(z, y).argsort())
    assert torch.equal(order, metrics.p_label(z, y).argsort(descending=True))
    assert torch.equal(order, metrics.margin(z, y).argsort(descending=True))
