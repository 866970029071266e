"""Rankings: scores of one seed, or their mean over seeds, with a rank per score computed once.

A page of 50 examples is then read by rank, not sorted out of all rows. A ranking holds the scores of its checkpoint and
those over the training so far; ids and splits are joined by row where people see them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from diet_explorer.data.example_order import ExampleOrder
from diet_explorer.scoring import catalogue, metrics
from diet_explorer.scoring.dynamics import NEVER_LEARNED, TrainingDynamics, most_common_trajectory
from diet_explorer.scoring.statistics import write_statistics
from diet_explorer.store.scores import ROW_GROUP, ScoreFiles, figure_columns, learning_rate_of, logits_of

Tables = Mapping[int, pa.Table]
"""Seed to its scores at the checkpoint that is ranked, of those that are at hand."""


def rank_checkpoint(store: ScoreFiles, order: ExampleOrder, seed: int, checkpoint: float, table: pa.Table) -> None:
    """Write ranking and statistics of a seed's checkpoint that just landed, and of the mean over all seeds there.

    The table is what was written as the score file of this seed and checkpoint.
    """
    rank_seed(store, order, seed, checkpoint, table)
    rank_mean(store, order, checkpoint, {seed: table})


def rank_seed(store: ScoreFiles, order: ExampleOrder, seed: int, checkpoint: float, table: pa.Table) -> None:
    """Write ranking and statistics of one seed's checkpoint; its earlier ones must have landed."""
    _write(store, order, seed, checkpoint, seed_ranking(store, order, seed, checkpoint, table))


def rank_mean(store: ScoreFiles, order: ExampleOrder, checkpoint: float, tables: Tables | None = None) -> None:
    """Write ranking and statistics of the mean over the seeds that are ranked there; `tables` are then not read.

    Seeds that train at once may land one checkpoint at once: whoever wrote the mean looks whether another seed has
    been ranked meanwhile, so that the last word has all of them.
    """
    seeds: list[int] = []
    while seeds != (ranked := store.ranked_seeds(checkpoint)):
        seeds = ranked
        _write(store, order, None, checkpoint, mean_ranking(store, order, seeds, checkpoint, tables or {}))


def _write(
    store: ScoreFiles, order: ExampleOrder, seed: int | None, checkpoint: float, ranking: pa.RecordBatch
) -> None:
    store.write_ranking(seed, checkpoint, ranking)
    write_statistics(store, order, seed, checkpoint, ranking)


def ranks_within_splits(order: ExampleOrder, values: NDArray[np.floating], worst: str) -> NDArray[np.int32]:
    """Rank of each example by one score, 1 and up within each split from the `worst` end, "high" or "low".

    Ties go by id, so it is a pure function.
    """
    ranks = np.empty(len(values), dtype=np.int32)
    for rows in order.by_split:
        keys = -values[rows] if worst == "high" else values[rows]
        ranks[rows[np.argsort(keys, kind="stable")]] = np.arange(1, len(rows) + 1, dtype=np.int32)
    return ranks


def seed_ranking(
    store: ScoreFiles, order: ExampleOrder, seed: int, checkpoint: float, table: pa.Table
) -> pa.RecordBatch:
    """Scores and ranks of one seed at one checkpoint.

    The columns are ``row, label, predicted, disagree``; once training has begun ``trajectory`` (code of
    `dynamics.TRAJECTORIES`) and ``never_learned``; then ``<score>`` and ``rank_<score>`` for each score of the
    checkpoint and of the training up to it; and ``figures``, see `figures_of`.
    """
    present = ("predicted", *(name for name in catalogue.RECORDED_NAMES if name in table.schema.names))
    values: dict[str, NDArray[np.generic]] = {name: table[name].to_numpy() for name in present}
    if checkpoint > 0:
        dynamics = _dynamics(store, seed, checkpoint, table)
        values |= dynamics.scores()
        values["trajectory"] = dynamics.trajectory()
        values["never_learned"] = values["trajectory"] == NEVER_LEARNED
    return _with_ranks(order, table["row"].to_numpy(), table["label"].to_numpy(), values, {})


