"""Plans of a smaller set by a policy, and policies with a name."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property

from diet_explorer.errors import BadInputError
from diet_explorer.pruning.material import Population, load_population
from diet_explorer.pruning.policies import Policy
from diet_explorer.review.annotators import Identity
from diet_explorer.workspace.core import RunCore
from diet_explorer.workspace.finding import find, missing
from diet_explorer.workspace.prune_plan import PrunePlan

NAME_LENGTH = 100
_DEFAULT = Policy()
_SAVED = "Saved with this run"


@dataclass(frozen=True)
class SavedPolicy:
    """A policy with a name, saved with a run."""

    name: str
    policy: Policy
    saved_at: datetime


class Pruning:
    """Makes a smaller set of the dataset of a run."""

    def __init__(self, run: RunCore) -> None:
        self._run = run

    def plan(self, policy: Policy = _DEFAULT, *, decisions_at: int | None = None) -> PrunePlan:
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
            point = self._run.default_checkpoint(policy.run_seed) if point is None else point
            self._run.ranking(point, policy.run_seed).columns.score(
                policy.score
            )  # says what there is, where this is not
            policy = replace(policy, checkpoint=point)
        elif self._run.checkpoints():
            point = self._run.default_checkpoint()
        return PrunePlan(self._run, self.population, policy, point, decisions_at)

    def save_policy(self, name: str, policy: Policy, *, by: Identity | str | None = None) -> SavedPolicy:
        """Keep a policy under a name; one of the same name is replaced.

        Raises
        ------
        BadInputError
            The name is empty or too long.
        """
        self._run.context.allow("lead", "save a policy", by)
        name = name.strip()
        if not name or len(name) > NAME_LENGTH:
            raise BadInputError(
                f"A policy's name has {len(name)} characters.", f"Give it a name of 1 to {NAME_LENGTH} characters."
            )
        saved = SavedPolicy(name, policy, datetime.now(UTC))
        value = {"name": name, "policy": policy.to_json(), "saved_at": saved.saved_at.isoformat()}
        self._run.context.files.write_json(self._run.store.paths.policy(name), value)
        return saved

    def policies(self) -> list[SavedPolicy]:
        """Saved policies, newest first."""
        files = self._run.context.files
        folder = self._run.store.paths.policies
        values = [files.read_json(f"{folder}/{name}") for name in files.list(folder)]
        found = [
            SavedPolicy(value["name"], Policy.from_json(value["policy"]), datetime.fromisoformat(value["saved_at"]))
            for value in values
        ]
        return sorted(found, key=lambda saved: saved.saved_at, reverse=True)

    def saved_policy(self, name: str) -> SavedPolicy:
        """A saved policy by its name or the beginning of its name.

        Raises
        ------
        NotFoundError, BadInputError
            There is none, or there are several; the message has names.
        """
        return find("saved policy", name, self.policies, id_of=lambda saved: saved.name, remedy=_SAVED)

    def delete_policy(self, name: str, *, by: Identity | str | None = None) -> None:
        """Forget the saved policy of exactly that name; NotFoundError where there is none."""
        self._run.context.allow("lead", "delete a policy", by)
        names = [saved.name for saved in self.policies()]
        if name not in names:
            raise missing("saved policy", name, names, _SAVED)
        self._run.context.files.remove_file(self._run.store.paths.policy(name))

    @cached_property
    def population(self) -> Population:
        """Ids, labels, splits and duplicates of the dataset, read once."""
        return load_population(self._run.context.files, self._run.dataset.manifest)
