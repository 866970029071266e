"""Rankings: scores of one seed, or their mean over seeds, with the order by each score, found once.

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
from diet_explorer.scoring.rank_order import class_count, orders_of
from diet_explorer.scoring.statistics import write_statistics
from diet_explorer.store.aside import AsideArray, laid_aside
from diet_explorer.store.ranking_files import Array, RankingFile
from diet_explorer.store.scores import PART, ScoreFiles, learning_rate_of, logits_of

Tables = Mapping[int, pa.Table]
"""Seed to its scores at the checkpoint that is ranked, of those that are at hand."""


def rank_checkpoint(store: ScoreFiles, order: ExampleOrder, seed: int, checkpoint: float, table: pa.Table) -> None:
    """Write ranking and statistics of a seed's checkpoint that just landed, and of the mean over all seeds there.

    The table is what was written as the score file of this seed and checkpoint. Rankings come first: people can page
    through them while statistics are being counted.
    """
    write_seed_ranking(store, order, seed, checkpoint, table)
    seeds = write_mean_ranking(store, order, checkpoint, {seed: table})
    for whose in (seed, None):
        write_statistics(store, order, whose, checkpoint)
    if seeds != store.ranked_seeds(checkpoint):
        rank_mean(store, order, checkpoint, {seed: table})


def rank_seed(store: ScoreFiles, order: ExampleOrder, seed: int, checkpoint: float, table: pa.Table) -> None:
    """Write ranking and statistics of one seed's checkpoint; its earlier ones must have landed."""
    write_seed_ranking(store, order, seed, checkpoint, table)
    write_statistics(store, order, seed, checkpoint)


def rank_mean(store: ScoreFiles, order: ExampleOrder, checkpoint: float, tables: Tables | None = None) -> None:
    """Write ranking and statistics of the mean over the seeds that are ranked there; `tables` are then not read.

    Seeds that train at once may land one checkpoint at once: whoever wrote the mean looks whether another seed has
    been ranked meanwhile, so that the last word has all of them.
    """
    seeds: list[int] = []
    while seeds != store.ranked_seeds(checkpoint):
        seeds = write_mean_ranking(store, order, checkpoint, tables)
        write_statistics(store, order, None, checkpoint)


def write_seed_ranking(store: ScoreFiles, order: ExampleOrder, seed: int, checkpoint: float, table: pa.Table) -> None:
    """Write scores and order of one seed at one checkpoint; its earlier ones must have landed.

    The columns are ``row, label, predicted``; once training has begun ``trajectory`` (code of `dynamics.TRAJECTORIES`)
    and ``never_learned``; then each score of the checkpoint and of the training up to it.
    """
    columns = {name: _column(table, name) for name in ("row", "label", "predicted")}
    values = {name: _column(table, name) for name in catalogue.RECORDED_NAMES if name in table.schema.names}
    if checkpoint > 0:
        over = _over_training(store, seed, checkpoint, table)
        columns["trajectory"] = over.pop("trajectory")
        columns["never_learned"] = np.asarray(columns["trajectory"] == NEVER_LEARNED)
        values |= over
    _write(store, order, seed, checkpoint, columns | _sorted_scores(values), ())


def write_mean_ranking(
    store: ScoreFiles, order: ExampleOrder, checkpoint: float, tables: Tables | None = None
) -> list[int]:
    """Write means and order over the seeds that are ranked at one checkpoint, from their own rankings; which those are.

    The columns are those of `write_seed_ranking`. ``predicted`` is the class of the highest mean probability,
    ``trajectory`` the type that most seeds have, ``never_learned`` whether at least half never learned it.
    """
    seeds = store.ranked_seeds(checkpoint)

    def rankings() -> list[RankingFile]:  # anew for each column: what is mapped of the one before is let go
        return [store.read_ranking(seed, checkpoint) for seed in seeds]

    present = set.intersection(*(set(ranking.names) for ranking in rankings()))
    first = rankings()[0]
    columns: dict[str, Array] = {
        "row": first.rows,
        "label": first.column("label"),
        "predicted": laid_aside(_mean_predictions(store, seeds, checkpoint, tables or {})),
    }
    if "trajectory" in present:
        types = [ranking.column("trajectory") for ranking in rankings()]
        columns["trajectory"] = laid_aside(most_common_trajectory(part) for part in _parts_of(types))
        never = [ranking.column("never_learned") for ranking in rankings()]
        columns["never_learned"] = laid_aside(2 * np.sum(part, axis=0) >= len(seeds) for part in _parts_of(never))
    means: dict[str, Array] = {
        name: _mean_over([ranking.column(name) for ranking in rankings()])
        for name in catalogue.SCORE_NAMES
        if name in present
    }
    _write(store, order, None, checkpoint, columns | means, seeds)
    return seeds


