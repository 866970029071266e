"""How suspicious each example is to each witness, and to all of them together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from diet_explorer.analysis.suspects.evidence import Evidence, Floats
from diet_explorer.analysis.suspects.witnesses import COMBINED, WITNESSES
from diet_explorer.store.aside import laid_aside
from diet_explorer.store.scores import PART

TRAINED_WEIGHT, HELD_OUT_WEIGHT = 0.5, 0.25
"""Of all fold models together about what they were trained on, and about what was held out of them, beside one seed."""


def suspicions(evidence: Evidence) -> dict[str, Floats]:
    """How suspicious each example is to each witness that there is, by name of `WITNESSES`: float32 (N,), high =
    suspicious; what a witness knows nothing about has its least value."""
    values: dict[str, Floats] = {
        COMBINED: combined(evidence),
        "el2n": evidence.el2n,
        "aum": -evidence.aum,
        "never_learned": evidence.never_learned,
    }
    if evidence.grand is not None:
        values["grand"] = evidence.grand
    if evidence.unseen is not None:
        belief = of_label(evidence.unseen.probabilities, evidence.labels)
        values["oos"] = np.nan_to_num(1.0 - belief, nan=0.0)
        values["confident"] = confident_learning(evidence.unseen.probabilities, evidence.labels).astype(np.float32)
    if evidence.agreement is not None:
        values["neighbours"] = np.nan_to_num(1.0 - evidence.agreement, nan=0.0)
    if (evidence.duplicate >= 0).any():
        values["duplicate"] = (evidence.duplicate >= 0).astype(np.float32)
    if evidence.disagreement is not None:
        values["annotators"] = np.nan_to_num(evidence.disagreement, nan=0.0)
    return {entry.name: values[entry.name] for entry in WITNESSES if entry.name in values}


def combined(evidence: Evidence) -> Floats:
    """How far the label trails another class, as a mean of three groups of models: the run's own, which count most, and
    two that folds bring.

    ``(S · own + ½ · trained + ¼ · held_out) / (S + ¾)`` for a run of S seeds, where each part is the mean of
    ``½ (1 − p_y + max_{k≠y} p_k)`` over a group's models and checkpoints: the run's seeds at the ends of epochs (see
    `evidence.heard`), each of which counts half as much as the one before; the fold models that were trained on the
    example, likewise; those that it was held out of, from half of their training on, all alike. A group that was not
    asked about an example is left out of the mean.

    Means over checkpoints find wrong labels better than single ones, as AUM's do (Pleiss et al. 2020); the later ones
    have learned wrong labels by heart. With two classes a model's order is that of EL2N (Paul et al. 2021); with more,
    EL2N mixes in how many classes share the rest. Fold models learn fewer examples, and all of them together count less
    than a seed, so that they help where there are few seeds and do no harm where there are more. Measured in
    docs/finding-wrong-labels.md with `tests/benchmarks/ranking_rules.py`.

    Returns
    -------
    float32 array (N,)
        In [0, 1], high = suspicious.
    """
    rows = len(evidence.rows)
    return laid_aside(_combined(evidence, slice(start, start + PART)) for start in range(0, max(rows, 1), PART))


def _combined(evidence: Evidence, here: slice) -> Floats:
    own = evidence.seen.trailing[here]
    total, weights = evidence.seeds * own.astype(np.float64), np.full(len(own), float(evidence.seeds))
    for opinion, weight in ((evidence.folds_seen, TRAINED_WEIGHT), (evidence.unseen, HELD_OUT_WEIGHT)):
        if opinion is not None:
            trailing = opinion.trailing[here]
            asked = ~np.isnan(trailing)
            total[asked] += weight * trailing[asked]
            weights[asked] += weight
    return np.asarray(total / weights, dtype=np.float32)


def of_label(probabilities: Floats, labels: NDArray[np.int32]) -> Floats:
    """What is believed (N, K) of each given label, (N,)."""
    return np.take_along_axis(probabilities, labels[:, None], axis=1)[:, 0]


def confident_learning(probabilities: Floats, labels: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Examples that cleanlab's confident learning takes for mislabelled, by out-of-sample probabilities (N, K);
    examples with NaN are not asked about."""
    from cleanlab.filter import find_label_issues

    asked = ~np.isnan(probabilities).any(1)
    flags = np.zeros(len(labels), dtype=bool)
    present = np.unique(labels[asked])
    if len(present) > 1:  # cleanlab wants every class among the labels
        codes = np.searchsorted(present, labels[asked])
        known = probabilities[asked][:, present].astype(np.float64)
        known /= np.maximum(known.sum(1, keepdims=True), np.finfo(float).tiny)
        flags[asked] = find_label_issues(codes, known, filter_by="confident_learning", n_jobs=1)
    return flags
