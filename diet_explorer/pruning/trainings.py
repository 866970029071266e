"""The trainings of proofs, and their results, kept by what they depend on, so that nothing is trained twice.

Layout of the workspace::

    proofs/trainings/<key>.json    run, seed, checkpoint, split, and the result once it was looked at
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa

from diet_explorer.data.example_order import read_example_order
from diet_explorer.pruning.deciding import UntilDecided, rule_of
from diet_explorer.pruning.proof import Figures, Variant, evaluate
from diet_explorer.store.files import Files
from diet_explorer.store.layout import Layout
from diet_explorer.store.scores import ScoreFiles


@dataclass(frozen=True)
class Training:
    """One training of a proof: a variant and a seed.

    Attributes
    ----------
    variant : int
        Position in `Proof.variants`.
    seed : int
    key : str
        Equal keys, equal results; see `training_key`.
    run_id : str
        The run that it is: a further training for the proof's run, or that run itself.
    """

    variant: int
    seed: int
    key: str
    run_id: str


@dataclass(frozen=True)
class ProofTrainings:
    """What a proof trains, as its file says it: every variant with every seed, in the order of the seeds."""

    variants: list[Variant]
    trainings: list[Training]
    rule: UntilDecided | None

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> ProofTrainings:
        """Read it from the proof's file."""
        variants = [Variant.from_json(entry) for entry in record["variants"]]
        return cls(variants, [Training(**entry) for entry in record["trainings"]], rule_of(record))

    def results(self, known: TrainingResults) -> list[dict[int, Figures]]:
        """For each variant the seeds that are done, and their results."""
        results: list[dict[int, Figures]] = [{} for _ in self.variants]
        for training in self.trainings:
            figures = known.figures(training.key)
            if figures is not None:
                results[training.variant][training.seed] = figures
        return results

    def needed(self, known: TrainingResults) -> list[Training]:
        """Trainings that are done or that the proof waits for: without those of variants that it has decided on."""
        if self.rule is None:
            return self.trainings
        results = self.results(known)
        open_yet = self.rule.needed(self.variants, results)
        return [entry for entry in self.trainings if entry.variant in open_yet or entry.seed in results[entry.variant]]


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
        record = self._files.find_json(self._path(key))
        return None if record is None else str(record["run_id"])

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
