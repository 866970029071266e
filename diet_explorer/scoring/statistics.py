"""Statistics of a ranking, counted once when its checkpoint lands, so that no page aggregates rows.

Histograms and quantiles per split and class, class balance of the highest-ranked examples, and agreement (Spearman,
overlap of the highest-ranked) with earlier checkpoints, between scores and between seeds. One small JSON document per
ranking.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diet_explorer.data.example_order import ExampleOrder, read_example_order
from diet_explorer.data.splits import TRAIN
from diet_explorer.scoring import catalogue
from diet_explorer.scoring.dynamics import TRAJECTORIES
from diet_explorer.scoring.rank_order import RankOrder, class_count
from diet_explorer.store.aside import laid_aside
from diet_explorer.store.ranking_files import RankingFile
from diet_explorer.store.scores import PART, ScoreFiles

BINS = 60
QUANTILES = (0.01, 0.05, 0.10, 0.25, 0.50, 0.75, 0.90, 0.95, 0.99)
SHARES = (0.01, 0.05, 0.10)
LOG_DECADES = 6  # a logarithmic histogram reaches this many powers of ten below the greatest value
_BLOCK = 8_192  # short enough that no library shares a sum of products among threads, which would wait for one another
Floats = NDArray[np.float64]


def write_statistics(store: ScoreFiles, order: ExampleOrder, seed: int | None, checkpoint: float) -> dict[str, Any]:
    """Count the statistics of a ranking that has landed (of the mean over seeds for None), write and return them."""

    def columns(number: int | None, point: float) -> RankingColumns:
        return RankingColumns(lambda: store.read_ranking(number, point), order)

    own = columns(seed, checkpoint)
    siblings = {seed: own}
    if seed is None:
        siblings = {number: columns(number, checkpoint) for number in store.ranked_seeds(checkpoint)}
    earlier = {point: columns(seed, point) for point in store.ranked_checkpoints(seed) if point < checkpoint}
    statistics = statistics_of(own, seed, checkpoint, siblings, earlier)
    path = store.paths.statistics(seed, checkpoint)
    store.files.write_bytes(path, json.dumps(statistics, separators=(",", ":")).encode())
    return statistics


def read_statistics(store: ScoreFiles, dataset_id: str, seed: int | None, checkpoint: float) -> dict[str, Any]:
    """The statistics of a ranking, counted now where they are missing; NotFoundError where there is no ranking."""
    statistics: dict[str, Any] | None = store.files.find_json(store.paths.statistics(seed, checkpoint))
    if statistics is not None:
        return statistics
    order = read_example_order(store.files, dataset_id)
    return write_statistics(store, order, seed, checkpoint)


def statistics_of(
    ranking: RankingColumns,
    seed: int | None,
    checkpoint: float,
    siblings: Mapping[int | None, RankingColumns],
    earlier: Mapping[float, RankingColumns],
) -> dict[str, Any]:
    """Statistics of one ranking, as plain values for JSON.

    `siblings` are the rankings of the seeds that it is made of, `earlier` those at earlier checkpoints, ascending.
    Arrays are nested by split, then class, then bin. Entries of agreement are ``[first, second, spearman, overlap of
    the highest-ranked 1 %, 5 %, 10 %]`` over the training split; Spearman's coefficient is null where a score is
    constant.
    """
    orders: dict[str, TrainOrder] = {}
    scores: dict[str, Any] = {}
    between_checkpoints: dict[str, Any] = {}
    between_seeds: dict[str, Any] = {}
    for name in ranking.scores:
        ranks = ranking.ranks(name)
        scores[name] = _score_statistics(ranking, name, ranks)
        own = orders[name] = TrainOrder.of(ranking.column(name)[ranking.train], ranks[ranking.train]).laid_aside()
        del ranks
        between_checkpoints[name] = [
            [point, checkpoint, *agreement(other.train_order(name), own)]
            for point, other in earlier.items()
            if name in other.scores
        ]
        if seed is None:
            each = [(number, sibling.train_order(name)) for number, sibling in siblings.items()]
            between_seeds[name] = [
                [a, b, *agreement(first, second)] for (a, first), (b, second) in combinations(each, 2)
            ]
    return {
        "checkpoint": checkpoint,
        "seed": seed,
        "seeds": list(siblings),
        "splits": list(ranking.order.split_names),
        "labels": ranking.counts(np.zeros(len(ranking.order), dtype=np.uint8), 1)[:, :, 0].tolist(),
        "train_accuracy": float(np.mean([sibling.train_accuracy() for sibling in siblings.values()])),
        "trajectories": _trajectories(ranking),
        "scores": scores,
        "between_scores": [[a, b, *agreement(orders[a], orders[b])] for a, b in combinations(orders, 2)],
        "between_checkpoints": between_checkpoints,
        "between_seeds": between_seeds,
    }


@dataclass(frozen=True)
class TrainOrder:
    """How a score orders the N examples of the training split; 1 is the most suspicious."""

    averages: NDArray[np.float32]  # ranks, where ties share their mean
    highest: NDArray[np.uint8]  # a bit for each of `SHARES`: whether the example is among so many; ties go by id

    def centred(self) -> Iterator[Floats]:
        """The averages minus their mean, in blocks: a float64 copy of ten million of them would be much."""
        middle = (len(self.averages) + 1) / 2
        for start in range(0, len(self.averages), _BLOCK):
            yield self.averages[start : start + _BLOCK].astype(np.float64) - middle

    @cached_property
    def square(self) -> float:
        """The sum of their squares."""
        return sum(float(part @ part) for part in self.centred())

    def laid_aside(self) -> TrainOrder:
        """The same, which takes no memory until it is asked."""
        return TrainOrder(laid_aside([self.averages]), laid_aside([self.highest]))

    @classmethod
    def of(cls, values: NDArray[np.floating], ranks: NDArray[np.int32]) -> TrainOrder:
        """From a score and its ranks without ties; takes no sorting."""
        rows = np.empty(len(ranks), dtype=np.int32)
        rows[ranks - 1] = np.arange(len(ranks), dtype=np.int32)
        ordered = values[rows]
        starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]]) if len(ordered) else np.empty(0, np.int64)
        ends = np.r_[starts[1:], len(ordered)]
        averages = np.empty(len(ranks), dtype=np.float32)
        averages[rows] = np.repeat(((starts + 1 + ends) / 2).astype(np.float32), ends - starts)
        highest = np.zeros(len(ranks), dtype=np.uint8)
        for bit, share in enumerate(SHARES):
            highest[rows[: worst_size(share, len(rows))]] |= np.uint8(1 << bit)
        return cls(averages, highest)


def agreement(first: TrainOrder, second: TrainOrder) -> list[float | None]:
    """Spearman's coefficient (None where a score is constant), then the share in common of the first `SHARES`."""
    rows = len(first.averages)
    if rows == 0:
        return [None] * (1 + len(SHARES))
    both = sum(float(a @ b) for a, b in zip(first.centred(), second.centred(), strict=True))
    scale = float(np.sqrt(first.square * second.square))
    common = np.bincount(first.highest & second.highest, minlength=2 ** len(SHARES))
    has_bit = np.arange(len(common))[:, None] >> np.arange(len(SHARES)) & 1
    counts = common @ has_bit
    overlaps = [int(count) / worst_size(share, rows) for count, share in zip(counts, SHARES, strict=True)]
    return [both / scale if scale else None, *overlaps]


