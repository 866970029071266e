"""A job belongs to a worker as long as that gives signs of life; who has lost it writes nothing more."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

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


def silence(workspace: Workspace, pid: int) -> None:
    """As if a worker had given its last sign of life a while ago."""
    with transaction(workspace.context.database) as session:
        for row in session.query(WorkerRow).where(WorkerRow.pid == pid):
            row.seen_at -= timedelta(minutes=2)


def everything(run: Run) -> dict[str, tuple[int, int]]:
    """Every file of a run, with its size and when it was written."""
    paths = (path for path in Path(tiny_runs.run_folder(run)).rglob("*") if path.is_file())
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in paths}


def test_who_is_frozen_loses_the_run_and_who_is_told_to_end_hands_it_back(
    workspace: Workspace, dataset: Dataset, model: Path, gate: Gate, launch: Launch
) -> None:
    home = workspace.settings.home_folder
    gate.close("steps", after=tiny_runs.MID_EPOCH)
    run = tiny_runs.queue(workspace, dataset.id, model, tiny_runs.LONG)
    frozen = launch("worker", home=home)
    gate.reached("steps")
    other = launch("worker", home=home)
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
    told.send_signal(signal.SIGTERM)
    gate.open("steps")
    assert told.wait(60) == 0
    assert [worker.pid for worker in living_workers(workspace.settings)] == [left.pid]
    assert tiny_runs.ended(again) == "succeeded"
    assert tiny_runs.score_bytes(again) == tiny_runs.score_bytes(run)
    assert not (workspace.settings.scratch_folder / again.id).exists()


def test_a_worker_that_is_there_again_before_others_took_its_run_goes_on_with_it(
    workspace: Workspace, dataset: Dataset, model: Path, gate: Gate, launch: Launch
) -> None:
    gate.close("steps", after=tiny_runs.MID_EPOCH)
    run = tiny_runs.queue(workspace, dataset.id, model, tiny_runs.LONG)
    launch("worker", home=workspace.settings.home_folder, DIET_EXPLORER_LEASE_SECONDS="2")
    gate.reached("steps")
    records = WorkerRecords(workspace.context.database)
    (first,) = living_workers(workspace.settings)
    until(lambda: any(map(records.declare_gone, living_workers(workspace.settings))), "it was taken to be gone")
    until(lambda: {worker.token for worker in living_workers(workspace.settings)} - {first.token}, "it is there anew")
    gate.open("steps")
    assert tiny_runs.ended(run) == "succeeded"
    assert sum(line["event"] == "taken" for line in run.log(1000)) == 2
