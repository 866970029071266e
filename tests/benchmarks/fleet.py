"""A run of several seeds on two workers against one: seconds, their ratio, and whether the scores are the same.

Each worker has one thread and has loaded torch before; the bundled model, a part of the sample. Other load on the
machine counts against two workers, so it is printed with the figures.

    python -m tests.benchmarks.fleet [--rows 64] [--seeds 2 4]
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from diet_explorer import Workspace
from diet_explorer.jobs.slots import living_workers
from diet_explorer.workspace.dataset import Dataset
from diet_explorer.workspace.run import Run
from tests import tiny_runs
from tests.waiting import until

TOLERANCE = 0.15
SETTINGS = {"epochs": 1, "checkpoints": (0.5, 1), "batch_size": 16, "max_length": 64, "grand": "head"}


def worker(home: Path, slot: int) -> subprocess.Popen[bytes]:
    """A worker with one thread."""
    return subprocess.Popen(
        [sys.executable, "-m", "diet_explorer.cli", "worker", "--slot", str(slot)],
        env=tiny_runs.environment(home),
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )


def end(process: subprocess.Popen[bytes]) -> None:
    """End a worker, with what it has started."""
    os.killpg(process.pid, signal.SIGTERM)
    process.wait()


def timed(workspace: Workspace, dataset: Dataset, seeds: int) -> tuple[Run, float]:
    """A run and its seconds from the asking to the end."""
    begun = time.perf_counter()
    run = workspace.score(dataset, seeds=seeds, **SETTINGS)
    until(lambda: run.refresh().status not in ("queued", "running"), "the run ended", 3600)
    if run.status != "succeeded":
        raise RuntimeError(f"{run.error} {run.remedy}")
    return run, time.perf_counter() - begun


def part_of_sample(workspace: Workspace, rows: int, folder: Path) -> Dataset:
    """The first rows of the sample as a dataset."""
    frame = workspace.import_sample().examples().head(rows)
    frame[["id", "text", "label"]].to_csv(folder / "part.csv", index=False)
    return workspace.import_dataset(folder / "part.csv", text="text", label="label", id="id")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=64)
    parser.add_argument("--seeds", type=int, nargs="+", default=[2, 4])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        workspace = Workspace(home)
        dataset = part_of_sample(workspace, options.rows, Path(folder))
        workers = [worker(home, slot) for slot in range(2)]
        try:
            until(lambda: len(living_workers(workspace.settings)) == 2, "two workers are there")
            timed(workspace, dataset, 2)  # each loads torch and the model once
            both = {seeds: timed(workspace, dataset, seeds) for seeds in options.seeds}
            end(workers.pop())
            alone = {seeds: timed(workspace, dataset, seeds) for seeds in options.seeds}
        finally:
            for process in workers:
                end(process)
        load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
        print(f"{options.rows} snippets, one thread per worker, {os.cpu_count()} cores, load {load}")
        print("| seeds | one worker | two workers | ratio | at most | scores |\n|---|---|---|---|---|---|")
        for seeds in options.seeds:
            (one, single), (two, double) = alone[seeds], both[seeds]
            same = "the same" if tiny_runs.score_bytes(one) == tiny_runs.score_bytes(two) else "DIFFERENT"
            figures = f"{single:.1f} s | {double:.1f} s | {double / single:.2f} | {0.5 + TOLERANCE:.2f}"
            print(f"| {seeds} | {figures} | {same} |")


if __name__ == "__main__":
    main()
