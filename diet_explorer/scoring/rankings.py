"""Rankings: scores of one seed, or their mean over seeds, with a rank per score computed once.

A page of 50 examples is then read by rank, not sorted out of all rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from diet_explorer.scoring import catalogue
from diet_explorer.store.scores import ScoreFiles

CHUNK_ROWS = 65_536
Array = NDArray[np.float64]


def rank_within_splits(
    values: NDArray[np.floating], worst: str, splits: NDArray[np.integer], tie_order: NDArray[np.integer]
) -> NDArray[np.int32]:
    """Rank 1 is the worst example of its split; ties go by `tie_order`, so a ranking is a pure function of its input.

    Parameters
    ----------
    values : array (N,)
        One score.
    worst : {"high", "low"}
        Which end gets rank 1.
    splits : int array (N,)
        Code of each example's split.
    tie_order : int array (N,)
        Position of each example when sorted by id.

    Returns
    -------
    int32 array (N,), 1 and up within each split
    """
    order = np.lexsort((tie_order, -values if worst == "high" else values, splits))
    ordered = splits[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    lengths = np.diff(np.r_[starts, len(ordered)])
    ranks = np.empty(len(values), dtype=np.int32)
    ranks[order] = np.arange(len(values), dtype=np.int32) - np.repeat(starts, lengths).astype(np.int32) + 1
    return ranks


def rank_checkpoint(store: ScoreFiles, seed: int, checkpoint: float) -> None:
    """Write the ranking of a seed's checkpoint that just landed, and the mean over all seeds there by now."""
    store.write_ranking(seed, checkpoint, ranking_of(store, [seed], checkpoint))
    seeds = [number for number, points in store.landed().items() if checkpoint in points]
    store.write_ranking(None, checkpoint, ranking_of(store, seeds, checkpoint))


def ranking_of(store: ScoreFiles, seeds: Sequence[int], checkpoint: float) -> pa.Table:
    """Means, population standard deviations and ranks over `seeds` at one checkpoint.

    Returns
    -------
    pyarrow.Table
        ``row, split, label, predicted, disagree``, then for each recorded score ``<score>``,
        ``<score>_std`` and ``rank_<score>``. `predicted` is the class of the highest mean probability.
    """
    readers = [pq.ParquetFile(store.files.open_read(store.scores_path(seed, checkpoint))) for seed in seeds]
    names = [name for name in catalogue.SCORE_NAMES if name in readers[0].schema_arrow.names]
    means: dict[str, list[Array]] = {name: [] for name in names}
    deviations: dict[str, list[Array]] = {name: [] for name in names}
    predicted: list[NDArray[np.int32]] = []
    fixed: list[pa.Table] = []
    streams = [reader.iter_batches(batch_size=CHUNK_ROWS) for reader in readers]
    for batches in zip(*streams, strict=True):
        fixed.append(pa.Table.from_batches([batches[0].select(["row", "id", "split", "label"])]))
        for name in names:
            stacked = np.stack([batch.column(name).to_numpy() for batch in batches]).astype(np.float64)
            means[name].append(stacked.mean(0))
            deviations[name].append(stacked.std(0))
        predicted.append(_mean_prediction([batch.column("logits") for batch in batches]))
    table = pa.concat_tables(fixed).combine_chunks()
    return _assemble(
        table,
        np.concatenate(predicted),
        {name: np.concatenate(parts) for name, parts in means.items()},
        {name: np.concatenate(parts) for name, parts in deviations.items()},
    )


def _mean_prediction(logits: Sequence[pa.FixedSizeListArray]) -> NDArray[np.int32]:
    total: Array | float = 0.0
    for column in logits:
        flat = column.flatten().to_numpy(zero_copy_only=False).reshape(len(column), -1).astype(np.float64)
        exponents = np.exp(flat - flat.max(1, keepdims=True))
        total = total + exponents / exponents.sum(1, keepdims=True)
    return np.asarray(np.asarray(total).argmax(1), dtype=np.int32)


def _assemble(
    fixed: pa.Table,
    predicted: NDArray[np.int32],
    means: Mapping[str, Array],
    deviations: Mapping[str, Array],
) -> pa.Table:
    split_codes = np.unique(fixed["split"].to_numpy(zero_copy_only=False).astype(str), return_inverse=True)[1]
    ids = fixed["id"].to_numpy(zero_copy_only=False).astype(str)
    tie_order = np.empty(len(ids), dtype=np.int64)
    tie_order[np.argsort(ids, kind="stable")] = np.arange(len(ids))
    columns: dict[str, pa.Array | NDArray[np.generic]] = {
        "row": fixed["row"],
        "split": fixed["split"],
        "label": fixed["label"],
        "predicted": predicted,
        "disagree": predicted != fixed["label"].to_numpy(),
    }
    for name, values in means.items():
        single = values.astype(np.float32)
        columns[name] = single
        columns[f"{name}_std"] = deviations[name].astype(np.float32)
        worst = catalogue.score(name).worst
        columns[f"rank_{name}"] = rank_within_splits(single, worst, split_codes, tie_order)
    return pa.table(columns)
