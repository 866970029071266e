"""Cancelling, resuming, and the order of the queue, with a real worker."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from diet_explorer.errors import BadInputError, JobCancelledError, JobFailedError, NotFoundError
from diet_explorer.jobs.context import WorkerContext
from diet_explorer.jobs.kinds import score
from diet_explorer.jobs.logs import log_path
from diet_explorer.jobs.slots import NO_WORKER, living_workers, workers_in_words
from diet_explorer.workspace.dataset import Dataset
from diet_explorer.workspace.workspace import Workspace
from tests import tiny_runs
from tests.gate import Gate
from tests.waiting import until

Launch = Callable[..., subprocess.Popen[str]]


def test_cancel_and_resume_while_others_wait(
    workspace: Workspace, dataset: Dataset, model: Path, gate: Gate, launch: Launch
) -> None:
    assert workers_in_words(workspace.settings) == NO_WORKER
    first = tiny_runs.queue(workspace, dataset.id, model, tiny_runs.LONG)
    second = tiny_runs.queue(workspace, dataset.id, model, tiny_runs.SHORT)
    third = tiny_runs.queue(workspace, dataset.id, model, tiny_runs.SHORT)
    assert [run.progress().queue_position for run in (first, second, third)] == [1, 2, 3]
    with pytest.raises(BadInputError, match="cannot be resumed: it is queued"):
        second.resume()
    second.cancel()
    assert second.refresh().status == "cancelled"
    with pytest.raises(BadInputError, match="cannot be cancelled: it has ended"):
        second.cancel()

    gate.close("steps", after=tiny_runs.MID_EPOCH)
    launch("worker", home=workspace.settings.home_folder)
    gate.reached("steps")
    assert workers_in_words(workspace.settings) == f"1 worker, busy with {first.id}"
    assert third.refresh().status == "queued"
    with pytest.raises(BadInputError, match="cannot be resumed: it is running"):
        first.resume()

    first.cancel()
    with pytest.raises(JobCancelledError, match="resume"):
        first.wait()
    gate.open("steps")
    until(lambda: living_workers(workspace.settings)[0].run_id != first.id, "the worker let go of the cancelled run")
    assert first.landed() == {0: [0.0, 1.0]}, "it stops where it is told to"
    with pytest.raises(BadInputError, match="cannot be cancelled: it has ended"):
        first.cancel()

    assert tiny_runs.ended(third) == "succeeded"
    assert first.refresh().status == "cancelled"
    before = tiny_runs.score_bytes(first)
    assert first.resume().status in ("queued", "running")
    second.resume()
    assert tiny_runs.ended(first) == "succeeded"
    assert before.items() <= tiny_runs.score_bytes(first).items()
    assert tiny_runs.ended(second) == "succeeded"
    assert tiny_runs.score_bytes(second) == tiny_runs.score_bytes(third)
    assert first.refresh().record.finished_at <= second.refresh().record.started_at
    with pytest.raises(BadInputError, match="cannot be resumed: it is succeeded"):
        first.resume()
    said = log_path(workspace.settings, "worker-0").read_text(encoding="utf-8")
    assert "works on run" in said and "ERROR" not in said, "nobody is alarmed by what somebody wanted"


def test_a_run_cancelled_and_resumed_at_once_goes_on(
    workspace: Workspace, dataset: Dataset, model: Path, gate: Gate, launch: Launch
) -> None:
    home = workspace.settings.home_folder
    run = tiny_runs.queue(workspace, dataset.id, model, tiny_runs.LONG)
    gate.close("steps", after=tiny_runs.MID_EPOCH)
    for slot in ("0", "1"):
        launch("worker", "--slot", slot, home=home)
    gate.reached("steps")
    run.cancel()
    run.resume()
    until(
        lambda: [worker.run_id for worker in living_workers(workspace.settings)] == [run.id, run.id],
        "the other worker takes up the resumed run while the first still holds it",
    )
    gate.open("steps")
    assert tiny_runs.ended(run) == "succeeded"
    assert run.landed() == {0: [0.0, 1.0, 2.0, 4.0]}
    until(lambda: all(worker.run_id is None for worker in living_workers(workspace.settings)), "both workers are free")
    assert run.refresh().status == "succeeded"


def test_what_goes_wrong_is_told_in_words_and_can_be_resumed(
    workspace: Workspace, dataset: Dataset, sentences: Path, model: Path, tmp_path: Path, launch: Launch
) -> None:
    moved = tiny_runs.save_tiny_model(tmp_path / "moved")
    known = tiny_runs.queue(workspace, dataset.id, moved, tiny_runs.SHORT)
    (moved / "model.safetensors").rename(tmp_path / "weights")
    text = sentences.read_text(encoding="utf-8").replace("film", "movie")
    (tmp_path / "other.csv").write_text(text, encoding="utf-8")
    other = workspace.import_dataset(tmp_path / "other.csv", text="sentence", label="mood")
    unforeseen = tiny_runs.queue(workspace, other.id, model, tiny_runs.SHORT)
    examples = Path(other.folder) / "examples.parquet"
    intact = examples.read_bytes()
    examples.write_bytes(b"PAR1 nothing of the kind PAR1")

    launch("worker", home=workspace.settings.home_folder)
    with pytest.raises(JobFailedError) as first:
        known.wait(180)
    assert str(moved) in first.value.message
    assert "Traceback" not in first.value.message + first.value.remedy
    with pytest.raises(JobFailedError, match="not foreseen") as second:
        unforeseen.wait(180)
    assert "\n" not in second.value.message
    errors = [line for line in unforeseen.log(1000) if line["event"] == "error"]
    assert len(errors) == 1 and errors[0]["traceback"].startswith("Traceback")

    (tmp_path / "weights").rename(moved / "model.safetensors")
    examples.write_bytes(intact)
    assert tiny_runs.ended(known.resume()) == "succeeded"
    assert tiny_runs.ended(unforeseen.resume()) == "succeeded"
    assert known.error is None


def test_an_unknown_run_is_not_found(workspace: Workspace) -> None:
    with pytest.raises(NotFoundError, match="no run 'nowhere'"):
        workspace.run("nowhere")


def test_a_run_that_is_asked_for_anew_is_not_ended_by_the_job_that_it_had(
    workspace: Workspace, dataset: Dataset, model: Path, context: WorkerContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tiny_runs.queue(workspace, dataset.id, model, tiny_runs.SHORT)
    first = str(run.refresh().record.workflow_id)
    failed: score.Outcome = {"state": "failed", "error": "The disk is full.", "remedy": "Free some."}
    score.end_run(context, run.id, first, failed)
    assert run.refresh().status == "failed"
    submit_run = run.context.jobs.submit_run

    def submit_slowly(*asked: Any) -> None:
        score.end_run(context, run.id, first, failed)
        submit_run(*asked)

    monkeypatch.setattr(run.context.jobs, "submit_run", submit_slowly)
    assert run.resume().status == "queued"
    score.end_run(context, run.id, first, failed)
    assert run.refresh().status == "queued"
    score.end_run(context, run.id, str(run.record.workflow_id), failed)
    assert run.refresh().status == "failed" and run.error == "The disk is full."
