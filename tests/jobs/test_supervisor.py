"""`diet-explorer app`: one worker and one server, alive together and gone together."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Callable
from pathlib import Path

import psutil

from diet_explorer.jobs.slots import living_workers
from diet_explorer.workspace.dataset import Dataset
from diet_explorer.workspace.workspace import Workspace
from tests import tiny_runs
from tests.gate import Gate
from tests.waiting import until

Launch = Callable[..., subprocess.Popen[str]]


def open_app(launch: Launch, home: Path, *arguments: str, **variables: str) -> tuple[subprocess.Popen[str], str]:
    """Start the app on a free port and return it with its address, once it answers."""
    app = launch("app", "--port", "0", "--json", *arguments, home=home, **variables)
    assert app.stdout is not None and app.stderr is not None
    line = app.stdout.readline()
    assert line, app.stderr.read()
    return app, json.loads(line)["url"]


def children(app: subprocess.Popen[str]) -> list[int]:
    return [child.pid for child in psutil.Process(app.pid).children(recursive=True)]


def all_gone(pids: list[int]) -> bool:
    return not any(tiny_runs.is_alive(pid) for pid in pids)


def answers(url: str) -> bool:
    with urllib.request.urlopen(f"{url}/_stcore/health", timeout=5) as reply:
        return bool(reply.status == 200)


def test_the_app_restarts_its_worker_and_a_killed_app_leaves_nobody_behind(
    workspace: Workspace, dataset: Dataset, model: Path, gate: Gate, launch: Launch
) -> None:
    home = workspace.settings.home_folder
    run = tiny_runs.queue(workspace, dataset.id, model, tiny_runs.LONG)
    gate.close("steps", after=tiny_runs.MID_EPOCH)
    app, url = open_app(launch, home, "--sample", DIET_EXPLORER_BUNDLED_MODEL=str(model))
    assert url.startswith("http://127.0.0.1:") and answers(url)

    gate.reached("steps")
    (worker,) = living_workers(workspace.settings)
    assert worker.run_id == run.id
    os.kill(worker.pid, signal.SIGKILL)
    until(lambda: run.landed() == {0: [0.0, 1.0, 2.0]}, "a worker that was started again goes on with the run")
    (restarted,) = living_workers(workspace.settings)
    assert restarted.pid != worker.pid
    assert app.poll() is None and answers(url)
    log = (home / "logs" / "app.log").read_text(encoding="utf-8")
    assert "worker ended with status -9; starting it again in 1 s" in log

    family = children(app)
    assert len(family) == 2
    app.kill()
    app.wait()
    until(lambda: all_gone(family), "the children of the killed app were gone")
    assert run.refresh().status == "running"

    gate.close("trainings", after=1)
    gate.open("steps")
    again, _ = open_app(launch, home, "--sample", DIET_EXPLORER_BUNDLED_MODEL=str(model))
    assert tiny_runs.ended(run) == "succeeded"
    assert run.landed() == {0: [0.0, 1.0, 2.0, 4.0]}
    (sample,) = (entry for entry in workspace.runs() if entry.id != run.id)  # it is not scored twice
    assert sample.dataset.name == "Film snippets (sample)"
    until(lambda: sample.refresh().status == "running", "the sample is scored after what waited before it")

    family = children(again)
    again.send_signal(signal.SIGTERM)
    assert again.wait(60) == 0
    assert all_gone(family)
    assert not (home / "app.json").exists()
    assert living_workers(workspace.settings) == []


def test_one_app_per_workspace_and_one_per_port(workspace: Workspace, tmp_path: Path, launch: Launch) -> None:
    home = workspace.settings.home_folder
    app, url = open_app(launch, home)

    second = tiny_runs.inside("app", home=home)
    assert second.returncode == 1
    assert second.stdout == ""
    assert second.stderr.splitlines()[0] == f"Error: This workspace is already open at {url}."
    assert "--workspace" in second.stderr.splitlines()[1]

    port = url.rpartition(":")[2]
    elsewhere = tiny_runs.inside("app", "--port", port, home=tmp_path / "other")
    assert elsewhere.returncode == 2
    message, remedy = elsewhere.stderr.splitlines()
    assert message == f"Error: The app cannot listen on port {port} of 127.0.0.1: address already in use."
    assert "--port" in remedy
    assert not (tmp_path / "other" / "app.json").exists()

    app.send_signal(signal.SIGINT)
    assert app.wait(60) == 0
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", int(port)))
