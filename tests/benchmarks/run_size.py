"""How large the folder of a run is: of the sample, and of made-up texts with six checkpoints and three seeds.

Usage: ``python -m tests.benchmarks.run_size [--folder FOLDER] [--rows 100000]``. The logits are made up as those of
`million_rows`, whose workspace this shares; score files, rankings and statistics are made as when a checkpoint lands.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from pathlib import Path

from diet_explorer import Run, Workspace
from diet_explorer.training.config import RunConfig
from diet_explorer.workspace.sample import SAMPLE_SETTINGS
from tests.benchmarks.million_rows import FOLDER, make_mean, make_seed, million_rows


def sample_run(home: Path) -> Run:
    """A run of the sample with its own settings and made-up scores."""
    workspace = Workspace(home)
    dataset = workspace.import_sample()
    config = RunConfig(dataset.id, **SAMPLE_SETTINGS).validated()
    run = workspace.create_run(config, name="made-up training", origin="job")
    for seed in config.seed_numbers:
        make_seed(home, run.id, seed)
    for checkpoint in config.checkpoints:
        make_mean(home, run.id, checkpoint)
    return run


def show(title: str, run: Run) -> None:
    """Print the bytes of a run's folder, and of each folder in it."""
    folder = Path(run.store.paths.folder)
    sizes: Counter[str] = Counter()
    for path in folder.rglob("*"):
        if path.is_file():
            sizes[path.relative_to(folder).parts[0]] += path.stat().st_size
    parts = ", ".join(f"{name} {size:,}" for name, size in sorted(sizes.items()))
    print(f"{title}: {sizes.total():,} bytes ({parts})", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=FOLDER)
    parser.add_argument("--rows", type=int, default=100_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run = sample_run(Path(folder) / "workspace")
        show(f"the sample, {run.dataset.rows:,} rows", run)
    workspace, run_id = million_rows(options.folder, options.rows)
    show(f"{options.rows:,} rows × 6 checkpoints × 3 seeds", workspace.run(run_id))


if __name__ == "__main__":
    main()
