"""A job goes where it can run: it waits for a worker that has its model, and nothing waits behind it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from diet_explorer.jobs.slots import living_workers
from diet_explorer.workspace.dataset import Dataset
from diet_explorer.workspace.workspace import Workspace
from tests import tiny_runs
from tests.waiting import until

Launch = Callable[..., subprocess.Popen[str]]


def test_a_run_waits_for_a_worker_that_has_its_model(
    workspace: Workspace,
    dataset: Dataset,
    model: Path,
    tmp_path: Path,
    launch: Launch,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    home = workspace.settings.home_folder
    monkeypatch.setenv("DIET_EXPLORER_BUNDLED_MODEL", str(model))
    elsewhere = Path(shutil.copytree(model, tmp_path / "elsewhere"))
    absent = tiny_runs.queue(workspace, dataset.id, elsewhere, tiny_runs.SHORT)
    bundled = workspace.score(dataset.id, model="bundled", **tiny_runs.SHORT)
    large = tiny_runs.queue(workspace, dataset.id, model, tiny_runs.SHORT, memory_gb=100_000)
    known = tiny_runs.queue(workspace, dataset.id, model, tiny_runs.SHORT)
    absent.maps.draw("initial")
    elsewhere.rename(tmp_path / "not here")

    launch("worker", home=home, DIET_EXPLORER_BUNDLED_MODEL=str(tmp_path / "not installed"))
    assert tiny_runs.ended(known) == "succeeded", "what can be done does not wait for what cannot"
    delay = absent.progress().delay
    assert delay is not None and delay.reason == "no able worker"
    assert f"No worker has the folder {elsewhere}" in delay.words and "put it there" in delay.remedy
    short_of = large.progress().delay
    assert short_of is not None and "100,000 GB of memory" in short_of.words and large.refresh().status == "queued"
    drawing = until(lambda: absent.maps.progress("initial").delay, "the map waits for its model")
    assert f"No worker has the folder {elsewhere}" in drawing.words
    absent.maps.cancel("initial")
    waits = bundled.progress().delay
    assert waits is not None and "not installed" in waits.words

    launch("worker", home=home, DIET_EXPLORER_BUNDLED_MODEL=str(model))
    assert tiny_runs.ended(bundled) == "succeeded"
    assert absent.refresh().status == "queued"
    (tmp_path / "not here").rename(elsewhere)
    assert tiny_runs.ended(absent) == "succeeded"
    until(lambda: not any(worker.tasks for worker in living_workers(workspace.settings)), "the workers are free")
    assert tiny_runs.score_bytes(absent) == tiny_runs.score_bytes(known) == tiny_runs.score_bytes(bundled)
