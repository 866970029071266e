"""Which rule ranks wrong labels best, and does more evidence ever make it worse? Rules compared on the same models.

Models are those of `ranking_trainings`: film snippets whose labels are wrong in seven known ways, and for each the
seeds and folds that a run trains. Each step of more evidence (an epoch, a seed, folds) is compared with the one
before, and each other rule with the product's, by the difference of average precision and its middle 95 % over paired
resamples of the examples. What holds for one seed or two is the mean over all seeds or pairs. Chance of the models' own
draws is not in the intervals.

python -m tests.benchmarks.ranking_rules --folder ranks                # the upper layer alone: for a processor core
python -m tests.benchmarks.ranking_rules --folder ranks --report       # train nothing: the tables of what is there
python -m tests.benchmarks.ranking_rules --folder ranks --report --pages        # the same into docs and the CSV
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from diet_explorer.analysis.suspects.evidence import EPOCH_WEIGHT, UNSEEN_FROM
from diet_explorer.analysis.suspects.suspicions import HELD_OUT_WEIGHT, TRAINED_WEIGHT
from diet_explorer.scoring import metrics
from tests.benchmarks.filling import WRONG_LABELS, fill, show
from tests.benchmarks.film_trainings import add_options
from tests.benchmarks.label_errors import cleanlab_recipe
from tests.benchmarks.ranking_calibration import calibration
from tests.benchmarks.ranking_trainings import AMID, KINDS, SEEDS, SETS, LabelledSet, Model, Trainings

PAGE, PRECISIONS = Path("docs/finding-wrong-labels.md"), Path("tests/benchmarks/ranking_precisions.csv")
RESAMPLES = 400
FOLDS, CLEANLAB = "the rule, three seeds and folds", "cleanlab's recipe"
WORDS = {
    "film": "as published, wrong where the raters say so",
    "kind": "one rater, half a point too kind",
    "class-confusing": "classes mixed up",
    "length-biased": "long texts guessed",
    "topic-biased": "one topic not understood",
    "one-lazy": "one lazy rater of five",
    "tired": "slips through the day",
    "repeating": "the label before given again",
}
RULE, OLD, ENDS = "the rule, three seeds", "EL2N, every epoch alike", (1.0, 2.0, 3.0)
Floats = NDArray[np.floating]
Measure = Callable[[Floats, NDArray[np.integer]], Floats]
Rankings = dict[str, tuple[list[Floats], str]]  # the rankings whose average precisions are averaged; compared with


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser)
    parser.set_defaults(train=1800)
    parser.add_argument("--epochs", type=int, default=len(ENDS), choices=[len(ENDS)])
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument(
        "--kinds", nargs="+", choices=KINDS, default=list(KINDS), help="of models, trained in this order"
    )
    parser.add_argument("--threads", type=int, help="of the processor, by default all")
    parser.add_argument("--report", action="store_true", help="train nothing, print what is there")
    parser.add_argument("--pages", action="store_true", help="write the table into the docs and the figures into a CSV")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    trainings = Trainings(options)
    if not options.report:
        trainings.carry_out()
    found = pd.DataFrame(precision for which in options.sets for precision in precisions(trainings, which))
    complete = [which for which in options.sets if folds_complete(trainings.models(which), trainings.labelled(which))]
    asked = {
        which: (trainings.models(which), drawn := trainings.labelled(which), trainings.embeddings(drawn.rows))
        for which in complete
    }
    show({"ranking rules": table(found), "calibration": calibration(asked)}, page=PAGE if options.pages else None)
    if options.pages:
        found.round(5).to_csv(PRECISIONS, index=False)
        fill(WRONG_LABELS, "ranking in short", in_short(found))


def precisions(trainings: Trainings, which: str) -> Iterator[dict[str, object]]:
    """Average precision of each rule on a set, and its difference from what it is compared with."""
    models = trainings.models(which)
    if not all(f"seed {seed}" in models for seed in range(SEEDS)):
        return
    drawn = trainings.labelled(which)
    wrong = drawn.given != drawn.truth
    counts = np.random.default_rng(0).multinomial(len(wrong), np.full(len(wrong), 1 / len(wrong)), RESAMPLES)
    counts = np.vstack([np.ones(len(wrong), dtype=counts.dtype), counts])  # the first is the set itself
    rules = rankings(models, drawn, trainings.embeddings(drawn.rows))
    drawn_precisions = {
        name: np.mean([average_precisions(wrong, ranking, counts) for ranking in members], axis=0)
        for name, (members, _) in rules.items()
    }
    for name, (_, beside) in rules.items():
        found, others = drawn_precisions[name], drawn_precisions[beside]
        low, high = np.quantile(found[1:], [0.025, 0.975])
        difference = found - others
        worst, best = np.quantile(difference[1:], [0.025, 0.975])
        yield {
            "set": which, "wrong": wrong.mean(), "rule": name, "precision": found[0], "low": low, "high": high,
            "against": beside, "difference": difference[0], "difference_low": worst, "difference_high": best,
        }  # fmt: skip


def rankings(models: dict[str, Model], drawn: LabelledSet, embeddings: Floats | None) -> Rankings:
    """Everything that is compared, by what it is compared with."""
    labels = drawn.given
    seeds = [models[f"seed {seed}"] for seed in range(SEEDS)]
    pairs = [list(pair) for pair in combinations(seeds, 2)]

    def own(
        chosen: Sequence[Model], points: Sequence[float] = ENDS, measure: Measure = metrics.trailing,
        weight: float = EPOCH_WEIGHT,
    ) -> Floats:  # fmt: skip
        return mean_of([(model, points) for model in chosen], labels, measure, weight)

    rule = own(seeds)
    found: Rankings = {
        "one seed": ([own([seed]) for seed in seeds], "one seed"),
        "two seeds": ([own(pair) for pair in pairs], "one seed"),
        RULE: ([rule], "two seeds"),
        "three seeds, epoch 1": ([own(seeds, ENDS[:1])], RULE),
        "three seeds, epochs 1 and 2": ([own(seeds, ENDS[:2])], "three seeds, epoch 1"),
        "three seeds, epochs 1 to 3": ([rule], "three seeds, epochs 1 and 2"),
        "a checkpoint amid epoch 2 too": ([own(seeds, (1.0, AMID, 2.0, 3.0))], RULE),
        OLD: ([own(seeds, measure=metrics.el2n, weight=1.0)], RULE),
        "EL2N, epochs 1 and 2 alike": ([own(seeds, ENDS[:2], metrics.el2n, 1.0)], RULE),
        "EL2N, epochs halving": ([own(seeds, measure=metrics.el2n)], RULE),
        "trailing, every epoch alike": ([own(seeds, weight=1.0)], RULE),
        "trailing, epochs by a third": ([own(seeds, weight=1 / 3)], RULE),
        "trailing, epochs by a quarter": ([own(seeds, weight=1 / 4)], RULE),
        "AUM: logit margin, every epoch alike": ([own(seeds, measure=fallen_behind, weight=1.0)], RULE),
        "loss, every epoch alike": ([own(seeds, measure=metrics.loss, weight=1.0)], RULE),
        "1 − p of the label, every epoch alike": ([own(seeds, measure=disbelief, weight=1.0)], RULE),
    }
    if embeddings is not None:
        found[CLEANLAB] = ([cleanlab_recipe(embeddings, labels)], RULE)
    folds = [model for name, model in models.items() if name.startswith("fold")]
    if folds_complete(models, drawn):
        late = [point for point in ENDS if point >= UNSEEN_FROM * ENDS[-1]]
        seen = mean_of([(fold, ENDS) for fold in folds], labels, metrics.trailing, EPOCH_WEIGHT, trained_on)
        unseen = mean_of([(fold, late) for fold in folds], labels, metrics.trailing, 1.0, held_out)
        old_seen = mean_of([(fold, ENDS) for fold in folds], labels, metrics.el2n, 1.0, trained_on)
        old_unseen = mean_of([(fold, late) for fold in folds], labels, metrics.el2n, 1.0, held_out)
        old = found[OLD][0][0]
        votes = [SEEDS * len(ENDS), (len(folds) - 1) * len(ENDS), len(late)]

        def beside(
            chosen: Sequence[Model], trained: float = TRAINED_WEIGHT, held: float = HELD_OUT_WEIGHT
        ) -> Floats:  # fmt: skip
            count = len(chosen)
            return np.asarray((count * own(chosen) + trained * seen + held * unseen) / (count + trained + held))

        found |= {
            "the rule, one seed and folds": ([beside([seed]) for seed in seeds], "one seed"),
            "the rule, two seeds and folds": ([beside(pair) for pair in pairs], "two seeds"),
            FOLDS: ([beside(seeds)], RULE),
            "folds as much as a seed on what they learned, as before on what was held out": (
                [beside(seeds, trained=1.0)],
                RULE,
            ),
            "folds on what they learned only": ([beside(seeds, held=0.0)], RULE),
            "folds on what was held out only": ([beside(seeds, trained=0.0)], RULE),
            "folds a quarter of all seeds each": ([(rule + seen / 4 + unseen / 4) / 1.5], RULE),
            "one seed, folds a quarter of it each": (
                [(own([seed]) + seen / 4 + unseen / 4) / 1.5 for seed in seeds],
                "one seed",
            ),
            "EL2N, every epoch alike, folds a quarter each": (
                [(old + old_seen / 4 + old_unseen / 4) / 1.5],
                FOLDS,
            ),
            "EL2N, a vote for every model": (
                [np.average([old, old_seen, old_unseen], axis=0, weights=votes)],
                FOLDS,
            ),
            "folds alone, held out": ([unseen], RULE),
            "folds alone, trained and held out": ([(seen + unseen) / 2], RULE),
        }
    again, pooled = (
        [models[f"{kind} {seed}"] for seed in range(SEEDS) if f"{kind} {seed}" in models]
        for kind in ("again", "pooled")
    )
    if len(again) == SEEDS:
        found["self-trained once, alone"] = ([own(again)], RULE)
        found["self-trained once, and the seeds"] = ([(rule + own(again)) / 2], RULE)
    if len(pooled) == SEEDS:
        found["mean-pooled head"] = ([own(pooled)], RULE)
    return found


def folds_complete(models: dict[str, Model], drawn: LabelledSet) -> bool:
    """Whether every example was held out once."""
    held_out = [~model.trained for name, model in models.items() if name.startswith("fold")]
    return int(sum(part.sum() for part in held_out)) == len(drawn.given)


def mean_of(
    asked: Sequence[tuple[Model, Sequence[float]]],
    labels: NDArray[np.integer],
    measure: Measure,
    weight: float,
    about: Callable[[Model], NDArray[np.bool_]] = lambda model: np.ones_like(model.trained),
) -> Floats:
    """Mean suspicion by models at checkpoints, about all examples or those that a model is asked about; a checkpoint
    weighs so much beside the one an epoch before."""
    total, weights = np.zeros(len(labels)), np.zeros(len(labels))
    for model, points in asked:
        rows = np.flatnonzero(about(model))
        for point in points:
            counts = weight ** (point - points[0])
            total[rows] += counts * measure(model.at(point)[rows], labels[rows])
            weights[rows] += counts
    return np.asarray(total / weights)


def trained_on(model: Model) -> NDArray[np.bool_]:
    """The examples that it has learned."""
    return model.trained


def held_out(model: Model) -> NDArray[np.bool_]:
    """The examples that it has never seen."""
    return ~model.trained


def fallen_behind(logits: Floats, labels: NDArray[np.integer]) -> Floats:
    """The logit margin, high = suspect."""
    return -metrics.margin(logits, labels)


def disbelief(logits: Floats, labels: NDArray[np.integer]) -> Floats:
    """One less the probability of the label."""
    return 1 - metrics.p_label(logits, labels)


def average_precisions(wrong: NDArray[np.bool_], ranking: Floats, counts: NDArray[np.integer]) -> NDArray[np.float64]:
    """Average precision where each example counts so often: one for each line of `counts`."""
    order = np.argsort(-ranking, kind="stable")
    present = counts[:, order].astype(np.float64)
    hits = present * wrong[order]
    above = np.cumsum(hits, axis=1)
    precision: NDArray[np.float64] = (hits * above / np.maximum(np.cumsum(present, axis=1), 1)).sum(1) / above[:, -1]
    return precision


def table(found: pd.DataFrame) -> list[str]:
    """The rules by the sets, in Markdown: the difference from what a rule is compared with, * where it is not 0."""
    sets = found["set"].unique()
    wrong = found.groupby("set")["wrong"].first()
    plain = found[found["rule"] == RULE].set_index("set")["precision"]
    lines = [
        "| rule | against | " + " | ".join(sets) + " |",
        "|---|---|" + "---|" * len(sets),
        "| *wrong* | | " + " | ".join(f"{wrong[which]:.1%}" for which in sets) + " |",
        f"| ***{RULE}*: average precision** | | " + " | ".join(f"**{plain[which]:.3f}**" for which in sets) + " |",
    ]
    for rule in found["rule"].unique():
        rows = found[found["rule"] == rule].set_index("set")
        if rows["against"].iloc[0] != rule:
            cells = [_cell(rows.loc[which]) if which in rows.index else "" for which in sets]
            lines.append(f"| {rule} | {rows['against'].iloc[0]} | " + " | ".join(cells) + " |")
    return lines


def in_short(found: pd.DataFrame) -> list[str]:
    """The rule beside cleanlab's recipe and chance, in Markdown."""
    lines = [
        "| labels | wrong | All models together, 3 seeds | … with folds | cleanlab's text recipe |",
        "|---|---|---|---|---|",
    ]
    for which in found["set"].unique():
        rows = found[found["set"] == which].set_index("rule")
        cells = [
            f"{rows.loc[rule, 'precision']:.2f} ({rows.loc[rule, 'low']:.2f} to {rows.loc[rule, 'high']:.2f})"
            for rule in (RULE, FOLDS, CLEANLAB)
        ]
        lines.append(f"| {WORDS[which]} | {rows['wrong'].iloc[0]:.0%} | " + " | ".join(cells) + " |")
    return lines


def _cell(row: pd.Series) -> str:
    low, high = row["difference_low"], row["difference_high"]
    star = "\\*" if low > 0 or high < 0 else ""
    return f"{row['difference']:+.3f}{star} ({low:+.3f} to {high:+.3f})".replace("-", "−")


if __name__ == "__main__":
    main()
