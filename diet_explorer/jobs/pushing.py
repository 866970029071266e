"""Who pushes an export: one process at a time, on whichever machine, which gives signs of life as workers do.

A worker does not push, since a token must be kept nowhere. Whoever asked for the push holds it for as long as its
process lives; a lock on the same machine says at once that it has ended, elsewhere its silence does.
"""

from __future__ import annotations

import os
import shutil
import uuid
from contextlib import suppress
from pathlib import Path

from filelock import FileLock
from sqlalchemy import Engine

from diet_explorer import __version__
from diet_explorer.errors import WorkspaceError
from diet_explorer.jobs.processes import OwnProcess
from diet_explorer.jobs.slots import pause_of
from diet_explorer.store.database import transaction
from diet_explorer.store.leases import Lease, lease_holder, take_lease
from diet_explorer.store.locks import ONLOOKER_TRIES, is_locked, try_lock
from diet_explorer.store.presence import host_name, this_machine
from diet_explorer.store.private import make_private_folder
from diet_explorer.store.workers import WorkerInfo, WorkerRecords

_LOCK = "lock"  # where the one lies that a process of this machine holds


class PushHold:
    """The hold on one push, from `hold_push` until `release`."""

    def __init__(self, records: WorkerRecords, info: WorkerInfo, lease: Lease, lock: FileLock) -> None:
        self.lease = lease
        self._records = records
        self._info = info
        self._lock = lock

    def keep(self, process: OwnProcess, scratch: Path) -> None:
        """Give signs of life until the process that pushes has ended, however it does; remove its files, and let go."""
        process.wait(self._beat, pause_of(self._info))
        shutil.rmtree(scratch, ignore_errors=True)
        self.release()

    def release(self) -> None:
        """Let another push follow."""
        with suppress(WorkspaceError):  # a database that is away finds out by the silence
            self._records.leave(self._info)
        self._lock.release()

    def _beat(self) -> bool:
        with suppress(WorkspaceError):
            self._records.beat(self._info)
        return False


def hold_push(
    database: Engine, export_id: str, lock_path: Path, lease_seconds: float, tries: int = ONLOOKER_TRIES
) -> PushHold | None:
    """Hold the push of an export; None where one goes on, on whichever machine."""
    make_private_folder(lock_path.parent)
    lock = try_lock(lock_path, tries)
    if lock is None:
        return None
    try:
        hold = _taken(database, export_id, lock_path, lease_seconds, lock)
    except BaseException:
        lock.release()
        raise
    if hold is None:
        lock.release()
    return hold


def is_pushed(database: Engine, export_id: str, lock_path: Path) -> bool:
    """Whether an export is being pushed, on whichever machine."""
    with transaction(database) as session:
        name = lease_holder(session, _thing(export_id))
    if name is None:
        return False
    holder, now = WorkerRecords(database).get(name)
    if holder is None:
        return False
    return is_locked(lock_path) if _is_here(holder, lock_path) else not holder.is_silent(now)


def _taken(database: Engine, export_id: str, lock_path: Path, lease_seconds: float, lock: FileLock) -> PushHold | None:
    thing, records = _thing(export_id), WorkerRecords(database)
    with transaction(database) as session:
        name = lease_holder(session, thing)
    holder, now = (None, None) if name is None else records.get(name)
    if holder is not None and now is not None and (_is_here(holder, lock_path) or holder.is_silent(now)):
        records.declare_gone(holder)  # of this machine it has ended: its lock is taken
    info = records.register(
        WorkerInfo(
            id=f"push-{uuid.uuid4().hex}",
            kind="push",
            host=host_name(),
            slot=0,
            pid=os.getpid(),
            machine=this_machine(),
            version=__version__,
            device="a push",
            lease_seconds=lease_seconds,
            can={_LOCK: str(lock_path)},
        )
    )
    lease = take_lease(database, thing, info.id, info.token, info.id)
    if lease is None:
        records.leave(info)
        return None
    return PushHold(records, info, lease, lock)


def _is_here(holder: WorkerInfo, lock_path: Path) -> bool:
    """Whether the process that holds a push belongs to this machine and folder, whose lock it holds."""
    return holder.machine == this_machine() and holder.can.get(_LOCK) == str(lock_path)


def _thing(export_id: str) -> str:
    return f"push/{export_id}"