def worst_size(share: float, rows: int) -> int:
    """How many examples the highest-ranked `share` of some rows are; at least one."""
    return max(1, round(share * rows))


class RankingColumns:
    """Columns of one ranking of N examples, and the order of these.

    The ranking is opened anew by whatever is asked: what was read of it before is then not held in memory.
    """

    def __init__(self, ranking: Callable[[], RankingFile], order: ExampleOrder) -> None:
        self._ranking = ranking
        first = ranking()
        self.scores = first.scores
        self.order = order if len(first) == len(order) else order.part(first.rows)
        self.names = first.names

    def column(self, name: str) -> NDArray[Any]:
        """One column as an array (N,)."""
        return self._ranking().column(name)

    def ranks(self, name: str) -> NDArray[np.int32]:
        """Ranks by a score, from 1 on within each split."""
        return RankOrder.of(self._ranking(), name, self.order).ranks()

    def deviations(self, name: str) -> NDArray[np.float32]:
        """Standard deviation of a score over the seeds."""
        ranking, parts = self._ranking(), []
        for start in range(0, len(ranking), PART):
            parts.append(ranking.deviations(name, slice(start, start + PART)))
        return np.concatenate(parts) if parts else np.empty(0, dtype=np.float32)

    @property
    def labels(self) -> NDArray[np.integer]:
        """Code of each example's given class."""
        return self.column("label")

    @cached_property
    def train(self) -> NDArray[np.bool_]:
        """Which examples are in the training split."""
        return self.order.in_split(TRAIN)

    @cached_property
    def class_count(self) -> int:
        """Number of classes."""
        return class_count(self.labels)

    def counts(self, bins: NDArray[np.integer], number: int) -> NDArray[np.int64]:
        """How many examples are in each bin, by split and class: shape (splits, classes, number)."""
        shape, labels = (len(self.order.split_names), self.class_count, number), self.labels
        counts = np.zeros(int(np.prod(shape)), dtype=np.int64)
        for start in range(0, len(bins), PART):
            here = slice(start, start + PART)
            flat = (self.order.splits[here].astype(np.int64) * shape[1] + labels[here]) * number + bins[here]
            counts += np.bincount(flat, minlength=len(counts))
        return counts.reshape(shape)

    def train_order(self, name: str) -> TrainOrder:
        """How a score orders the training split."""
        return TrainOrder.of(self.column(name)[self.train], self.ranks(name)[self.train])

    def train_accuracy(self) -> float:
        """Share of the training split that is predicted as labelled; 0 where it is empty."""
        right = ~self.column("disagree")[self.train]
        return float(right.mean()) if len(right) else 0.0


