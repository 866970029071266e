"""Proof by retraining: which trainings it takes, and what their results say. Pure functions of arrays and numbers.

A proof has *variants*, ways to choose training examples, and one training per variant and seed. All trainings of a seed
begin with the same weights and take the same number of optimisation steps as full data does, so that a variant of fewer
examples sees each of them more often.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from math import isfinite, nan, sqrt
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from diet_explorer.errors import BadInputError
from diet_explorer.pruning.policies import Policy
from diet_explorer.scoring import catalogue
from diet_explorer.training.config import MAX_SEEDS, NEEDS, RunConfig

VariantKind = Literal["full", "random", "policy"]
Measure = Literal["accuracy", "macro_f1", "loss"]
MEASURES: tuple[Measure, ...] = ("accuracy", "macro_f1", "loss")
LEAST_SEEDS = 3
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Variant:
    """One way to choose training examples.

    Attributes
    ----------
    kind : {"full", "random", "policy"}
        Full data as imported; as many examples of it drawn at random, afresh for each seed; what a policy keeps.
    size : int
        Training examples.
    policy : Policy or None
        The policy at this kept share; None for the other kinds.
    fraction : float or None
        The kept share that was asked for, in per cent; None where the policy has a size of its own, and for full data.
    """

    kind: VariantKind
    size: int
    policy: Policy | None = None
    fraction: float | None = None

    @property
    def title(self) -> str:
        """What people call it: the same at every kept share, another for every other difference of policies."""
        if self.policy is None:
            return "Full data" if self.kind == "full" else "Random"
        notes = _notes(self.policy)
        return f"{self.policy.title} ({', '.join(notes)})" if notes else self.policy.title

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {**asdict(self), "policy": None if self.policy is None else self.policy.to_json()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Variant:
        """Rebuild a variant from `to_json`'s result."""
        policy = value["policy"]
        return cls(**{**value, "policy": None if policy is None else Policy.from_json(policy)})


@dataclass(frozen=True)
class Figures:
    """Results of one training on the held-out examples.

    Attributes
    ----------
    accuracy : float
        In [0, 1], higher is better.
    macro_f1 : float
        Mean over the classes that occur of their F1, in [0, 1], higher is better.
    loss : float
        Mean cross-entropy in nats, from 0 on, lower is better.
    """

    accuracy: float
    macro_f1: float
    loss: float


@dataclass(frozen=True)
class Interval:
    """A mean over seeds with its 95 % interval by Student's t; `low` and `high` are NaN for fewer than two seeds."""

    mean: float
    low: float
    high: float
    seeds: int

    @property
    def holds_zero(self) -> bool:
        """Whether 0 lies inside; True where there is no interval, since nothing is known then."""
        return not (isfinite(self.low) and (self.low > 0 or self.high < 0))


def choices_of(policies: Sequence[Policy], fractions: Sequence[float]) -> list[tuple[Policy, float | None]]:
    """Each policy at each kept share; those that have a size of their own stand once.

    Parameters
    ----------
    policies : sequence of Policy
        Windows, random and the like are taken at every share, whatever they keep themselves; a window without any
        `drop_hardest` is the easy end cut off.
    fractions : sequence of float
        Per cent, in [1, 100). Without any, every policy stands once, as it is.

    Returns
    -------
    list of (Policy, float or None)
        In the order of the shares, the largest first; None for a policy as it is.

    Raises
    ------
    BadInputError
        There is no policy, or a share is out of its range or not possible with a policy.
    """
    if not policies:
        raise BadInputError("No policy is named.", "Name at least one, such as window.")
    choices: dict[Policy, float | None] = {}
    for fraction in sorted({float(fraction) for fraction in checked_fractions(fractions)}, reverse=True):
        for policy in policies:
            if policy.uses("keep") or policy.uses("drop_easiest"):
                choices.setdefault(policy.at_fraction(fraction), fraction)
    for policy in policies:
        if not fractions or not (policy.uses("keep") or policy.uses("drop_easiest")):
            choices.setdefault(policy, None)
    return list(choices.items())


def checked_fractions(fractions: Sequence[float]) -> Sequence[float]:
    """The kept shares, if all can be; BadInputError otherwise."""
    for fraction in fractions:
        if not 1 <= fraction < 100:
            raise BadInputError(f"The kept share is {fraction:g}.", "List per cents from 1 to below 100, such as 70.")
    return fractions


def variants_of(chosen: Sequence[tuple[Policy, float | None, int]], full: int) -> list[Variant]:
    """The variants of a proof: full data, then random of every size that a policy has, always, and the policies.

    Parameters
    ----------
    chosen : sequence of (Policy, float or None, int)
        Policies with the share that was asked for and the number of training examples that they keep. A policy of kind
        ``random`` only says which sizes are wanted.
    full : int
        Training examples of full data.
    """
    variants = [Variant("full", full)]
    drawn = {full}  # as many as there are is full data, however they are drawn
    for policy, fraction, size in chosen:
        if size not in drawn:
            drawn.add(size)
            variants.append(Variant("random", size, fraction=fraction))
        if policy.kind != "random":
            variants.append(Variant("policy", size, policy, fraction))
    return variants


