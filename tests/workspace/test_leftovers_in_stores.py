"""What killed writers left in a store of objects is tidied by `clean`, by the store's own clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from moto.core import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends

from diet_explorer.store.cut_off import half_sent, store_time
from diet_explorer.store.files import Files
from diet_explorer.store.leases import take_lease
from diet_explorer.store.runs import RunRecord
from diet_explorer.store.workers import WorkerInfo, WorkerRecords
from diet_explorer.workspace.workspace import Workspace
from tests.object_store import S3Store


@pytest.fixture
def workspace(store: S3Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setenv("DIET_EXPLORER_SCRATCH", str(tmp_path / "machine"))
    return Workspace(f"s3://{store.bucket()}/home")


def make_old(path: str) -> None:
    """As if the store had got a file three days ago."""
    bucket, _, key = path.partition("://")[2].partition("/")
    stored: Any = s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets[bucket].keys[key]
    stored.last_modified = datetime.now(UTC).replace(tzinfo=None) - timedelta(days=3)


def add_run(workspace: Workspace, run_id: str, status: Any) -> str:
    """A run of that status, and the checkpoint that its training goes on from."""
    now = datetime.now(UTC)
    workspace.context.records.create(RunRecord(run_id, "reviews", run_id, "job", status, {}, now))
    return f"runs/{run_id}/training/seed=0/newest.json"


def test_clean_finds_what_was_cut_off_and_nothing_that_is_fresh_or_held(workspace: Workspace) -> None:
    files = workspace.context.files
    ended = add_run(workspace, "run-20260101-000000-aaaa", "succeeded")
    cancelled = add_run(workspace, "run-20260101-000000-bbbb", "cancelled")
    queued = add_run(workspace, "run-20260101-000000-cccc", "queued")
    held = add_run(workspace, "run-20260101-000000-dddd", "succeeded")
    records = WorkerRecords(workspace.context.database)
    worker = records.register(
        WorkerInfo(id="w", host="h", slot=0, pid=1, machine="m", version="1", device="a processor")
    )
    assert take_lease(workspace.context.database, "run-20260101-000000-dddd/0", worker.id, worker.token, "job")
    old = [
        "datasets/cut-off/examples.parquet",
        "datasets/still-coming/examples.parquet",
        "runs/run-20200101-000000-abcd/scores/seed=0/checkpoint=0.parquet",
        ended,
        cancelled,
        queued,
        held,
    ]
    fresh = ["datasets/still-coming/rows.arrow", "datasets/new/examples.parquet"]
    for path in [*old, *fresh]:
        files.write_bytes(files.path(path), b"x" * 10)
    for path in old:
        make_old(files.path(path))
    bucket, _, folder = files.root.partition("://")[2].partition("/")
    half = {"Bucket": bucket, "Key": f"{folder}/datasets/big/examples.parquet"}
    begun = files.filesystem.call_s3("create_multipart_upload", **half)
    part = {**half, "UploadId": begun["UploadId"], "PartNumber": 1}
    files.filesystem.call_s3("upload_part", **part, Body=b"y" * 20)

    found = workspace.bin.leftovers()
    gone = {"datasets/cut-off", "runs/run-20200101-000000-abcd", "datasets/big/examples.parquet"}
    gone |= {"runs/run-20260101-000000-aaaa/training"}
    assert {entry.path.removeprefix(f"{files.root}/") for entry in found} == gone
    assert {entry.size for entry in found if entry.sending} == {20}
    assert workspace.bin.clean() == found
    left = set(files.all_below(files.root)) - {"workspace.json"}
    assert left == {*old, *fresh} - {old[0], old[2], ended}
    assert half_sent(files) == [] and workspace.bin.leftovers() == []


def test_the_time_is_the_stores_own(workspace: Workspace) -> None:
    files = workspace.context.files
    before = set(files.all_below(files.root))
    assert abs(store_time(files) - datetime.now(UTC)) < timedelta(minutes=5)
    assert set(files.all_below(files.root)) == before
    assert half_sent(Files("memory://nothing")) == []
