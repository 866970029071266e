"""Runs whose outputs were computed elsewhere: their score files, rankings and progress."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import pyarrow as pa

from diet_explorer.data.example_order import read_example_order
from diet_explorer.data.manifest import DatasetManifest
from diet_explorer.data.splits import TRAIN
from diet_explorer.scoring.progress import CheckpointProgress, RunReports, SeedProgress
from diet_explorer.scoring.rankings import rank_checkpoint
from diet_explorer.store.scores import ScoreFiles


class RecordedOutputs(Protocol):
    """A model's outputs over examples of a dataset."""

    @property
    def seeds(self) -> int:
        """How many trainings they are of."""

    @property
    def checkpoints(self) -> list[float]:
        """Moments in epochs, ascending, the same for every seed."""

    def tables(self) -> Iterator[tuple[int, float, pa.Table]]:
        """Seed, checkpoint and score file of each, by seed and checkpoint; BadInputError where one cannot be used."""


def write_recorded(
    store: ScoreFiles, reports: RunReports, manifest: DatasetManifest, outputs: RecordedOutputs, words: str
) -> None:
    """Write all files of a run that consists of these outputs; `words` go into its log."""
    order = read_example_order(store.files, manifest.id)
    trained = order.in_split(TRAIN)
    progress = [SeedProgress(seed, state="done", seconds_left=0.0) for seed in range(outputs.seeds)]
    for seed, checkpoint, table in outputs.tables():
        store.write_scores(seed, checkpoint, table)
        rank_checkpoint(store, order, seed, checkpoint, table)
        right = table["predicted"].to_numpy() == table["label"].to_numpy()
        train = trained[table["row"].to_numpy()]
        landed = CheckpointProgress.of(checkpoint, table["loss"].to_numpy(), right, train, 0.0)
        progress[seed].checkpoints.append(landed)
        progress[seed].epoch = checkpoint
    for entry in progress:
        reports.save(entry, force=True)
    reports.log("imported", words)
