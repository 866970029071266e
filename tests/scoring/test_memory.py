"""What ranking a checkpoint and counting its statistics hold in memory, per example. Bytes, not times."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from diet_explorer.data.example_order import ExampleOrder
from diet_explorer.scoring import rankings, statistics
from diet_explorer.scoring.rankings import write_mean_ranking, write_seed_ranking
from diet_explorer.scoring.statistics import write_statistics
from diet_explorer.store import aside
from diet_explorer.store.files import Files
from diet_explorer.store.scores import ScoreFiles, score_table

ROWS, PART = 50_000, 8_192
POINTS = (1.0, 2.0, 3.0)


@pytest.fixture
def scored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[ScoreFiles, ExampleOrder]:
    """Two seeds with three checkpoints, the latest of which the first one has not been ranked at."""
    monkeypatch.setattr(rankings, "PART", PART)
    monkeypatch.setattr(statistics, "PART", PART)
    monkeypatch.setattr(aside, "LEAST_BYTES", PART)
    store, random = ScoreFiles(Files(tmp_path), "r"), np.random.default_rng(0)
    splits = (np.arange(ROWS) % 10 == 0).astype(np.int8)
    order = ExampleOrder(random.permutation(ROWS).astype(np.int32), splits, ("train", "test"))
    labels, rows = random.integers(0, 2, ROWS, dtype=np.int32), np.arange(ROWS, dtype=np.int32)
    for seed in (0, 1):
        for point in POINTS:
            values = random.random((4, ROWS), dtype=np.float32)
            scores = dict(zip(("p_label", "el2n", "margin", "grand_head"), values, strict=True))
            logits = random.random((ROWS, 2), dtype=np.float32)
            store.write_scores(seed, point, score_table(seed, point, rows, labels, logits, scores, 1e-3))
    return store, order


def bytes_per_row(work: Callable[[], object]) -> float:
    """The most that work holds at once, of what Python and numpy allocate; the second time that it is done."""
    work()
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / ROWS


def test_ranking_and_statistics_hold_a_column_and_one_order_and_lay_aside_what_is_made(
    scored: tuple[ScoreFiles, ExampleOrder],
) -> None:
    store, order = scored
    for seed in (0, 1):
        columns = ["row", "label", "predicted", "p_label", "el2n", "margin", "grand_head"]
        table = store.read_scores(seed, 3.0, columns)
        assert bytes_per_row(partial(write_seed_ranking, store, order, seed, 3.0, table)) < 40
    assert bytes_per_row(lambda: write_mean_ranking(store, order, 3.0)) < 92
    assert bytes_per_row(lambda: write_statistics(store, order, None, 3.0)) < 75
