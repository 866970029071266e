"""Training on a diet beside plain training, random parts of the same steps, and plain training of the same steps.

- plain: every epoch on all examples;
- diet: `DietCallback(keep=0.5)`: later epochs train on the half with the highest EL2N but for the very highest;
- rescaled: the same with ``rescale=True``: easy examples are dropped at random and the others count for them;
- random halves: as the diet, but by random numbers instead of EL2N;
- shorter: plain training of as many steps as the diet takes, its learning rate decaying over these.

Each seed draws its own film snippets for training, the others test, by the labels of the majority of human raters; the
trainings of a seed begin with the same weights and are compared in pairs. It may be killed at any time and started
again: what is in the folder's CSV is not trained again.

python -m tests.benchmarks.diet --folder diet                     # the upper layer alone: for two processor cores
python -m tests.benchmarks.diet --folder whole --upper-layers 0 --learning-rate 5e-5       # the whole model: for a GPU
python -m tests.benchmarks.diet --folder diet --report            # only what is there by now
python -m tests.benchmarks.diet --folder diet --report --pages    # the same into the docs
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from diet_explorer.pruning.proof import CONFIDENCE
from diet_explorer.scoring.diet import DietCallback
from diet_explorer.scoring.diet_choice import DietChoice, hardest, sizes
from tests.benchmarks.filling import DOCS, show
from tests.benchmarks.film_trainings import FilmTrainings, ResultsFile, add_options
from tests.benchmarks.proof_claims import Labels, interval
from tests.benchmarks.proof_report import points

ACCURACIES = Path("tests/benchmarks/diet_accuracies.csv")
KEEP = 0.5
LABELS: tuple[Labels, ...] = ("clean", "flipped 20 %")
COLUMNS = ("labels", "variant", "seed", "accuracy", "steps", "cpu_seconds", "seconds")
COMPARED = (("diet", "plain"), ("diet", "random halves"), ("diet", "shorter"), ("rescaled", "plain"))


class RandomHalves(DietCallback):
    """Chooses as many examples as the diet does, with no regard to their scores."""

    def __init__(self, seed: int) -> None:
        super().__init__(KEEP, drop_hardest=0.0)
        self._random = np.random.default_rng((seed, 2))

    def _chosen(self, epoch: int) -> DietChoice:
        kept, left_out = sizes(self.el2n.size, KEEP, 0.0)
        return hardest(self._random.random(self.el2n.size), kept, left_out)


VARIANTS: dict[str, Callable[[int], list[DietCallback]]] = {
    "plain": lambda seed: [],
    "diet": lambda seed: [DietCallback(keep=KEEP, every=1)],
    "random halves": lambda seed: [RandomHalves(seed)],
    "shorter": lambda seed: [],
    "rescaled": lambda seed: [DietCallback(keep=KEEP, every=1, rescale=True)],
}


def main() -> None:
    parser = argparse.ArgumentParser()
    add_options(parser)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--threads", type=int, help="of the processor, by default all")
    parser.add_argument("--report", action="store_true", help="train nothing, print what is there")
    parser.add_argument("--accuracies", type=Path, help="another CSV of results to report on")
    parser.add_argument("--pages", action="store_true", help="write tables and results into the docs")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    if not options.report:
        carry_out(options)
    results = pd.read_csv(options.accuracies or options.folder / "diet.csv")
    show(report(results), page=DOCS if options.pages else None)
    if options.pages:
        results.to_csv(ACCURACIES, index=False)


def carry_out(options: argparse.Namespace) -> None:
    """Train whatever is missing, all variants of a seed before the next seed."""
    trainings = FilmTrainings(options, options.epochs)
    results = ResultsFile(options.folder / "diet.csv", COLUMNS, COLUMNS[:3])
    full = trainings.config.steps(options.train)[0]
    diet_steps = int(full) + (options.epochs - 1) * -(-round(KEEP * options.train) // options.batch_size)
    for seed in range(options.seeds):
        rows = trainings.draw(seed)
        for labels in LABELS:
            for variant, callbacks in VARIANTS.items():
                if results.has(labels, variant, seed):
                    continue
                encoded = trainings.labelled(labels, rows, seed)
                steps = diet_steps if variant == "shorter" else None
                found = trainings.train(encoded, rows.train, rows.test, seed, steps=steps, callbacks=callbacks(seed))
                line = (
                    labels,
                    variant,
                    seed,
                    round(found.accuracy, 6),
                    found.steps,
                    round(found.cpu_seconds, 2),
                    round(found.seconds, 2),
                )
                results.add(dict(zip(COLUMNS, line, strict=True)))
                print(f"{time.strftime('%H:%M:%S')} seed {seed}, {labels}: {variant}", flush=True)


def report(results: pd.DataFrame) -> dict[str, list[str]]:
    """What each variant reaches and takes, and how the diet compares, as Markdown, by the tables' names."""
    return {"diet": means_table(results), "diet compared": compared_table(results)}


def means_table(results: pd.DataFrame) -> list[str]:
    """Means over the seeds, and what is saved of plain training over the seeds that both have."""
    lines = [
        "| training labels | variant | seeds | accuracy, % | steps | steps saved | processor time saved |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    for labels in LABELS:
        plain = rows_of(results, labels, "plain")
        for variant in VARIANTS:
            own = rows_of(results, labels, variant)
            if len(own):
                shared = own.index.intersection(plain.index)
                share = {name: 1 - own.loc[shared, name].sum() / plain.loc[shared, name].sum() for name in COLUMNS[4:6]}
                cells = (labels, variant, len(own), f"{100 * own['accuracy'].mean():.2f}", f"{own['steps'].mean():.0f}")
                saved = (f"{100 * share['steps']:.0f} %", f"{100 * share['cpu_seconds']:.0f} %")
                lines.append(f"| {' | '.join(map(str, (*cells, *saved)))} |")
    return lines


def compared_table(results: pd.DataFrame) -> list[str]:
    """Paired differences of accuracy with their intervals, corrected by Bonferroni over the table."""
    family = len(LABELS) * len(COMPARED)
    alpha = (1 - CONFIDENCE) / family
    lines = [
        "| training labels | compared | seeds | difference, points |",
        "|---|---|---:|---:|",
    ]
    for labels in LABELS:
        for first, second in COMPARED:
            one, other = (rows_of(results, labels, variant)["accuracy"] for variant in (first, second))
            found = interval((one - other).dropna().tolist(), alpha)
            if found.seeds:
                lines.append(f"| {labels} | {first} − {second} | {found.seeds} | {points(found)} |")
    return lines


def rows_of(results: pd.DataFrame, labels: str, variant: str) -> pd.DataFrame:
    """Lines of one variant, by seed."""
    return results[(results["labels"] == labels) & (results["variant"] == variant)].set_index("seed")


if __name__ == "__main__":
    main()
