"""Rankings: scores of one seed, or their mean over seeds, with a rank per score computed once.

A page of 50 examples is then read by rank, not sorted out of all rows. A ranking holds the scores of its checkpoint and
those over the training so far.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from diet_explorer.scoring import catalogue
from diet_explorer.scoring.dynamics import NEVER_LEARNED, TrainingDynamics, most_common_trajectory
from diet_explorer.scoring.statistics import write_statistics
from diet_explorer.store.scores import FIGURES, ScoreFiles

CHUNK_ROWS = 65_536
Array = NDArray[np.float64]


class SplitRanks:
    """Ranks within splits; ties go by id, so a ranking is a pure function of its input.

    Parameters
    ----------
    splits : int array (N,)
        Code of each example's split.
    tie_order : int array (N,)
        Position of each example when sorted by id.
    """

    def __init__(self, splits: NDArray[np.integer], tie_order: NDArray[np.integer]) -> None:
        self._order = np.lexsort((tie_order, splits))
        ordered = splits[self._order]
        starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]]) if len(ordered) else np.empty(0, np.int64)
        self._parts = [slice(int(a), int(b)) for a, b in zip(starts, np.r_[starts[1:], len(ordered)], strict=True)]

    def of(self, values: NDArray[np.floating], worst: str) -> NDArray[np.int32]:
        """Rank of each example by one score, 1 and up within each split.

        Parameters
        ----------
        values : array (N,)
        worst : {"high", "low"}
            Which end gets rank 1.
        """
        ranks = np.empty(len(values), dtype=np.int32)
        for part in self._parts:
            rows = self._order[part]
            keys = -values[rows] if worst == "high" else values[rows]
            ranks[rows[np.argsort(keys, kind="stable")]] = np.arange(1, len(rows) + 1, dtype=np.int32)
        return ranks


def rank_checkpoint(store: ScoreFiles, seed: int, checkpoint: float) -> None:
    """Write ranking and statistics of a seed's checkpoint that just landed, and of the mean over all seeds there."""
    rank_seed(store, seed, checkpoint)
    rank_mean(store, checkpoint)


def rank_seed(store: ScoreFiles, seed: int, checkpoint: float) -> None:
    """Write ranking and statistics of one seed's checkpoint; its earlier ones must have landed."""
    store.write_ranking(seed, checkpoint, seed_ranking(store, seed, checkpoint))
    write_statistics(store, seed, checkpoint)


def rank_mean(store: ScoreFiles, checkpoint: float) -> None:
    """Write ranking and statistics of the mean over the seeds that are ranked at a checkpoint."""
    store.write_ranking(None, checkpoint, mean_ranking(store, store.ranked_seeds(checkpoint), checkpoint))
    write_statistics(store, None, checkpoint)


def rank_again(store: ScoreFiles) -> None:
    """Rank all that has landed anew, as for a run whose rankings are missing or of an earlier form."""
    landed = store.landed()
    for seed, points in landed.items():
        for point in points:
            rank_seed(store, seed, point)
    for point in sorted({point for points in landed.values() for point in points}):
        rank_mean(store, point)


def seed_ranking(store: ScoreFiles, seed: int, checkpoint: float) -> pa.RecordBatch:
    """Scores and ranks of one seed at one checkpoint.

    Returns
    -------
    pyarrow.RecordBatch
        ``row, split, label, predicted, disagree``; once training has begun ``trajectory`` (code of
        `dynamics.TRAJECTORIES`) and ``never_learned``; then ``<score>`` and ``rank_<score>`` for each score of the
        checkpoint and of the training up to it; and ``figures``, see `figures_of`.
    """
    reader = _reader(store, store.scores_path(seed, checkpoint))
    recorded = [name for name in catalogue.RECORDED_NAMES if name in reader.schema_arrow.names]
    fixed = reader.read(columns=["row", "id", "split", "label", "predicted"])
    points = [point for point in store.landed()[seed] if 0 < point <= checkpoint]
    values: dict[str, NDArray[np.generic]] = {"predicted": fixed["predicted"].to_numpy()}
    values |= {name: _column(reader, name) for name in recorded}
    if points:
        dynamics = _dynamics(store, seed, points, len(fixed))
        values |= dynamics.scores()
        values["trajectory"] = dynamics.trajectory()
        values["never_learned"] = values["trajectory"] == NEVER_LEARNED
    return _with_ranks(fixed, values, {})


