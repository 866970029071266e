"""Twenty writers killed in the middle of their work: what was acknowledged is there (the benchmark kills more)."""

import random
from pathlib import Path

from tests.benchmarks.kills import kill_writers, made_home


def test_acknowledged_decisions_outlive_kills(tmp_path: Path) -> None:
    acknowledged, missing = kill_writers(made_home(str(tmp_path / "home")), 20, random.Random(0))
    assert acknowledged >= 20 and missing == 0