def _trajectories(ranking: RankingColumns) -> list[list[int]] | None:
    """Training examples by type of trajectory and class."""
    if "trajectory" not in ranking.names:
        return None
    kinds, classes = len(TRAJECTORIES), ranking.class_count
    flat = ranking.column("trajectory")[ranking.train].astype(np.int64) * classes + ranking.labels[ranking.train]
    counted: list[list[int]] = np.bincount(flat, minlength=kinds * classes).reshape(kinds, classes).tolist()
    return counted


def _score_statistics(ranking: RankingColumns, name: str, ranks: NDArray[np.int32]) -> dict[str, Any]:
    values = ranking.column(name).astype(np.float32, copy=False)
    low, high = float(values.min()), float(values.max())
    statistics: dict[str, Any] = {
        "edges": [low, high],
        "counts": ranking.counts(_bins(values, low, high), BINS).tolist(),
        "log": None,
        "quantiles": _quantiles(ranking, name, values, ranks),
        "worst": _worst_balance(ranking, ranks),
    }
    if catalogue.score(name).long_tailed and high > 0:
        smallest = max(float(values[values > 0].min()), high / 10**LOG_DECADES)
        ends = (math.log10(min(smallest, high / 10)), math.log10(high))
        bins = _bins(values, *ends, lambda part: np.log10(np.maximum(part, 10 ** ends[0])))
        statistics["log"] = {"edges": ends, "counts": ranking.counts(bins, BINS).tolist()}
    easy = ranking.train & (ranks > np.count_nonzero(ranking.train) / 2)
    statistics["easy_spread"] = float(values[easy].astype(np.float64).std()) if easy.any() else None
    deviations = ranking.deviations(name)[easy].astype(np.float64)
    statistics["easy_seed_spread"] = float(np.sqrt(np.square(deviations).mean())) if easy.any() else None
    return statistics


def _bins(
    values: NDArray[np.float32], low: float, high: float, turned: Callable[[Floats], Floats] = lambda part: part
) -> NDArray[np.uint8]:
    """Of `BINS`, the one in which each value lies, or what it is turned into; a float64 copy of all would be much."""
    width, bins = (high - low) / BINS or 1.0, np.empty(len(values), dtype=np.uint8)
    for start in range(0, len(values), PART):
        part = turned(values[start : start + PART].astype(np.float64))
        bins[start : start + PART] = np.clip((part - low) / width, 0, BINS - 1)
    return bins


def _quantiles(
    ranking: RankingColumns, name: str, values: NDArray[np.float32], ranks: NDArray[np.int32]
) -> dict[str, Any]:
    """`QUANTILES` of each split, and of each class within it; null where there is no example."""
    whole, per_class = [], []
    for rows in ranking.order.by_split:
        ordered = np.empty(len(rows), dtype=np.int32)
        ordered[ranks[rows] - 1] = rows  # sorted already, highest-ranked first
        if catalogue.score(name).worst == "high":
            ordered = ordered[::-1]
        whole.append(_of_sorted(values[ordered]))
        labels = ranking.labels[ordered]
        by_class = np.argsort(labels.astype(np.int16 if ranking.class_count < 2**15 else np.int32), kind="stable")
        ends = np.r_[0, np.cumsum(np.bincount(labels, minlength=ranking.class_count))]
        grouped = values[ordered[by_class]]
        per_class.append([_of_sorted(grouped[a:b]) for a, b in pairwise(ends)])
    return {"split": whole, "class": per_class}


def _of_sorted(values: NDArray[np.float32]) -> list[float] | None:
    if not len(values):
        return None
    positions = np.array(QUANTILES) * (len(values) - 1)
    below, above = np.floor(positions).astype(np.int64), np.ceil(positions).astype(np.int64)
    lower, upper = (values[chosen].astype(np.float64) for chosen in (below, above))
    quantiles = lower + (upper - lower) * (positions - below)
    return [float(f"{value:.7g}") for value in quantiles]


def _worst_balance(ranking: RankingColumns, ranks: NDArray[np.int32]) -> list[list[list[int]]]:
    """Examples per class among the highest-ranked `SHARES` of each split: nested by split, share, class."""
    balance = []
    for rows in ranking.order.by_split:
        worst = [rows[ranks[rows] <= worst_size(share, len(rows))] for share in SHARES]
        balance.append([np.bincount(ranking.labels[part], minlength=ranking.class_count).tolist() for part in worst])
    return balance
