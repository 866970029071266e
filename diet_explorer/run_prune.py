"""The part of a run that prunes: a policy's plan, its preview and exports, and policies with a name."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from diet_explorer.errors import BadInputError, DietExplorerError, NotFoundError
from diet_explorer.jobs.export_process import plan_of
from diet_explorer.jobs.export_progress import ExportFiles, ExportProgress, ExportRequest
from diet_explorer.pruning.export import check_target, write_export
from diet_explorer.pruning.manifest import ExportOptions, class_counts, read_manifest, scores_sha256
from diet_explorer.pruning.material import Population, hardness_of, load_population, material_of, no_scores
from diet_explorer.pruning.policies import Policy
from diet_explorer.pruning.preview import Preview, preview_of
from diet_explorer.pruning.selection import REASONS, Material, Selection, select
from diet_explorer.pruning.writers import ExportFormat
from diet_explorer.review.annotators import Identity
from diet_explorer.run_base import RunBase
from diet_explorer.run_export import Export
from diet_explorer.store.rows import RunRows

if TYPE_CHECKING:
    from diet_explorer.workspace import Workspace

NAME_LENGTH = 100
_DEFAULT = Policy()
_OTHER_WORKSPACE = "Open the workspace that the export came from, or a copy of it."


@dataclass(frozen=True)
class SavedPolicy:
    """A policy with a name, saved with a run."""

    name: str
    policy: Policy
    saved_at: datetime


class PrunedRun(RunBase):
    """What `Run` does to make a smaller set."""

    def prune(self, policy: Policy = _DEFAULT, *, decisions_at: int | None = None) -> PrunePlan:
        """What a policy would do; nothing is written.

        Parameters
        ----------
        policy : Policy
            Without a checkpoint it is about the run's default one.
        decisions_at : int, optional
            A `Ledger.position`: later decisions are left out. By default all count.

        Raises
        ------
        GuardRailError
            It would empty a class or go below the minimum; the message has the numbers.
        BadInputError
            It keeps more examples than there are.
        NotFoundError
            There are no scores of that checkpoint or seed.
        """
        point = policy.checkpoint
        if policy.needs_scores:
            point = self.default_checkpoint(policy.run_seed) if point is None else point
            self.ranking(point, policy.run_seed).columns.score(policy.score)  # says what there is, where this is not
            policy = replace(policy, checkpoint=point)
        elif self.checkpoints():
            point = self.default_checkpoint()
        return PrunePlan(self._workspace, self, policy, point, decisions_at)

    def save_policy(self, name: str, policy: Policy, *, by: Identity | str | None = None) -> SavedPolicy:
        """Keep a policy under a name; one of the same name is replaced.

        Raises
        ------
        BadInputError
            The name is empty or too long.
        """
        self._workspace.allow("lead", "save a policy", by)
        name = name.strip()
        if not name or len(name) > NAME_LENGTH:
            raise BadInputError(
                f"A policy's name has {len(name)} characters.", f"Give it a name of 1 to {NAME_LENGTH} characters."
            )
        saved = SavedPolicy(name, policy, datetime.now(UTC))
        value = {"name": name, "policy": policy.to_json(), "saved_at": saved.saved_at.isoformat()}
        self._workspace.files.write_json(self._policy_path(name), value)
        return saved

    def policies(self) -> list[SavedPolicy]:
        """Saved policies, newest first."""
        files = self._workspace.files
        folder = self._policy_folder
        values = [files.read_json(f"{folder}/{name}") for name in files.list(folder)]
        found = [
            SavedPolicy(value["name"], Policy.from_json(value["policy"]), datetime.fromisoformat(value["saved_at"]))
            for value in values
        ]
        return sorted(found, key=lambda saved: saved.saved_at, reverse=True)

    def saved_policy(self, name: str) -> SavedPolicy:
        """A saved policy by its name; NotFoundError where there is none."""
        found = {saved.name: saved for saved in self.policies()}
        if name not in found:
            known = ", ".join(found) or "none yet"
            raise NotFoundError(f"There is no saved policy {name!r}.", f"Saved with this run: {known}.")
        return found[name]

    def delete_policy(self, name: str, *, by: Identity | str | None = None) -> None:
        """Forget a saved policy; NotFoundError where there is none."""
        self._workspace.allow("lead", "delete a policy", by)
        self.saved_policy(name)
        self._workspace.files.remove_file(self._policy_path(name))

    @cached_property
    def population(self) -> Population:
        """Ids, labels, splits and duplicates of the dataset, read once."""
        return load_population(self._workspace.files, self.dataset.manifest)

    @property
    def _policy_folder(self) -> str:
        return self._workspace.files.path("runs", self.id, "policies")

    def _policy_path(self, name: str) -> str:
        return f"{self._policy_folder}/{hashlib.sha256(name.encode()).hexdigest()[:16]}.json"


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
        self, workspace: Workspace, run: PrunedRun, policy: Policy, checkpoint: float | None, decisions_at: int | None
    ) -> None:
        self._workspace = workspace
        self._run = run
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
        held_out = RunRows(workspace.files, run.id).read_held_out()
        self.material: Material = material_of(run.population, hardness, decisions, manifest, held_out)
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

    def training_rows(self) -> pa.Table:
        """Training rows that stay with the labels that hold: ``row, label`` (codes), int32."""
        return pa.table({"row": self.rows, "label": self.selection.labels[self.rows]})

    def counts(self) -> pd.DataFrame:
        """Rows per split and class: ``split, label, before, dropped, moved_out, moved_in, kept``."""
        population, classes = self._run.population, self._dataset.classes
        return pd.DataFrame(
            class_counts(self.material, self.selection, population.splits, population.split_names, classes)
        )

    def reasons(self) -> pd.DataFrame:
        """Training rows by why they stay or go: ``reason, rows``."""
        found = np.bincount(self.selection.reasons[self.material.train], minlength=len(REASONS))
        return pd.DataFrame({"reason": REASONS, "rows": found})[found > 0].reset_index(drop=True)

    def preview(self, bins: int = 60, examples: int = 5) -> Preview:
        """What a page shows before anything is written; see `Preview`."""
        return preview_of(
            self._workspace.files,
            self._dataset.manifest,
            self._run.population,
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
        write_request(self._workspace, request, progress)
        return Export(self._workspace, request.id)

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
        state = ExportFiles(self._workspace.files, request.id)
        state.save_request(request)
        try:
            self._workspace.jobs.submit_export(request.id, request.id)
        except DietExplorerError as error:
            state.save(ExportProgress("failed", "Failed", error=error.message, remedy=error.remedy))
            raise
        return Export(self._workspace, request.id)

    def _request(self, folder: str | Path | None, options: ExportOptions, by: Identity | str | None) -> ExportRequest:
        return new_request(
            self._workspace,
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
            return self._run.suspect_order(checkpoint=self.checkpoint)
        except NotFoundError:  # before training there is nothing to suspect by
            return None


def new_request(
    workspace: Workspace,
    *,
    run_id: str,
    dataset_id: str,
    policy: Policy,
    checkpoint: float | None,
    decisions_at: int,
    options: ExportOptions,
    folder: str | Path | None,
    by: Identity | str | None,
) -> ExportRequest:
    """What is asked of a new export; says now if its folder cannot be used, or if who asks may not."""
    who = workspace.allow("lead", "write an export", by)
    now = datetime.now(UTC)
    export_id = f"export-{now:%Y%m%d-%H%M%S}-{uuid.uuid4().hex[:4]}"
    remote = folder is not None and "://" in str(folder)
    own = ExportFiles(workspace.files, export_id).data_folder
    target = own if folder is None else str(folder) if remote else str(Path(folder).absolute())
    check_target(workspace.files, target)
    return ExportRequest(
        id=export_id,
        run_id=run_id,
        dataset_id=dataset_id,
        policy=policy,
        checkpoint=checkpoint,
        decisions_at=decisions_at,
        options=options,
        folder=target,
        by=who.name,
        created_at=now.isoformat(),
    )


def write_request(
    workspace: Workspace,
    request: ExportRequest,
    progress: Callable[[float, str], None] | None,
    expected: dict[str, Any] | None = None,
) -> None:
    """Write an export now, and put it into the workspace's list when it is there."""
    ledger = workspace.dataset(request.dataset_id).ledger
    plan = plan_of(request, workspace.files, workspace.records, ledger)
    tell = progress or (lambda share, words: None)
    write_export(workspace.files, plan, request.folder, request.id, tell=tell, expected=expected)
    state = ExportFiles(workspace.files, request.id)
    state.save(ExportProgress("done", "Done", 1.0))
    state.save_request(request)


