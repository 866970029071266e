"""A worker of this process, for tests that do a job's work themselves."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from diet_explorer.jobs.context import WorkerContext
from diet_explorer.jobs.fitness import Fitness
from diet_explorer.jobs.holding import Holds
from diet_explorer.jobs.slots import WorkerSlot
from diet_explorer.store.bin import BinRecords
from diet_explorer.store.runs import RunRecords
from diet_explorer.workspace.workspace import Workspace


@pytest.fixture
def slot(workspace: Workspace) -> Iterator[WorkerSlot]:
    """A worker of the workspace, that takes up nothing by itself."""
    slot = WorkerSlot(workspace.settings)
    yield slot
    slot.release()


@pytest.fixture
def context(workspace: Workspace, slot: WorkerSlot) -> WorkerContext:
    """What that worker has at hand."""
    place, runs = workspace.context, RunRecords(workspace.context.database)
    return WorkerContext(
        settings=place.settings,
        database=place.database,
        files=place.files,
        runs=runs,
        bin=BinRecords(place.database),
        worker=slot.worker,
        holds=Holds(slot, place.database),
        fitness=Fitness(place.settings, slot, runs),
        busy=lambda _line, _job: None,
    )
