"""The slots of this machine's workers, and what is known of the workers of all machines.

Every worker holds the lock of one slot for as long as it lives; the system drops the lock when the process ends,
however it ends. The slot gives the worker its stable name. Who is alive stands in the database (`store.workers`); the
locks are the fast way to see that a process of this machine is dead.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from filelock import FileLock

from diet_explorer import __version__
from diet_explorer.config import Settings
from diet_explorer.errors import BadInputError, DietExplorerError, WorkspaceError
from diet_explorer.jobs import machine
from diet_explorer.jobs.protocol import FORMAT, JOB_FORMAT, SCORE
from diet_explorer.redaction import redacted
from diet_explorer.scoring.progress import WorkerName
from diet_explorer.store.database import shared_database
from diet_explorer.store.files import Files, explained
from diet_explorer.store.in_words import counted
from diet_explorer.store.locks import ONLOOKER_TRIES, is_locked, try_lock
from diet_explorer.store.presence import host_name, this_machine
from diet_explorer.store.private import make_private_folder
from diet_explorer.store.workers import WorkerInfo, WorkerRecords

MAX_SLOTS = 64
NO_WORKER = "No worker is running: start one with `diet-explorer worker`."
BEATS_PER_LEASE = 6
LONGEST_PAUSE = 5.0
"""Seconds between two signs of life, at most."""

__all__ = [
    "NO_WORKER",
    "WorkerInfo",
    "WorkerSlot",
    "all_workers",
    "can_work",
    "living_workers",
    "pause_of",
    "workers_at",
    "workers_in_words",
]


class WorkerSlot:
    """One worker's slot and sign of life, held from construction to `release`; the first free slot where none is asked
    for.

    BadInputError where the slot asked for is taken or does not exist, WorkspaceError where all are taken, their folder
    cannot be written or the database cannot be reached.
    """

    def __init__(self, settings: Settings, slot: int | None = None) -> None:
        self._folder = _folder(settings)
        self._records = WorkerRecords(shared_database(settings))
        self._changing = threading.Lock()
        if slot is not None and not 0 <= slot < MAX_SLOTS:
            raise BadInputError(f"There is no worker slot {slot}.", f"Give a number from 0 to {MAX_SLOTS - 1}.")
        with explained("write", str(self._folder)):
            make_private_folder(self._folder)
            self._machine = _machine_name(self._folder)
            self.slot, self._lock = self._claim(range(MAX_SLOTS) if slot is None else [slot])
        total, free = machine.memory()
        self._info = WorkerInfo(
            id=self.executor_id,
            host=host_name(),
            slot=self.slot,
            pid=os.getpid(),
            machine=this_machine(),
            version=__version__,
            device=machine.device_in_words(),
            lease_seconds=settings.lease_seconds,
            can={
                FORMAT: JOB_FORMAT,
                "gpu": machine.gpu_name(),
                "bundled_model": machine.has_bundled_model(),
                "lacks": {},
            },
            memory_total=total,
            memory_free=free,
        )
        self._freed: set[str] = set()
        self._left = False
        try:
            self._register()
        except BaseException:
            self._lock.release()
            raise

    @property
    def worker(self) -> WorkerName:
        """Name of this worker for people."""
        return WorkerName(self._info.host, self.slot)

    @property
    def executor_id(self) -> str:
        """Name of this worker in the jobs database."""
        return _executor_id(self._machine, self.slot)

    @property
    def info(self) -> WorkerInfo:
        """What it last said of itself."""
        return self._info

    @property
    def pause(self) -> float:
        """Seconds between two signs of life."""
        return pause_of(self._info)

    def beat(self) -> bool:
        """Give a sign of life; whether the worker still had its work. If not, it is there anew, with none.

        WorkspaceError where the database cannot be reached.
        """
        with self._changing:
            if self._left:
                return False
            info = self._records.beat(replace(self._info, memory_free=machine.memory()[1]), self._freed)
            if info is None:
                self._register()
                return False
            self._info, self._freed = info, set()
            return True

    def set_task(self, task: str | None, line: str = SCORE.line) -> None:
        """Let onlookers know with what this worker is busy, of all that waits in that line."""
        with self._changing:  # the jobs and the job library's own threads
            tasks = {key: value for key, value in self._info.tasks.items() if key != line}
            if task is None:
                self._freed.add(line)
            else:
                tasks[line] = task
            self._info = replace(self._info, tasks=tasks)
        self._say()

    def set_lack(self, model: str, what: str | None) -> None:
        """Let onlookers know what this machine lacks to train a model; None takes it back."""
        with self._changing:
            lacks = {**self._info.can.get("lacks", {}), model: what}
            lacks = {name: entry for name, entry in lacks.items() if entry is not None}
            if lacks == self._info.can.get("lacks", {}):
                return
            self._info = replace(self._info, can={**self._info.can, "lacks": lacks})
        self._say()

    def set_trouble(self, reason: str | None) -> None:
        """Let onlookers know what keeps this worker from taking up jobs."""
        reason = None if reason is None else redacted(reason)
        with self._changing:
            if reason == self._info.trouble:
                return
            self._info = replace(self._info, trouble=reason)
        self._say()

    def gone(self) -> list[WorkerInfo]:
        """Workers that are silent for longer than their lease, or dead on this machine."""
        known, now = self._records.all()
        others = (info for info in known if info.id != self.executor_id)
        return [info for info in others if info.is_silent(now) or self.is_dead(info)]

    def is_dead(self, info: WorkerInfo) -> bool:
        """Whether the process of a worker of this machine has ended."""
        return _is_dead(self._folder, info)

    def taking_over(self) -> AbstractContextManager[None]:
        """One worker at a time takes over what others have left."""
        return self._records.taking_over()

    def declare_gone(self, info: WorkerInfo) -> bool:
        """Take the work of a worker from it, unless it has given a sign of life since it was looked at."""
        return self._records.declare_gone(info)

    def known(self) -> set[str]:
        """Names of all workers that have not been declared gone."""
        return {info.id for info in self._records.all()[0]}

    def release(self) -> None:
        """Leave the slot, and give up its work."""
        with self._changing, suppress(WorkspaceError):  # a database that is away finds out by the silence
            self._left = True
            self._records.leave(self._info)
        self._lock.release()

    def _register(self) -> None:
        self._info = self._records.register(self._info)

    def _say(self) -> None:
        with suppress(WorkspaceError):  # it is said with the next sign of life
            self.beat()

    def _claim(self, candidates: range | list[int]) -> tuple[int, FileLock]:
        for number in candidates:
            lock = try_lock(self._folder / f"slot-{number}.lock", ONLOOKER_TRIES)
            if lock is None:
                continue
            if not self._is_used_elsewhere(number):
                return number, lock
            lock.release()
        if len(candidates) == 1:
            raise BadInputError(f"The worker slot {candidates[0]} is taken.", "Leave out --slot to get a free one.")
        raise WorkspaceError(f"All {MAX_SLOTS} worker slots of this machine are taken.", "Stop some workers.")

    def _is_used_elsewhere(self, number: int) -> bool:
        """Whether another machine, whose locks are not seen here although it shares the folder, has the slot."""
        info, now = self._records.get(_executor_id(self._machine, number))
        return info is not None and info.machine != this_machine() and not info.is_silent(now)


def all_workers(settings: Settings) -> tuple[list[WorkerInfo], datetime]:
    """The workers of all machines, those among them that have been silent for too long, and the database's time.

    Dead ones of this machine are left out.
    """
    known, now = WorkerRecords(shared_database(settings)).all()
    folder = _folder(settings)
    return [info for info in known if not _is_dead(folder, info)], now


def pause_of(info: WorkerInfo) -> float:
    """Seconds between two signs of life of a worker."""
    return min(LONGEST_PAUSE, info.lease_seconds / BEATS_PER_LEASE)


def living_workers(settings: Settings) -> list[WorkerInfo]:
    """The workers of all machines that work on this workspace, by host and slot."""
    return workers_at(settings)[0]


def workers_at(settings: Settings) -> tuple[list[WorkerInfo], datetime]:
    """The workers that are alive, as `living_workers`, and when that was, by the database's clock."""
    known, now = all_workers(settings)
    return [info for info in known if not info.is_silent(now)], now


