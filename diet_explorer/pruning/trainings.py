"""Results of a proof's trainings, kept by what they depend on, so that nothing is trained twice.

Layout of the workspace::

    proofs/trainings/<key>.json    run, seed, checkpoint, split, and the result once it was looked at
"""

from __future__ import annotations

from dataclasses import asdict

import pyarrow as pa

from diet_explorer.data.example_order import read_example_order
from diet_explorer.pruning.proof import Figures, evaluate
from diet_explorer.store.files import Files
from diet_explorer.store.layout import Layout
from diet_explorer.store.scores import ScoreFiles


class TrainingResults:
    """Which run is a training of proofs, and what came of it; see `training_key` for the keys.

    Parameters
    ----------
    files : Files
    dataset_id : str
        What the proofs are about.
    """

    def __init__(self, files: Files, dataset_id: str) -> None:
        self._files = files
        self._dataset_id = dataset_id

    def write(self, key: str, run_id: str, seed: int, checkpoint: float, split: str | None) -> None:
        """Say which run a training is.

        Parameters
        ----------
        key, run_id : str
        seed : int
        checkpoint : float
            In epochs: the end of the training.
        split : str or None
            The result is taken over this split; None where the run scores nothing else than what it is taken over.
        """
        value = {"run_id": run_id, "seed": seed, "checkpoint": checkpoint, "split": split, "figures": None}
        self._files.write_json(self._path(key), value)

    def run_id(self, key: str) -> str | None:
        """The run that a training is; None where it was never asked for."""
        path = self._path(key)
        return str(self._files.read_json(path)["run_id"]) if self._files.exists(path) else None

    def figures(self, key: str) -> Figures | None:
        """The result of a training; None as long as it is not done."""
        training = self._files.read_json(self._path(key))
        if training["figures"] is not None:
            return Figures(**training["figures"])
        store = ScoreFiles(self._files, training["run_id"])
        if not store.has_scores(training["seed"], training["checkpoint"]):
            return None
        scores = store.read_scores(training["seed"], training["checkpoint"], ["row", "label", "predicted", "loss"])
        if training["split"] is not None:
            order = read_example_order(self._files, self._dataset_id)
            scores = scores.filter(pa.array(order.in_split(training["split"])[scores["row"].to_numpy()]))
        figures = evaluate(*(scores[name].to_numpy() for name in ("label", "predicted", "loss")))
        self._files.write_json(self._path(key), {**training, "figures": asdict(figures)})
        return figures

    def _path(self, key: str) -> str:
        return Layout(self._files).proof_training(key)
