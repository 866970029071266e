"""What a command names: found as the library finds it, and the newest by the word ``last``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from diet_explorer.workspace.dataset import Dataset
    from diet_explorer.workspace.exports import Export
    from diet_explorer.workspace.proof import Proof
    from diet_explorer.workspace.run import Run
    from diet_explorer.workspace.workspace import Workspace

T = TypeVar("T")

LAST = "last"


def find_dataset(workspace: Workspace, name: str) -> Dataset:
    """The dataset that `Workspace.dataset` finds; ``last`` is the newest."""
    return _newest(name, workspace.datasets) or workspace.dataset(name)


def find_run(workspace: Workspace, name: str) -> Run:
    """The run that `Workspace.run` finds; ``last`` is the newest."""
    return _newest(name, workspace.runs) or workspace.run(name)


def find_proof(workspace: Workspace, name: str) -> Proof:
    """The proof that `Workspace.proof` finds; ``last`` is the newest."""
    return _newest(name, workspace.proofs) or workspace.proof(name)


def find_export(workspace: Workspace, name: str, *, written: bool = False) -> Export:
    """The export that `Workspace.export` finds; ``last`` is the newest, or the newest of those that are written."""

    def exports() -> list[Export]:
        return [export for export in workspace.exports() if not written or export.status == "succeeded"]

    return _newest(name, exports) or workspace.export(name)


def _newest(name: str, entries: Callable[[], Sequence[T]]) -> T | None:
    return next(iter(entries()), None) if name == LAST else None
