"""The machines' clocks differ: what several processes have to agree on goes by the database's clock."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import ModuleType
from unittest import mock

import pytest

from diet_explorer.store.review_claims import ReviewClaims
from diet_explorer.workspace.dataset import Dataset
from diet_explorer.workspace.workspace import Workspace

AHEAD = timedelta(minutes=10)
NEAR = timedelta(minutes=1)


@contextmanager
def clock_ahead(by: timedelta) -> Iterator[None]:
    """A machine whose clock is wrong, for all of the package's own modules."""

    class Wrong(datetime):
        @classmethod
        def now(cls, tz=None):  # type: ignore[no-untyped-def,override]
            return datetime.now(tz) + by

    patches = [
        mock.patch.object(module, "datetime", Wrong)
        for name, module in list(sys.modules.items())
        if name.startswith("diet_explorer")
        and isinstance(module, ModuleType)
        and vars(module).get("datetime") is datetime
    ]
    for patch in patches:
        patch.start()
    try:
        yield
    finally:
        for patch in patches:
            patch.stop()


@pytest.mark.parametrize("ahead", [AHEAD, -AHEAD])
def test_no_row_is_handed_out_twice(dataset: Dataset, ahead: timedelta) -> None:
    claims = ReviewClaims(dataset.ledger.engine, dataset.id, seconds=60)
    with clock_ahead(ahead):
        assert claims.take("ann", {0: 0, 1: 0}, [], 0) == [0, 1]
    assert claims.others("bob") == {0: 1, 1: 1}
    assert claims.take("bob", {0: 0, 1: 0, 2: 0}, [], 0) == [2]
    with clock_ahead(ahead):
        assert claims.others("ann") == {2: 1}
        assert claims.take("cat", {0: 0, 1: 0, 2: 0}, [], 0) == []


@pytest.mark.parametrize("ahead", [AHEAD, -AHEAD])
def test_what_is_recorded_has_the_databases_time(workspace: Workspace, dataset: Dataset, ahead: timedelta) -> None:
    with clock_ahead(ahead):
        first = dataset.decide([0], "exclude", annotator="ann")
        undone = dataset.undo("ann")
    second = dataset.decide([0], "exclude", annotator="bob")
    moments = [first.at, undone.at, second.at]
    assert moments == sorted(moments)
    with clock_ahead(ahead):
        workspace.bin.delete(dataset, by="ann")
    (entry,) = workspace.bin.entries()
    moments.append(entry.at)
    assert all(abs(moment - datetime.now(UTC)) < NEAR for moment in moments)