def checked_seeds(seeds: int) -> int:
    """The number of seeds, if it is enough for an interval.

    Raises
    ------
    BadInputError
        It is below 3 or too large.
    """
    if not LEAST_SEEDS <= seeds <= MAX_SEEDS:
        raise BadInputError(f"The number of seeds is {seeds}.", f"Give a number from {LEAST_SEEDS} to {MAX_SEEDS}.")
    return seeds


def training_config(config: RunConfig, full: int, seed: int) -> RunConfig:
    """Settings of one training: the run's own, on no diet, with the steps that it takes on `full` examples."""
    return replace(
        config,
        seeds=1,
        first_seed=seed,
        checkpoints=(float(config.epochs),),
        grand="off",
        own_rows=True,
        max_steps=config.steps(full)[1],
        ranked=False,
        diet=1.0,
    ).validated()


def training_key(
    content_hash: str,
    config: RunConfig,
    rows: NDArray[np.integer],
    labels: NDArray[np.integer],
    evaluated: NDArray[np.integer],
) -> str:
    """SHA-256 of all that a training's result depends on: equal keys, equal results.

    Parameters
    ----------
    content_hash : str
        Of the dataset.
    config : RunConfig
        Of the training, see `training_config`.
    rows, labels : int arrays (n,)
        What is trained on.
    evaluated : int array (m,)
        Rows that the result is taken over.
    """
    left_out = ("dataset_id", "diet", *NEEDS)
    settings = {name: value for name, value in config.to_json().items() if name not in left_out}
    digest = hashlib.sha256(json.dumps([content_hash, settings], sort_keys=True).encode())
    for values in (rows, labels, evaluated):
        digest.update(hashlib.sha256(np.ascontiguousarray(values, dtype="<i4").tobytes()).digest())
    return digest.hexdigest()


def evaluate(labels: NDArray[np.integer], predicted: NDArray[np.integer], losses: NDArray[np.floating]) -> Figures:
    """Accuracy, macro-F1 and mean loss.

    Parameters
    ----------
    labels, predicted : int arrays (n,)
        Codes of classes; n is at least 1.
    losses : array (n,)
        Cross-entropy of each example, in nats.
    """
    from sklearn.metrics import f1_score

    return Figures(
        accuracy=float(np.mean(labels == predicted)),
        macro_f1=float(f1_score(labels, predicted, average="macro", zero_division=0)),
        loss=float(np.mean(losses, dtype=np.float64)),
    )


def mean_interval(values: Sequence[float]) -> Interval:
    """Mean and 95 % interval of independent values: mean ± t(n − 1) · s / √n, with the sample's deviation s."""
    count = len(values)
    if not count:
        return Interval(nan, nan, nan, 0)
    mean = float(np.mean(values))
    if count == 1:
        return Interval(mean, nan, nan, 1)
    from scipy.special import stdtrit

    quantile = float(stdtrit(count - 1, (1 + CONFIDENCE) / 2))
    half = quantile * float(np.std(values, ddof=1)) / sqrt(count)
    return Interval(mean, mean - half, mean + half, count)


def paired_difference(
    first: Mapping[int, Figures], second: Mapping[int, Figures], measure: Measure = "accuracy"
) -> Interval:
    """Mean difference, first minus second, over the seeds that both have, with its 95 % interval.

    Both trainings of a seed begin with the same weights, so that differences vary less than the results themselves.
    """
    shared = sorted(first.keys() & second.keys())
    return mean_interval([getattr(first[seed], measure) - getattr(second[seed], measure) for seed in shared])


def _notes(policy: Policy) -> list[str]:
    """What sets a policy apart from others of its kind, apart from the share that it keeps."""
    plain = Policy(policy.kind)
    notes = []
    if policy.needs_scores:
        when = "" if policy.checkpoint is None else f" {catalogue.checkpoint_title(policy.checkpoint)}"
        seed = "" if policy.run_seed is None else f", seed {policy.run_seed}"
        notes.append(f"{catalogue.score(policy.score).title}{when}{seed}")
    if policy.drop_hardest:
        notes.append(f"without the hardest {policy.drop_hardest:g} %")
    if policy.strata != plain.strata:
        notes.append(f"{policy.strata} strata")
    if policy.seed != plain.seed:
        notes.append(f"draw {policy.seed}")
    if policy.minimum_per_class != plain.minimum_per_class:
        notes.append(f"at least {policy.minimum_per_class:,} per class")
    if not policy.use_decisions:
        notes.append("decisions left out")
    if policy.deduplicate and policy.kind != "duplicates":
        notes.append("without near-duplicates")
    return notes
