"""How a proof splits a dataset: what its trainings may learn, and what their results are taken over."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from diet_explorer.data.splits import TEST, VALIDATION
from diet_explorer.pruning.material import Population
from diet_explorer.pruning.selection import drawing_order
from diet_explorer.training.folds import assign_folds

HELD_OUT = "held out"


@dataclass(frozen=True)
class ProofSplit:
    """The rows of a dataset that a proof trains on and is evaluated on.

    Attributes
    ----------
    population : Population
    train : int64 array
        Training rows of full data, ascending.
    evaluated : int64 array
        Rows that results are taken over, ascending.
    evaluated_on : str
        The split that these are, or `HELD_OUT`.
    """

    population: Population
    train: NDArray[np.int64]
    evaluated: NDArray[np.int64]
    evaluated_on: str

    def drawn(self, size: int, seed: int) -> NDArray[np.int64]:
        """So many of the training rows at random, ascending; each set within the larger ones of the seed."""
        order = np.argsort(drawing_order(self.population.order.tie[self.train], seed), kind="stable")
        return np.sort(self.train[order[:size]])


def proof_split(population: Population, held_out: NDArray[np.int64] | None) -> ProofSplit | None:
    """What a proof trains on and is evaluated on; None where there is nothing to evaluate on.

    Parameters
    ----------
    population : Population
    held_out : int64 array or None
        Training rows that the run neither learned nor scored: results are taken over them. Without such, they are taken
        over the test split, else over the validation split.
    """
    train = np.flatnonzero(population.train)
    if held_out is not None:
        return ProofSplit(population, np.setdiff1d(train, held_out, assume_unique=True), held_out, HELD_OUT)
    for name in (TEST, VALIDATION):
        if name in population.order.split_names:
            return ProofSplit(population, train, np.flatnonzero(population.order.in_split(name)), name)
    return None


def held_out_rows(population: Population, share: float, seed: int) -> NDArray[np.int64]:
    """A part of the training split, drawn class by class, near-duplicates together; ascending.

    Parameters
    ----------
    population : Population
    share : float
        Per cent of the training split, rounded so that 100 / share is a whole number.
    seed : int
        Of the draw.
    """
    train = np.flatnonzero(population.train)
    folds = assign_folds(population.labels[train], population.groups[train], round(100 / share), seed)
    return np.asarray(train[folds == 0])
