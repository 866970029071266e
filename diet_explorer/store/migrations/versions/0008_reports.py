"""What is reported of runs and jobs, which were files; those of an earlier version are taken over."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from alembic import context, op

from diet_explorer.errors import NotFoundError, WorkspaceError
from diet_explorer.store.files import Files

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Create the tables, and fill them with what files say."""
    seeds = op.create_table(
        "seed_progress",
        sa.Column("run_id", sa.String(120), primary_key=True),
        sa.Column("seed", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("state", sa.JSON, nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
    )
    log = op.create_table(
        "run_log",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("run_id", sa.String(120), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("line", sa.JSON, nullable=False),
    )
    op.create_index("run_log_by_run", "run_log", ["run_id", "id"])
    jobs = op.create_table(
        "jobs",
        sa.Column("kind", sa.String(20), primary_key=True),
        sa.Column("about", sa.String(300), primary_key=True),
        sa.Column("request", sa.JSON(none_as_null=True)),
        sa.Column("status", sa.JSON(none_as_null=True)),
    )
    files = Files(context.config.attributes["home"])
    op.bulk_insert(seeds, list(_seeds(files)))
    op.bulk_insert(log, list(_lines(files)))
    op.bulk_insert(jobs, [*_maps(files), *_exports(files, "exports", "export"), *_exports(files, "pushes", "push")])


def downgrade() -> None:
    """Remove the tables."""
    for name in ("jobs", "run_log", "seed_progress"):
        op.drop_table(name)


def _runs(files: Files) -> list[str]:
    return files.list(files.path("runs"))


def _seeds(files: Files) -> Iterator[dict[str, Any]]:
    for run_id in _runs(files):
        folder = files.path("runs", run_id, "progress")
        for name in files.list(folder):
            state = _read(files, f"{folder}/{name}") if name.startswith("seed=") else None
            if state:
                seed, at = state.pop("seed"), _moment(state.pop("updated_at", ""))
                yield {"run_id": run_id, "seed": seed, "state": state, "updated_at": at}


def _lines(files: Files) -> Iterator[dict[str, Any]]:
    for run_id in _runs(files):
        path = files.path("runs", run_id, "log.jsonl")
        for text in files.read_bytes(path).decode(errors="replace").splitlines() if files.exists(path) else []:
            with suppress(ValueError):  # a kill may have cut the last line short
                line = json.loads(text)
                yield {"run_id": run_id, "at": _moment(line.pop("time", "")), "line": line}


def _maps(files: Files) -> Iterator[dict[str, Any]]:
    for run_id in _runs(files):
        for which in ("tuned", "initial"):
            path = files.path("runs", run_id, "progress", f"map-{which}")
            request = _read(files, f"{path}-request.json")
            if request:
                about = f"{run_id}/{which}"
                yield {"kind": "map", "about": about, "request": request, "status": _read(files, f"{path}.json")}


def _exports(files: Files, folder: str, kind: str) -> Iterator[dict[str, Any]]:
    for name in files.list(files.path(folder)):
        request, status = (_read(files, files.path(folder, name, f"{part}.json")) for part in ("request", "status"))
        if request:
            yield {"kind": kind, "about": name, "request": request, "status": status}


def _read(files: Files, path: str) -> dict[str, Any] | None:
    with suppress(NotFoundError, WorkspaceError):  # one that is damaged is no reason to refuse the workspace
        value: dict[str, Any] = files.read_json(path)
        return value
    return None


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text or "1970-01-01T00:00:00+00:00")
