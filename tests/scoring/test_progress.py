"""What is said of seeds that train at once, and when they are all done."""

from __future__ import annotations

import pytest

from diet_explorer.jobs.slots import WorkerSlot
from diet_explorer.scoring.progress import (
    RunReports,
    SeedProgress,
    at_once_in_words,
    seconds_left,
)
from diet_explorer.training.config import RunConfig
from diet_explorer.workspace.dataset import Dataset
from diet_explorer.workspace.workspace import Workspace


def seed(number: int, state: str = "training", left: float | None = None, spent: float = 0.0, **facts: object):
    return SeedProgress(number, state=state, seconds_left=left, training_seconds=spent, **facts)


def test_where_seeds_train_is_said():
    seeds = [seed(0, host="alpha", slot=0), seed(1, host="beta", slot=0)]
    assert at_once_in_words(seeds) == "seeds 0 and 1 train at once, on alpha and beta"
    seeds = [seed(number, host="alpha", slot=number + 1) for number in range(3)]
    assert at_once_in_words(seeds) == "seeds 0, 1 and 2 train at once, on alpha (workers 1, 2 and 3)"
    assert at_once_in_words([seed(3), seed(5)]) == "seeds 3 and 5 train at once"


@pytest.mark.parametrize(
    ("seeds", "expected"),
    [
        ([seed(0, left=60.0), seed(1, "waiting"), seed(2, "waiting")], 180.0),
        ([seed(0, left=60.0), seed(1, left=60.0), seed(2, "waiting"), seed(3, "waiting")], 120.0),
        ([seed(0, "done", 0.0, 100.0), seed(1, left=90.0), seed(2, left=10.0)], 90.0),
        ([seed(0, "done", 0.0, 100.0), seed(1, left=50.0), seed(2, left=50.0), seed(3, "waiting")], 100.0),
        ([seed(0, "preparing"), seed(1, "waiting")], None),
    ],
)
def test_seeds_that_train_at_once_share_the_time_that_is_left(seeds, expected):
    assert seconds_left(seeds) == expected


def test_a_seed_whose_worker_does_something_else_waits(workspace: Workspace, dataset: Dataset) -> None:
    run = workspace.create_run(RunConfig(dataset.id, seeds=2), name="two", origin="job")
    workspace.context.records.set_status(run.id, "running")
    workers = [WorkerSlot(workspace.settings) for _ in range(2)]
    for number, held in enumerate(workers):
        held.set_task(run.id)
        name = held.worker
        RunReports(workspace.context.database, run.id).save(seed(number, host=name.host, slot=name.slot), force=True)
    progress = run.progress()
    host = workers[0].worker.host
    assert progress.describe() == f"seeds 0 and 1 train at once, on {host} (workers 0 and 1)"
    assert progress.notes == (f"Seeds 0 and 1 train at once, on {host} (workers 0 and 1).",)
    with pytest.raises(TimeoutError, match=r"still running \(seeds 0 and 1 train at once"):
        run.wait(0)
    workers[1].release()
    progress = run.progress()
    assert [entry.state for entry in progress.seeds] == ["training", "waiting"] and progress.notes == ()
    workers[0].set_task("another run")
    assert run.progress().busy == []
    workers[0].release()
