"""What a policy does to the dataset of a run: what Preview shows, Export writes and Proof trains on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from diet_explorer.data.manifest import DatasetManifest
from diet_explorer.pruning.material import Population, hardness_of, load_population, material_of, no_scores
from diet_explorer.pruning.policies import Policy
from diet_explorer.pruning.selection import REASONS, Material, Selection, select
from diet_explorer.review.decisions import Ledger
from diet_explorer.review.guidelines import GuidelineUse
from diet_explorer.review.notes import RowNotes
from diet_explorer.store.files import Files
from diet_explorer.store.ranking_files import RankingFile
from diet_explorer.store.rows import RunRows
from diet_explorer.store.scores import ScoreFiles


@dataclass(frozen=True, eq=False, repr=False)
class Plan:
    """What a policy does to the dataset of a run. Made by `plan`.

    Attributes
    ----------
    policy : Policy
        Its checkpoint is a number wherever it uses one.
    checkpoint : float or None
        Of the ranking, in epochs; None where no scores are read.
    decisions_at : int
        The ledger's last event that counts.
    manifest : DatasetManifest
    population : Population
    material : Material
        What the policy was applied to.
    selection : Selection
        What came of it.
    ranking : RankingFile or None
        All scores at the checkpoint.
    guidelines : GuidelineUse or None
        By which guidelines the training examples were decided; None where there were none.
    notes : RowNotes
        What was noted about examples of all splits.
    """

    policy: Policy
    checkpoint: float | None
    decisions_at: int
    manifest: DatasetManifest
    population: Population
    material: Material
    selection: Selection
    ranking: RankingFile | None
    guidelines: GuidelineUse | None
    notes: RowNotes

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.policy.describe()!r}, keeps {len(self.rows):,} training rows)"

    @cached_property
    def rows(self) -> NDArray[np.int32]:
        """Training rows that stay, ascending."""
        return np.flatnonzero(self.material.train & self.selection.keep).astype(np.int32)

    @property
    def labels(self) -> NDArray[np.int32]:
        """Codes of the classes that hold for the training rows that stay."""
        return self.selection.labels[self.rows]

    @property
    def dropped(self) -> int:
        """How many training rows go."""
        return int(np.count_nonzero(~self.selection.keep))

    def counts(self) -> pd.DataFrame:
        """Rows of each split and class before and after.

        Returns
        -------
        pandas.DataFrame
            ``split, label, before, dropped, moved_out, moved_in, kept``: by their given labels, those that were there,
            those dropped, and kept ones relabelled to another class and from another class; `kept` is what remains.
        """
        order, classes, keep = self.population.order, self.manifest.classes, self.selection.keep
        splits = order.splits.astype(np.int64) * len(classes)
        given, now = splits + self.material.labels, splits + self.selection.labels
        moved = keep & (given != now)
        parts = {
            "before": given,
            "dropped": given[~keep],
            "moved_out": given[moved],
            "moved_in": now[moved],
            "kept": now[keep],
        }
        total = len(order.split_names) * len(classes)
        names = {"split": np.repeat(order.split_names, len(classes)), "label": classes * len(order.split_names)}
        return pd.DataFrame(names | {name: np.bincount(part, minlength=total) for name, part in parts.items()})

    def reasons(self) -> pd.DataFrame:
        """Training rows by why they stay or go: ``reason, rows``."""
        counts = np.bincount(self.selection.reasons[self.material.train], minlength=len(REASONS))
        return pd.DataFrame({"reason": REASONS, "rows": counts})[counts > 0].reset_index(drop=True)


def plan(
    files: Files,
    ledger: Ledger,
    run_id: str,
    policy: Policy,
    checkpoint: float | None,
    decisions_at: int | None = None,
    population: Population | None = None,
) -> Plan:
    """Apply a policy to the dataset of a run; nothing is written.

    Parameters
    ----------
    files : Files
    ledger : Ledger
        Of the run's dataset.
    run_id : str
        Whose scores and hold-out count.
    policy : Policy
        Its checkpoint is a number wherever it uses one.
    checkpoint : float or None
        Of the scores to read, in epochs: the policy's own, where it has one; None reads none.
    decisions_at : int, optional
        A `Ledger.position`: later decisions are left out. By default all count.
    population : Population, optional
        Of the dataset, where it was read before.

    Returns
    -------
    Plan

    Raises
    ------
    GuardRailError
        The policy would empty a class or go below the minimum; the message has the numbers.
    BadInputError
        It keeps more examples than there are.
    NotFoundError
        The score is not there at this checkpoint.
    """
    manifest = ledger.manifest
    population = population or load_population(files, manifest)
    position = ledger.position() if decisions_at is None else decisions_at
    ranking = None if checkpoint is None else ScoreFiles(files, run_id).read_ranking(policy.run_seed, checkpoint)
    hardness = no_scores(manifest.rows)
    if policy.needs_scores and ranking is not None:
        hardness = hardness_of(ranking, policy.score, manifest.rows)
    held_out = RunRows(files, run_id).read_held_out()
    material = material_of(population, hardness, ledger.table(position), manifest, held_out)
    selection = select(policy, material, manifest.classes)
    guidelines = ledger.guideline_use(np.flatnonzero(material.train), position)
    notes = ledger.row_notes(position)
    return Plan(policy, checkpoint, position, manifest, population, material, selection, ranking, guidelines, notes)
