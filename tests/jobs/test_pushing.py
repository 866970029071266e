"""An export is pushed by one process at a time, whichever machines they are on."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from diet_explorer.errors import JobLeftError
from diet_explorer.jobs.pushing import hold_push, is_pushed
from diet_explorer.store.database import transaction
from diet_explorer.store.tables import WorkerRow
from diet_explorer.workspace.workspace import Workspace


def test_a_push_is_one_machines_at_a_time(workspace: Workspace, tmp_path: Path) -> None:
    database, here, there = workspace.context.database, tmp_path / "here" / "lock", tmp_path / "there" / "lock"
    first = hold_push(database, "export-1", here, 30)
    assert first is not None
    assert is_pushed(database, "export-1", here) and is_pushed(database, "export-1", there)
    assert hold_push(database, "export-1", here, 30) is None
    assert hold_push(database, "export-1", there, 30) is None, "another machine does not see the lock"
    other = hold_push(database, "export-2", there.with_name("other"), 30)
    assert other is not None

    with transaction(database) as session:  # as if the first machine had been silent for a while
        for row in session.query(WorkerRow).filter(WorkerRow.kind == "push"):
            row.seen_at -= timedelta(minutes=2)
    assert not is_pushed(database, "export-1", there)
    second = hold_push(database, "export-1", there, 30)
    assert second is not None
    with pytest.raises(JobLeftError):
        first.lease.look()
    first.release()
    assert is_pushed(database, "export-1", here) and second.lease.look() > 0
    second.release()
    assert not is_pushed(database, "export-1", here) and not is_pushed(database, "export-1", there)
