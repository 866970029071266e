"""Which training scripts are alive: each holds a lock on its machine, and reports the time now and then.

The system frees the lock when the process ends, however it ends. Elsewhere only the last report is seen; its time is
that of the database, so that the clocks of two machines need not agree.
"""

from __future__ import annotations

import os
import socket
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path

from filelock import FileLock

from diet_explorer.config import Settings
from diet_explorer.errors import NotFoundError
from diet_explorer.store.files import Files, explained
from diet_explorer.store.layout import Layout
from diet_explorer.store.locks import ONLOOKER_TRIES, is_locked, try_lock
from diet_explorer.store.names import checked_id
from diet_explorer.store.private import make_private_folder

SILENCE = timedelta(minutes=10)
"""A script on another machine that has not reported for so long counts as ended; it is taken back when it reports."""


@dataclass(frozen=True)
class Heartbeat:
    """The last report of a training script."""

    reported_at: str  # by the database's clock, ISO 8601
    host: str
    pid: int
    machine: str  # the same for all that see each other's locks

    @classmethod
    def at(cls, now: datetime) -> Heartbeat:
        """A report of this process."""
        return cls(now.isoformat(timespec="seconds"), socket.gethostname(), os.getpid(), this_machine())

    @property
    def moment(self) -> datetime:
        """When it was."""
        return datetime.fromisoformat(self.reported_at)


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


def write_heartbeat(files: Files, run_id: str, heartbeat: Heartbeat) -> None:
    """Report."""
    files.write_json(Layout(files).run(run_id).heartbeat, asdict(heartbeat))


def read_heartbeat(files: Files, run_id: str) -> Heartbeat | None:
    """The last report, if there was one."""
    try:
        return Heartbeat(**files.read_json(Layout(files).run(run_id).heartbeat))
    except NotFoundError:
        return None


def is_present(settings: Settings, heartbeat: Heartbeat, run_id: str, now: datetime) -> bool:
    """Whether a run's training script is alive, at a time by the database's clock."""
    path = _lock_path(settings, run_id)
    here = heartbeat.host == socket.gethostname()  # and not another container, which may have folders of its own
    if heartbeat.machine == this_machine() and (here or path.exists()):
        return is_locked(path)
    return now - heartbeat.moment < SILENCE


def forget_presence(settings: Settings, run_id: str) -> None:
    """Remove what a script that has ended left behind on this machine."""
    _lock_path(settings, run_id).unlink(missing_ok=True)


def _lock_path(settings: Settings, run_id: str) -> Path:
    return settings.home_folder / "trainings" / f"{checked_id('run', run_id)}.lock"
