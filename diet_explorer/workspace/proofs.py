"""Starts and lists the proofs of a run, and holds examples out for them."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Generic

import numpy as np
from numpy.typing import NDArray

from diet_explorer.data.splits import TEST, VALIDATION
from diet_explorer.errors import BadInputError
from diet_explorer.pruning.deciding import (
    MOST_SEEDS,
    PRECISION,
    checked_bound,
    checked_precision,
    comparisons_of,
    first_decision,
)
from diet_explorer.pruning.policies import Policy
from diet_explorer.pruning.proof import (
    LEAST_SEEDS,
    Variant,
    checked_seeds,
    choices_of,
    training_config,
    training_key,
    variants_of,
)
from diet_explorer.pruning.split import ProofSplit, held_out_rows, proof_split
from diet_explorer.pruning.trainings import Training, TrainingResults
from diet_explorer.review.annotators import Identity
from diet_explorer.scoring.dataset_costs import DatasetCosts
from diet_explorer.store.layout import Layout
from diet_explorer.store.rows import RunRows
from diet_explorer.training.config import RunConfig
from diet_explorer.workspace.core import AnyRun
from diet_explorer.workspace.proof import Proof, list_proofs
from diet_explorer.workspace.pruning import Pruning

NAME_LENGTH = 200
LEAST_HELD_OUT, MOST_HELD_OUT = 2, 50


@dataclass(frozen=True)
class ProofEstimate:
    """What a proof will take on this machine, with one worker.

    Attributes
    ----------
    trainings, seconds : int, float
        At most: finished trainings are used again, and a proof that goes on until it decides may end earlier.
    least_trainings, least_seconds : int, float
        Where all is decided as early as it can be; the same as those at most for a fixed number of seeds.
    basis : str
        What the figures rest on.
    """

    trainings: int
    seconds: float
    least_trainings: int
    least_seconds: float
    basis: str


RowsWithLabels = tuple[NDArray[np.integer], NDArray[np.integer]]


class Proofs(Generic[AnyRun]):
    """Proves by retraining what policies of a run are worth."""

    def __init__(self, run: AnyRun) -> None:
        self._run = run
        self._pruning = Pruning(run)

    def start(
        self,
        policies: Sequence[Policy],
        fractions: Sequence[float] = (),
        seeds: int | None = None,
        *,
        until_decided: bool = False,
        precision: float = PRECISION,
        by: Identity | str | None = None,
    ) -> Proof:
        """Queue the trainings that show what policies are worth; returns at once.

        Every policy is retrained at every kept share, with every seed, on what `Pruning.plan` keeps. Full data, and
        random of every size that a policy has, drawn afresh for each seed from the data as imported, are always trained
        along. All trainings of a seed begin with the same weights, take the same number of optimisation steps and have
        this run's settings. What was trained before, for whatever proof, is not trained again.

        Parameters
        ----------
        policies : sequence of Policy
            Their scores are this run's.
        fractions : sequence of float
            Kept shares in per cent of what decisions leave; see `choices_of`. Without any, each policy as it is.
        seeds : int, optional
            At least 3, and 3 by default; with `until_decided` the most that are drawn, 20 by default.
        until_decided : bool
            Go on seed by seed until every policy is decided against random of its size and against full data: until
            the interval of the difference excludes 0, or is known to ± `precision`. Intervals are then such as may be
            looked at after every seed, see `pruning.sequential`, and are corrected for all comparisons of the proof.
            What is decided needs no further seed; what is not by the last seed stays undecided.
        precision : float
            In points of accuracy; 0.5 by default.

        Raises
        ------
        BadInputError
            There is nothing to evaluate on, or a policy or number cannot be used.
        GuardRailError
            A policy would leave too little of a class.
        NotFoundError
            There are no scores of a policy's checkpoint or seed.
        PermissionDeniedError
            `by` is somebody who may not.
        """
        run = self._run
        run.context.allow("lead", "start a proof", by)
        seeds = _seeds(seeds, until_decided)
        checked_precision(precision)
        split = self._split()
        full, decisions_at = len(split.train), run.dataset.ledger.position()
        kept: dict[Policy, RowsWithLabels] = {}
        sizes = []
        for policy, share in choices_of([self._pruning.resolved(policy) for policy in policies], fractions):
            plan = self._pruning.plan(policy, decisions_at=decisions_at)
            kept[policy] = plan.rows, plan.labels
            sizes.append((policy, share, len(plan.rows)))
        variants = variants_of(sizes, full)
        if until_decided:
            checked_bound(len(comparisons_of(variants)), seeds)
        trainings = []
        for seed in range(seeds):
            config = training_config(run.config, full, seed)
            for number, variant in enumerate(variants):
                if variant.policy is None:
                    rows = split.drawn(variant.size, seed)
                    learned: RowsWithLabels = (rows, split.population.labels[rows])
                else:
                    learned = kept[variant.policy]
                key = training_key(run.dataset.manifest.content_hash, config, *learned, split.evaluated)
                trainings.append(Training(number, seed, key, self._run_id(key, variant, config, learned, split)))
        now = run.context.records.now()
        record = {
            "id": f"proof-{now:%Y%m%d-%H%M%S}-{uuid.uuid4().hex[:4]}",
            "run_id": run.id,
            "created_at": now.isoformat(),
            "seeds": seeds,
            "until_decided": precision if until_decided else None,
            "steps": run.config.steps(full)[1],
            "evaluated_on": split.evaluated_on,
            "evaluated": len(split.evaluated),
            "variants": [variant.to_json() for variant in variants],
            "trainings": [asdict(training) for training in trainings],
        }
        files = run.context.files
        files.write_json(Layout(files).proof(str(record["id"])), record)
        return Proof(run.context, record).resume(by=by)

    def estimate(
        self,
        policies: Sequence[Policy],
        fractions: Sequence[float] = (),
        seeds: int | None = None,
        *,
        until_decided: bool = False,
        precision: float = PRECISION,
    ) -> ProofEstimate:
        """What `start` would take with the same settings; nothing is started.

        Raises
        ------
        BadInputError
            A policy or number cannot be used.
        """
        run, seeds = self._run, _seeds(seeds, until_decided)
        checked_precision(precision)
        choices = choices_of(policies, fractions)
        chosen = sum(policy.kind != "random" for policy, _ in choices)
        drawn = len({share if share is not None else policy.key() for policy, share in choices})
        least = seeds
        if until_decided:
            checked_bound(2 * chosen + drawn, seeds)
            least = first_decision(2 * chosen + drawn)
        each = replace(run.config, seeds=1, grand="off", diet=1.0, checkpoints=(float(run.config.epochs),))
        manifest = run.dataset.manifest
        cost = DatasetCosts(run.context.files, run.context.queries, manifest).estimates(each)["off"]
        evaluated = manifest.splits.get(TEST, manifest.splits.get(VALIDATION, 0)) / max(run.dataset.rows, 1)
        seconds = cost.seconds_training + cost.seconds_scoring * evaluated
        basis = cost.basis if cost.measured else f"An estimate {cost.basis}"
        most, few = (1 + chosen + drawn) * seeds, (1 + chosen + drawn) * least
        return ProofEstimate(most, most * seconds, few, few * seconds, basis)

    def hold_out(self, share: float = 20.0, *, seed: int = 0, by: Identity | str | None = None) -> AnyRun:
        """Queue a run like this one that neither learns nor scores a part of the training split; returns at once.

        That part is then what proofs of the new run are evaluated on: for sets without a test split. It is drawn class
        by class, near-duplicates together, so that nothing like it is trained on.

        Parameters
        ----------
        share : float
            Per cent of the training split, 2 to 50; rounded so that 100 / share is a whole number.
        seed : int
            Of the draw.

        Raises
        ------
        BadInputError
            The share is out of its range, or this run has a hold-out already.
        PermissionDeniedError
            `by` is somebody who may not.
        """
        self._run.context.allow("lead", "start a run", by)
        if not LEAST_HELD_OUT <= share <= MOST_HELD_OUT:
            raise BadInputError(
                f"The hold-out is {share:g} %.", f"Give a share from {LEAST_HELD_OUT} to {MOST_HELD_OUT} %."
            )
        if self._run.record.origin != "job" or self._run.config.own_rows:
            raise BadInputError(
                f"The run {self._run.id} is not one of this program on the whole training split.",
                "Hold out from such a run.",
            )
        population = self._pruning.population
        train, held_out = np.flatnonzero(population.train), held_out_rows(population, share, seed)
        learned = np.setdiff1d(train, held_out, assume_unique=True)
        config = replace(self._run.config, own_rows=True).validated()
        name = f"{self._run.record.name} · {100 * len(held_out) / len(train):.0f} % held out"[:NAME_LENGTH]
        run = self._run.create(config, name=name, origin="job", as_child=False)
        rows = RunRows(self._run.context.files, run.id)
        for number in config.seed_numbers:
            rows.write_training(number, learned, population.labels[learned])
        rows.write_scored(np.setdiff1d(np.arange(len(population.labels)), held_out, assume_unique=True))
        rows.write_held_out(held_out)
        run.submit()
        return run

    def list(self) -> list[Proof]:
        """Proofs of this run, newest first."""
        return [proof for proof in list_proofs(self._run.context) if proof.run_id == self._run.id]

    def _split(self) -> ProofSplit:
        if self._run.record.origin != "job":
            raise BadInputError(
                f"The run {self._run.id} is not one whose training could be repeated on fewer examples.",
                "Score the dataset with diet-explorer score, and prove with that run.",
            )
        held_out = RunRows(self._run.context.files, self._run.id).read_held_out()
        split = proof_split(self._pruning.population, held_out)
        if split is None:
            raise BadInputError(
                f"The dataset {self._run.dataset.id} has no test split that a proof could be evaluated on.",
                "Score it once more with a part of the training split held out: "
                f"diet-explorer prove {self._run.id} --hold-out 20 (in Python: run.proofs.hold_out()).",
            )
        return split

    def _run_id(
        self,
        key: str,
        variant: Variant,
        config: RunConfig,
        learned: RowsWithLabels,
        split: ProofSplit,
    ) -> str:
        """The run that a training is: an earlier one, this run itself, or a new one, not yet started."""
        run, results = self._run, TrainingResults(self._run.context.files, self._run.dataset.id)
        known = results.run_id(key)
        if known is not None and run.context.records.is_there(known):
            return known
        seed, end = config.first_seed, float(config.epochs)
        if variant.kind == "full" and self._ended_on_full_data(seed, end):
            results.write(key, run.id, seed, end, split.evaluated_on)
            return run.id
        name = f"{run.record.name} · {variant.title}, {variant.size:,} examples, seed {seed}"[:NAME_LENGTH]
        training = run.create(config, name=name, origin="proof")
        lists = RunRows(run.context.files, training.id)
        lists.write_training(seed, *learned)
        lists.write_scored(split.evaluated)
        results.write(key, training.id, seed, end, None)
        return training.id

    def _ended_on_full_data(self, seed: int, end: float) -> bool:
        """Whether this run itself is the training on full data, with scores of all examples when it ended."""
        whole = self._run.record.origin == "job" and not self._run.config.own_rows
        return whole and seed in self._run.config.seed_numbers and self._run.store.has_scores(seed, end)


def _seeds(seeds: int | None, until_decided: bool) -> int:
    """The number of seeds, or the most, that was asked for or is usual."""
    return checked_seeds(seeds if seeds is not None else MOST_SEEDS if until_decided else LEAST_SEEDS)
