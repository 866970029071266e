"""Score every example of a text-classification set while a transformer learns it.

The front door is `Workspace`; `ScoreRecorder` scores a training of your own, and `DietCallback`
puts one on a diet. All are loaded on first use, so
that importing the package stays quick and pulls in no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from diet_explorer.analysis.filters import ExampleFilter
    from diet_explorer.scoring.diet import DietCallback
    from diet_explorer.scoring.own_training import ScoreRecorder
    from diet_explorer.workspace.dataset import Dataset
    from diet_explorer.workspace.run import Run
    from diet_explorer.workspace.workspace import Workspace

__version__ = "0.2.0"
"""Of the package; everything else reads it from here or from the installed package."""
__all__ = ["Dataset", "DietCallback", "ExampleFilter", "Run", "ScoreRecorder", "Workspace"]
_HOMES = {
    "Dataset": "diet_explorer.workspace.dataset",
    "DietCallback": "diet_explorer.scoring.diet",
    "ExampleFilter": "diet_explorer.analysis.filters",
    "Run": "diet_explorer.workspace.run",
    "ScoreRecorder": "diet_explorer.scoring.own_training",
    "Workspace": "diet_explorer.workspace.workspace",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
