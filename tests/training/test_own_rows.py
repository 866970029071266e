"""A run on rows and labels of its own learns what a run on a set of just these rows and labels learns."""

from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest

from diet_explorer.data.manifest import DatasetManifest
from diet_explorer.errors import NotFoundError
from diet_explorer.scoring.seed_run import run_seed
from diet_explorer.store.files import Files
from diet_explorer.store.rows import RunRows
from diet_explorer.store.scores import ScoreFiles
from diet_explorer.training.config import RunConfig
from tests import tiny_runs
from tests.synthetic import write_dataset
from tests.tiny_runs import BAD, GOOD, NEUTRAL

ROWS, TRAINED = 60, np.r_[0:10, 15:45]


@pytest.fixture(scope="module")
def texts():
    random = np.random.default_rng(1)
    labels = random.integers(0, 2, ROWS)
    return labels, [
        " ".join([*random.choice(GOOD if label else BAD, 2), *random.choice(NEUTRAL, random.integers(1, 9))])
        for label in labels
    ]


def scores(folder, model, texts, labels, splits, *, rows=None, learned=None, scored=None, **settings):
    files = Files(folder)
    manifest: DatasetManifest = write_dataset(files, texts, labels, ["bad", "good"], splits)
    config = RunConfig(manifest.id, model=str(model), epochs=2, checkpoints=(2,), batch_size=8, max_length=16)
    config = replace(config, grand="head", own_rows=rows is not None, **settings).validated()
    lists = RunRows(files, "run")
    if rows is not None:
        lists.write_training(0, rows, learned)
    if scored is not None:
        lists.write_scored(scored)
    reports = tiny_runs.reports_in(folder, "run")
    run_seed(files, folder / "scratch", reports, config, manifest, 0, should_stop=lambda: False)
    found = pq.read_table(ScoreFiles(files, "run").paths.scores(0, 2.0)).to_pandas()
    return found, reports.load(0), ScoreFiles(files, "run")


def test_own_rows_and_labels(tmp_path, model, texts):
    labels, words = texts
    flipped = np.where(np.arange(ROWS) % 7 == 0, 1 - labels, labels)
    splits = np.where(np.isin(np.arange(ROWS), TRAINED), "train", "test")
    expected, _, _ = scores(tmp_path / "set", model, words, flipped, splits)

    scored = np.r_[3:9, 12, 40:60]
    found, progress, store = scores(
        tmp_path / "own",
        model,
        words,
        labels,
        ["train"] * 50 + ["test"] * 10,
        rows=TRAINED,
        learned=flipped[TRAINED],
        scored=scored,
        ranked=False,
        max_steps=10,
    )
    assert found["row"].tolist() == scored.tolist()
    np.testing.assert_allclose(np.stack(found["logits"]), np.stack(expected["logits"][scored]), atol=1e-5)
    own_labels = np.where(np.isin(scored, TRAINED), flipped[scored], labels[scored])
    assert found["label"].tolist() == own_labels.tolist()
    assert store.ranked_checkpoints(0) == store.ranked_checkpoints(None) == []
    trained = np.isin(scored, TRAINED)
    right = found["predicted"].to_numpy() == own_labels
    (entry,) = progress.checkpoints
    assert entry.train_accuracy == pytest.approx(right[trained].mean())
    assert entry.heldout_accuracy == pytest.approx(right[~trained].mean())


def test_the_same_number_of_steps_whatever_the_rows(tmp_path, model, texts):
    labels, words = texts
    _, progress, _ = scores(
        tmp_path / "few", model, words, labels, None, rows=np.arange(12), learned=labels[:12], max_steps=16
    )
    assert progress.total_steps == progress.step == 16
    assert [entry.checkpoint for entry in progress.checkpoints] == [2.0]
    assert RunConfig("d", epochs=2, checkpoints=(0, 1, 2), max_steps=16).checkpoint_steps(12) == {
        0: [0],
        8: [1],
        16: [2],
    }


def test_a_lost_list_is_no_licence_to_train_on_everything(tmp_path):
    with pytest.raises(NotFoundError, match=r"rows/training/seed=3\.parquet"):
        RunRows(Files(tmp_path), "run").read_training(3)
