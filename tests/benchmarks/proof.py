"""The papers' claims on pruning by EL2N, on film snippets whose test labels are what human raters say.

1. Scores from before about one epoch prune worse than later ones, and worse than random.
2. Dropping the highest few per cent beats full data: the curve over 0, 1, 2, 5, 10, 20 %.
3. Keeping the hardest 30 % loses to random.
4. The highest early scores are skewed in their classes.
5. EL2N, GraNd of the classifier, GraNd of all parameters: which prunes best at equal shares.

Each seed draws its own training texts, and all others test; its trainings begin with the same weights and are compared
in pairs. Training labels are, for the same texts:

- clean: what the majority of the raters says;
- published: as the set was published, which the raters contradict here and there;
- flipped 10 %, flipped 20 %: the clean ones, so many of them flipped at random to the other class.

Trained for as many steps as full data takes ("steps"), and once more for as many epochs ("epochs"). What a seed prunes
by are the scores of its own training on full data. Headline claims go first, for each seed in turn; then more seeds are
drawn for those of them whose interval is wider than half a point to either side, up to a limit; the other claims get
their seeds last. It may be killed at any time and started again: what is in the folder's CSV is not trained again.

python -m tests.benchmarks.proof --folder proofs                        # the upper layer alone: for two processor cores
python -m tests.benchmarks.proof --folder whole --upper-layers 0 --learning-rate 5e-5       # the whole model: for a GPU
python -m tests.benchmarks.proof --folder proofs --report                      # only what is there by now
python -m tests.benchmarks.proof --folder proofs --report --pages              # the same into the docs
python -m tests.benchmarks.proof --folder proofs --report --accuracies tests/benchmarks/proof_accuracies.csv
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from diet_explorer.pruning.policies import Policy
from diet_explorer.pruning.selection import NO_GROUP, NO_LABEL, Material, hardest_first, select, share_of
from tests.benchmarks.filling import DOCS, EVIDENCE, fill, show
from tests.benchmarks.film_trainings import CLASSES, FilmTrainings, ResultsFile, ScoresOnTheWay, add_options
from tests.benchmarks.proof_claims import AIM, CHECKPOINTS, SKEWED, STAGES, Claim, Training, interval_of
from tests.benchmarks.proof_report import draw, in_short, report

ACCURACIES, FIGURE = Path("tests/benchmarks/proof_accuracies.csv"), Path("docs/does-pruning-help.png")
COLUMNS = ("labels", "budget", "variant", "seed", "measure", "value", "examples", "steps")
KEYS = COLUMNS[:5]
ACCURACY, SKEW = "accuracy", "larger class"


def main() -> None:
    parser = argparse.ArgumentParser()
    add_options(parser)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=10, help="at least, for every claim")
    parser.add_argument("--most-seeds", type=int, default=40, help="at most, for headline claims that stay undecided")
    parser.add_argument("--threads", type=int, help="of the processor, by default all")
    parser.add_argument("--report", action="store_true", help="train nothing, print what is there")
    parser.add_argument("--accuracies", type=Path, help="another CSV of results to report on")
    parser.add_argument("--figure", type=Path, help="write a figure as PNG")
    parser.add_argument("--pages", action="store_true", help="write tables, figure and results into the docs")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    if not options.report:
        Benchmark(options).carry_out()
    results = pd.read_csv(options.accuracies or options.folder / "accuracies.csv")
    show(report(results), page=DOCS if options.pages else None)
    if options.pages:
        results.to_csv(ACCURACIES, index=False)
        fill(EVIDENCE, "headline claims", in_short(results))
    if options.figure or options.pages:
        draw(results, options.figure or FIGURE)


class Benchmark:
    """All trainings, in an order in which the intervals of the headline claims become useful early."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._trainings = FilmTrainings(options, options.epochs)
        self._results = ResultsFile(options.folder / "accuracies.csv", COLUMNS, KEYS)
        self._scored = lru_cache(maxsize=4)(self._scored_anew)

    def carry_out(self) -> None:
        """Train whatever is missing."""
        for training, seed in self._planned():
            if not self._results.has(training.labels, training.budget, training.name, seed, ACCURACY):
                started = time.perf_counter()
                self._carry_out(training, seed)
                took = time.perf_counter() - started
                where = f"seed {seed}, {training.labels}, {training.budget}"
                print(f"{time.strftime('%H:%M:%S')} {where}: {training.name} ({took:.0f} s)", flush=True)

    def _planned(self) -> Iterator[tuple[Training, int]]:
        headline, *others = STAGES
        yield from self._first_seeds(headline)
        for seed in range(self._options.seeds, self._options.most_seeds):
            for claim in headline:
                if self._is_wide(claim):
                    yield from ((training, seed) for training in claim.trainings)
        for stage in others:
            yield from self._first_seeds(stage)

    def _first_seeds(self, stage: Sequence[Claim]) -> Iterator[tuple[Training, int]]:
        for seed in range(self._options.seeds):
            for claim in stage:
                yield from ((training, seed) for training in claim.trainings)

    def _is_wide(self, claim: Claim) -> bool:
        found = interval_of(self._results.frame(), claim)
        if claim.measure == "accuracy":
            return not found.high - found.low <= 2 * AIM
        return found.holds_zero

    def _carry_out(self, training: Training, seed: int) -> None:
        trainings, rows = self._trainings, self._trainings.draw(seed)
        if training.policy is None:
            self._scored(training.labels, seed)
            return
        encoded = trainings.labelled(training.labels, rows, seed)
        scores = self._scored(training.labels, seed) if training.policy.needs_scores else {}
        kept = rows.train[chosen(training.policy, scores, encoded.labels[rows.train], seed)]
        steps = trainings.config.steps(len(rows.train))[1] if training.budget == "steps" else None
        found = trainings.train(encoded, kept, rows.test, seed, steps=steps)
        self._write(training, seed, found.accuracy, len(kept), found.steps)

    def _scored_anew(self, labels: str, seed: int) -> dict[str, NDArray[np.float32]]:
        """Scores of the training on full data, which is also one of those that are compared."""
        path = self._options.folder / "scores" / f"{labels.replace(' %', '').replace(' ', '-')}-{seed}.npz"
        full = Training(labels, "steps", None)  # type: ignore[arg-type]
        if path.exists() and self._results.has(labels, "steps", full.name, seed, ACCURACY):
            return dict(np.load(path))
        rows = self._trainings.draw(seed)
        encoded = self._trainings.labelled(full.labels, rows, seed)
        scoring = ScoresOnTheWay(self._trainings, encoded, rows.train, CHECKPOINTS)
        found = self._trainings.train(encoded, rows.train, rows.test, seed, callbacks=[scoring])
        path.parent.mkdir(exist_ok=True)
        np.savez(part := path.with_suffix(".part.npz"), **scoring.scores)
        part.rename(path)
        for skewed in SKEWED:  # not by `select`, which refuses to leave a class empty
            hardness = scores_of(skewed, scoring.scores)
            order = hardest_first(hardness, np.arange(len(hardness)), np.ones(len(hardness), dtype=bool))
            top = encoded.labels[rows.train[order[: share_of(len(order), skewed.keep)]]]
            share = float(np.bincount(top, minlength=len(CLASSES)).max() / len(top))
            self._write(Training(full.labels, "steps", skewed), seed, share, len(top), 0, SKEW)
        self._write(full, seed, found.accuracy, len(rows.train), found.steps)
        return scoring.scores

    def _write(
        self, training: Training, seed: int, value: float, examples: int, steps: int, measure: str = ACCURACY
    ) -> None:
        if not self._results.has(training.labels, training.budget, training.name, seed, measure):
            line = (training.labels, training.budget, training.name, seed, measure, round(value, 6), examples, steps)
            self._results.add(dict(zip(COLUMNS, line, strict=True)))


def scores_of(policy: Policy, scores: dict[str, NDArray[np.float32]]) -> NDArray[np.float32]:
    """The scores that a policy reads."""
    return scores[f"{policy.score} {policy.checkpoint:g}"]


def chosen(
    policy: Policy, scores: dict[str, NDArray[np.float32]], labels: NDArray[np.int64], seed: int
) -> NDArray[np.bool_]:
    """Which of the training texts the product keeps by a policy; a random one draws afresh for each seed."""
    count = len(labels)
    if policy.kind == "random":
        policy = Policy("random", keep=policy.keep, seed=seed)
    material = Material(
        hardness=scores_of(policy, scores) if policy.needs_scores else np.full(count, np.nan),
        tie_order=np.arange(count),
        labels=labels,
        train=np.ones(count, dtype=bool),
        states=np.full(count, -1),
        new_labels=np.full(count, NO_LABEL),
        groups=np.full(count, NO_GROUP),
    )
    return select(policy, material, CLASSES).keep


if __name__ == "__main__":
    main()
