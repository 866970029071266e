"""What is to be trained to prove a pruning, and holding examples out."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Generic

import numpy as np
from numpy.typing import NDArray

from diet_explorer.data.splits import TEST, VALIDATION
from diet_explorer.errors import BadInputError, NotFoundError
from diet_explorer.pruning.cells import CellFiles
from diet_explorer.pruning.material import Population, hardness_of, load_population, material_of, no_scores
from diet_explorer.pruning.policies import Policy
from diet_explorer.pruning.proof import Arm, arms_of, cell_config, cell_key, checked_seeds, choices_of
from diet_explorer.pruning.selection import drawing_order, select
from diet_explorer.review.annotators import Identity
from diet_explorer.store.layout import Layout
from diet_explorer.store.rows import RunRows
from diet_explorer.training.config import RunConfig
from diet_explorer.training.folds import assign_folds
from diet_explorer.workspace.core import AnyRun
from diet_explorer.workspace.proof import Cell, Proof, list_proofs

NAME_LENGTH = 200
HELD_OUT = "held out"
LEAST_HELD_OUT, MOST_HELD_OUT = 2, 50
Mask = NDArray[np.bool_]
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class _Stage:
    """What can be trained on, and what the results are taken over; `name` is the split's, or `HELD_OUT`."""

    population: Population
    train: Mask
    name: str
    evaluated: Rows

    @property
    def held_out(self) -> Rows | None:
        """Training rows that are evaluated on instead of a split; None where there is a split."""
        return self.evaluated if self.name == HELD_OUT else None

    def drawn(self, size: int, seed: int) -> Mask:
        """So many of the training rows at random, each set within the larger ones of the seed; (N,) bool."""
        rows = np.flatnonzero(self.train)
        order = np.argsort(drawing_order(self.population.order.tie[rows], seed), kind="stable")
        kept = np.zeros(len(self.train), dtype=bool)
        kept[rows[order[:size]]] = True
        return kept


