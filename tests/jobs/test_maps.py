"""Drawing an embedding map with a real worker: beside a run, through a kill, to a cancellation, and in words."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pyarrow.parquet as pq
import pytest

from diet_explorer.analysis.projection import MapParameters
from diet_explorer.errors import BadInputError, ModelError, NotFoundError
from diet_explorer.store.embeddings import EmbeddingFiles
from diet_explorer.workspace.dataset import Dataset
from diet_explorer.workspace.workspace import Workspace
from tests import tiny_runs
from tests.gate import Gate
from tests.waiting import until

Launch = Callable[..., subprocess.Popen[str]]


def drawers(worker: subprocess.Popen[str]) -> list[psutil.Process]:
    """The processes that draw maps for a worker."""
    return [child for child in psutil.Process(worker.pid).children() if "own_process map" in " ".join(child.cmdline())]


def gone(processes: list[psutil.Process]) -> None:
    until(lambda: not any(tiny_runs.is_alive(process.pid) for process in processes), "the process has ended")


def test_a_map_is_drawn_beside_a_run_survives_a_kill_and_can_be_cancelled(
    workspace: Workspace, dataset: Dataset, model: Path, gate: Gate, launch: Launch
) -> None:
    home = workspace.settings.home_folder
    run = tiny_runs.queue(workspace, dataset.id, model, tiny_runs.SHORT)
    with pytest.raises(BadInputError, match="no embeddings of its fine-tuned model"):
        run.maps.draw()
    first = launch("worker", home=home)
    assert tiny_runs.ended(run) == "succeeded"
    store = EmbeddingFiles(workspace.context.files, run.id)
    vectors = store.read_vectors("tuned").astype(np.float64)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    nearest = run.maps.neighbours(7)
    assert len(nearest) == 10 and 7 not in set(nearest["row"]) and nearest["text"].iloc[0] != ""
    np.testing.assert_allclose(nearest["similarity"], np.sort(np.delete(unit @ unit[7], 7))[::-1][:10], atol=1e-5)
    same = nearest["label"] == dataset.examples([7])["label"].iloc[0]
    assert run.maps.neighbour_agreement(7) == pytest.approx(same.mean())

    assert run.maps.progress().state == "absent"
    gate.close("umap")
    assert run.maps.draw().parameters == MapParameters()
    with pytest.raises(BadInputError, match="drawn already"):
        run.maps.draw(neighbors=5)
    gate.reached("umap")
    assert run.maps.progress().stage.startswith("Preparing")
    beside = tiny_runs.queue(workspace, dataset.id, model, tiny_runs.SHORT)
    until(lambda: beside.refresh().status != "queued", "a run begins while the map is drawn")
    assert run.maps.progress().is_active

    children = drawers(first)
    assert len(children) == 1
    os.kill(first.pid, signal.SIGKILL)  # only the worker: what it started must end by itself
    first.wait()
    gone(children)
    folder = Path(tiny_runs.run_folder(run))
    assert not (folder / "maps").exists() and run.maps.progress().state == "running"
    assert [path for path in folder.rglob("*") if path.name.endswith(".tmp")] == []

    gate.open("umap")
    second = launch("worker", home=home)
    until(lambda: not run.maps.progress().is_active, "the map is drawn")
    progress = run.maps.progress()
    assert (progress.state, progress.share, progress.drawn) == ("succeeded", 1.0, MapParameters())
    drawn = pq.read_table(store.paths.map("tuned"))
    assert drawn["row"].to_pylist() == list(range(60))
    places = np.column_stack([drawn["x"].to_numpy(), drawn["y"].to_numpy()])
    assert places.dtype == np.float32 and np.isfinite(places).all() and (places.std(0) > 0.1).all()
    figure = run.maps.plot(colour="label")
    assert {trace.name for trace in figure.data} == set(run.dataset.classes)
    at = {row: (x, y) for trace in figure.data for row, x, y in zip(trace.customdata, trace.x, trace.y, strict=True)}
    assert at == {row: tuple(place) for row, place in enumerate(places.tolist())}
    facts = json.loads(Path(store.paths.map_parameters("tuned")).read_text(encoding="utf-8"))
    expected = {"neighbors": 15, "min_dist": 0.1, "seed": 0, "method": "UMAP", "metric": "cosine", "fitted_rows": 60}
    assert facts == expected
    assert tiny_runs.ended(beside) == "succeeded"

    bytes_before = Path(store.paths.map("tuned")).read_bytes()
    gate.close("umap")
    queued = tiny_runs.inside("map", run.id, "--neighbors", "5", "--no-wait", "--json", home=home)
    assert json.loads(queued.stdout)["state"] == "queued"
    gate.reached("umap")
    children = drawers(second)
    cancelled = tiny_runs.inside("map", run.id, "--cancel", "--json", home=home)
    assert json.loads(cancelled.stdout)["state"] == "cancelled" == run.maps.progress().state
    gone(children)
    assert Path(store.paths.map("tuned")).read_bytes() == bytes_before
    refused = tiny_runs.inside("map", run.id, "--cancel", home=home)
    assert refused.returncode == 2 and "No map is being drawn" in refused.stderr
    again = tiny_runs.inside("map", run.id, home=home)  # the one that is there is not drawn again
    assert again.returncode == 0 and store.paths.map("tuned") in again.stdout
    assert run.maps.progress().state == "succeeded"

    Path(store.paths.vectors("tuned")).write_bytes(b"PAR1 nothing of the kind PAR1")
    failed = tiny_runs.inside("map", run.id, "--neighbors", "7", home=home)
    assert failed.returncode == 1 and "not foreseen" in failed.stderr and "Traceback" not in failed.stderr
    assert run.maps.progress().state == "failed" and run.maps.progress().drawn == MapParameters()
    errors = [line for line in run.log(1000) if line["event"] == "error"]
    assert len(errors) == 1 and errors[0]["traceback"].startswith("Traceback")


def test_what_cannot_be_drawn_is_said_at_once(
    workspace: Workspace, dataset: Dataset, model: Path, tmp_path: Path
) -> None:
    moved = tiny_runs.save_tiny_model(tmp_path / "moved")
    run = tiny_runs.queue(workspace, dataset.id, moved, tiny_runs.SHORT)
    moved.rename(tmp_path / "elsewhere")
    with pytest.raises(ModelError, match="moved"):
        run.maps.draw("initial")
    with pytest.raises(NotFoundError, match="no 'best' embeddings"):
        run.maps.draw("best")  # type: ignore[arg-type]
    for setting in ({"neighbors": 1}, {"min_dist": 2.0}, {"min_dist": float("nan")}, {"seed": -1}):
        with pytest.raises(BadInputError, match=next(iter(setting))):
            run.maps.draw(**setting)  # type: ignore[arg-type]
    assert (
        run.maps.progress().state == "absent"
        and run.maps.neighbours(0).empty
        and run.maps.neighbour_agreement(0) is None
    )
