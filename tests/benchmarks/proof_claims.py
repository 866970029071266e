"""What the benchmark of the papers' claims trains and compares, in the order in which it is done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from diet_explorer.pruning.policies import Policy
from diet_explorer.pruning.proof import CONFIDENCE, Interval
from diet_explorer.pruning.sequential import sequential_interval
from diet_explorer.training.config import GradientMode

Labels = Literal["clean", "published", "flipped 10 %", "flipped 20 %"]
Budget = Literal["steps", "epochs"]
Measure = Literal["accuracy", "larger class"]
"""Accuracy of a training; share of the larger class among what a policy keeps."""
RESOLUTIONS: dict[Measure, float] = {"accuracy": 1 / 5_944, "larger class": 1 / 250}
"""Steps in which they are measured: one test text, one text of the highest tenth."""
AIM = 0.005
"""Half of an interval's width at which no more seeds are drawn: half a point of accuracy."""
CHECKPOINTS: dict[float, GradientMode] = {0.1: "off", 0.5: "off", 1.0: "all", 2.0: "off"}
DROPPED = (1, 2, 5, 10, 20)
ALL_LABELS: tuple[Labels, ...] = ("published", "flipped 20 %", "clean", "flipped 10 %")


@dataclass(frozen=True)
class Training:
    """One training of a seed; no policy is full data."""

    labels: Labels
    budget: Budget
    policy: Policy | None

    @property
    def name(self) -> str:
        """Its variant in the CSV."""
        return "full" if self.policy is None else name_of(self.policy)


@dataclass(frozen=True)
class Claim:
    """A difference between two trainings of a seed, and the sign that the papers report; 0 where they report none."""

    number: str
    words: str
    first: Training
    second: Training
    sign: int
    family: int
    """How many claims it is corrected with."""
    measure: Measure = "accuracy"

    @property
    def trainings(self) -> tuple[Training, ...]:
        """What has to be trained for it; classes are counted with the scores of full data."""
        if self.measure == "larger class":
            return (Training(self.first.labels, "steps", None),)
        return (self.second, self.first)

    @property
    def alpha(self) -> float:
        """How often its interval may miss, by Bonferroni over its family."""
        return (1 - CONFIDENCE) / self.family


def name_of(policy: Policy) -> str:
    """A policy's name in the CSV."""
    scored = f", {policy.score} {policy.checkpoint:g}" if policy.needs_scores else ""
    if policy.kind == "window":
        return f"without {policy.drop_hardest:g}{scored}"
    return f"{policy.kind} {policy.keep:g}{scored}"


def hardest(keep: float, checkpoint: float, score: str = "el2n") -> Policy:
    """Keep the hardest so many per cent."""
    return Policy("hardest", keep=keep, checkpoint=checkpoint, score=score)


def without(share: float, score: str = "el2n") -> Policy:
    """Drop the hardest so many per cent by the scores after one epoch."""
    return Policy("window", drop_hardest=share, checkpoint=1.0, score=score)


def random(keep: float) -> Policy:
    """Keep so many per cent at random."""
    return Policy("random", keep=keep)


SKEWED = tuple(hardest(10, checkpoint) for checkpoint in CHECKPOINTS)
"""The classes of the highest tenth are counted at every checkpoint."""

Difference = tuple[str, str, Labels, Budget, Policy | None, Policy | None, int]


def _early(labels: Labels, budget: Budget, early: float) -> list[Difference]:
    title = f"hardest 70 % by scores after {early:g} epochs"
    return [
        ("1", f"{title} against after one", labels, budget, hardest(70, early), hardest(70, 1.0), -1),
        ("1", f"{title} against random 70 %", labels, budget, hardest(70, early), random(70), -1),
    ]


def _later(labels: Labels, budget: Budget, late: float) -> Difference:
    title = f"hardest 70 % by scores after {'one epoch' if late == 1 else 'two epochs'} against random 70 %"
    return ("1", title, labels, budget, hardest(70, late), random(70), 0)


def _dropped(labels: Labels, budget: Budget, share: float) -> Difference:
    return ("2", f"without the hardest {share:g} % against full data", labels, budget, without(share), None, 1)


