"""Plans of a smaller set by a policy, and policies with a name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from diet_explorer.errors import BadInputError, NotFoundError
from diet_explorer.pruning.export.formats import ExportFormat
from diet_explorer.pruning.export.request import ExportOptions
from diet_explorer.pruning.material import Population, load_population
from diet_explorer.pruning.plan import Plan, plan
from diet_explorer.pruning.policies import Policy
from diet_explorer.pruning.preview import Preview, preview_of
from diet_explorer.pruning.shelf import PolicyShelf, SavedPolicy
from diet_explorer.review.annotators import Identity
from diet_explorer.store.bin import BinEntry
from diet_explorer.workspace.audit import Audit
from diet_explorer.workspace.core import RunCore
from diet_explorer.workspace.exports import Export, Exports
from diet_explorer.workspace.finding import find, missing

_DEFAULT = Policy()
_SAVED = "Saved with this run"


@dataclass(frozen=True, eq=False, repr=False)
class RunPlan(Plan):
    """What a policy does to the dataset of a run, to be looked at and exported. Made by `Pruning.plan`.

    Attributes
    ----------
    run : RunCore
    """

    run: RunCore

    def preview(self, bins: int = 60, examples: int = 5) -> Preview:
        """What a page shows before anything is written; see `Preview`."""
        return preview_of(self, self.run.context.files, self._suspects(), bins=bins, examples=examples)

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
            Dropped rows too, each with ``keep``, ``reason``, ``original_label``, ``note`` where the set has notes, and
            its scores.
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
        options = ExportOptions(format, all_rows, neutralise_formulas)
        return Exports(self.run.context).write(self.run.record, self, options, folder, by=by, progress=progress)

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
        options = ExportOptions(format, all_rows, neutralise_formulas)
        return Exports(self.run.context).submit(self.run.record, self, options, folder, by=by)

    def _suspects(self) -> NDArray[np.int32] | None:
        if self.checkpoint is None:
            return None
        try:
            return Audit(self.run).order(checkpoint=self.checkpoint)
        except NotFoundError:  # before training there is nothing to suspect by
            return None


class Pruning:
    """Makes a smaller set of the dataset of a run."""

    def __init__(self, run: RunCore) -> None:
        self._run = run
        self._shelf = PolicyShelf(run.context.files, run.id)

    def plan(self, policy: Policy = _DEFAULT, *, decisions_at: int | None = None) -> RunPlan:
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
        run, policy = self._run, self.resolved(policy)
        point = policy.checkpoint
        if not policy.needs_scores and run.checkpoints():
            point = run.default_checkpoint()
        made = plan(run.context.files, run.dataset.ledger, run.id, policy, point, decisions_at, self.population)
        return RunPlan(**{entry.name: getattr(made, entry.name) for entry in fields(made)}, run=run)

    def resolved(self, policy: Policy) -> Policy:
        """The policy with its checkpoint, where it uses one: by default the run's.

        Raises
        ------
        NotFoundError
            There are no such scores of that checkpoint or seed; the message says which there are.
        """
        if not policy.needs_scores:
            return policy
        point = self._run.checkpoint_or_default(policy.checkpoint, policy.run_seed)
        self._run.ranking(point, policy.run_seed).columns.score(policy.score)  # says what there is, where this is not
        return replace(policy, checkpoint=point)

    def save_policy(self, name: str, policy: Policy, *, by: Identity | str | None = None) -> SavedPolicy:
        """Keep a policy under a name; one of the same name is replaced.

        Raises
        ------
        BadInputError
            The name is empty or too long.
        """
        self._run.context.allow("lead", "save a policy", by)
        return self._shelf.save(name, policy)

    def policies(self) -> list[SavedPolicy]:
        """Saved policies, newest first."""
        return self._shelf.list()

    def saved_policy(self, name: str) -> SavedPolicy:
        """A saved policy by its name or the beginning of its name.

        Raises
        ------
        NotFoundError, BadInputError
            There is none, or there are several; the message has names.
        """
        return find("saved policy", name, self.policies, id_of=lambda saved: saved.name, remedy=_SAVED)

    def delete_policy(self, name: str, *, by: Identity | str | None = None) -> None:
        """Put the saved policy of exactly that name into the bin; NotFoundError where there is none."""
        who = self._run.context.allow("lead", "delete a policy", by)
        saved = {entry.name: entry for entry in self.policies()}
        if name not in saved:
            raise missing("saved policy", name, saved, _SAVED)
        key, content = ("policy", f"{self._run.id}/{name}"), saved[name].to_json()
        self._run.context.note("deletion", who, f"deletes the saved policy {name!r}", "policy:" + key[1])
        self._run.context.bin.forget([key])  # one that was called so before
        self._run.context.bin.add(BinEntry(*key, name, who.name, self._run.context.records.now(), 0, content))
        self._shelf.delete(name)

    def rename_policy(self, old: str, new: str, *, by: Identity | str | None = None) -> SavedPolicy:
        """Call a saved policy otherwise; BadInputError where another one is called so already."""
        self._run.context.allow("lead", "rename a policy", by)
        saved = self.saved_policy(old)
        if new.casefold() in {entry.name.casefold() for entry in self.policies()} - {old.casefold()}:
            raise BadInputError(f"There is a saved policy {new!r} already.", "Choose another name.")
        renamed = replace(saved, name=new)
        self._shelf.put(renamed)
        if renamed.name != saved.name:
            self._shelf.delete(saved.name)
        return renamed

    def bring_back_policy(self, saved: SavedPolicy) -> None:
        """Put a policy back that was deleted; BadInputError where another one is called so by now."""
        self._run.context.allow("lead", "bring a policy back")
        if saved.name in {entry.name for entry in self.policies()}:
            raise BadInputError(f"There is a saved policy {saved.name!r} again.", "Rename that one first.")
        self._shelf.put(saved)

    @cached_property
    def population(self) -> Population:
        """Labels, splits and duplicates of the dataset, read once."""
        return load_population(self._run.context.files, self._run.dataset.manifest)
