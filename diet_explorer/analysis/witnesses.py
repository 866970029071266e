"""Witnesses against a label: what each one measures, and how they are combined."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from diet_explorer.analysis.evidence import Evidence, Floats
from diet_explorer.errors import NotFoundError

COMBINED = "combined"
_SCORE = "Score the dataset with gradient norms over all parameters."
_FOLDS = "Start the k-fold training on the Audit page, or with `diet-explorer folds`."
_MAP = "Draw the run's embedding map, which finds the nearest examples."


@dataclass(frozen=True)
class Witness:
    """One kind of evidence that a label is wrong.

    Attributes
    ----------
    name : str
        The choice on the command line and in links.
    title, explanation : str
        What people read.
    flag : bool
        Whether it says yes or no rather than how much.
    remedy : str
        How to get it where it is missing.
    available : bool
        Whether it has something to go by in a run.
    """

    name: str
    title: str
    explanation: str
    flag: bool = False
    remedy: str = "Wait until a checkpoint after the start has landed."
    available: bool = True


WITNESSES: tuple[Witness, ...] = (
    Witness(
        COMBINED,
        "All models together",
        "Mean EL2N of every model that was asked: each seed at each checkpoint from the end of epoch 1 on, and, where "
        "there are folds, with the same weight the models that were not trained on the example.",
    ),
    Witness("el2n", "EL2N", "Mean over the seeds at the chosen checkpoint: how far the models are from the label."),
    Witness(
        "grand",
        "GraNd",
        "Mean over the seeds at the chosen checkpoint: how strongly the example would move the model.",
        remedy=_SCORE,
    ),
    Witness("aum", "AUM", "By how much the given label led or trailed over the training; trailing is suspicious."),
    Witness("never_learned", "Never learned", "Share of the seeds that never predicted the given label.", flag=True),
    Witness(
        "oos",
        "Out of sample",
        "How little models that were not trained on the example believe the given label.",
        remedy=_FOLDS,
    ),
    Witness(
        "confident",
        "Confident learning",
        "Whether those models are surer of another label than they usually are of that label (cleanlab, Northcutt et "
        "al. 2021).",
        flag=True,
        remedy=_FOLDS,
    ),
    Witness(
        "neighbours",
        "Neighbours",
        "Share of the nearest examples that have another label.",
        remedy=_MAP,
    ),
    Witness(
        "duplicate",
        "Duplicate",
        "Whether a near-duplicate has another label: one of the two is wrong.",
        flag=True,
        remedy="The dataset has no near-duplicates with different labels.",
    ),
)
_BY_NAME = {witness.name: witness for witness in WITNESSES}


def witness(name: str) -> Witness:
    """The witness of a name.

    Raises
    ------
    NotFoundError
        There is none.
    """
    if name not in _BY_NAME:
        raise NotFoundError(f"There is no witness {name!r}.", f"Choose one of: {', '.join(_BY_NAME)}.")
    return _BY_NAME[name]


def suspicions(evidence: Evidence) -> dict[str, Floats]:
    """How suspicious each example is to each witness that there is.

    Returns
    -------
    dict of str to float32 array (N,)
        By name of `WITNESSES`, high = suspicious; what a witness knows nothing about has its least value.
    """
    found: dict[str, Floats] = {
        COMBINED: combined(evidence),
        "el2n": evidence.el2n,
        "aum": -evidence.aum,
        "never_learned": evidence.never_learned,
    }
    if evidence.grand is not None:
        found["grand"] = evidence.grand
    if evidence.unseen is not None:
        own = np.arange(len(evidence.rows))
        belief = evidence.unseen.probabilities[own, evidence.labels]
        found["oos"] = np.nan_to_num(1.0 - belief, nan=0.0)
        found["confident"] = confident_learning(evidence.unseen.probabilities, evidence.labels).astype(np.float32)
    if evidence.agreement is not None:
        found["neighbours"] = np.nan_to_num(1.0 - evidence.agreement, nan=0.0)
    if (evidence.duplicate >= 0).any():
        found["duplicate"] = (evidence.duplicate >= 0).astype(np.float32)
    return {entry.name: found[entry.name] for entry in WITNESSES if entry.name in found}


def combined(evidence: Evidence) -> Floats:
    """Mean EL2N over the models that have seen an example and, with the same weight, over those that have not.

    Returns
    -------
    float32 array (N,)
        In [0, √2), high = suspicious.
    """
    if evidence.unseen is None:
        return evidence.seen.el2n
    unseen = np.where(np.isnan(evidence.unseen.el2n), evidence.seen.el2n, evidence.unseen.el2n)
    return np.asarray((evidence.seen.el2n + unseen) / 2, dtype=np.float32)


def confident_learning(probabilities: Floats, labels: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Examples that cleanlab's confident learning takes for mislabelled.

    Parameters
    ----------
    probabilities : float array (N, K)
        Out of sample; examples with NaN are not asked about.
    labels : int array (N,)
    """
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
