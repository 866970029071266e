"""Folds and noise checks as background jobs of a real worker: what they train on, a kill, a report, the commands."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from diet_explorer.errors import BadInputError, NotFoundError
from diet_explorer.store.rows import RunRows
from diet_explorer.workspace.dataset import Dataset
from diet_explorer.workspace.workspace import Workspace
from tests import tiny_runs
from tests.gate import Gate

Launch = Callable[..., subprocess.Popen[str]]


def test_folds_and_noise_checks_belong_to_their_run(
    workspace: Workspace, dataset: Dataset, model: Path, gate: Gate, launch: Launch
) -> None:
    home = workspace.settings.home_folder
    run = tiny_runs.queue(workspace, dataset.id, model, tiny_runs.SHORT)
    with pytest.raises(BadInputError, match="60 training examples are too few for 31 folds"):
        run.audit.folds(31)
    with pytest.raises(NotFoundError, match="No noise check"):
        run.audit.noise_report()
    worker = launch("worker", home=home)
    assert tiny_runs.ended(run) == "succeeded"

    gate.close("trainings", after=3)  # that of the run and those of two folds
    folds = run.audit.folds(3, 2)
    with pytest.raises(BadInputError, match="under way already"):
        run.audit.folds(3)
    gate.reached("trainings")
    assert folds.landed() == {seed: [1.0, 2.0] for seed in (0, 1)}
    os.killpg(worker.pid, signal.SIGKILL)
    assert "oos" not in {entry.name for entry in run.audit.witnesses() if entry.available}, (
        "folds count when all are there"
    )
    gate.open("trainings")
    launch("worker", home=home)
    assert tiny_runs.ended(folds) == "succeeded"
    assert [entry.id for entry in workspace.runs()] == [run.id]
    assert run.audit.fold_run().id == folds.id and folds.landed() == {seed: [1.0, 2.0] for seed in range(6)}
    lists = RunRows(workspace.context.files, folds.id)
    for repeat in (0, 1):
        left_out = [np.setdiff1d(np.arange(60), lists.read_training(3 * repeat + fold)[0]) for fold in range(3)]
        assert sorted(np.concatenate(left_out)) == list(range(60)), "each example is left out once in a repeat"
    available = {entry.name for entry in run.audit.witnesses() if entry.available}
    assert {"combined", "oos", "confident", "grand", "neighbours"} <= available

    done = tiny_runs.inside("noise-check", run.id, "--share", "0.2", "--json", home=home)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert "easier" in report["caution"]
    assert {entry["chance"] for entry in report["witnesses"]} == {0.2}
    (check,) = run.children("noise")
    rows, flipped = RunRows(workspace.context.files, check.id).read_training(0)
    truth = dataset.examples()["label"].map({name: code for code, name in enumerate(dataset.classes)}).to_numpy()
    assert (flipped != truth[rows]).sum() == 12
    assert dataset.examples()["label"].tolist() == workspace.dataset(dataset.id).examples()["label"].tolist()

    listed = tiny_runs.inside("suspects", run.id, "--top", "4", "--json", home=home)
    suspects = json.loads(listed.stdout)["suspects"]
    assert [entry["row"] for entry in suspects] == run.audit.order()[:4].tolist()
    shown = tiny_runs.inside("suspects", run.id, "--by", "oos", "--label", "bad", "--top", "3", home=home)
    assert shown.returncode == 0 and "mislabelled" in shown.stderr.lower()
    wrong = tiny_runs.inside("suspects", run.id, "--by", "luck", home=home)
    assert wrong.returncode == 2 and "no witness 'luck'" in wrong.stderr
