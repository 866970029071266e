"""A file, imported and exported whole in a form."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from diet_explorer.pruning.policies import Policy
from diet_explorer.training.config import RunConfig
from diet_explorer.workspace.run import Run
from diet_explorer.workspace.workspace import Workspace

EVERYTHING = Policy("random", keep=100.0)


def imported(workspace: Workspace, path: Path, **columns: Any) -> Run:
    """A run of what a file holds; it has no scores, which `EVERYTHING` does not need."""
    dataset = workspace.import_dataset(path, **{"text": "text", "label": "label", **columns})
    return workspace.create_run(RunConfig(dataset.id), name="run", origin="job")


def export_whole(run: Run, folder: Path, form: Any, **options: Any) -> Path:
    """Every example of a run's dataset in a new folder."""
    run.pruning.plan(EVERYTHING).export(folder, format=form, **options)
    return folder
