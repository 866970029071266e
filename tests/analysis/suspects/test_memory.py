"""What the table of suspects holds in memory, per example and class. Bytes, not times."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from diet_explorer.analysis.suspects import suspicions, table
from diet_explorer.analysis.suspects.evidence import Evidence, Opinion
from diet_explorer.analysis.suspects.table import suspect_table
from diet_explorer.store import aside

ROWS, PART, CLASSES = 50_000, 4_096, 40


def test_the_table_of_suspects_holds_no_copy_of_what_models_say_of_every_class(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aside, "LEAST_BYTES", PART)
    for module in (suspicions, table):
        monkeypatch.setattr(module, "PART", PART)
    random = np.random.default_rng(0)
    columns = random.random((8, ROWS), dtype=np.float32)
    chances = random.random((ROWS, CLASSES), dtype=np.float32)
    evidence = Evidence(
        rows=np.arange(ROWS, dtype=np.int32),
        labels=random.integers(0, CLASSES, ROWS, dtype=np.int32),
        seen=Opinion(chances, columns[0], np.ones(ROWS, dtype=np.int32)),
        seeds=3,
        folds_seen=None,
        unseen=None,
        el2n=columns[1],
        grand=columns[2],
        aum=columns[3],
        never_learned=columns[4],
        late=columns[5],
        variability=columns[6],
        agreement=columns[7],
        duplicate=np.full(ROWS, -1, dtype=np.int32),
    )
    suspect_table(evidence)
    tracemalloc.start()
    made = suspect_table(evidence)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(made) == ROWS
    assert peak / ROWS < 60
