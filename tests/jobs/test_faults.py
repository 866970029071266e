"""Two hosts on one run: whatever goes wrong between them, the same comes of it. The long form is a benchmark."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.situations import BOTH_AWAY, SITUATIONS, Situation
from tests.faults.stage import SHORT, Stage, stage
from tests.faults.verdict import Undisturbed, play, undisturbed

IN_SHORT = (*(entry for entry in SITUATIONS if entry.name in ("kill", "freeze")), BOTH_AWAY)


@pytest.fixture(scope="module")
def made() -> Iterator[Stage]:
    """Two hosts, a database and a store, with short leases and outages.

    In no folder of pytest's: another session of it takes the rights to their parent from a database of another user.
    """
    with tempfile.TemporaryDirectory() as folder, stage(SHORT, "s3", Path(folder)) as made:
        made.start_workers()
        yield made


@pytest.fixture(scope="module")
def expected(made: Stage) -> Undisturbed:
    """What comes of a run to which nothing happens."""
    return undisturbed(made)


@pytest.mark.parametrize("situation", IN_SHORT, ids=lambda situation: situation.name)
def test_a_run_comes_through(made: Stage, expected: Undisturbed, situation: Situation) -> None:
    verdict = play(made, situation, expected)
    assert verdict.faults == []
    assert verdict.decisions, "nobody could review meanwhile"