class Proofs(Generic[AnyRun]):
    """Proves by retraining what policies of a run are worth."""

    def __init__(self, run: AnyRun) -> None:
        self._run = run

    def start(
        self,
        policies: Sequence[Policy],
        fractions: Sequence[float] = (),
        seeds: int = 3,
        *,
        by: Identity | str | None = None,
    ) -> Proof:
        """Queue the trainings that show what policies are worth; returns at once.

        Every policy is retrained at every kept share, with every seed. Full data, and random of every size that a
        policy has, drawn afresh for each seed from the data as imported, are always trained along. All trainings of a
        seed begin with the same weights, take the same number of optimisation steps and have this run's settings.
        What was trained before, for whatever proof, is not trained again.

        Parameters
        ----------
        policies : sequence of Policy
            Their scores are this run's.
        fractions : sequence of float
            Kept shares in per cent of what decisions leave; see `choices_of`. Without any, each policy as it is.
        seeds : int
            At least 3.

        Raises
        ------
        BadInputError
            There is nothing to evaluate on, or a policy or number cannot be used.
        GuardRailError
            A policy would leave too little of a class.
        PermissionDeniedError
            `by` is somebody who may not.
        """
        self._run.context.allow("lead", "start a proof", by)
        checked_seeds(seeds)
        manifest, files = self._run.dataset.manifest, self._run.context.files
        stage = self._stage(load_population(files, manifest))
        full = int(np.count_nonzero(stage.train))
        choices = choices_of([self._resolved(policy) for policy in policies], fractions)
        selections = [(policy, share, self._select(policy, stage)) for policy, share in choices]
        sizes = [(policy, share, int(np.count_nonzero(kept))) for policy, share, (kept, _) in selections]
        kept_by = {(policy, share): found for policy, share, found in selections}
        arms = arms_of(sizes, full)
        cells = []
        for seed in range(seeds):
            config = cell_config(self._run.config, full, seed)
            for number, arm in enumerate(arms):
                if arm.policy is None:
                    kept, labels = stage.drawn(arm.size, seed), stage.population.labels
                else:
                    kept, labels = kept_by[arm.policy, arm.fraction]
                rows = np.flatnonzero(kept)
                key = cell_key(manifest.content_hash, config, rows, labels[rows], stage.evaluated)
                run_id = self._carrier(key, arm, config, rows, labels[rows], stage)
                cells.append(Cell(number, seed, key, run_id))
        now = datetime.now(UTC)
        record = {
            "id": f"proof-{now:%Y%m%d-%H%M%S}-{uuid.uuid4().hex[:4]}",
            "run_id": self._run.id,
            "created_at": now.isoformat(),
            "seeds": seeds,
            "steps": self._run.config.steps(full)[1],
            "evaluated_on": stage.name,
            "evaluated": len(stage.evaluated),
            "arms": [arm.to_json() for arm in arms],
            "cells": [asdict(cell) for cell in cells],
        }
        files.write_json(Layout(files).proof(str(record["id"])), record)
        return Proof(self._run.context, record).resume(by=by)

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
        population = load_population(self._run.context.files, self._run.dataset.manifest)
        train = np.flatnonzero(population.train)
        parts = round(100 / share)
        folds = assign_folds(population.labels[train], population.groups[train], parts, seed)
        held_out = train[folds == 0]
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

    def _stage(self, population: Population) -> _Stage:
        if self._run.record.origin != "job":
            raise BadInputError(
                f"The run {self._run.id} is not one whose training could be repeated on fewer examples.",
                "Score the dataset with diet-explorer score, and prove with that run.",
            )
        held_out = RunRows(self._run.context.files, self._run.id).read_held_out()
        if held_out is not None:
            train = population.train.copy()
            train[held_out] = False
            return _Stage(population, train, HELD_OUT, held_out)
        for name in (TEST, VALIDATION):
            if name in population.order.split_names:
                rows = np.flatnonzero(population.order.splits == population.order.split_names.index(name))
                return _Stage(population, population.train, name, rows)
        raise BadInputError(
            f"The dataset {self._run.dataset.id} has no test split that a proof could be evaluated on.",
            "Score it once more with a part of the training split held out: "
            f"diet-explorer prove {self._run.id} --hold-out 20 (in Python: run.proofs.hold_out()).",
        )

    def _resolved(self, policy: Policy) -> Policy:
        """The policy with its checkpoint, which must be there."""
        if not policy.needs_scores:
            return policy
        point = self._run.default_checkpoint(policy.run_seed) if policy.checkpoint is None else policy.checkpoint
        known = self._run.checkpoints(policy.run_seed)
        if point not in known:
            listed = ", ".join(f"{entry:g}" for entry in known) or "none yet"
            raise NotFoundError(
                f"The run {self._run.id} has no scores after {point:g} epochs.", f"There are: {listed}."
            )
        return replace(policy, checkpoint=point)

    def _select(self, policy: Policy, stage: _Stage) -> tuple[Mask, NDArray[np.int32]]:
        """Which training rows a policy keeps, and the labels that hold."""
        manifest = self._run.dataset.manifest
        hardness = no_scores(manifest.rows)
        if policy.checkpoint is not None:
            ranking = self._run.store.read_ranking(policy.run_seed, policy.checkpoint)
            hardness = hardness_of(ranking, policy.score, manifest.rows)
        material = material_of(stage.population, hardness, self._run.dataset.ledger.table(), manifest, stage.held_out)
        found = select(policy, material, manifest.classes)
        return found.keep & stage.train, found.labels

    def _carrier(
        self, key: str, arm: Arm, config: RunConfig, rows: Rows, labels: NDArray[np.int32], stage: _Stage
    ) -> str:
        """The run that gives a cell its result: an earlier one, this run itself, or a new one, not yet started."""
        cells = CellFiles(self._run.context.files, self._run.record.dataset_id)
        known = cells.run_id(key)
        if known is not None:
            return known
        seed, end = config.first_seed, float(config.epochs)
        if arm.kind == "full" and self._ended_on_full_data(seed, end):
            cells.write(key, self._run.id, seed, end, stage.name)
            return self._run.id
        name = f"{self._run.record.name} · {arm.title}, {arm.size:,} examples, seed {seed}"[:NAME_LENGTH]
        run = self._run.create(config, name=name, origin="proof")
        lists = RunRows(self._run.context.files, run.id)
        lists.write_training(seed, rows, labels)
        lists.write_scored(stage.evaluated)
        cells.write(key, run.id, seed, end, None)
        return run.id

    def _ended_on_full_data(self, seed: int, end: float) -> bool:
        """Whether this run itself is the training on full data, with scores of all examples when it ended."""
        whole = self._run.record.origin == "job" and not self._run.config.own_rows
        return whole and seed in self._run.config.seed_numbers and self._run.store.has_scores(seed, end)

    def list(self) -> list[Proof]:
        """Proofs of this run, newest first."""
        return [proof for proof in list_proofs(self._run.context) if proof.run_id == self._run.id]
