"""Everything about one example of a run: its text, what was recorded of it, and when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from diet_explorer.data.manifest import METADATA_PREFIX, DatasetManifest, examples_path
from diet_explorer.errors import NotFoundError
from diet_explorer.scoring import catalogue
from diet_explorer.scoring.dynamics import TRAJECTORIES, TrainingDynamics, most_common_trajectory
from diet_explorer.store.queries import Queries, parquet
from diet_explorer.store.scores import ScoreFiles


@dataclass(frozen=True)
class ExampleCard:
    """One example.

    Attributes
    ----------
    row, id, text, text_pair, label, split
        As imported; `label` is the class name, `text_pair` None where there is none.
    metadata : dict
        Further columns of the source, by their original names.
    trajectories : pandas.DataFrame
        ``seed, checkpoint, predicted`` (class name) and every score, in that order of rows; scores over the training so
        far are NaN before it began.
    types : dict of (int or None) to str
        Type of trajectory by seed up to its last checkpoint; None stands for the type that most seeds have.
    gradients : pandas.DataFrame
        ``seed, checkpoint`` and the gradient norm of each group of parameters; no such columns where none were taken.
    """

    row: int
    id: str
    text: str
    text_pair: str | None
    label: str
    split: str
    metadata: dict[str, Any]
    trajectories: pd.DataFrame
    types: dict[int | None, str]
    gradients: pd.DataFrame
    _classes: list[str] = field(repr=False)
    _logits: dict[tuple[int, float], list[float]] = field(repr=False)

    def probabilities(self, checkpoint: float, seed: int | None = None) -> dict[str, float]:
        """Class name to probability, the mean over seeds for None; every class, in the dataset's order."""
        chosen = [
            np.asarray(values, dtype=np.float64)
            for (number, point), values in self._logits.items()
            if point == checkpoint and seed in (None, number)
        ]
        if not chosen:
            raise NotFoundError(f"There are no scores at checkpoint {checkpoint:g}.", "Choose another checkpoint.")
        exponents = [np.exp(values - values.max()) for values in chosen]
        mean = np.mean([values / values.sum() for values in exponents], axis=0)
        return dict(zip(self._classes, mean.tolist(), strict=True))

    def pulls(self, checkpoint: float, seed: int | None = None) -> dict[str, float]:
        """Where the example pulls: group of parameters to its gradient norm, root mean square over seeds for None.

        The squares of one seed's groups add up to the square of its GraNd.
        """
        chosen = self.gradients[self.gradients["checkpoint"] == checkpoint]
        if seed is not None:
            chosen = chosen[chosen["seed"] == seed]
        norms = chosen.drop(columns=["seed", "checkpoint"])
        if norms.empty:
            return {}
        return {str(name): float(np.sqrt(np.mean(np.square(norms[name])))) for name in norms.columns}


def load_card(queries: Queries, store: ScoreFiles, manifest: DatasetManifest, row: int) -> ExampleCard:
    """Read one example and all that has landed of its scores.

    Raises
    ------
    NotFoundError
        The dataset has no such row.
    """
    examples = parquet(examples_path(store.files, manifest.id))
    found = queries.table(f"SELECT * FROM {examples} WHERE row = ?", [row]).to_pylist()
    if not found:
        raise NotFoundError(f"The dataset has no row {row}.", f"Rows go from 0 to {manifest.rows - 1:,}.")
    example = found[0]
    paths = [store.scores_path(seed, point) for seed, points in store.landed().items() for point in points]
    records = (
        queries.table(f"SELECT * FROM {parquet(paths)} WHERE row = ? ORDER BY seed, checkpoint", [row]).to_pylist()
        if paths
        else []
    )
    names = [name for name in catalogue.RECORDED_NAMES if records and name in records[0]]
    trajectories = pd.DataFrame(records, columns=["seed", "checkpoint", "predicted", *names])
    trajectories["predicted"] = trajectories["predicted"].map(dict(enumerate(manifest.classes)))
    dynamics = _dynamics(store, records)
    trajectories = trajectories.merge(dynamics.drop(columns="trajectory"), "left", on=["seed", "checkpoint"])
    prefix = catalogue.GROUP_PREFIX
    groups = [name for name in (records[0] if records else ()) if name.startswith(prefix)]
    gradients = pd.DataFrame(records, columns=["seed", "checkpoint", *groups])
    return ExampleCard(
        row=row,
        id=example["id"],
        text=example["text"],
        text_pair=example.get("text_pair"),
        label=manifest.classes[example["label"]],
        split=example["split"],
        metadata={
            name.removeprefix(METADATA_PREFIX): value
            for name, value in example.items()
            if name.startswith(METADATA_PREFIX)
        },
        trajectories=trajectories,
        types=_types(dynamics),
        gradients=gradients.rename(columns=lambda name: name.removeprefix(prefix)),
        _classes=manifest.classes,
        _logits={(record["seed"], record["checkpoint"]): record["logits"] for record in records},
    )


def _dynamics(store: ScoreFiles, records: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """``seed, checkpoint, trajectory`` (code) and every score over the training up to there, from one row's records."""
    rows = []
    dynamics = {record["seed"]: TrainingDynamics(1) for record in records}
    for record in records:
        seed, point = record["seed"], record["checkpoint"]
        if point > 0:
            norm = record.get("grand_head")
            dynamics[seed].add(
                point,
                np.array([record["p_label"]]),
                np.array([record["margin"]]),
                np.array([record["predicted"] == record["label"]]),
                None if norm is None else np.array([norm]),
                None if norm is None else store.learning_rate(seed, point),
            )
            scores = {name: float(values[0]) for name, values in dynamics[seed].scores().items()}
            rows.append({"seed": seed, "checkpoint": point, "trajectory": dynamics[seed].trajectory().item(), **scores})
    names = [name for name in catalogue.TRAINING_NAMES if rows and all(name in row for row in rows)]
    return pd.DataFrame(rows, columns=["seed", "checkpoint", "trajectory", *names])


def _types(dynamics: pd.DataFrame) -> dict[int | None, str]:
    last = dynamics.groupby("seed")["trajectory"].last()
    if last.empty:
        return {}
    most = most_common_trajectory([np.array([code], dtype=np.int8) for code in last])
    types: dict[int | None, str] = {int(str(seed)): TRAJECTORIES[code] for seed, code in last.items()}
    return {None: TRAJECTORIES[most[0]], **types}
