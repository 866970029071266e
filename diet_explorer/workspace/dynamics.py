"""The scores of a run as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from diet_explorer.analysis.comparison import Comparison, ComparisonSummary
from diet_explorer.analysis.filters import ExampleFilter
from diet_explorer.analysis.stability import ScoreWarning, stability_of, warnings_of
from diet_explorer.analysis.statistics import CheckpointStatistics
from diet_explorer.config import own_path
from diet_explorer.errors import BadInputError, NotFoundError
from diet_explorer.scoring import catalogue
from diet_explorer.scoring.cartography import export_dynamics
from diet_explorer.scoring.statistics import read_statistics
from diet_explorer.workspace.core import RunCore

if TYPE_CHECKING:
    from diet_explorer.drawing.frame import Figure

_TRAIN = "train"


class Dynamics:
    """Scores of a run beyond single examples: statistics, stability, warnings, comparison with other runs."""

    def __init__(self, run: RunCore) -> None:
        self._run = run

    def statistics(self, checkpoint: float | None = None, seed: int | None = None) -> CheckpointStatistics:
        """What charts show of the ranking at a checkpoint, counted when it landed."""
        point = self._run.checkpoint_or_default(checkpoint, seed)
        self._run.ranking(point, seed)  # says what there is, where this is not
        statistics = read_statistics(self._run.store, self._run.record.dataset_id, seed, point)
        return CheckpointStatistics.from_json(statistics, self._run.dataset.classes)

    def agreement(
        self, checkpoint: float | None = None, *, seed: int | None = None, names: Sequence[str] | None = None
    ) -> pd.DataFrame:
        """How far the scores of a checkpoint, all or those of some names, agree over the training split.

        Returns
        -------
        pandas.DataFrame
            ``first, second`` (scores), ``spearman`` in [-1, 1] of their orders from the worst on (NaN where a score is
            constant), and ``top_0.01, top_0.05, top_0.1`` in [0, 1]: how much of the worst 1, 5, 10 % is the same.
        """
        found = self.statistics(checkpoint, seed).between_scores()
        if names is None:
            return found
        return found[found["first"].isin(names) & found["second"].isin(names)].reset_index(drop=True)

    def stability(self, score: str = catalogue.DEFAULT_SCORE, seed: int | None = None) -> pd.DataFrame:
        """How far a score ranks the training examples alike at different checkpoints; see `stability_of`."""
        catalogue.score(score)
        return stability_of([self.statistics(point, seed) for point in self._run.landed_checkpoints(seed)], score)

    def seed_stability(self, score: str = catalogue.DEFAULT_SCORE, checkpoint: float | None = None) -> pd.DataFrame:
        """The same between seeds at one checkpoint: `first` and `second` are seeds."""
        catalogue.score(score)
        return self.statistics(checkpoint).between_seeds(score)

    def warnings(
        self,
        checkpoint: float | None = None,
        seed: int | None = None,
        score: str = catalogue.DEFAULT_SCORE,
    ) -> list[ScoreWarning]:
        """Reasons to mistrust a score at a checkpoint: too early, collapsed, class-skewed, incomplete."""
        found = self.statistics(checkpoint, seed)
        later = [point for point in self._run.checkpoints(seed) if point > found.checkpoint]
        landed = self._run.landed()
        seeds = [points for number, points in landed.items() if seed in (None, number)]
        missing = [
            point
            for point in self._run.config.checkpoints
            if 0 < point <= found.checkpoint and not all(point in points for points in seeds)
        ]
        return warnings_of(found, self.statistics(later[0], seed) if later else None, score, missing)

    def trajectories(self, seed: int | None = None, checkpoint: float | None = None) -> pd.DataFrame:
        """Training examples by type of trajectory: ``trajectory`` (words, best first), ``label, count``.

        The checkpoint, up to which the training counts, is by default the last one that has landed.
        """
        return self.statistics(
            self._run.landed_checkpoints(seed)[-1] if checkpoint is None else checkpoint, seed
        ).trajectories()

    def data_map(
        self,
        where: ExampleFilter | None = None,
        checkpoint: float | None = None,
        *,
        seed: int | None = None,
        limit: int = 20_000,
    ) -> pd.DataFrame:
        """Examples on the data map of Swayamdipta et al. 2020, x is variability and y is confidence.

        Parameters
        ----------
        where : ExampleFilter, optional
            By default every example of the training split.
        checkpoint : float, optional
            Up to which the training counts; by default the last one that has landed.
        seed : int, optional
            One seed; by default the mean over seeds.
        limit : int
            Where there are more, a fixed sample of so many; see `Ranking.points`.

        Returns
        -------
        pandas.DataFrame
            ``row, x, y, id, label, predicted, disagree, correctness, trajectory``.
        """
        point = self._run.landed_checkpoints(seed)[-1] if checkpoint is None else checkpoint
        columns = ["id", "label", "predicted", "disagree", "correctness", "trajectory"]
        chosen = where or ExampleFilter()
        return self._run.ranking(point, seed).points("variability", "confidence", columns, chosen, limit)

    def plot_map(
        self,
        where: ExampleFilter | None = None,
        checkpoint: float | None = None,
        *,
        seed: int | None = None,
        colour: str = "correctness",
        limit: int = 20_000,
    ) -> Figure:
        """`data_map` as a figure: easy at the top left, ambiguous at the right, hard at the bottom left.

        Parameters
        ----------
        where, checkpoint, seed, limit
            As `data_map` takes them.
        colour : str
            ``label, trajectory, decided`` or a score.

        Returns
        -------
        plotly.graph_objects.Figure

        Raises
        ------
        BadInputError
            No example fits the filter.
        NotFoundError
            There is no such score or checkpoint.
        """
        from diet_explorer.drawing.maps import DATA_MAP, map_of  # loads plotly

        point = self._run.landed_checkpoints(seed)[-1] if checkpoint is None else checkpoint
        return map_of(
            self._run.ranking(point, seed),
            "variability",
            "confidence",
            DATA_MAP,
            colour,
            self._run.dataset.classes,
            where=where or ExampleFilter(),
            limit=limit,
            title=f"{self._run.name}, {catalogue.checkpoint_title(point)}",
        )

    def plot_score(
        self,
        score: str = catalogue.DEFAULT_SCORE,
        *,
        seed: int | None = None,
        split: str | None = None,
        by_class: bool = True,
        log: bool = False,
    ) -> Figure:
        """How a score is distributed at every checkpoint, one shape for each class, as a figure.

        Parameters
        ----------
        score : str
            Of the catalogue.
        seed : int, optional
            One seed; by default the mean over seeds.
        split : str, optional
            By default the training split.
        by_class : bool
            False draws all classes together.
        log : bool
            A logarithmic axis, where the score is long-tailed.

        Returns
        -------
        plotly.graph_objects.Figure

        Raises
        ------
        NotFoundError
            There is no such score or split, or no checkpoint that has it.
        """
        from diet_explorer.drawing.colours import ACCENT, class_colours
        from diet_explorer.drawing.distributions import violin_figure, violin_of
        from diet_explorer.drawing.frame import alone

        title = catalogue.score(score).title
        every = [self.statistics(point, seed) for point in self._run.landed_checkpoints(seed)]
        found = [entry for entry in every if score in entry.scores]
        if not found:
            raise NotFoundError(f"There is no {title} at any checkpoint.", f"There are: {', '.join(every[-1].scores)}.")
        splits = list(self._run.dataset.manifest.splits)
        chosen = split or (_TRAIN if _TRAIN in splits else splits[0])
        if chosen not in splits:
            raise NotFoundError(f"There is no split {chosen!r}.", f"There are: {', '.join(splits)}.")
        colours = class_colours(self._run.dataset.classes) if by_class else {None: ACCENT}
        log = log and catalogue.score(score).long_tailed
        drawn = [
            violin_of(entry, score, label, colour, chosen, log=log)
            for entry in found
            for label, colour in colours.items()
        ]
        figure = violin_figure(drawn, catalogue.score(score), log=log)
        return alone(figure, f"{title} of {self._run.name}, {chosen} split")

    def compare(
        self,
        other: RunCore,
        by: str = catalogue.DEFAULT_SCORE,
        checkpoint: float | None = None,
        other_checkpoint: float | None = None,
        *,
        seed: int | None = None,
        where: ExampleFilter | None = None,
        limit: int | None = 50,
        offset: int = 0,
    ) -> pd.DataFrame:
        """Examples that moved most between this ranking and another run's; see `Comparison.page` for the columns.

        Parameters
        ----------
        other : Run
            Another run of the same dataset, such as one of another model.
        by : str
            A score of the catalogue.
        checkpoint, other_checkpoint : float, optional
            In epochs; by default `default_checkpoint`, and the same in the other run.
        seed : int, optional
            One seed of both; by default the means over seeds.
        where : ExampleFilter, optional
            Asked of this run; by default every example of the training split.

        Raises
        ------
        BadInputError
            The other run is of another dataset.
        """
        return self._comparison(other, by, checkpoint, other_checkpoint, seed).page(
            where or ExampleFilter(), limit, offset
        )

    def compare_summary(
        self,
        other: RunCore,
        by: str = catalogue.DEFAULT_SCORE,
        checkpoint: float | None = None,
        other_checkpoint: float | None = None,
        *,
        seed: int | None = None,
    ) -> ComparisonSummary:
        """How far this ranking and another run's agree over the training split; parameters as in `compare`."""
        return self._comparison(other, by, checkpoint, other_checkpoint, seed).summary()

    def export_cartography(self, folder: str | Path, seed: int | None = None) -> list[Path]:
        """Write the training dynamics of one seed as Dataset Cartography keeps them: JSON Lines, a file per epoch.

        Parameters
        ----------
        folder : str or Path
            Gets ``dynamics_epoch_0.jsonl`` and so on, of the end of each epoch.
        seed : int, optional
            By default the first.

        Raises
        ------
        PermissionDeniedError
            Only a lead may.
        """
        self._run.context.allow("lead", "export training dynamics")
        target = self._run.context.reach.check(own_path(folder))
        landed = self._run.store.landed()
        chosen = min(landed, default=0) if seed is None else seed
        if chosen not in landed:
            known = ", ".join(map(str, landed)) or "none yet"
            raise NotFoundError(f"The run {self._run.id} has no scores of seed {chosen}.", f"Recorded seeds: {known}.")
        manifest, queries = self._run.dataset.manifest, self._run.context.queries
        return export_dynamics(queries, self._run.store, manifest, chosen, target)

    def _comparison(
        self,
        other: RunCore,
        by: str,
        checkpoint: float | None,
        other_checkpoint: float | None,
        seed: int | None,
    ) -> Comparison:
        if other.record.dataset_id != self._run.record.dataset_id:
            raise BadInputError(
                f"The runs {self._run.id} and {other.id} are of different datasets.",
                f"Choose a run of {self._run.record.dataset_id}.",
            )
        point = self._run.checkpoint_or_default(checkpoint, seed)
        there = point if other_checkpoint is None else other.checkpoint_or_default(other_checkpoint, seed)
        return Comparison(self._run.ranking(point, seed), other.ranking(there, seed), by)
