"""The slots of this machine's workers: who is alive, under which name, and busy with what.

Every worker holds the lock of one slot for as long as it lives; the system drops the lock when the process ends,
however it ends. The slot gives the worker its stable name in the jobs database, so that the next holder of the slot,
or any other worker of this machine, finds the work that a killed one left behind.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock

from diet_explorer.config import Settings
from diet_explorer.errors import BadInputError, DietExplorerError, WorkspaceError
from diet_explorer.jobs.protocol import SCORE
from diet_explorer.redaction import redacted
from diet_explorer.scoring.progress import WorkerName
from diet_explorer.store.files import Files, explained
from diet_explorer.store.locks import ONLOOKER_TRIES, is_locked, try_lock
from diet_explorer.store.private import make_private_folder

MAX_SLOTS = 64
NO_WORKER = "No worker is running: start one with `diet-explorer worker`."


@dataclass(frozen=True)
class WorkerInfo:
    """A living worker of this machine."""

    slot: int
    host: str
    pid: int
    since: str
    tasks: dict[str, str] = field(default_factory=dict)  # what it is busy with, by line of waiting jobs
    freed: dict[str, str] = field(default_factory=dict)  # when it ended the last task of a line
    trouble: str | None = None  # what keeps it from taking up jobs

    @property
    def run_id(self) -> str | None:
        """The run that it scores."""
        return self.tasks.get(SCORE.line)

    def idle_since(self, line: str) -> datetime:
        """Since when it could take up a job of that line, where it is not busy with one."""
        return datetime.fromisoformat(self.freed.get(line, self.since))


class WorkerSlot:
    """One worker's slot, held from construction to `release`; the first free one where none is asked for.

    BadInputError where the slot asked for is taken or does not exist, WorkspaceError where all are taken or their
    folder cannot be written.
    """

    def __init__(self, settings: Settings, slot: int | None = None) -> None:
        self._folder = _folder(settings)
        self._changing = threading.Lock()
        if slot is not None and not 0 <= slot < MAX_SLOTS:
            raise BadInputError(f"There is no worker slot {slot}.", f"Give a number from 0 to {MAX_SLOTS - 1}.")
        with explained("write", str(self._folder)):
            make_private_folder(self._folder)
            self._machine = _machine_name(self._folder)
            self.slot, self._lock = self._claim(range(MAX_SLOTS) if slot is None else [slot])
            self._info = WorkerInfo(self.slot, socket.gethostname(), os.getpid(), _now())
            self._write()

    @property
    def worker(self) -> WorkerName:
        """Name of this worker for people."""
        return WorkerName(self._info.host, self.slot)

    @property
    def executor_id(self) -> str:
        """Name of this worker in the jobs database."""
        return _executor_id(self._machine, self.slot)

    def set_task(self, task: str | None, line: str = SCORE.line) -> None:
        """Let onlookers know with what this worker is busy, of all that waits in that line."""
        with self._changing:  # the jobs and the job library's own threads
            tasks = {key: value for key, value in self._info.tasks.items() if key != line}
            if task is None:
                self._info = replace(self._info, tasks=tasks, freed={**self._info.freed, line: _now()})
            else:
                self._info = replace(self._info, tasks={**tasks, line: task})
            self._write()

    def set_trouble(self, reason: str | None) -> None:
        """Let onlookers know what keeps this worker from taking up jobs."""
        reason = None if reason is None else redacted(reason)
        with self._changing:
            if reason != self._info.trouble:
                self._info = replace(self._info, trouble=reason)
                self._write()

    @contextmanager
    def abandoned(self) -> Iterator[list[str]]:
        """Names of this machine's workers that are gone; their slots stay locked during the block."""
        with ExitStack() as held:
            numbers = []
            for path in self._folder.glob("slot-*.lock"):
                number = int(path.stem.removeprefix("slot-"))
                lock = None if number == self.slot else try_lock(path)
                if lock is not None:
                    held.callback(lock.release)
                    numbers.append(number)
            yield [_executor_id(self._machine, number) for number in numbers]

    def release(self) -> None:
        """Leave the slot."""
        self._info_path.unlink(missing_ok=True)
        self._lock.release()

    def _claim(self, candidates: range | list[int]) -> tuple[int, FileLock]:
        for number in candidates:
            lock = try_lock(self._folder / f"slot-{number}.lock", ONLOOKER_TRIES)
            if lock is not None:
                return number, lock
        if len(candidates) == 1:
            raise BadInputError(f"The worker slot {candidates[0]} is taken.", "Leave out --slot to get a free one.")
        raise WorkspaceError(f"All {MAX_SLOTS} worker slots of this machine are taken.", "Stop some workers.")

    def _write(self) -> None:
        Files(self._folder).write_json(str(self._info_path), asdict(self._info))

    @property
    def _info_path(self) -> Path:
        return self._folder / f"slot-{self.slot}.json"


def living_workers(settings: Settings) -> list[WorkerInfo]:
    """This machine's workers on this workspace, by slot."""
    workers = []
    for path in _folder(settings).glob("slot-*.json"):
        if is_locked(path.with_suffix(".lock")):
            with suppress(FileNotFoundError):  # the worker left between the two looks
                workers.append(WorkerInfo(**json.loads(path.read_text(encoding="utf-8"))))
    return sorted(workers, key=lambda worker: worker.slot)


def workers_in_words(settings: Settings) -> str:
    """One line for people, such as "1 worker, busy with reviews-1"."""
    workers = living_workers(settings)
    if not workers:
        failure = failure_at_start(settings)
        return NO_WORKER if failure is None else f"No worker is running: it does not start. {failure}"
    count = f"{len(workers)} worker{'' if len(workers) == 1 else 's'}"
    busy = [task for worker in workers for _, task in sorted(worker.tasks.items())]
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


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


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
