"""Witnesses against a label: what each one measures. Light to import, since the command line's help lists them."""

from __future__ import annotations

from dataclasses import dataclass

from diet_explorer.errors import NotFoundError

COMBINED = "combined"
_FOLDS = "Start the k-fold training on the Audit page under Evidence, or with: diet-explorer folds."


@dataclass(frozen=True)
class Witness:
    """One kind of evidence that a label is wrong."""

    name: str  # the choice on the command line and in links
    title: str
    explanation: str
    flag: bool = False  # whether it says yes or no rather than how much
    remedy: str = "Wait until a checkpoint after the start has landed."  # how to get it where it is missing
    available: bool = True  # whether it has something to go by in a run


WITNESSES: tuple[Witness, ...] = (
    Witness(
        COMBINED,
        "All models together",
        "How far the label trails another class, as the mean of the seeds at the ends of epochs, each of which counts "
        "half as much as the one before; where there are folds, their models together count half as much as a seed "
        "about examples that they were trained on, and a quarter about those that they never saw.",
    ),
    Witness("el2n", "EL2N", "Mean over the seeds at the chosen checkpoint: how far the models are from the label."),
    Witness(
        "grand",
        "GraNd",
        "Mean over the seeds at the chosen checkpoint: how strongly the example would move the model.",
        remedy="Score the dataset with gradient norms over all parameters.",
    ),
    Witness("aum", "AUM", "By how much the given label led or trailed over the training; trailing is suspicious."),
    Witness("never_learned", "Never learned", "Share of the seeds that never predicted the given label.", flag=True),
    Witness(
        "oos",
        "Out of sample",
        "How little models that were not trained on the example believe the given label.",
        remedy=_FOLDS,
    ),
    Witness(
        "confident",
        "Confident learning",
        "Whether those models are surer of another label than they usually are of that label (cleanlab, Northcutt et "
        "al. 2021).",
        flag=True,
        remedy=_FOLDS,
    ),
    Witness(
        "neighbours",
        "Neighbours",
        "Share of the nearest examples that have another label.",
        remedy="Draw the run's embedding map, which finds the nearest examples.",
    ),
    Witness(
        "duplicate",
        "Duplicate",
        "Whether a near-duplicate has another label: one of the two is wrong.",
        flag=True,
        remedy="The dataset has no near-duplicates with different labels.",
    ),
    Witness(
        "annotators",
        "Annotators disagree",
        "Share of the people whose label is not the given one, where the source has several people's labels.",
        remedy="The source has one label per example. Labels by several people are imported on the page Datasets, or "
        "with: diet-explorer import --annotators.",
    ),
)
_BY_NAME = {witness.name: witness for witness in WITNESSES}


def witness(name: str) -> Witness:
    """The witness of a name; NotFoundError where there is none."""
    if name not in _BY_NAME:
        raise NotFoundError(f"There is no witness {name!r}.", f"Choose one of: {', '.join(_BY_NAME)}.")
    return _BY_NAME[name]
