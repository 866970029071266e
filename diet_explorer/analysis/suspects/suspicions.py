"""How suspicious each example is to each witness, and to all of them together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from diet_explorer.analysis.suspects.evidence import Evidence, Floats
from diet_explorer.analysis.suspects.witnesses import COMBINED, WITNESSES


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
        own = np.arange(len(evidence.rows))
        belief = evidence.unseen.probabilities[own, evidence.labels]
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
    """Mean EL2N over the run's models and, where there are folds, those that never saw the example.

    ``(Σ_seeds Σ_{t ≥ 1} ‖p − e_y‖ + Σ_folds without i Σ_{t ≥ T/2} ‖p − e_y‖) / votes``: each seed at each checkpoint
    from the end of epoch 1 on has one vote, and so has each fold's model at the checkpoints of the later half of its
    training about the examples that were held out of it.

    EL2N is Paul et al. 2021's; means over checkpoints are those of AUM (Pleiss et al. 2020). Fold models have no vote
    about what they were trained on: they learn that by heart sooner, from fewer examples. Counting those votes lowered
    the average precision where labels were as noisy as one annotator's, while those of held-out examples lowered it
    nowhere (docs/finding-wrong-labels.md, `tests/benchmarks/label_errors.py`). Standardising or ranking each model's
    scores, weights by agreement, means of logits or probabilities changed nothing beyond chance, or made it worse.

    Returns
    -------
    float32 array (N,)
        In [0, √2), high = suspicious.
    """
    if evidence.unseen is None:
        return evidence.seen.el2n
    seen, unseen = evidence.seen, evidence.unseen
    total = seen.el2n * seen.votes + np.nan_to_num(unseen.el2n, nan=0.0) * unseen.votes
    return np.asarray(total / (seen.votes + unseen.votes), dtype=np.float32)


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
