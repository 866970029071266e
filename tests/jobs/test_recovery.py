"""A worker that is killed costs nothing but the time since the last checkpoint."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from diet_explorer.jobs.protocol import seed_job
from diet_explorer.jobs.slots import living_workers
from diet_explorer.scoring.progress import RunReports
from diet_explorer.workspace.dataset import Dataset
from diet_explorer.workspace.workspace import Workspace
from tests import tiny_runs
from tests.gate import Gate
from tests.waiting import until

Launch = Callable[..., subprocess.Popen[str]]


def kill(process: subprocess.Popen[str]) -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def test_a_killed_run_ends_with_the_same_bytes(
    workspace: Workspace, dataset: Dataset, model: Path, gate: Gate, launch: Launch
) -> None:
    home = workspace.settings.home_folder
    killed = tiny_runs.queue(workspace, dataset.id, model, tiny_runs.LONG)
    undisturbed = tiny_runs.queue(workspace, dataset.id, model, tiny_runs.LONG)

    gate.close("steps", after=tiny_runs.MID_EPOCH)
    first = launch("worker", home=home)
    gate.reached("steps")
    kill(first)
    assert killed.refresh().status == "running"
    assert killed.landed() == {0: [0.0, 1.0]}
    before = tiny_runs.score_bytes(killed)
    assert living_workers(workspace.settings) == []

    gate.open("steps")
    launch("worker", home=home)
    assert tiny_runs.ended(killed) == "succeeded"
    assert tiny_runs.ended(undisturbed) == "succeeded"

    after = tiny_runs.score_bytes(killed)
    assert after == tiny_runs.score_bytes(undisturbed)
    assert before.items() <= after.items(), "a file that had landed was written differently"
    assert killed.landed() == {0: [0.0, 1.0, 2.0, 4.0]}
    taken = [line["message"] for line in killed.log(1000) if line["event"] == "taken"]
    assert [words.partition(" takes up ")[2] for words in taken] == [
        "seed 0.",
        "seed 0 again, from its last checkpoint.",
    ]
    assert not (workspace.settings.scratch_folder / killed.id).exists()
    left_behind = [path for path in Path(tiny_runs.run_folder(killed)).rglob("*") if path.name.endswith(".tmp")]
    assert left_behind == []


def test_a_living_worker_takes_over_from_one_that_is_gone(
    workspace: Workspace, dataset: Dataset, model: Path, gate: Gate, launch: Launch
) -> None:
    home = workspace.settings.home_folder
    workers = {slot: launch("worker", "--slot", str(slot), home=home) for slot in (0, 3)}
    until(lambda: len(living_workers(workspace.settings)) == 2, "two workers are there")
    gate.close("steps", after=tiny_runs.MID_EPOCH)
    run = tiny_runs.queue(workspace, dataset.id, model, tiny_runs.LONG)
    gate.reached("steps")
    busy = {worker.run_id: worker.slot for worker in living_workers(workspace.settings)}
    assert busy.keys() == {run.id, None}

    kill(workers[busy[run.id]])
    gate.open("steps")
    assert run.refresh().status == "running"
    assert tiny_runs.ended(run) == "succeeded"
    assert [worker.slot for worker in living_workers(workspace.settings)] == [busy[None]]
    assert sum(line["event"] == "taken" for line in run.log(1000)) == 2


def test_a_run_that_kills_its_worker_again_and_again_is_given_up_until_it_is_resumed(
    workspace: Workspace, dataset: Dataset, model: Path, gate: Gate, launch: Launch
) -> None:
    run = tiny_runs.queue(workspace, dataset.id, model, tiny_runs.LONG)
    workflow = run.refresh().record.workflow_id
    for _ in range(10):
        RunReports(workspace.context.database, run.id).log("taken", "Taken up.", job=seed_job(workflow, 0))
    home = workspace.settings.home_folder
    worker = launch("worker", home=home)
    assert tiny_runs.ended(run) == "failed"
    assert run.error == "The worker was killed 10 times during this run."
    assert run.remedy is not None and "memory" in run.remedy
    assert run.landed() == {}

    gate.close("steps", after=tiny_runs.MID_EPOCH)
    run.resume()
    gate.reached("steps")
    worker.send_signal(signal.SIGTERM)  # told to stop, it leaves at once
    assert worker.wait(60) == 0
    assert living_workers(workspace.settings) == []
    assert run.refresh().status == "running"
    gate.open("steps")
    launch("worker", home=home)
    assert tiny_runs.ended(run) == "succeeded"


def test_a_child_does_not_outlive_its_parent() -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    child = subprocess.Popen(
        [sys.executable, "-m", "diet_explorer.jobs.guarded", str(gone.pid), "http.server", "--bind", "127.0.0.1", "0"],
        stdout=subprocess.DEVNULL,
    )
    assert child.wait(30) == 0
