"""A run that was cut off at any batch and resumed gives the same score files, bit for bit."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from diet_explorer.errors import JobCancelledError, JobFailedError
from diet_explorer.scoring.recorder import check_finite
from diet_explorer.scoring.scorer import ScoredExamples
from diet_explorer.scoring.seed_run import run_seed
from diet_explorer.store.files import Files
from diet_explorer.store.layout import Layout
from diet_explorer.store.scores import ScoreFiles
from diet_explorer.training.config import RunConfig
from tests import tiny_runs
from tests.synthetic import write_dataset
from tests.tiny_runs import BAD, GOOD, NEUTRAL

CHECKPOINTS = (0.0, 0.5, 1.0, 2.0)


@pytest.fixture(scope="module")
def made(tmp_path_factory, model):
    folder = tmp_path_factory.mktemp("made")
    random = np.random.default_rng(0)
    labels = random.integers(0, 2, 61)
    texts = [
        " ".join([*random.choice(GOOD if label else BAD, 2), *random.choice(NEUTRAL, random.integers(1, 9))])
        for label in labels
    ]
    files = Files(folder / "workspace")
    manifest = write_dataset(files, texts, labels, ["bad", "good"], ["train"] * 50 + ["test"] * 11)
    config = RunConfig(
        manifest.id, model=str(model), epochs=2, checkpoints=CHECKPOINTS, batch_size=8, max_length=16
    ).validated()
    return folder, files, manifest, config


def hashes(files: Files, run_id: str) -> dict[str, str]:
    root = Path(files.path("runs", run_id))
    paths = [*root.glob("scores/**/*.parquet"), *root.glob("rankings/**/*.arrow")]
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def go(made, run_id: str, stop_after: int | None = None, seed: int = 0, diet: float = 1.0) -> int:
    """Run a seed; stop at the given question whether to stop. Returns how often it was asked."""
    folder, files, manifest, config = made
    config = replace(config, diet=diet).validated()
    asked = 0

    def should_stop() -> bool:
        nonlocal asked
        asked += 1
        return stop_after is not None and asked > stop_after

    reports = tiny_runs.reports_in(folder, run_id)
    run_seed(files, folder / "scratch", reports, config, manifest, seed, should_stop=should_stop)
    return asked


def test_any_interruption_leaves_the_same_files(made):
    folder, files, _, _ = made
    asked = go(made, "whole")
    whole = hashes(files, "whole")
    assert len(whole) == 5 * len(CHECKPOINTS)  # scores; values and order of the ranking, of the seed and of the mean
    assert asked >= 20
    for stop in range(1, asked, 7):  # stops while encoding, scoring and training, before and after every checkpoint
        run_id = f"cut-{stop}"
        with pytest.raises(JobCancelledError):
            go(made, run_id, stop_after=stop)
        go(made, run_id)
        assert hashes(files, run_id) == whole, f"stopped at question {stop}"
        assert not (folder / "scratch" / run_id / "seed=0").exists()
        landed = tiny_runs.reports_in(folder, run_id).load(0).checkpoints
        assert [entry.checkpoint for entry in landed] == list(CHECKPOINTS)


def test_another_machine_goes_on_from_the_checkpoint_in_a_workspace_elsewhere(made, tmp_path):
    home = f"memory://{tmp_path.name}"
    files = Files(home)
    _, local, manifest, config = made
    for name in local.list(Layout(local).dataset(manifest.id).folder):
        path = Path(Layout(local).dataset(manifest.id).folder) / name
        if path.is_file():
            files.write_bytes(f"{Layout(files).dataset(manifest.id).folder}/{name}", path.read_bytes())
    go(made, "here")
    whole = {name: Path(local.path("runs", "here", name)).read_bytes() for name in hashes(local, "here")}

    reports = tiny_runs.reports_in(tmp_path / "once", "far")

    def go_on(machine: str, stop_after: float = 9.0) -> None:
        def should_stop() -> bool:
            return stop_after in ScoreFiles(files, "far").landed().get(0, [])

        run_seed(files, tmp_path / machine, reports, config, manifest, 0, should_stop=should_stop)

    with pytest.raises(JobCancelledError):
        go_on("first", stop_after=1.0)
    stored = Layout(files).run("far").training_checkpoints(0)
    assert sorted(files.list(stored))[-1] == "newest.json" and len(files.list(stored)) == 2, "one checkpoint is kept"
    go_on("second")
    log = reports.read_log()
    assert [line["message"] for line in log if line["event"] == "continued"] == ["Goes on after step 7."]
    assert {name: files.read_bytes(files.path("runs", "far", name)) for name in whole} == whole
    assert files.list(stored) == [] and not (tmp_path / "second" / "far").exists()

    # one that is damaged counts for nothing: the training begins anew, to the same end
    files.remove_folder(files.path("runs", "far"))
    reports = tiny_runs.reports_in(tmp_path / "again", "far")
    with pytest.raises(JobCancelledError):
        go_on("third", stop_after=1.0)
    (name,) = (name for name in files.list(stored) if name != "newest.json")
    files.write_bytes(f"{stored}/{name}/optimizer.pt", b"damaged")
    go_on("fourth")
    assert not [line for line in reports.read_log() if line["event"] == "continued"]
    assert {name: files.read_bytes(files.path("runs", "far", name)) for name in whole} == whole


def test_a_diet_changes_what_comes_after_the_first_epoch_and_is_resumed_as_exactly(made):
    _, files, _, _ = made
    go(made, "all")
    asked = go(made, "diet", diet=0.5)
    tables = [
        [pq.read_table(ScoreFiles(files, run).paths.scores(0, point)) for run in ("all", "diet")]
        for point in (1.0, 2.0)
    ]
    assert tables[0][0]["el2n"].equals(tables[0][1]["el2n"])
    assert not np.allclose(tables[1][0]["el2n"], tables[1][1]["el2n"])
    assert tables[1][1].num_rows == 61
    for stop in (asked - 6, asked - 3):
        with pytest.raises(JobCancelledError):
            go(made, f"diet-cut-{stop}", stop_after=stop, diet=0.5)
        go(made, f"diet-cut-{stop}", diet=0.5)
        assert hashes(files, f"diet-cut-{stop}") == hashes(files, "diet")


def test_seeds_differ_and_a_finished_seed_is_left_alone(made):
    _, files, _, _ = made
    go(made, "seeds")
    before = hashes(files, "seeds")
    assert go(made, "seeds") == 0
    assert hashes(files, "seeds") == before
    go(made, "seeds", seed=1)
    assert ScoreFiles(files, "seeds").landed() == {0: list(CHECKPOINTS), 1: list(CHECKPOINTS)}
    first, second = (pq.read_table(ScoreFiles(files, "seeds").paths.scores(seed, 1.0)) for seed in (0, 1))
    assert not np.allclose(first["el2n"], second["el2n"])


def test_the_score_file_holds_what_was_promised(made):
    _, files, manifest, _ = made
    go(made, "columns")
    table = pq.read_table(ScoreFiles(files, "columns").paths.scores(0, 1.0))
    promised = ["row", "seed", "checkpoint", "label", "predicted", "p_label", "el2n", "grand", "grand_head", "loss"]
    assert {*promised, "margin", "entropy"} <= set(table.column_names)
    assert table["row"].to_pylist() == list(range(manifest.rows))
    groups = [name for name in table.column_names if name.startswith("grand.")]
    squares = sum(table[name].to_numpy().astype(float) ** 2 for name in groups)
    np.testing.assert_allclose(np.sqrt(squares), table["grand"], rtol=1e-5)
    assert (table["grand"].to_numpy() >= table["grand_head"].to_numpy() * (1 - 1e-6)).all()


def test_divergence_is_told_in_plain_words():
    broken = ScoredExamples(np.arange(1), np.array([[np.nan, 0.0]], dtype=np.float32), {}, None)
    with pytest.raises(JobFailedError, match=r"Training diverged.* at step 7") as caught:
        check_finite(broken, 7)
    assert "lower learning rate" in caught.value.remedy