def _is_dead(folder: Path, info: WorkerInfo) -> bool:
    """Whether a worker is one of this machine and of this folder, and its process has ended."""
    name = folder / "machine"
    if info.machine != this_machine() or not name.exists():
        return False
    mine = info.id == _executor_id(name.read_text(encoding="utf-8"), info.slot)
    return mine and not is_locked(folder / f"slot-{info.slot}.lock")


def workers_in_words(settings: Settings) -> str:
    """One line for people, such as "1 worker, busy with reviews-1"."""
    workers = living_workers(settings)
    if not workers:
        failure = failure_at_start(settings)
        return NO_WORKER if failure is None else f"No worker is running: it does not start. {failure}"
    count = counted(len(workers), "worker")
    busy = list(dict.fromkeys(task for worker in workers for _, task in sorted(worker.tasks.items())))
    if busy:
        return f"{count}, busy with {', '.join(busy)}"
    trouble = next((worker.trouble for worker in workers if worker.trouble), None)
    return f"{count}, waiting for runs" if trouble is None else f"{count}, which cannot take up runs: {trouble}"


def can_work(settings: Settings) -> bool:
    """Whether a worker is there that nothing keeps from taking up jobs."""
    return any(worker.trouble is None for worker in living_workers(settings))


@contextmanager
def noting_failure(settings: Settings) -> Iterator[None]:
    """The start of a worker: if it fails, onlookers read why, until another worker has started."""
    path = _failure_path(settings)
    try:
        yield
    except Exception as error:
        with suppress(OSError, DietExplorerError):  # a folder that cannot be written may be the very reason
            Files(path.parent).write_json(str(path), {"words": redacted(" ".join(str(error).split()))[:400]})
        raise
    path.unlink(missing_ok=True)


def failure_at_start(settings: Settings) -> str | None:
    """Why the last worker did not start, where none has started since."""
    path = _failure_path(settings)
    if not path.is_file():
        return None
    return str(json.loads(path.read_text(encoding="utf-8"))["words"])


def _failure_path(settings: Settings) -> Path:
    return _folder(settings) / "failure.json"


def _folder(settings: Settings) -> Path:
    return settings.home_folder / "workers"


def _executor_id(machine: str, slot: int) -> str:
    return f"{machine}-{slot}"


def _machine_name(folder: Path) -> str:
    """Name of this folder of slots, made once.

    The host's name would not do: a container gets a new one at every start, and two hosts that share the folder
    share its locks too.
    """
    path = folder / "machine"
    if not path.exists():
        temporary = folder / f"machine.{uuid.uuid4().hex[:8]}.tmp"
        temporary.write_text(f"{socket.gethostname()}-{uuid.uuid4().hex[:8]}", encoding="utf-8")
        with suppress(FileExistsError):  # another worker was first
            os.link(temporary, path)
        temporary.unlink()
    return path.read_text(encoding="utf-8")