def mean_ranking(store: ScoreFiles, seeds: Sequence[int], checkpoint: float) -> pa.RecordBatch:
    """Means, population standard deviations and ranks over `seeds` at one checkpoint, from their own rankings.

    Returns
    -------
    pyarrow.RecordBatch
        As `seed_ranking`'s: `predicted` is the class of the highest mean probability, ``trajectory`` the type that most
        seeds have, ``never_learned`` whether at least half of the seeds never learned it.
    """
    rankings = [store.read_ranking(seed, checkpoint) for seed in seeds]
    present = set.intersection(*(set(ranking.schema.names) for ranking in rankings))
    fixed = _reader(store, store.scores_path(seeds[0], checkpoint)).read(columns=["row", "id", "split", "label"])
    values: dict[str, NDArray[np.generic]] = {"predicted": _mean_prediction(store, seeds, checkpoint)}
    if "trajectory" in present:
        values["trajectory"] = most_common_trajectory([ranking["trajectory"].to_numpy() for ranking in rankings])
        never = np.mean([ranking["never_learned"].to_numpy(zero_copy_only=False) for ranking in rankings], axis=0)
        values["never_learned"] = never >= 0.5
    deviations: dict[str, NDArray[np.floating]] = {}
    for name in (name for name in catalogue.SCORE_NAMES if name in present):
        stacked = np.stack([ranking[name].to_numpy() for ranking in rankings])
        values[name] = stacked.mean(0, dtype=np.float64)
        deviations[name] = stacked.std(0, dtype=np.float64)
    return _with_ranks(fixed, values, deviations)


def _dynamics(store: ScoreFiles, seed: int, points: Sequence[float], rows: int) -> TrainingDynamics:
    dynamics = TrainingDynamics(rows)
    for point in points:
        reader = _reader(store, store.scores_path(seed, point))
        dynamics.add(
            point,
            _column(reader, "p_label"),
            _column(reader, "margin"),
            _column(reader, "predicted") == _column(reader, "label"),
            _column(reader, "grand_head") if "grand_head" in reader.schema_arrow.names else None,
            store.learning_rate(seed, point),
        )
    return dynamics


def _reader(store: ScoreFiles, path: str) -> pq.ParquetFile:
    return pq.ParquetFile(store.files.open_read(path))


def _column(reader: pq.ParquetFile, name: str) -> NDArray[Any]:
    values: NDArray[Any] = reader.read(columns=[name])[name].to_numpy()
    return values


def _mean_prediction(store: ScoreFiles, seeds: Sequence[int], checkpoint: float) -> NDArray[np.int32]:
    readers = [_reader(store, store.scores_path(seed, checkpoint)) for seed in seeds]
    streams = [reader.iter_batches(batch_size=CHUNK_ROWS, columns=["logits"]) for reader in readers]
    parts = []
    for batches in zip(*streams, strict=True):
        total: Array | float = 0.0
        for batch in batches:
            flat = batch.column("logits").flatten().to_numpy(zero_copy_only=False)
            logits = flat.reshape(len(batch), -1).astype(np.float64)
            exponents = np.exp(logits - logits.max(1, keepdims=True))
            total = total + exponents / exponents.sum(1, keepdims=True)
        parts.append(np.asarray(total).argmax(1).astype(np.int32))
    return np.concatenate(parts)


def _with_ranks(
    fixed: pa.Table, values: Mapping[str, NDArray[np.generic]], deviations: Mapping[str, NDArray[np.floating]]
) -> pa.RecordBatch:
    splits = pc.dictionary_encode(fixed["split"]).combine_chunks()
    tie_order = np.empty(len(fixed), dtype=np.int64)
    tie_order[pc.sort_indices(fixed["id"]).to_numpy()] = np.arange(len(fixed))
    ranks = SplitRanks(splits.indices.to_numpy(), tie_order)
    label = fixed["label"].to_numpy()
    columns: dict[str, object] = {
        "row": fixed["row"].to_numpy(),
        "split": splits,
        "label": label,
        "predicted": values["predicted"],
        "disagree": values["predicted"] != label,
    }
    columns |= {name: values[name] for name in ("trajectory", "never_learned") if name in values}
    names = [name for name in catalogue.SCORE_NAMES if name in values]
    figures = np.zeros((len(fixed), len(names), 2), dtype=np.float32)
    for place, name in enumerate(names):
        single = values[name].astype(np.float32)
        columns[name] = figures[:, place, 0] = single
        columns[f"rank_{name}"] = ranks.of(single, catalogue.score(name).worst)
        if name in deviations:
            figures[:, place, 1] = deviations[name]
    columns[FIGURES] = pa.FixedSizeListArray.from_arrays(figures.ravel(), 2 * len(names))
    return pa.record_batch(columns)