def _write(
    store: ScoreFiles,
    order: ExampleOrder,
    seed: int | None,
    checkpoint: float,
    columns: Mapping[str, Array],
    seeds: Sequence[int],
) -> None:
    names = [name for name in columns if name in catalogue.SCORE_NAMES]
    here = order.part(columns["row"])
    store.write_ranking(
        seed, checkpoint, columns, seeds, lambda: orders_of(columns, names, here, class_count(columns["label"]))
    )


def _column(table: pa.Table, name: str) -> Array:
    """A column of a table; one of several pieces, as it is read from a file, is not put together in memory."""
    pieces = table[name].chunks
    return laid_aside(piece.to_numpy() for piece in pieces) if len(pieces) > 1 else table[name].to_numpy()


def _sorted_scores(values: Mapping[str, Array]) -> dict[str, Array]:
    return {name: values[name] for name in catalogue.SCORE_NAMES if name in values}


def _mean_over(seeds: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """The mean of a score (N,) over some seeds."""
    means: Iterator[Array] = (
        np.asarray(np.mean(parts, axis=0, dtype=np.float64), dtype=np.float32) for parts in _parts_of(seeds)
    )
    return laid_aside(means)


def _parts_of(columns: Sequence[Array]) -> Iterator[list[Array]]:
    """The same part of the examples of each of some columns (N,), after one another; at least one, of none."""
    for start in range(0, max(len(columns[0]), 1), PART):
        yield [values[start : start + PART] for values in columns]


def _over_training(store: ScoreFiles, seed: int, checkpoint: float, table: pa.Table) -> dict[str, Array]:
    """Trajectories and scores over the seed's checkpoints after the start up to this one, whose scores are at hand.

    A part of the examples is followed through all checkpoints before the next one, since their files together are
    larger than what is made of them.
    """
    names = ("label", "predicted", "p_label", "margin", "grand_head")
    earlier = [point for point in store.landed()[seed] if 0 < point < checkpoint]
    own = table.select([name for name in names if name in table.column_names])
    latest = (own.slice(start, PART) for start in range(0, max(len(own), 1), PART))
    columns: dict[str, AsideArray] = {}
    for tables in zip(*(store.read_in_parts(seed, point, names, PART) for point in earlier), latest, strict=True):
        dynamics = TrainingDynamics(len(tables[-1]))
        for point, part in zip((*earlier, checkpoint), tables, strict=True):
            _add(dynamics, point, part)
        columns.setdefault("trajectory", AsideArray()).add(dynamics.trajectory())
        for name, values in dynamics.scores().items():
            columns.setdefault(name, AsideArray()).add(values.astype(np.float32))
    return {name: column.array() for name, column in columns.items()}


def _add(dynamics: TrainingDynamics, point: float, table: pa.Table) -> None:
    dynamics.add(
        point,
        table["p_label"].to_numpy(),
        table["margin"].to_numpy(),
        table["predicted"].to_numpy() == table["label"].to_numpy(),
        table["grand_head"].to_numpy() if "grand_head" in table.schema.names else None,
        learning_rate_of(table),
    )


def _mean_predictions(
    store: ScoreFiles, seeds: Sequence[int], checkpoint: float, tables: Tables
) -> Iterator[NDArray[np.int32]]:
    streams = [_parts(tables[seed]) if seed in tables else store.read_logits(seed, checkpoint) for seed in seeds]
    for parts in zip(*streams, strict=True):
        total = sum(metrics.probabilities(part.astype(np.float64)) for part in parts)
        yield np.asarray(total).argmax(1).astype(np.int32)


def _parts(table: pa.Table) -> Iterator[NDArray[np.float32]]:
    """As `ScoreFiles.read_logits`."""
    return (logits_of(table.slice(start, PART)) for start in range(0, max(len(table), 1), PART))
