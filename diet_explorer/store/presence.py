"""Which training scripts are alive: each gives signs of life as a worker does, and holds a lock on its machine.

The system frees the lock when the process ends, however it ends: that is the fast way to see it on the same machine.
"""

from __future__ import annotations

import os
import socket
from datetime import datetime
from pathlib import Path

from filelock import FileLock
from sqlalchemy import Engine

from diet_explorer import __version__
from diet_explorer.config import Settings
from diet_explorer.store.files import explained
from diet_explorer.store.locks import ONLOOKER_TRIES, is_locked, try_lock
from diet_explorer.store.names import checked_id
from diet_explorer.store.private import make_private_folder
from diet_explorer.store.workers import SEEDS, WorkerInfo, WorkerRecords

SILENT_SECONDS = 600.0
"""A script on another machine that has not reported for so long counts as ended; it is taken back when it reports."""


def host_name() -> str:
    """The host's name."""
    return socket.gethostname()[:255]


def this_machine() -> str:
    """A name for what runs under one kernel, which containers share."""
    boot = Path("/proc/sys/kernel/random/boot_id")
    return boot.read_text(encoding="ascii").strip() if boot.exists() else socket.gethostname()


def hold_presence(settings: Settings, run_id: str) -> FileLock | None:
    """Say that this process trains for a run, until the lock's release or the end of the process; None where another
    one does."""
    path = _lock_path(settings, run_id)
    with explained("write", str(path)):
        make_private_folder(path.parent)
        return try_lock(path, ONLOOKER_TRIES)


def report_presence(records: WorkerRecords, run_id: str, before: WorkerInfo | None) -> WorkerInfo:
    """Give a sign of life, the first one where there was none before, and return it."""
    return (before and records.beat(before)) or records.register(
        WorkerInfo(
            id=_id(run_id),
            kind="script",
            host=host_name(),
            slot=0,
            pid=os.getpid(),
            machine=this_machine(),
            version=__version__,
            device="a training script",
            lease_seconds=SILENT_SECONDS,
            tasks={SEEDS: run_id},
        )
    )


def last_report(engine: Engine, run_id: str) -> tuple[WorkerInfo | None, datetime]:
    """The last sign of life of a run's training script, if it is known, and the time by the database's clock."""
    return WorkerRecords(engine).get(_id(run_id))


def is_present(settings: Settings, script: WorkerInfo, run_id: str, now: datetime) -> bool:
    """Whether a run's training script is alive, at a time by the database's clock."""
    path = _lock_path(settings, run_id)
    here = script.host == host_name()  # and not another container, which may have folders of its own
    if script.machine == this_machine() and (here or path.exists()):
        return is_locked(path)
    return not script.is_silent(now)


def forget_presence(settings: Settings, run_id: str) -> None:
    """Remove what a script that has ended left behind on this machine."""
    _lock_path(settings, run_id).unlink(missing_ok=True)


def _id(run_id: str) -> str:
    return f"script-{checked_id('run', run_id)}"


def _lock_path(settings: Settings, run_id: str) -> Path:
    return settings.home_folder / "trainings" / f"{checked_id('run', run_id)}.lock"
