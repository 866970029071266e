"""The part of a run that is about its review: the queue of examples that people decide about."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from diet_explorer.analysis.filters import ExampleFilter
from diet_explorer.analysis.ranking import Ranking
from diet_explorer.analysis.witnesses import COMBINED, WITNESSES
from diet_explorer.review.annotators import Identity
from diet_explorer.review.queue import ReviewQueue

if TYPE_CHECKING:
    from diet_explorer.dataset import Dataset


class ReviewedRun(ABC):
    """What `Run` knows of the review of its examples."""

    id: str

    @property
    @abstractmethod
    def dataset(self) -> Dataset:
        """The set it was trained on."""

    @abstractmethod
    def ranking(self, checkpoint: float | None = None, seed: int | None = None) -> Ranking:
        """The ranking at a checkpoint, of one seed or of the mean over seeds."""

    @abstractmethod
    def suspect_order(
        self, by: str = COMBINED, checkpoint: float | None = None, where: ExampleFilter | None = None
    ) -> NDArray[np.int32]:
        """Rows of training examples, the most suspicious first."""

    def queue(
        self,
        annotator: Identity | str,
        by: str = COMBINED,
        *,
        where: ExampleFilter | None = None,
        checkpoint: float | None = None,
        seed: int | None = None,
    ) -> ReviewQueue:
        """What an annotator is to review, the most suspicious first.

        Parameters
        ----------
        annotator : Identity or str
        by : str
            A witness, or a score of the catalogue.
        where : ExampleFilter, optional
            By default every training example.
        checkpoint : float, optional
            In epochs; by default `default_checkpoint`.
        seed : int, optional
            For a score: of one seed; by default the mean over seeds, which witnesses always take.

        Raises
        ------
        PermissionDeniedError
            The annotator is a viewer.
        NotFoundError
            There is no such witness or score, or it has nothing to go by yet.
        """
        if seed is None and any(witness.name == by for witness in WITNESSES):
            order = self.suspect_order(by, checkpoint, where)
        else:
            order = self.ranking(checkpoint, seed).ordered(by, where or ExampleFilter())
        return self.dataset.queue(order, annotator, run_id=self.id)
