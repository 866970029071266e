"""A workspace with a run of a million rows, six checkpoints and three seeds, made once and used again.

Usage: ``python -m tests.benchmarks.million_rows [--folder FOLDER] [--rows 1000000]``. The texts are words drawn by the
sample's frequencies and imported as any file is; the logits follow a made-up training in which most examples are
learned early, some late, and the mislabelled ones by heart or never. Rankings and statistics are made as when a
checkpoint lands.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from diet_explorer import Workspace
from diet_explorer.data.example_order import read_example_order
from diet_explorer.scoring.rankings import rank_mean, rank_seed
from diet_explorer.store.layout import Layout
from diet_explorer.store.scores import ScoreFiles
from diet_explorer.training.config import RunConfig
from tests.benchmarks.import_rows import generate
from tests.synthetic import made_up_scores

FOLDER = Path(tempfile.gettempdir()) / "diet-explorer-benchmark"
CHECKPOINTS = (0.0, 0.25, 0.5, 1.0, 2.0, 3.0)
SEEDS = 3
RUN_NAME = "made-up training"
DATASET_NAME = "made-up texts"
MISLABELLED = 0.03
LEARNING_RATE = 5e-5


def million_rows(folder: Path, rows: int = 1_000_000) -> tuple[Workspace, str]:
    """The workspace below `folder` and the id of its complete run; made now if it is not there."""
    home = folder / f"rows-{rows}"
    workspace = Workspace(home)
    done = [run.id for run in workspace.runs() if run.name == RUN_NAME and run.status == "succeeded"]
    if done:
        return workspace, done[0]
    folder.mkdir(parents=True, exist_ok=True)
    print(f"making {rows:,} rows below {home} …", flush=True)
    started = time.perf_counter()
    named = [dataset for dataset in workspace.datasets() if dataset.name == DATASET_NAME]
    if named:
        dataset = named[0]
    else:
        source = folder / f"rows-{rows}.csv"
        generate(source, rows)
        _say("texts written", started)
        dataset = workspace.import_dataset(
            source, text="text", label="label", id="id", split="split", name=DATASET_NAME
        )
        source.unlink()
        _say("imported", started)
    config = RunConfig(dataset.id, epochs=3, seeds=SEEDS, checkpoints=CHECKPOINTS).validated()
    run = workspace.create_run(config, name=RUN_NAME, origin="job")
    workspace.context.records.set_status(run.id, "running")
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        list(pool.map(make_seed, [home] * SEEDS, [run.id] * SEEDS, range(SEEDS)))
        _say("seeds scored and ranked", started)
        list(pool.map(make_mean, [home] * len(CHECKPOINTS), [run.id] * len(CHECKPOINTS), CHECKPOINTS))
        _say("means ranked", started)
    workspace.context.records.set_status(run.id, "succeeded")
    return workspace, run.id


def make_seed(home: Path, run_id: str, seed: int) -> None:
    """Score files and rankings of one seed."""
    workspace = Workspace(home)
    manifest = workspace.run(run_id).dataset.manifest
    store = ScoreFiles(workspace.context.files, run_id)
    order = read_example_order(workspace.context.files, manifest.id)
    shared, own = np.random.default_rng(0), np.random.default_rng(seed + 1)
    rows, classes = manifest.rows, len(manifest.classes)
    examples = Layout(workspace.context.files).dataset(manifest.id).examples
    labels = pq.read_table(examples, columns=["label"])["label"].to_numpy()
    hardness = shared.gamma(2.0, 0.5, rows)
    wrong = shared.random(rows) < MISLABELLED
    pull = own.normal(0, 0.4, (rows, classes))
    for checkpoint in CHECKPOINTS:
        learned = 6 * checkpoint / (checkpoint + hardness) * np.where(wrong, 0.25 * checkpoint - 0.8, 1.0)
        logits = pull + own.normal(0, 0.5, (rows, classes))
        logits[np.arange(rows), labels] += learned
        spread = own.gamma(20, 1 / 20, rows)
        surprise = np.exp(-np.abs(learned) / 3)
        more = {"grand": 8 * surprise * spread, "grand_head": 3 * surprise * spread**2}
        rate = LEARNING_RATE * (1 - checkpoint / (CHECKPOINTS[-1] + 0.01))
        table = made_up_scores(workspace.context.files, manifest, seed, checkpoint, logits, more, rate)
        store.write_scores(seed, checkpoint, table)
        rank_seed(store, order, seed, checkpoint, table)


def make_mean(home: Path, run_id: str, checkpoint: float) -> None:
    """Ranking and statistics of the mean over the seeds at one checkpoint."""
    workspace = Workspace(home)
    order = read_example_order(workspace.context.files, workspace.run(run_id).record.dataset_id)
    rank_mean(ScoreFiles(workspace.context.files, run_id), order, checkpoint)


def _say(what: str, started: float) -> None:
    print(f"  {what} after {time.perf_counter() - started:,.0f} s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the workspace is, or is made")
    parser.add_argument("--rows", type=int, default=1_000_000)
    options = parser.parse_args()
    _, run_id = million_rows(options.folder, options.rows)
    print(run_id)


if __name__ == "__main__":
    main()
