"""What the parts of a run have in common: its record, its settings, its dataset, its rankings."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from diet_explorer.analysis.filters import ExampleFilter
from diet_explorer.analysis.ranking import Ranking
from diet_explorer.analysis.suspects.witnesses import COMBINED
from diet_explorer.errors import NotFoundError
from diet_explorer.scoring import catalogue
from diet_explorer.scoring.rankings import rank_again
from diet_explorer.store.runs import ACTIVE, Origin, RunRecord
from diet_explorer.store.scores import ScoreFiles
from diet_explorer.training.config import RunConfig

if TYPE_CHECKING:
    from diet_explorer.workspace.dataset import Dataset
    from diet_explorer.workspace.run import Run
    from diet_explorer.workspace.workspace import Workspace


class RunBase(ABC):
    """A run as it is recorded, with its rankings: what the parts of `Run`, such as `AuditedRun`, build on."""

    def __init__(self, workspace: Workspace, run_id: str, record: RunRecord | None = None) -> None:
        self._workspace = workspace
        self.id = run_id
        self.record = record or workspace.records.get(run_id)
        self.store = ScoreFiles(workspace.files, run_id)

    @property
    def name(self) -> str:
        """What people call it."""
        return self.record.name

    @cached_property
    def config(self) -> RunConfig:
        """Its settings."""
        return RunConfig.from_json(self.record.config)

    @cached_property
    def dataset(self) -> Dataset:
        """The set it was trained on."""
        return self._workspace.dataset(self.record.dataset_id)

    @abstractmethod
    def children(self, origin: Origin | None = None) -> list[Run]:
        """Further trainings for this run (folds, noise checks, proofs), newest first."""

    @abstractmethod
    def suspect_order(
        self, by: str = COMBINED, checkpoint: float | None = None, where: ExampleFilter | None = None
    ) -> NDArray[np.int32]:
        """Rows of the training examples, all or those that a filter keeps, the most suspicious first."""

    @abstractmethod
    def suggestions(self, where: ExampleFilter | None = None, checkpoint: float | None = None) -> pd.Series:
        """Classes that the models believe in more than in the given ones, by row, ascending."""

    def checkpoints(self, seed: int | None = None) -> list[float]:
        """Checkpoints that can be ranked, of one seed or of the mean over seeds.

        A run that has ended with scores but without rankings, as earlier versions wrote none of this form, is ranked
        now.
        """
        points = self.store.ranked_checkpoints(seed)
        usable = bool(points) and self.store.is_of_this_form(seed, points[0])
        if not usable and self.record.status not in ACTIVE and seed in (None, *self.store.landed()):
            rank_again(self.store)
            points = self.store.ranked_checkpoints(seed)
        return points

    def default_checkpoint(self, seed: int | None = None) -> float:
        """The end of epoch 1 if it has landed, else the latest checkpoint before it, else the first after it.

        Raises
        ------
        NotFoundError
            Nothing has landed yet.
        """
        points = self._some_checkpoints(seed)
        early = [point for point in points if point <= catalogue.DEFAULT_CHECKPOINT]
        return early[-1] if early else points[0]

    def ranking(self, checkpoint: float | None = None, seed: int | None = None) -> Ranking:
        """The ranking at a checkpoint, of one seed or of the mean over seeds."""
        point = self.default_checkpoint(seed) if checkpoint is None else float(checkpoint)
        return Ranking(
            self._workspace.queries,
            self.store,
            self.dataset.manifest,
            point,
            seed,
            search=self.dataset.search,
            decisions=self.dataset.ledger.table,
        )

    def _some_checkpoints(self, seed: int | None) -> list[float]:
        points = self.checkpoints(seed)
        if not points:
            raise NotFoundError(f"The run {self.id} has no scores yet.", "Wait until its first checkpoint has landed.")
        return points
