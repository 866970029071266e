"""A workspace with something of everything, made in a second without training, and all that can be read of it."""

from __future__ import annotations

import hashlib
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import MetaData, select

from diet_explorer.pruning.policies import Policy
from diet_explorer.store.backup.writing import PASSING_TABLES
from diet_explorer.store.database import in_utc
from diet_explorer.training.config import RunConfig
from diet_explorer.workspace.run import Run
from diet_explorer.workspace.workspace import Workspace
from tests.synthetic import write_scores

PASSING = {"workspace", "alembic_version", *PASSING_TABLES}


def fill(workspace: Workspace, sentences: Path) -> Run:
    """Import, score, decide, undo, delete, export and save policies, with names of all kinds; the main run is given."""
    dataset = workspace.import_dataset(sentences, text="sentence", label="mood", id="key", name="Kritiken 😀 «ü»")
    run = finished(workspace, dataset.id, "größter Lauf 漢字")
    going = workspace.create_run(run.config, name="in work", origin="job")
    workspace.context.records.set_status(going.id, "running")
    workspace.context.records.set_workflow(going.id, f"score-{going.id}-1")
    gone = finished(workspace, dataset.id, "deleted")
    workspace.delete(gone, by="zoë")
    dataset.decide([3], "exclude", annotator="zoë", note="“quoted” \n\t漢字 😀")
    dataset.decide([4, 5, 6], "relabel", label="good", annotator="bob")
    dataset.decide([7], "keep", annotator="zoë")
    dataset.undo(annotator="zoë")
    run.pruning.save_policy("mild ü", Policy(kind="window", drop_hardest=2))
    run.pruning.plan(Policy(kind="window", drop_hardest=10)).export(format="csv")
    return run


def finished(workspace: Workspace, dataset_id: str, name: str) -> Run:
    """A finished run with made-up scores."""
    dataset = workspace.dataset(dataset_id)
    config = RunConfig(dataset_id=dataset.id, model="bundled", epochs=1, checkpoints=(1.0,))
    run = workspace.create_run(config, name=name, origin="job")
    logits = np.random.default_rng(1).normal(size=(dataset.rows, 2))
    write_scores(workspace.context.files, dataset.manifest, run.id, 0, 1.0, logits)
    workspace.context.records.set_status(run.id, "running")
    workspace.context.records.set_status(run.id, "succeeded")
    return run.refresh()


def tables(workspace: Workspace) -> dict[str, list[dict[str, Any]]]:
    """Every row of every table but those of the workspace itself, times in UTC."""
    metadata = MetaData()
    with workspace.context.database.connect() as connection:
        metadata.reflect(connection)
        return {
            table.name: [
                {name: _comparable(value) for name, value in row._mapping.items()}
                for row in connection.execute(select(table).order_by(*table.primary_key.columns))
            ]
            for table in metadata.sorted_tables
            if table.name not in PASSING
        }


def files(workspace: Workspace) -> dict[str, str]:
    """SHA-256 of every file that belongs to the workspace's content; token ids are made anew by the next training."""
    found = workspace.context.files
    result = {}
    for folder in ("datasets", "runs", "exports", "pushes", "proofs"):
        root = found.path(folder)
        if found.exists(root):
            stem = len(found.filesystem._strip_protocol(found.root))
            paths = (path for path in found.filesystem.find(root) if not path.endswith(".lock"))
            for path in (path for path in paths if "tokens" not in path.split("/")):
                result[path[stem:].strip("/")] = hashlib.sha256(found.filesystem.cat_file(path)).hexdigest()
    return result


def assert_same(restored: Workspace, original: Workspace) -> None:
    """A restored workspace is the original, cell by cell and byte by byte."""
    assert _lasting(tables(restored)) == _lasting(tables(original))
    assert files(restored) == files(original)


def _lasting(tables: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """Tables without what backups and restores say in the audit log, and without what runs in work became."""
    runs = [
        row | dict.fromkeys(("status", "error", "remedy", "finished_at", "workflow_id"), "in work")
        if row["status"] in ("running", "interrupted")
        else row
        for row in tables["runs"]
    ]
    log = [row for row in tables["audit_log"] if row["kind"] != "backup"]
    return {**tables, "runs": runs, "audit_log": log}


def _comparable(value: Any) -> Any:
    return in_utc(value) if isinstance(value, datetime) else value
