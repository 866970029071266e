"""What a worker has at hand for its jobs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from diet_explorer.config import Settings
from diet_explorer.errors import JobCancelledError
from diet_explorer.scoring.progress import WorkerName
from diet_explorer.store.bin import BinRecords
from diet_explorer.store.files import Files, explained
from diet_explorer.store.locks import try_lock
from diet_explorer.store.private import make_private_folder
from diet_explorer.store.runs import RunRecords

STOP_POLL_SECONDS = 0.5
MAX_STARTS = 10
"""After so many starts of one job the worker is taken to be killed by the job itself, mostly for want of memory."""


@dataclass(frozen=True)
class WorkerContext:
    """What a worker has at hand for its jobs."""

    settings: Settings
    files: Files
    runs: RunRecords
    bin: BinRecords
    busy: Callable[[str, str | None], None]  # called with a line and the job of it in work, and with None afterwards
    worker: WorkerName


@contextmanager
def alone(folder: Path, should_stop: Callable[[], bool]) -> Iterator[None]:
    """Wait until nobody else on this machine works in a folder: a cancelled job needs a moment to stop."""
    while True:
        with explained("write", str(folder)):  # who worked there may have removed it at the end
            make_private_folder(folder)
            lock = try_lock(folder / "lock")
        if lock is not None:
            break
        if should_stop():
            raise JobCancelledError("The run was cancelled.", "Resume it to go on.")
        time.sleep(STOP_POLL_SECONDS)
    try:
        yield
    finally:
        lock.release()
