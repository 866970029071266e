"""Locks between processes: one process at a time holds a lock file, and the system frees it when that process ends.

The files stay when their locks are freed: which of them are there says who was there once.
"""

from __future__ import annotations

import time
from pathlib import Path

from filelock import FileLock, Timeout

from diet_explorer.store.private import file_mode

TRY_SECONDS = 0.02
ONLOOKER_TRIES = 5
"""Who looks whether a lock is held holds a free one for an instant: one refusal does not mean that somebody works."""
_TURN_SECONDS = 0.001  # writers take turns of a few milliseconds


def try_lock(path: str | Path, tries: int = 1) -> FileLock | None:
    """Take a lock without waiting for who holds it, or None if somebody does after `tries`, `TRY_SECONDS` apart.

    It is held until its `release`, or until this process ends. The folder of the file must be there.
    """
    lock = _lock(path)
    for number in range(tries):
        if number:
            time.sleep(TRY_SECONDS)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            continue
        return lock
    return None


def is_locked(path: str | Path) -> bool:
    """Whether somebody holds a lock now."""
    if not Path(path).exists():
        return False
    lock = try_lock(path)
    if lock is None:
        return True
    lock.release()
    return False


def wait_for_lock(path: str | Path) -> FileLock:
    """Wait for a lock that everybody holds for a moment only, and take it."""
    lock = _lock(path)
    lock.acquire(poll_interval=_TURN_SECONDS)
    return lock


def _lock(path: str | Path) -> FileLock:
    # one thread may take it and another free it; a file system that cannot lock is an error, not a weaker lock
    return FileLock(path, thread_local=False, preserve_lock_file=True, fallback_to_soft=False, mode=file_mode())
