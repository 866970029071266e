"""What charts show of one ranking, read from the statistics that were counted when it landed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from diet_explorer.errors import NotFoundError
from diet_explorer.scoring import catalogue
from diet_explorer.scoring.dynamics import TRAJECTORIES
from diet_explorer.scoring.statistics import BINS, QUANTILES, SHARES

AGREEMENT = ["first", "second", "spearman", *(f"top_{share:g}" for share in SHARES)]


@dataclass(frozen=True)
class ScoreStatistics:
    """One score of a ranking."""

    name: str
    edges: NDArray[np.float64]  # BINS + 1 of them, of equal bins over the range that the score takes in all splits
    # of bins that are equal on a logarithmic axis, for long-tailed scores; values below are in the first bin
    log_edges: NDArray[np.float64] | None
    easy_spread: float | None  # standard deviation of the score over the easier half of the training split
    easy_seed_spread: float | None  # there, root mean square of the score's standard deviation over the seeds
    _splits: Sequence[str]
    _classes: Sequence[str]
    _values: dict[str, Any]

    @property
    def counts(self) -> pd.DataFrame:
        """Examples per bin: ``split, label, bin, count``."""
        return self._counted(self._values["counts"])

    @property
    def log_counts(self) -> pd.DataFrame:
        """The same over `log_edges`; empty where there are none."""
        return self._counted(self._values["log"]["counts"] if self._values["log"] else [])

    @property
    def quantiles(self) -> pd.DataFrame:
        """``split, label, quantile, value``; a label of None stands for all classes together."""
        quantiles = self._values["quantiles"]
        groups: list[tuple[str, str | None, Any]] = []
        groups += [(split, None, values) for split, values in zip(self._splits, quantiles["split"], strict=True)]
        for split, of_classes in zip(self._splits, quantiles["class"], strict=True):
            groups += [(split, label, values) for label, values in zip(self._classes, of_classes, strict=False)]
        rows = [
            (split, label, share, value)
            for split, label, values in groups
            if values is not None
            for share, value in zip(QUANTILES, values, strict=True)
        ]
        return pd.DataFrame(rows, columns=["split", "label", "quantile", "value"])

    @property
    def top_balance(self) -> pd.DataFrame:
        """Classes of the worst examples: ``split, share, label, count``; `share` of the split's examples."""
        rows = [
            (split, share, label, count)
            for split, of_shares in zip(self._splits, self._values["worst"], strict=True)
            for share, counts in zip(SHARES, of_shares, strict=True)
            for label, count in zip(self._classes, counts, strict=False)
        ]
        return pd.DataFrame(rows, columns=["split", "share", "label", "count"])

    def _counted(self, nested: Sequence[Any]) -> pd.DataFrame:
        if not nested:
            return pd.DataFrame({"split": [], "label": [], "bin": [], "count": []})
        counts = np.asarray(nested, dtype=np.int64)
        classes = list(self._classes)[: counts.shape[1]]
        index = pd.MultiIndex.from_product([self._splits, classes, range(BINS)], names=["split", "label", "bin"])
        return pd.Series(counts.ravel(), index=index, name="count").reset_index()


@dataclass(frozen=True)
class CheckpointStatistics:
    """Statistics of one ranking."""

    checkpoint: float  # in epochs
    seed: int | None  # None for the mean
    seeds: list[int]  # that it is made of
    train_accuracy: float  # in [0, 1], mean over the seeds
    _classes: Sequence[str]
    _values: dict[str, Any]

    @classmethod
    def from_json(cls, values: dict[str, Any], classes: Sequence[str]) -> CheckpointStatistics:
        """From what `scoring.statistics` wrote and the dataset's classes."""
        own = {name: values[name] for name in ("checkpoint", "seed", "seeds", "train_accuracy")}
        return cls(**own, _classes=classes, _values=values)

    @property
    def scores(self) -> list[str]:
        """Scores that it has, in the catalogue's order."""
        return list(self._values["scores"])

    def score(self, name: str) -> ScoreStatistics:
        """Statistics of one score; NotFoundError where the ranking does not have it."""
        title = catalogue.score(name).title
        if name not in self._values["scores"]:
            raise NotFoundError(f"There is no {title} at this checkpoint.", f"There are: {', '.join(self.scores)}.")
        values = self._values["scores"][name]
        return ScoreStatistics(
            name=name,
            edges=_edges(values["edges"]),
            log_edges=10 ** _edges(values["log"]["edges"]) if values["log"] else None,
            easy_spread=values["easy_spread"],
            easy_seed_spread=values["easy_seed_spread"],
            _splits=self._values["splits"],
            _classes=self._classes,
            _values=values,
        )

    @cached_property
    def label_counts(self) -> pd.DataFrame:
        """Examples per class: ``split, label, count``."""
        rows = [
            (split, label, count)
            for split, counts in zip(self._values["splits"], self._values["labels"], strict=True)
            for label, count in zip(self._classes, counts, strict=False)
        ]
        return pd.DataFrame(rows, columns=["split", "label", "count"])

    def trajectories(self) -> pd.DataFrame:
        """Training examples by type of trajectory (best first) and given class: ``trajectory, label, count``."""
        counted = self._values["trajectories"] or []
        rows = [
            (kind, label, count)
            for kind, counts in zip(TRAJECTORIES, counted, strict=False)
            for label, count in zip(self._classes, counts, strict=False)
        ]
        return pd.DataFrame(rows, columns=["trajectory", "label", "count"])

    def between_scores(self) -> pd.DataFrame:
        """Agreement of every pair of scores over the training split: see `AGREEMENT`."""
        return _agreement(self._values["between_scores"])

    def between_checkpoints(self, name: str) -> pd.DataFrame:
        """Agreement of a score with itself at every earlier checkpoint (`first`)."""
        return _agreement(self._values["between_checkpoints"].get(name, []))

    def between_seeds(self, name: str) -> pd.DataFrame:
        """Agreement of a score of every pair of seeds; empty but for a mean over several."""
        return _agreement(self._values["between_seeds"].get(name, []))


def _edges(ends: Sequence[float]) -> NDArray[np.float64]:
    return np.linspace(ends[0], ends[1], BINS + 1)


def _agreement(rows: Sequence[Sequence[Any]]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=AGREEMENT)
    return frame.astype(dict.fromkeys(AGREEMENT[2:], float))
