"""A database that is away for a moment fails no job, wherever in the job that happens."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

from diet_explorer.jobs.slots import living_workers
from diet_explorer.pruning.policies import Policy
from diet_explorer.workspace.dataset import Dataset
from diet_explorer.workspace.workspace import Workspace
from tests import tiny_runs
from tests.gate import Gate
from tests.waiting import until

Launch = Callable[..., subprocess.Popen[str]]
SETTINGS = {**tiny_runs.SHORT, "epochs": 1, "checkpoints": (0, 1), "grand": "head", "seeds": 2}


def test_every_question_to_the_database_may_fail_once(
    workspace: Workspace, dataset: Dataset, model: Path, gate: Gate, launch: Launch, tmp_path: Path
) -> None:
    undisturbed = tiny_runs.queue(workspace, dataset.id, model, SETTINGS)
    launch("worker", home=workspace.settings.home_folder)
    assert tiny_runs.ended(undisturbed) == "succeeded"
    until(lambda: [worker.run_id for worker in living_workers(workspace.settings)] == [None], "the worker is idle")

    gate.fail_once()
    run = tiny_runs.queue(workspace, dataset.id, model, SETTINGS)
    assert tiny_runs.ended(run) == "succeeded", f"{run.error} {run.remedy}"
    assert tiny_runs.score_bytes(run) == tiny_runs.score_bytes(undisturbed)
    run.maps.draw()
    export = run.pruning.plan(Policy(drop_hardest=25)).submit_export(tmp_path / "export")
    until(lambda: not (run.maps.progress().is_active or export.progress().is_active), "map and export have ended")
    assert run.maps.progress().state == "succeeded", run.maps.progress()
    assert export.progress().state == "succeeded", export.progress()
    said = "\n".join(gate.failed())
    for place in ("score._take_up", "score._is_last", "score._finish", "own_process.main", "map.work", "export.work"):
        assert place in said, f"nothing failed in {place}"
