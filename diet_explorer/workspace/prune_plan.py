"""What a policy would do to a run's dataset: rows, counts, preview, export."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from diet_explorer.errors import DietExplorerError, NotFoundError
from diet_explorer.jobs.kinds.export import ExportJob, ExportRequest
from diet_explorer.pruning.export.formats import ExportFormat
from diet_explorer.pruning.export.manifest import ExportOptions, class_counts
from diet_explorer.pruning.material import Population, hardness_of, material_of, no_scores
from diet_explorer.pruning.policies import Policy
from diet_explorer.pruning.preview import Preview, preview_of
from diet_explorer.pruning.selection import REASONS, Material, Selection, select
from diet_explorer.review.annotators import Identity
from diet_explorer.store.rows import RunRows
from diet_explorer.workspace.audit import Audit
from diet_explorer.workspace.core import RunCore
from diet_explorer.workspace.export_requests import new_request, write_request
from diet_explorer.workspace.exports import Export


class PrunePlan:
    """What a policy would do to a run's dataset.

    Attributes
    ----------
    policy : Policy
        With its checkpoint.
    checkpoint : float or None
        Of the scores that an export of all rows has; None while the run has none.
    decisions_at : int
        The ledger's position that counts.
    material : Material
    selection : Selection
    """

    def __init__(
        self,
        run: RunCore,
        population: Population,
        policy: Policy,
        checkpoint: float | None,
        decisions_at: int | None,
    ) -> None:
        self._run = run
        self._context = run.context
        self._population = population
        self._dataset = run.dataset
        self.policy = policy
        self.checkpoint = checkpoint
        ledger, manifest = run.dataset.ledger, run.dataset.manifest
        self.decisions_at = ledger.position() if decisions_at is None else decisions_at
        self._ranking = None if checkpoint is None else run.store.read_ranking(policy.run_seed, checkpoint)
        hardness = no_scores(manifest.rows)
        if policy.needs_scores and self._ranking is not None:
            hardness = hardness_of(self._ranking, policy.score, manifest.rows)
        decisions = ledger.table(self.decisions_at)
        held_out = RunRows(run.context.files, run.id).read_held_out()
        self.material: Material = material_of(population, hardness, decisions, manifest, held_out)
        self.selection: Selection = select(policy, self.material, manifest.classes)

    def __repr__(self) -> str:
        return f"PrunePlan({self.policy.describe()!r}, keeps {len(self.rows):,} training rows)"

    @cached_property
    def rows(self) -> NDArray[np.int32]:
        """Training rows that stay, ascending."""
        return np.flatnonzero(self.material.train & self.selection.keep).astype(np.int32)

    @property
    def dropped(self) -> int:
        """How many training rows go."""
        return int(np.count_nonzero(~self.selection.keep))

    def counts(self) -> pd.DataFrame:
        """Rows per split and class: ``split, label, before, dropped, moved_out, moved_in, kept``."""
        population, classes = self._population, self._dataset.classes
        return pd.DataFrame(
            class_counts(self.material, self.selection, population.order.splits, population.order.split_names, classes)
        )

    def reasons(self) -> pd.DataFrame:
        """Training rows by why they stay or go: ``reason, rows``."""
        found = np.bincount(self.selection.reasons[self.material.train], minlength=len(REASONS))
        return pd.DataFrame({"reason": REASONS, "rows": found})[found > 0].reset_index(drop=True)

    def preview(self, bins: int = 60, examples: int = 5) -> Preview:
        """What a page shows before anything is written; see `Preview`."""
        return preview_of(
            self._context.files,
            self._dataset.manifest,
            self._population,
            self.material,
            self.policy,
            self.selection,
            self._ranking,
            self._suspects(),
            bins=bins,
            examples=examples,
        )

    def export(
        self,
        folder: str | Path | None = None,
        *,
        format: ExportFormat = "csv",
        all_rows: bool = False,
        neutralise_formulas: bool = False,
        by: Identity | str | None = None,
        progress: Callable[[float, str], None] | None = None,
    ) -> Export:
        """Write the pruned set; returns when it is there.

        Parameters
        ----------
        folder : str or Path, optional
            A new or empty folder; by default one of the workspace.
        format : {"csv", "jsonl", "parquet", "datasets"}
        all_rows : bool
            Dropped rows too, each with ``keep``, ``reason``, ``original_label`` and its scores.
        neutralise_formulas : bool
            In CSV, put an apostrophe before texts that a spreadsheet would run as a formula.
        by : Identity or str, optional
            Who exports.
        progress : callable, optional
            Called with the share done in [0, 1] and a word on what is happening.

        Raises
        ------
        BadInputError
            The folder is not empty, or an option does not fit.
        WorkspaceError
            The folder cannot be written; nothing is left there.
        """
        request = self._request(folder, ExportOptions(format, all_rows, neutralise_formulas), by)
        write_request(self._context, request, progress)
        return Export(self._context, request.id)

    def submit_export(
        self,
        folder: str | Path | None = None,
        *,
        format: ExportFormat = "csv",
        all_rows: bool = False,
        neutralise_formulas: bool = False,
        by: Identity | str | None = None,
    ) -> Export:
        """Queue the writing of the pruned set as it is planned now; returns at once. Parameters as for `export`.

        Raises
        ------
        BadInputError
            The folder is not empty, or an option does not fit.
        WorkspaceError
            The jobs database cannot be reached or written.
        """
        request = self._request(folder, ExportOptions(format, all_rows, neutralise_formulas), by)
        job = ExportJob(self._context.settings, self._context.files, request.id)
        job.save_request(request)
        try:
            self._context.jobs.submit(ExportJob.route, request.id, *job.arguments)
        except DietExplorerError as error:
            job.end(request.id, "failed", error)
            raise
        return Export(self._context, request.id)

    def _request(self, folder: str | Path | None, options: ExportOptions, by: Identity | str | None) -> ExportRequest:
        return new_request(
            self._context,
            run_id=self._run.id,
            dataset_id=self._dataset.id,
            policy=self.policy,
            checkpoint=self.checkpoint,
            decisions_at=self.decisions_at,
            options=options,
            folder=folder,
            by=by,
        )

    def _suspects(self) -> NDArray[np.int32] | None:
        if self.checkpoint is None:
            return None
        try:
            return Audit(self._run).order(checkpoint=self.checkpoint)
        except NotFoundError:  # before training there is nothing to suspect by
            return None