def mean_ranking(
    store: ScoreFiles, order: ExampleOrder, seeds: Sequence[int], checkpoint: float, tables: Tables
) -> pa.RecordBatch:
    """Means, population standard deviations and ranks over `seeds` at one checkpoint, from their own rankings.

    The columns are those of `seed_ranking`, and ``deviations``. ``predicted`` is the class of the highest mean
    probability, ``trajectory`` the type that most seeds have, ``never_learned`` whether at least half never learned it.
    """
    rankings = [store.read_ranking(seed, checkpoint) for seed in seeds]
    present = set.intersection(*(set(ranking.schema.names) for ranking in rankings))
    values: dict[str, NDArray[np.generic]] = {"predicted": _mean_prediction(store, seeds, checkpoint, tables)}
    if "trajectory" in present:
        values["trajectory"] = most_common_trajectory([ranking["trajectory"].to_numpy() for ranking in rankings])
        never = np.mean([ranking["never_learned"].to_numpy(zero_copy_only=False) for ranking in rankings], axis=0)
        values["never_learned"] = never >= 0.5
    deviations: dict[str, NDArray[np.floating]] = {}
    for name in (name for name in catalogue.SCORE_NAMES if name in present):
        stacked = np.stack([ranking[name].to_numpy() for ranking in rankings])
        values[name] = stacked.mean(0, dtype=np.float64)
        deviations[name] = stacked.std(0, dtype=np.float64)
    first = rankings[0]
    return _with_ranks(order, first["row"].to_numpy(), first["label"].to_numpy(), values, deviations)


def _dynamics(store: ScoreFiles, seed: int, checkpoint: float, table: pa.Table) -> TrainingDynamics:
    """Over the seed's checkpoints after the start up to this one, whose scores are at hand."""
    dynamics = TrainingDynamics(len(table))
    columns = ("label", "predicted", "p_label", "margin", "grand_head")
    for point in (point for point in store.landed()[seed] if 0 < point < checkpoint):
        _add(dynamics, point, store.read_scores(seed, point, columns))
    _add(dynamics, checkpoint, table)
    return dynamics


def _add(dynamics: TrainingDynamics, point: float, table: pa.Table) -> None:
    dynamics.add(
        point,
        table["p_label"].to_numpy(),
        table["margin"].to_numpy(),
        table["predicted"].to_numpy() == table["label"].to_numpy(),
        table["grand_head"].to_numpy() if "grand_head" in table.schema.names else None,
        learning_rate_of(table),
    )


def _mean_prediction(store: ScoreFiles, seeds: Sequence[int], checkpoint: float, tables: Tables) -> NDArray[np.int32]:
    streams = [_parts(tables[seed]) if seed in tables else store.read_logits(seed, checkpoint) for seed in seeds]
    totals = (
        sum(metrics.probabilities(part.astype(np.float64)) for part in parts) for parts in zip(*streams, strict=True)
    )
    return np.concatenate([np.asarray(total).argmax(1).astype(np.int32) for total in totals])


def _parts(table: pa.Table) -> Iterator[NDArray[np.float32]]:
    """As `ScoreFiles.read_logits`."""
    logits = logits_of(table)
    return (logits[start : start + ROW_GROUP] for start in range(0, len(logits), ROW_GROUP))


def _with_ranks(
    order: ExampleOrder,
    rows: NDArray[np.int32],
    label: NDArray[np.int32],
    values: Mapping[str, NDArray[np.generic]],
    deviations: Mapping[str, NDArray[np.floating]],
) -> pa.RecordBatch:
    here = order.part(rows)
    columns: dict[str, object] = {
        "row": rows,
        "label": label,
        "predicted": values["predicted"],
        "disagree": values["predicted"] != label,
    }
    columns |= {name: values[name] for name in ("trajectory", "never_learned") if name in values}
    names = [name for name in catalogue.SCORE_NAMES if name in values]
    figures = np.empty((len(rows), len(names)), dtype=np.float32)
    for position, name in enumerate(names):
        columns[name] = figures[:, position] = single = values[name].astype(np.float32)
        columns[f"rank_{name}"] = ranks_within_splits(here, single, catalogue.score(name).worst)
    spread = np.stack([deviations[name] for name in names], axis=1).astype(np.float32) if deviations else None
    return pa.record_batch({**columns, **figure_columns(figures, spread)})
