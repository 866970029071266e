"""Runs from the command line: score, follow, look, rank, export, interrupt."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from diet_explorer.jobs.slots import WorkerSlot, living_workers
from diet_explorer.scoring.catalogue import RECORDED_NAMES
from diet_explorer.workspace.dataset import Dataset
from diet_explorer.workspace.workspace import Workspace
from tests import tiny_runs
from tests.gate import Gate
from tests.security.test_at_rest import loose
from tests.waiting import until

Launch = Callable[..., subprocess.Popen[str]]
COLUMNS = ["--text", "sentence", "--label", "mood", "--id", "key"]
SETTINGS = ["--epochs", "2", "--seeds", "2", "--checkpoints", "0,1,2", "--batch-size", "16", "--max-length", "16"]


def answer(home: Path, *arguments: str) -> Any:
    """What a command prints as JSON."""
    done = tiny_runs.inside(*arguments, "--json", home=home)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def scored(
    tmp_path_factory: pytest.TempPathFactory, sentences: Path, model: Path
) -> tuple[Path, subprocess.CompletedProcess[str], Path]:
    """A workspace in which a file was scored by one command that had to bring its own worker."""
    folder = tmp_path_factory.mktemp("scored")
    table = folder / "scores.parquet"
    done = tiny_runs.command(
        *["score", str(sentences), *COLUMNS, "--model", str(model), *SETTINGS, "--name", "Moods", "--json"],
        *["--output", str(table)],
        home=folder / "home",
    )
    return folder / "home", done, table


def test_a_job_leaves_private_files(scored: tuple[Path, subprocess.CompletedProcess[str], Path]) -> None:
    home, _, table = scored
    assert {"explorer.sqlite", "jobs.sqlite", "runs", "datasets"} <= {path.name for path in home.iterdir()}
    assert not loose(home)
    assert table.stat().st_mode & 0o777 == 0o600


def test_score_imports_trains_waits_and_exports(
    scored: tuple[Path, subprocess.CompletedProcess[str], Path], sentences: Path
) -> None:
    home, done, table = scored
    assert done.returncode == 0, done.stderr
    run = json.loads(done.stdout)
    assert run["status"] == "succeeded" and run["name"] == "Moods" and run["output"] == str(table)
    assert run["config"]["seeds"] == 2 and run["config"]["checkpoints"] == [0.0, 1.0, 2.0]
    assert f"{run['id']}: succeeded" in done.stderr.splitlines()
    assert living_workers(Workspace(home).settings) == [], "the command's own worker has gone with it"

    long = pq.read_table(table)
    for name in ("id", "seed", "checkpoint", "label", "predicted", *RECORDED_NAMES):
        assert name in long.column_names
    with sentences.open(encoding="utf-8") as stream:
        given = {row["key"]: row["mood"] for row in csv.DictReader(stream)}
    rows = long.to_pylist()
    assert len(rows) == 60 * 2 * 3
    assert {(row["id"], row["seed"], row["checkpoint"]) for row in rows} == {
        (key, seed, point) for key in given for seed in (0, 1) for point in (0.0, 1.0, 2.0)
    }
    assert all(row["label"] == given[row["id"]] for row in rows)


def test_status_and_runs(scored: tuple[Path, subprocess.CompletedProcess[str], Path]) -> None:
    home, _, _ = scored
    (run,) = answer(home, "runs")
    for name in (run["id"], run["id"][:-2], "Moods", "last"):
        status = answer(home, "status", name)
        assert status["id"] == run["id"] and status["workers"] == []
    progress = status["progress"]
    assert progress["share"] == 1.0 and [seed["state"] for seed in progress["seeds"]] == ["done", "done"]
    assert [point["checkpoint"] for point in progress["seeds"][1]["checkpoints"]] == [0.0, 1.0, 2.0]
    for verb in (["runs"], ["status", "last"]):
        done = tiny_runs.inside(*verb, home=home)
        assert run["id"] in done.stdout and "succeeded" in done.stdout and "\x1b" not in done.stdout


def test_what_no_worker_takes_up_says_why_by_itself(tmp_path: Path, sentences: Path, model: Path) -> None:
    home = tmp_path / "home"
    done = tiny_runs.inside("score", str(sentences), *COLUMNS, "--model", str(model), "--no-wait", home=home)
    assert done.returncode == 0, done.stderr
    status = answer(home, "status", "last")
    assert status["progress"]["delay"]["reason"] == "no worker"
    assert "diet-explorer worker" in status["progress"]["delay"]["remedy"]
    assert answer(home, "workers") == []
    assert tiny_runs.inside("workers", home=home).stdout.startswith("No worker is running")
    words = tiny_runs.inside("status", "last", home=home).stdout
    assert "No worker is running, so that it waits. Start one with `diet-explorer worker`" in words
    assert "Start one with `diet-explorer worker`" in tiny_runs.inside("runs", home=home).stderr
    workspace = Workspace(home)
    slot = WorkerSlot(workspace.settings)
    try:
        slot.set_task("run-of-another")
        assert answer(home, "status", "last")["progress"]["delay"]["reason"] == "workers busy"
        assert "busy with run-of-another" in tiny_runs.inside("status", "last", home=home).stdout
        (worker,) = answer(home, "workers")
        assert worker["alive"] and worker["run_id"] == "run-of-another" and worker["pid"] == os.getpid()
        assert worker["device"] and worker["version"] and worker["seconds_silent"] < 60
        table = tiny_runs.inside("workers", home=home).stdout
        assert "last sign of life" in table and "run-of-another" in table and worker["host"] in table
        slot.set_task(None)
        assert answer(home, "status", "last")["progress"]["delay"] is None, "it is about to take it up"
        slot.set_trouble("disk I/O error")
        assert "cannot take up jobs: disk I/O error" in tiny_runs.inside("status", "last", home=home).stdout
    finally:
        slot.release()
        workspace.runs()[0].cancel()


def test_rank_agrees_with_the_long_table(scored: tuple[Path, subprocess.CompletedProcess[str], Path]) -> None:
    home, _, table = scored
    ranked = answer(home, "rank", "last", "--by", "margin", "--checkpoint", "2", "--seed", "1", "--top", "7")
    assert (ranked["by"], ranked["checkpoint"], ranked["seed"]) == ("margin", 2.0, 1)
    chosen = [row for row in pq.read_table(table).to_pylist() if (row["seed"], row["checkpoint"]) == (1, 2.0)]
    worst = sorted(row["margin"] for row in chosen)[:7]
    assert [row["margin"] for row in ranked["examples"]] == pytest.approx(worst)
    assert [row["rank"] for row in ranked["examples"]] == list(range(1, 8))

    narrowed = answer(home, "rank", "last", "--label", "good", "--disagree", "--query", "film", "--top", "100")
    assert narrowed["checkpoint"] == 1.0 and narrowed["seed"] is None
    for row in narrowed["examples"]:
        assert row["label"] == "good" and row["predicted"] == "bad" and "film" in row["text"]
    assert answer(home, "rank", "last", "--split", "test")["examples"] == []
    printed = tiny_runs.inside("rank", "last", "--split", "dev", home=home).stdout
    assert "No example fits the filters: split: dev. The dataset's splits: train." in printed

    printed = tiny_runs.inside("rank", "last", "--checkpoint", "0", "--top", "3", home=home).stdout.splitlines()
    assert printed[0] == "EL2N · higher = harder · before training · mean over seeds"
    assert printed[1].startswith("Not reliable")
    assert len(printed) == 6


def test_rank_takes_the_whole_filter(scored: tuple[Path, subprocess.CompletedProcess[str], Path]) -> None:
    home, _, table = scored
    long = [row for row in pq.read_table(table).to_pylist() if row["checkpoint"] == 2.0]
    mean = {key: sum(row["el2n"] for row in long if row["id"] == key) / 2 for key in {row["id"] for row in long}}
    middle = sorted(mean.values())[30]
    options = ["--checkpoint", "2", "--range", f"el2n:{middle}:", "--decided", "undecided", "--not-flagged"]
    options += [
        "--trajectory",
        "learned early",
        "--trajectory",
        "never learned",
        "--region",
        "data:0,0;1,0;1,1.1;0,1.1",
    ]
    ranked = answer(home, "rank", "last", *options, "--split", "", "--top", "100")
    assert ranked["count"] == len(ranked["examples"])
    for row in ranked["examples"]:
        assert row["el2n"] >= middle * (1 - 1e-6) and row["decided"] == "undecided"
        assert row["trajectory"] in ("learned early", "never learned")
    assert [row["id"] for row in answer(home, "rank", "last", "--id", "s007")["examples"]] == ["s007"]
    done = tiny_runs.inside("rank", "last", "--range", "el2n", home=home)
    assert done.returncode == 2 and "range='el2n' is not of the form name:low:high" in done.stderr


def test_stability_comparison_and_cartography(
    scored: tuple[Path, subprocess.CompletedProcess[str], Path], tmp_path: Path
) -> None:
    home, _, _ = scored
    pairs = answer(home, "stability", "last", "--by", "loss")["agreement"]
    assert [(pair["first"], pair["second"]) for pair in pairs] == [(0.0, 1.0), (0.0, 2.0), (1.0, 2.0)]
    (seeds,) = answer(home, "stability", "last", "--between", "seeds", "--checkpoint", "2")["agreement"]
    assert (seeds["first"], seeds["second"]) == (0, 1) and -1 <= seeds["spearman"] <= 1
    assert "Spearman" in tiny_runs.inside("stability", "last", "--between", "scores", home=home).stdout
    (run,) = answer(home, "runs")
    warnings = answer(home, "status", "last")["warnings"]
    assert all(set(entry) == {"kind", "words"} for entry in warnings)
    told = answer(home, "export-cartography", "last", "--output", str(tmp_path / "td"), "--seed", "1")
    assert [Path(path).name for path in told["written"]] == ["dynamics_epoch_0.jsonl", "dynamics_epoch_1.jsonl"]
    copy = shutil.copytree(home, tmp_path / "home")  # the other tests expect one run
    again = answer(copy, "import-cartography", run["dataset"], str(tmp_path / "td"), "--name", "theirs")
    assert again["status"] == "succeeded" and again["config"]["checkpoints"] == [1.0, 2.0]
    same = answer(copy, "compare", run["id"], "theirs", "--seed", "0", "--by", "el2n", "--top", "3")
    assert same["summary"]["examples"] == 60 and len(same["examples"]) == 3


def test_what_was_not_recorded_is_refused(scored: tuple[Path, subprocess.CompletedProcess[str], Path]) -> None:
    home, _, _ = scored
    for options, message in (
        (["--checkpoint", "1.5"], "has no scores at checkpoint 1.5."),
        (["--seed", "2"], "has no scores of seed 2."),
        (["--label", "sad"], "has no class 'sad'."),
    ):
        done = tiny_runs.inside("rank", "last", *options, home=home)
        assert done.returncode == 2 and done.stdout == ""
        assert message in done.stderr.splitlines()[0] and len(done.stderr.splitlines()) == 2
    for verb, message in (("cancel", "cannot be cancelled: it has ended"), ("resume", "cannot be resumed")):
        done = tiny_runs.inside(verb, "last", home=home)
        assert done.returncode == 2 and message in done.stderr.splitlines()[0]


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_scores_writes_the_long_table(
    scored: tuple[Path, subprocess.CompletedProcess[str], Path], tmp_path: Path, ending: str
) -> None:
    home, _, table = scored
    target = tmp_path / f"scores.{ending}"
    told = answer(home, "scores", "last", "--output", str(target))
    assert told["output"] == str(target) and told["scores"] == list(RECORDED_NAMES)
    text = target.read_text(encoding="utf-8")
    rows = (
        list(csv.DictReader(text.splitlines())) if ending == "csv" else [json.loads(line) for line in text.splitlines()]
    )
    expected = pq.read_table(table).to_pylist()
    assert [row["id"] for row in rows] == [row["id"] for row in expected]
    assert [float(row["grand"]) for row in rows] == pytest.approx([row["grand"] for row in expected])


def test_interrupting_cancels_a_run_that_nobody_else_carries(
    workspace: Workspace, dataset: Dataset, model: Path, gate: Gate, launch: Launch
) -> None:
    home = workspace.settings.home_folder
    queued = tiny_runs.inside("score", dataset.id, "--model", str(model), "--no-wait", home=home)
    assert queued.returncode == 0 and "No worker is running: start one with `diet-explorer worker`." in queued.stdout
    assert tiny_runs.inside("cancel", "last", home=home).returncode == 0

    options = [part for name, value in tiny_runs.LONG.items() for part in (f"--{name.replace('_', '-')}", str(value))]
    options[options.index("--checkpoints") + 1] = ",".join(map(str, tiny_runs.LONG["checkpoints"]))
    gate.close("steps", after=tiny_runs.MID_EPOCH)
    score = launch("score", "last", "--model", str(model), *options, home=home)
    run = until(lambda: workspace.runs()[0] if len(workspace.runs()) == 2 else None, "the run was queued")
    gate.reached("steps")
    score.send_signal(signal.SIGINT)
    assert score.wait(60) == 130
    assert score.stderr is not None
    errors = score.stderr.read()
    assert errors.splitlines()[-1] == f"Cancelled. Go on with: diet-explorer resume {run.id}"
    assert "Traceback" not in errors
    assert run.refresh().status == "cancelled"
    assert living_workers(workspace.settings) == []
    assert run.landed() == {0: [0.0, 1.0]}

    launch("worker", home=home)
    until(lambda: living_workers(workspace.settings), "a worker is there, so that nobody brings his own")
    assert answer(home, "resume", run.id)["status"] in ("queued", "running")
    follower = launch("score", "last", "--model", str(model), *options, home=home)
    second = until(lambda: workspace.runs()[0] if len(workspace.runs()) == 3 else None, "another was queued")
    until(lambda: run.landed() == {0: [0.0, 1.0, 2.0]}, "the resumed run has gone on")
    assert answer(home, "cancel", run.id)["status"] == "cancelled"
    gate.close("steps", after=tiny_runs.MID_EPOCH)
    until(lambda: second.landed() == {0: [0.0, 1.0]}, "the worker goes on with the next run")
    follower.send_signal(signal.SIGINT)
    assert follower.wait(60) == 130
    assert follower.stderr is not None
    assert f"The run goes on in its worker. Cancel it with: diet-explorer cancel {second.id}" in follower.stderr.read()
    gate.open("steps")
    assert tiny_runs.ended(second) == "succeeded"


def test_a_failed_job_ends_the_command_with_1(
    workspace: Workspace, dataset: Dataset, tmp_path: Path, launch: Launch
) -> None:
    launch("worker", home=workspace.settings.home_folder)
    until(lambda: living_workers(workspace.settings), "a worker is there")
    damaged = tiny_runs.save_tiny_model(tmp_path / "damaged")
    (damaged / "model.safetensors").write_bytes(b"nothing of the kind")
    options = ["--model", str(damaged), "--epochs", "1"]
    done = tiny_runs.inside("score", dataset.id, *options, home=workspace.settings.home_folder)
    assert done.returncode == 1
    assert done.stdout == "" and "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-2].startswith("Error: ") and str(damaged) in done.stderr.splitlines()[-2]
    status = answer(workspace.settings.home_folder, "status", "last")
    assert status["status"] == "failed" and str(damaged) in status["error"] and status["remedy"]
