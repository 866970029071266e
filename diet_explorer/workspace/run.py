"""A run with all its facets."""

from __future__ import annotations

from functools import cached_property
from typing import Self

from diet_explorer.workspace.audit import Audit
from diet_explorer.workspace.core import RunCore
from diet_explorer.workspace.dynamics import Dynamics
from diet_explorer.workspace.maps import Maps
from diet_explorer.workspace.proofs import Proofs
from diet_explorer.workspace.pruning import Pruning
from diet_explorer.workspace.review import Review


class Run(RunCore):
    """One training run during which every example is scored. Made by `Workspace`."""

    @cached_property
    def dynamics(self) -> Dynamics:
        """Its scores as a whole: statistics, stability, warnings, comparison with other runs."""
        return Dynamics(self)

    @cached_property
    def audit(self) -> Audit[Self]:
        """Labels that may be wrong: suspects, further trainings that question labels, the noise check."""
        return Audit(self)

    @cached_property
    def review(self) -> Review:
        """Decisions about its examples, and the queue of those to be decided."""
        return Review(self)

    @cached_property
    def maps(self) -> Maps:
        """Embeddings of its examples: neighbours, the embedding map."""
        return Maps(self)

    @cached_property
    def pruning(self) -> Pruning:
        """Plans of a smaller set by a policy, and policies with a name."""
        return Pruning(self)

    @cached_property
    def proofs(self) -> Proofs[Self]:
        """Retrainings that show what policies are worth, and holding examples out for them."""
        return Proofs(self)
