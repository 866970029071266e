"""A job belongs to a worker as long as that gives signs of life; who has lost it writes nothing more.

On one machine with its own files and databases, and on two that share nothing but a store and a PostgreSQL server.
"""

from __future__ import annotations

import os
import signal
import subprocess
import uuid
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from diet_explorer.jobs.slots import living_workers
from diet_explorer.store.database import transaction
from diet_explorer.store.tables import WorkerRow
from diet_explorer.store.workers import WorkerRecords
from diet_explorer.workspace.dataset import Dataset
from diet_explorer.workspace.run import Run
from diet_explorer.workspace.workspace import Workspace
from tests import tiny_runs
from tests.gate import Gate
from tests.waiting import until

Launch = Callable[..., subprocess.Popen[str]]


@pytest.fixture(params=["folder", "store"])
def workspace(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A workspace in a folder with its databases, or in a store with databases of a server."""
    if request.param == "folder":
        return Workspace(tmp_path / "home")
    store, server = request.getfixturevalue("store"), request.getfixturevalue("postgres")
    for kind in ("DATABASE", "JOBS"):
        name = f"t{uuid.uuid4().hex}"
        server.psql(f"CREATE DATABASE {name}")
        monkeypatch.setenv(f"DIET_EXPLORER_{kind}_URL", server.get_uri(database=name))
    monkeypatch.setenv("DIET_EXPLORER_SCRATCH", str(tmp_path / "onlooker"))
    return Workspace(f"s3://{store.bucket()}/home")


@pytest.fixture
def start(workspace: Workspace, launch: Launch, tmp_path: Path) -> Callable[..., subprocess.Popen[str]]:
    """Starts a worker on a machine of that name."""

    def start(machine: str, **variables: str) -> subprocess.Popen[str]:
        scratch = str(tmp_path / "machines" / machine)
        return launch("worker", home=workspace.settings.home, DIET_EXPLORER_SCRATCH=scratch, **variables)

    return start


def left_behind(folder: Path) -> list[Path]:
    """Files of a machine that are of no use once its worker has ended: all but its name, its slots and its logs."""
    return [path for path in folder.rglob("*") if path.is_file() and path.parent.name not in ("workers", "logs")]


def silence(workspace: Workspace, pid: int) -> None:
    """As if a worker had given its last sign of life a while ago."""
    with transaction(workspace.context.database) as session:
        for row in session.query(WorkerRow).where(WorkerRow.pid == pid):
            row.seen_at -= timedelta(minutes=2)


def everything(run: Run) -> dict[str, tuple[int, object]]:
    """Every file of a run, with its size and when it was written."""
    found = run.store.files.all_below(tiny_runs.run_folder(run))
    return {name: (facts["size"], facts.get("mtime", facts.get("LastModified"))) for name, facts in found.items()}


def test_who_is_frozen_loses_the_run_and_who_is_told_to_end_hands_it_back(
    workspace: Workspace, dataset: Dataset, model: Path, gate: Gate, start: Launch, tmp_path: Path
) -> None:
    gate.close("steps", after=tiny_runs.MID_EPOCH)
    run = tiny_runs.queue(workspace, dataset.id, model, tiny_runs.LONG)
    frozen = start("north")
    gate.reached("steps")
    other = start("south")
    until(lambda: len(living_workers(workspace.settings)) == 2, "the other worker is there")
    os.kill(frozen.pid, signal.SIGSTOP)
    silence(workspace, frozen.pid)
    gate.open("steps")
    assert tiny_runs.ended(run) == "succeeded"
    assert [worker.pid for worker in living_workers(workspace.settings)] == [other.pid]
    assert sum(line["event"] == "taken" for line in run.log(1000)) == 2
    before, log = everything(run), run.log(1000)

    os.kill(frozen.pid, signal.SIGCONT)
    until(
        lambda: [worker.run_id for worker in living_workers(workspace.settings)] == [None, None],
        "the frozen worker has let go of the run and is there anew",
    )
    assert everything(run) == before and run.log(1000) == log
    assert run.refresh().status == "succeeded"

    gate.close("steps", after=tiny_runs.MID_EPOCH)
    again = tiny_runs.queue(workspace, dataset.id, model, tiny_runs.LONG)
    gate.reached("steps")
    (busy,) = (worker.pid for worker in living_workers(workspace.settings) if worker.run_id == again.id)
    told, left = (frozen, other) if busy == frozen.pid else (other, frozen)
    machines = tmp_path / "machines"
    its_own = machines / ("north" if told is frozen else "south")
    if not workspace.settings.home_is_local:
        assert [path for path in left_behind(its_own) if "checkpoint-15" in path.parts], "it trains on its own disk"
    told.send_signal(signal.SIGTERM)
    gate.open("steps")
    assert told.wait(60) == 0
    assert left_behind(its_own) == []
    assert tiny_runs.ended(again) == "succeeded"
    assert [worker.pid for worker in living_workers(workspace.settings)] == [left.pid]
    assert [line["message"] for line in again.log(1000) if line["event"] == "continued"] == ["Goes on after step 15."]
    assert tiny_runs.score_bytes(again) == tiny_runs.score_bytes(run) != {}
    assert not (workspace.settings.training_folder / again.id).exists()


def test_a_worker_that_is_there_again_before_others_took_its_run_goes_on_with_it(
    workspace: Workspace, dataset: Dataset, model: Path, gate: Gate, start: Launch
) -> None:
    gate.close("steps", after=tiny_runs.MID_EPOCH)
    run = tiny_runs.queue(workspace, dataset.id, model, tiny_runs.LONG)
    start("north", DIET_EXPLORER_LEASE_SECONDS="2")
    gate.reached("steps")
    records = WorkerRecords(workspace.context.database)
    (first,) = living_workers(workspace.settings)
    until(lambda: any(map(records.declare_gone, living_workers(workspace.settings))), "it was taken to be gone")
    until(lambda: {worker.token for worker in living_workers(workspace.settings)} - {first.token}, "it is there anew")
    gate.open("steps")
    assert tiny_runs.ended(run) == "succeeded"
    assert sum(line["event"] == "taken" for line in run.log(1000)) == 2
