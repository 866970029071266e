"""A database that is away for a moment fails no job, wherever in the job that happens."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from diet_explorer.jobs.kinds.export import ExportJob
from diet_explorer.jobs.processes import OwnProcess
from diet_explorer.jobs.progress import JobProgress
from diet_explorer.jobs.slots import living_workers
from diet_explorer.pruning.policies import Policy
from diet_explorer.workspace.dataset import Dataset
from diet_explorer.workspace.workspace import Workspace
from tests import tiny_runs
from tests.gate import Gate
from tests.waiting import until

Launch = Callable[..., subprocess.Popen[str]]
SETTINGS = {**tiny_runs.SHORT, "epochs": 1, "checkpoints": (0, 1), "grand": "head"}


def test_every_question_to_the_database_may_fail_once(
    workspace: Workspace, dataset: Dataset, model: Path, gate: Gate, launch: Launch
) -> None:
    undisturbed = tiny_runs.queue(workspace, dataset.id, model, SETTINGS)
    launch("worker", home=workspace.settings.home_folder)
    assert tiny_runs.ended(undisturbed) == "succeeded"
    until(lambda: [worker.run_id for worker in living_workers(workspace.settings)] == [None], "the worker is idle")

    gate.fail_once()
    run = tiny_runs.queue(workspace, dataset.id, model, SETTINGS)
    assert tiny_runs.ended(run) == "succeeded", f"{run.error} {run.remedy}"
    assert tiny_runs.score_bytes(run) == tiny_runs.score_bytes(undisturbed)
    said = "\n".join(gate.failed())
    for place in ("score._record", "score._set_status", "score._config", "progress.load_all", "progress.log"):
        assert place in said, f"nothing failed in {place}"


def test_nor_does_it_fail_what_a_process_of_its_own_does(
    workspace: Workspace, dataset: Dataset, gate: Gate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outputs = np.random.default_rng(0).dirichlet([1, 1], size=60)
    plan = workspace.record(dataset, outputs, kind="probabilities").pruning.plan(Policy(drop_hardest=25))
    undisturbed = plan.export(tmp_path / "undisturbed")
    export = plan.submit_export(tmp_path / "export")
    job = ExportJob(workspace.settings, workspace.context.files, workspace.context.database, export.id)
    job.save(JobProgress(job=export.id, state="running"))
    for name, value in gate.environment.items():
        monkeypatch.setenv(name, value)
    gate.fail_once()
    output = tmp_path / "output"
    assert OwnProcess(job, export.id, output).wait() is None, output.read_text()
    assert job.status().state == "succeeded", job.status()
    assert export.manifest["result_sha256"] == undisturbed.manifest["result_sha256"]
    said = "\n".join(gate.failed())
    for place in ("own_process.main", "export.work", "job.record_of"):
        assert place in said, f"nothing failed in {place}"
