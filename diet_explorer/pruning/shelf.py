"""Policies that are saved with a run under a name."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from diet_explorer.errors import BadInputError
from diet_explorer.pruning.policies import Policy
from diet_explorer.store.files import Files
from diet_explorer.store.layout import Layout

NAME_LENGTH = 100


@dataclass(frozen=True)
class SavedPolicy:
    """A policy with a name, saved with a run."""

    name: str
    policy: Policy
    saved_at: datetime

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {"name": self.name, "policy": self.policy.to_json(), "saved_at": self.saved_at.isoformat()}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> SavedPolicy:
        """Rebuild it from `to_json`'s result."""
        return cls(value["name"], Policy.from_json(value["policy"]), datetime.fromisoformat(value["saved_at"]))


class PolicyShelf:
    """The saved policies of one run.

    Parameters
    ----------
    files : Files
    run_id : str
    """

    def __init__(self, files: Files, run_id: str) -> None:
        self._files = files
        self._paths = Layout(files).run(run_id)

    def save(self, name: str, policy: Policy) -> SavedPolicy:
        """Keep a policy under a name; one of the same name is replaced.

        Raises
        ------
        BadInputError
            The name is empty or too long.
        """
        name = name.strip()
        if not name or len(name) > NAME_LENGTH:
            raise BadInputError(
                f"A policy's name has {len(name)} characters.", f"Give it a name of 1 to {NAME_LENGTH} characters."
            )
        saved = SavedPolicy(name, policy, datetime.now(UTC))
        self.put(saved)
        return saved

    def put(self, saved: SavedPolicy) -> None:
        """Write a saved policy as it is."""
        self._files.write_json(self._paths.policy(saved.name), saved.to_json())

    def list(self) -> list[SavedPolicy]:
        """Saved policies, newest first."""
        folder = self._paths.policies
        paths = [f"{folder}/{name}" for name in self._files.list(folder)]
        policies = [SavedPolicy.from_json(self._files.read_json(path)) for path in paths]
        return sorted(policies, key=lambda saved: saved.saved_at, reverse=True)

    def delete(self, name: str) -> None:
        """Forget the policy of a name."""
        self._files.remove_file(self._paths.policy(name))
