"""Seeds of one run on several workers at once: the same bytes, also through a kill, a cancellation and a failure."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from diet_explorer.errors import JobCancelledError
from diet_explorer.jobs.protocol import EARLIER
from diet_explorer.jobs.slots import living_workers
from diet_explorer.training.config import RunConfig
from diet_explorer.workspace.dataset import Dataset
from diet_explorer.workspace.run import Run
from diet_explorer.workspace.workspace import Workspace
from tests import tiny_runs
from tests.gate import Gate
from tests.waiting import until

Launch = Callable[..., subprocess.Popen[str]]
LAST_STEP = 59
"""Steps of a `LONG` run of sixty sentences that come before its last."""


def both_train(workspace: Workspace, dataset: Dataset, model: Path, gate: Gate, launch: Launch) -> Run:
    """A run of two seeds, each held in the midst of its training by a worker of its own."""
    gate.close("steps", after=tiny_runs.MID_EPOCH)
    for slot in ("0", "1"):
        launch("worker", "--slot", slot, home=workspace.settings.home_folder)
    run = tiny_runs.queue(workspace, dataset.id, model, tiny_runs.LONG, seeds=2)
    gate.reached("steps", times=2)
    return run


def let_go(workspace: Workspace) -> bool:
    """Whether no worker works on a run."""
    return all(worker.run_id is None for worker in living_workers(workspace.settings))


def bytes_of_all(run: Run) -> dict[str, bytes]:
    """Scores, rankings and statistics of a run."""
    folder = Path(tiny_runs.run_folder(run))
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for part in ("scores", "rankings", "statistics", "embeddings", "neighbours")
        for path in sorted((folder / part).rglob("*.*"))
    }


def test_two_workers_train_two_seeds_at_once_and_a_kill_changes_no_byte(
    workspace: Workspace, dataset: Dataset, model: Path, gate: Gate, launch: Launch
) -> None:
    run = both_train(workspace, dataset, model, gate, launch)
    progress = run.progress()
    assert {seed.slot for seed in progress.busy} == {0, 1}
    one, two = living_workers(workspace.settings)
    assert one.run_id == two.run_id == run.id

    os.killpg(one.pid, signal.SIGKILL)
    gate.open("steps")
    assert tiny_runs.ended(run) == "succeeded"
    taken = [line for line in run.log(1000) if line["event"] == "taken"]
    assert sorted(line["seed"] for line in taken) in ([0, 0, 1], [0, 1, 1])
    assert taken[-1]["message"].endswith("again, from its last checkpoint.") and taken[-1]["slot"] == two.slot

    alone = tiny_runs.queue(workspace, dataset.id, model, tiny_runs.LONG, seeds=2)
    assert tiny_runs.ended(alone) == "succeeded"
    assert [line["seed"] for line in alone.log(1000) if line["event"] == "taken"] == [0, 1]
    assert bytes_of_all(alone) == bytes_of_all(run)


def test_seeds_that_train_at_once_are_cancelled_and_resumed(
    workspace: Workspace, dataset: Dataset, model: Path, gate: Gate, launch: Launch
) -> None:
    run = both_train(workspace, dataset, model, gate, launch)
    run.cancel()
    with pytest.raises(JobCancelledError):
        run.wait()
    gate.open("steps")
    until(lambda: let_go(workspace), "both let go")
    assert run.landed() == {0: [0.0, 1.0], 1: [0.0, 1.0]}
    before = tiny_runs.score_bytes(run)
    assert tiny_runs.ended(run.resume()) == "succeeded"
    assert before.items() <= tiny_runs.score_bytes(run).items()
    goes_on = [line["message"] for line in run.log(1000) if line["event"] == "continued"]
    assert goes_on == ["Goes on after step 15."] * 2


def test_a_run_that_an_earlier_version_queued_or_began_is_done(
    workspace: Workspace, dataset: Dataset, model: Path, launch: Launch
) -> None:
    config = RunConfig(dataset.id, model=str(model), **tiny_runs.SHORT, seeds=2).validated()
    run = workspace.create_run(config, name="earlier", origin="job")
    run.context.jobs.submit(EARLIER, "score-earlier", run.id)
    run.context.records.set_workflow(run.id, "score-earlier")
    run.context.records.set_status(run.id, "running")
    launch("worker", home=workspace.settings.home_folder)
    assert tiny_runs.ended(run) == "succeeded"
    assert run.landed() == {0: [0.0, 1.0, 2.0], 1: [0.0, 1.0, 2.0]}


def test_a_seed_that_fails_stops_the_others_and_is_named(
    workspace: Workspace, dataset: Dataset, model: Path, gate: Gate, launch: Launch
) -> None:
    run = both_train(workspace, dataset, model, gate, launch)
    (folder := Path(tiny_runs.run_folder(run)) / "scores" / "seed=1" / "checkpoint=2.parquet").mkdir(parents=True)
    gate.close("steps", after=LAST_STEP)  # no seed comes to its end before the run has failed
    assert tiny_runs.ended(run) == "failed"
    assert run.error is not None and run.error.startswith("Seed 1: ")
    # the other seed sees it on its way to its last step, or when it is let go there
    until(lambda: gate.held("steps") or let_go(workspace), "the other seed came to its last step, or stopped before")
    gate.open("steps")
    until(lambda: let_go(workspace), "both let go")
    assert 1.0 in run.landed()[0] and 4.0 not in run.landed()[0], "the other seed is stopped where it is"
    folder.rmdir()
    assert tiny_runs.ended(run.resume()) == "succeeded"


def test_one_jobs_database_has_workers_of_two_workspaces(
    tmp_path: Path, sentences: Path, model: Path, launch: Launch
) -> None:
    jobs, runs = f"sqlite:///{tmp_path}/jobs.sqlite", []
    for name in ("one", "two"):
        workspace = Workspace(tmp_path / name, jobs_url=jobs)
        dataset = workspace.import_dataset(sentences, text="sentence", label="mood", id="key")
        launch("worker", home=tmp_path / name, DIET_EXPLORER_JOBS_URL=jobs)
        runs.append(tiny_runs.queue(workspace, dataset.id, model, tiny_runs.SHORT))
    assert [tiny_runs.ended(run) for run in runs] == ["succeeded", "succeeded"]