def _small(labels: Labels, budget: Budget) -> Difference:
    return ("3", "hardest 30 % against random 30 %", labels, budget, hardest(30, 1.0), random(30), -1)


def _scores(labels: Labels, budget: Budget) -> list[Difference]:
    return [
        ("5", f"hardest 70 % by EL2N against {title}", labels, budget, hardest(70, 1.0), hardest(70, 1.0, other), 0)
        for other, title in (("grand", "GraNd of all parameters"), ("grand_head", "GraNd of the classifier"))
    ]


def _scores_dropped(labels: Labels, budget: Budget) -> list[Difference]:
    return [
        ("5", f"without the hardest 10 % by EL2N against {title}", labels, budget, without(10), without(10, other), 0)
        for other, title in (("grand", "GraNd of all parameters"), ("grand_head", "GraNd of the classifier"))
    ]


def _everything(labels: Labels, budget: Budget) -> list[Difference]:
    return [
        *(_dropped(labels, budget, share) for share in DROPPED),
        *_early(labels, budget, 0.1),
        _small(labels, budget),
        *_early(labels, budget, 0.5),
        *(_later(labels, budget, late) for late in (1.0, 2.0)),
        *_scores(labels, budget),
        *_scores_dropped(labels, budget),
    ]


def _as_claims(differences: Sequence[Difference], family: int, measure: Measure = "accuracy") -> list[Claim]:
    """As claims; full data takes as many steps in either budget, so it is trained once."""
    return [
        Claim(
            number,
            words,
            Training(labels, budget, first),
            Training(labels, "steps" if second is None else budget, second),
            sign,
            family,
            measure,
        )
        for number, words, labels, budget, first, second, sign in differences
    ]


HEADLINE: list[Difference] = [
    *_early("published", "steps", 0.1),
    _dropped("published", "steps", 2),
    _small("published", "steps"),
    _dropped("flipped 20 %", "steps", 10),
    *_scores("published", "steps"),
]
"""Chosen before a result of any of the seeds was seen."""

_SAME_EPOCHS: list[Difference] = [(*found[:3], "epochs", *found[4:]) for found in HEADLINE]  # type: ignore[misc]
_BUDGETS: tuple[Budget, ...] = ("steps", "epochs")
_SKEW: list[Difference] = [
    (
        "4",
        "larger class among the hardest 10 % after 0.1 epochs against after two",
        "published",
        "steps",
        SKEWED[0],
        SKEWED[-1],
        1,
    )
]
_REST = [
    _SAME_EPOCHS,
    *(
        [found for found in _everything(labels, budget) if found not in (*HEADLINE, *_SAME_EPOCHS)]
        for budget in _BUDGETS
        for labels in ALL_LABELS
    ),
]
_FAMILY = sum(map(len, _REST))
STAGES: tuple[list[Claim], ...] = (
    _as_claims(HEADLINE, len(HEADLINE) + len(_SKEW)) + _as_claims(_SKEW, len(HEADLINE) + len(_SKEW), "larger class"),
    *(_as_claims(differences, _FAMILY) for differences in _REST),
)
"""Headline claims, the same with equal epochs, then all the others: equal steps before equal epochs."""


def values_of(results: pd.DataFrame, claim: Claim) -> list[float]:
    """The claim's difference for each seed that has both trainings."""
    first, second = (_by_seed(results, training, claim.measure) for training in (claim.first, claim.second))
    return [first[seed] - second[seed] for seed in sorted(first.keys() & second.keys())]


def _by_seed(results: pd.DataFrame, training: Training, measure: Measure) -> dict[int, float]:
    rows = results[
        (results["labels"] == training.labels)
        & (results["budget"] == training.budget)
        & (results["variant"] == training.name)
        & (results["measure"] == measure)
    ]
    return dict(zip(rows["seed"].astype(int), rows["value"].astype(float), strict=True))


def interval(values: Sequence[float], alpha: float, measure: Measure = "accuracy") -> Interval:
    """Mean of paired differences, in the order of the seeds, with what a confidence sequence leaves of the mean."""
    return sequential_interval(values, alpha, RESOLUTIONS[measure])


def interval_of(results: pd.DataFrame, claim: Claim) -> Interval:
    """A claim's interval over the seeds that are there."""
    return interval(values_of(results, claim), claim.alpha, claim.measure)