def replay_export(
    workspace: Workspace, manifest: str | Path, folder: str | Path | None = None, by: Identity | str | None = None
) -> Export:
    """Write an export again from its manifest, with the same bytes.

    Parameters
    ----------
    workspace : Workspace
        The one that the export came from, or a copy.
    manifest : str or Path
        ``manifest.json``, or the folder that has it.
    folder : str or Path, optional
        A new or empty folder; by default one of the workspace.
    by : Identity or str, optional
        Who exports.

    Raises
    ------
    NotFoundError, BadInputError
        The manifest, or the dataset or run that it names, is not there or has other content.
    JobFailedError
        The bytes would differ; the message says where, and nothing is left.
    """
    asked = read_manifest(manifest)
    source, scores = asked["dataset"], asked["scores"]
    dataset = workspace.dataset(source["id"])
    if dataset.manifest.content_hash != source["content_hash"]:
        raise BadInputError(f"The dataset {dataset.id} has other content than the manifest says.", _OTHER_WORKSPACE)
    run, policy, names = workspace.run(asked["run"]["id"]), Policy.from_json(asked["policy"]), scores["names"]
    if names:
        ranking = run.store.read_ranking(scores["seed"], scores["checkpoint"])
        absent = not set(names) <= set(ranking.schema.names)
        if absent or scores_sha256(ranking, names) != scores["sha256"]:
            raise BadInputError(f"The run {run.id} has other scores than the manifest says.", _OTHER_WORKSPACE)
    request = new_request(
        workspace,
        run_id=run.id,
        dataset_id=dataset.id,
        policy=policy,
        checkpoint=scores["checkpoint"],
        decisions_at=asked["decisions"]["position"],
        options=ExportOptions(**asked["options"]),
        folder=folder,
        by=by,
    )
    write_request(workspace, request, None, asked)
    return Export(workspace, request.id)
