"""Neighbours and embedding map of 50,000 vectors of width 384: seconds and peak memory.

Usage: ``python -m tests.benchmarks.projection [ROWS]``. The vectors lie around 200 random directions. Each measurement
runs in a process of its own, so that its peak memory is its own and compiling is counted, as in a job. Beyond 50,000
rows the map is learned from 50,000 and the others get their places in it.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time

import numpy as np

from diet_explorer.analysis.neighbours import NEIGHBOURS, nearest_neighbours
from diet_explorer.analysis.projection import FIT_ROWS, MapParameters, project

WIDTH = 384
GROUPS = 200
CHECKED = 500


def vectors(rows: int) -> np.ndarray:
    """Half-precision vectors, as embeddings are stored."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(GROUPS, WIDTH)).astype(np.float32)
    noise = rng.normal(scale=0.7, size=(rows, WIDTH)).astype(np.float32)
    return (centres[rng.integers(0, GROUPS, rows)] + noise).astype(np.float16)


def recall(known: np.ndarray, found: np.ndarray) -> float:
    """Share of the true neighbours that were found, over some rows."""
    unit = known.astype(np.float32)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    rows = np.random.default_rng(1).choice(len(known), CHECKED, replace=False)
    alike = unit[rows] @ unit.T
    alike[np.arange(CHECKED), rows] = -np.inf
    true = np.argpartition(-alike, NEIGHBOURS, axis=1)[:, :NEIGHBOURS]
    return float(
        np.mean([len({*a} & {*b}) / NEIGHBOURS for a, b in zip(found[rows].tolist(), true.tolist(), strict=True)])
    )


def measure(what: str, rows: int) -> None:
    """Do one of the two in this process and print what it took."""
    known = vectors(rows)
    started = time.perf_counter()
    if what == "neighbours":
        found, _ = nearest_neighbours(known)
        seconds = time.perf_counter() - started
        words = f"{NEIGHBOURS} neighbours of {rows:,} × {WIDTH}, recall {recall(known, found):.4f}"
    else:
        project(known, MapParameters(), lambda share, stage: None)
        seconds = time.perf_counter() - started
        words = f"map of {rows:,} × {WIDTH}, learned from {min(rows, FIT_ROWS):,}"
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{words}: {seconds:,.0f} s, peak memory {peak:,.0f} MB", flush=True)


def main() -> None:
    """Measure both, each in a process of its own."""
    if len(sys.argv) == 3:
        measure(sys.argv[1], int(sys.argv[2]))
        return
    rows = sys.argv[1] if len(sys.argv) == 2 else "50000"
    for what in ("neighbours", "map"):
        subprocess.run([sys.executable, "-W", "ignore", "-m", "tests.benchmarks.projection", what, rows], check=True)


if __name__ == "__main__":
    main()
