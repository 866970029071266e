"""Exports as they are asked for: anew by a plan, or again from a manifest."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from diet_explorer.errors import BadInputError
from diet_explorer.jobs.kinds.export import ExportJob, ExportRequest, plan_of
from diet_explorer.pruning.export.manifest import ExportOptions, read_manifest, scores_sha256
from diet_explorer.pruning.export.writing import check_target, write_export
from diet_explorer.pruning.policies import Policy
from diet_explorer.review.annotators import Identity
from diet_explorer.store.layout import Layout
from diet_explorer.workspace.context import Context
from diet_explorer.workspace.core import RunCore
from diet_explorer.workspace.dataset import Dataset
from diet_explorer.workspace.exports import Export

_OTHER_WORKSPACE = "Open the workspace that the export came from, or a copy of it."


def new_request(
    context: Context,
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
    who = context.allow("lead", "write an export", by)
    now = datetime.now(UTC)
    export_id = f"export-{now:%Y%m%d-%H%M%S}-{uuid.uuid4().hex[:4]}"
    remote = folder is not None and "://" in str(folder)
    own = Layout(context.files).export(export_id).data
    target = own if folder is None else str(folder) if remote else str(Path(folder).absolute())
    check_target(context.files, target)
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
    context: Context,
    request: ExportRequest,
    progress: Callable[[float, str], None] | None,
    expected: dict[str, Any] | None = None,
) -> None:
    """Write an export now, and put it into the workspace's list when it is there."""
    ledger = Dataset.load(context, request.dataset_id).ledger
    plan = plan_of(request, context.files, context.records, ledger)
    tell = progress or (lambda share, words: None)
    write_export(context.files, plan, request.folder, request.id, tell=tell, expected=expected)
    job = ExportJob(context.settings, context.files, request.id)
    job.end(request.id, "succeeded")
    job.save_request(request)


def replay_export(
    context: Context, manifest: str | Path, folder: str | Path | None = None, by: Identity | str | None = None
) -> Export:
    """Write an export again from its manifest, with the same bytes.

    Parameters
    ----------
    context : Context
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
    dataset = Dataset.load(context, source["id"])
    if dataset.manifest.content_hash != source["content_hash"]:
        raise BadInputError(f"The dataset {dataset.id} has other content than the manifest says.", _OTHER_WORKSPACE)
    run, policy, names = RunCore(context, asked["run"]["id"]), Policy.from_json(asked["policy"]), scores["names"]
    if names:
        ranking = run.store.read_ranking(scores["seed"], scores["checkpoint"])
        absent = not set(names) <= set(ranking.schema.names)
        if absent or scores_sha256(ranking, names) != scores["sha256"]:
            raise BadInputError(f"The run {run.id} has other scores than the manifest says.", _OTHER_WORKSPACE)
    request = new_request(
        context,
        run_id=run.id,
        dataset_id=dataset.id,
        policy=policy,
        checkpoint=scores["checkpoint"],
        decisions_at=asked["decisions"]["position"],
        options=ExportOptions(**asked["options"]),
        folder=folder,
        by=by,
    )
    write_request(context, request, None, asked)
    return Export(context, request.id)
