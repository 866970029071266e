"""Everything about one example of a run: its text, what was recorded of it, and when."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from diet_explorer.data.examples import plain_value, read_examples
from diet_explorer.data.manifest import DISAGREEMENT, METADATA_PREFIX, DatasetManifest
from diet_explorer.data.value_texts import texts_of
from diet_explorer.errors import NotFoundError
from diet_explorer.scoring import catalogue, metrics
from diet_explorer.scoring.dynamics import TRAJECTORIES, most_common_trajectory
from diet_explorer.store.queries import Queries, parquet
from diet_explorer.store.scores import ScoreFiles


@dataclass(frozen=True)
class ExampleCard:
    """One example: its values as imported (label as a class name, columns of the source by their original names) and
    what was recorded of it."""

    row: int
    id: str
    text: str
    text_pair: str | None  # None where there is none
    label: str
    split: str
    disagreement: float | None  # share of the people in the source who say another label; None where nobody is known
    metadata: dict[str, Any]
    written: dict[str, str | None]  # the same as text: as in exports, and as filters take it
    # ``seed, checkpoint, predicted`` (class name) and every score; scores over the training are NaN before it began
    trajectories: pd.DataFrame
    # type of trajectory by seed up to its last checkpoint; None stands for the type that most seeds have
    types: dict[int | None, str]
    _classes: list[str] = field(repr=False)
    _records: Callable[[float], list[dict[str, Any]]] = field(repr=False)

    def probabilities(self, checkpoint: float, seed: int | None = None) -> dict[str, float]:
        """Class name to probability, the mean over seeds for None; every class, in the dataset's order."""
        chosen = [np.asarray(record["logits"], dtype=np.float64) for record in self._of(checkpoint, seed)]
        if not chosen:
            raise NotFoundError(f"There are no scores at checkpoint {checkpoint:g}.", "Choose another checkpoint.")
        mean = metrics.probabilities(np.stack(chosen)).mean(0)
        return dict(zip(self._classes, mean.tolist(), strict=True))

    def pulls(self, checkpoint: float, seed: int | None = None) -> dict[str, float]:
        """Where the example pulls: group of parameters to its gradient norm, root mean square over seeds for None.

        The squares of one seed's groups add up to the square of its GraNd.
        """
        records = self._of(checkpoint, seed)
        names = [name for name in (records[0] if records else ()) if name.startswith(catalogue.GROUP_PREFIX)]
        return {
            name.removeprefix(catalogue.GROUP_PREFIX): float(
                np.sqrt(np.mean([record[name] ** 2 for record in records]))
            )
            for name in names
        }

    def _of(self, checkpoint: float, seed: int | None) -> list[dict[str, Any]]:
        return [record for record in self._records(checkpoint) if seed in (None, record["seed"])]


def load_card(queries: Queries, store: ScoreFiles, manifest: DatasetManifest, row: int) -> ExampleCard:
    """Read one example and all that has landed of its scores; NotFoundError where the dataset has no such row."""
    found = read_examples(store.files, manifest.id, [row]) if isinstance(row, int | np.integer) else ()
    if not len(found):
        raise NotFoundError(f"The dataset has no row {row!r}.", f"Rows go from 0 to {manifest.rows - 1:,}.")
    columns = dict(zip(found.column_names, found.columns, strict=True))
    example = {name: column[0].as_py() for name, column in columns.items() if not name.startswith(METADATA_PREFIX)}
    landed = store.landed()
    ranked = _ranked(store, landed, row)
    names = [name for name in catalogue.SCORE_NAMES if any(name in record for record in ranked)]
    trajectories = pd.DataFrame(ranked, columns=["seed", "checkpoint", "predicted", *names])
    trajectories["predicted"] = trajectories["predicted"].map(dict(enumerate(manifest.classes)))
    return ExampleCard(
        row=row,
        id=example["id"],
        text=example["text"],
        text_pair=example.get("text_pair"),
        label=manifest.classes[example["label"]],
        split=example["split"],
        disagreement=example.get(DISAGREEMENT),
        metadata=_further({name: plain_value(column) for name, column in columns.items()}),
        written=_further({name: texts_of(column.combine_chunks())[0].as_py() for name, column in columns.items()}),
        trajectories=trajectories,
        types=_types(ranked),
        _classes=manifest.classes,
        _records=lru_cache(lambda checkpoint: _records(queries, store, row, checkpoint)),
    )


def _further(values: dict[str, Any]) -> dict[str, Any]:
    """Only the further columns, under their own names."""
    return {
        name.removeprefix(METADATA_PREFIX): value for name, value in values.items() if name.startswith(METADATA_PREFIX)
    }


def _records(queries: Queries, store: ScoreFiles, row: int, checkpoint: float) -> list[dict[str, Any]]:
    """Logits and gradient norms of one example at one checkpoint, by seed; read when they are asked for."""
    paths = [store.paths.scores(seed, checkpoint) for seed, points in store.landed().items() if checkpoint in points]
    wanted = f"COLUMNS('^(seed|logits|{re.escape(catalogue.GROUP_PREFIX)}.*)$')"
    sql = f"SELECT {wanted} FROM {parquet(paths)} WHERE row = ? ORDER BY seed"
    return queries.table(sql, [row]).to_pylist() if paths else []


def _ranked(store: ScoreFiles, landed: dict[int, list[float]], row: int) -> list[dict[str, Any]]:
    """What the ranking of each seed and checkpoint says of one example."""
    records = []
    for seed in landed:
        for point in store.ranked_checkpoints(seed):
            ranking = store.read_ranking(seed, point)
            position = ranking.position(row)
            if position is not None:
                here = np.array([position])
                names = [*ranking.scores, *(name for name in ("predicted", "trajectory") if name in ranking)]
                values = {name: ranking.at(name, here)[0].item() for name in names}
                records.append({"seed": seed, "checkpoint": point, **values})
    return records


def _types(ranked: Sequence[dict[str, Any]]) -> dict[int | None, str]:
    """Type of trajectory of each seed at its last checkpoint, and that of most seeds."""
    last = {record["seed"]: record["trajectory"] for record in ranked if "trajectory" in record}
    if not last:
        return {}
    most = most_common_trajectory([np.array([code], dtype=np.int8) for code in last.values()])
    return {None: TRAJECTORIES[most[0]], **{seed: TRAJECTORIES[code] for seed, code in last.items()}}
