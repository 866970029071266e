"""Child processes, which end with their parent and write their output to a log: kept alive, or doing one job."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import IO, Any

from diet_explorer.config import Settings, sharing_cores
from diet_explorer.errors import JobCancelledError
from diet_explorer.jobs.job import BackgroundJob
from diet_explorer.jobs.logs import log_path, reason_in
from diet_explorer.store.files import explained
from diet_explorer.store.leases import LeaseKey
from diet_explorer.store.private import make_private_folder, private_opener

LONGEST_PAUSE = 30.0
STEADY_SECONDS = 60.0
STOP_SECONDS = 8.5
"""So long a worker may take to hand back what it works on; container engines kill after ten seconds."""
LOG_BYTES = 5_000_000

logger = logging.getLogger("diet_explorer.app")


class Child:
    """A Python module run in a process of its own, started again with growing pauses when it dies.

    Its log file bears its name, where its lines do not go to standard output; it gets the settings through the
    environment, which no other user can read, unlike a command line.
    """

    def __init__(self, name: str, module: str, arguments: list[str], settings: Settings) -> None:
        self.name = name
        self.log_path = log_path(settings, name)
        self._to_file = settings.log_to == "files"
        self._module = (module, *arguments)
        self._environment = {**os.environ, **_variables(settings)}
        self._process: subprocess.Popen[bytes] | None = None
        self._started = 0.0
        self._pause = 1.0
        self._next_start = 0.0
        self.deaths = 0

    def start(self) -> None:
        """Start the process; WorkspaceError where its log file cannot be written."""
        with self._output() as output:
            self._process = _start(*self._module, env=self._environment, stdin=subprocess.DEVNULL, output=output)
        self._started = time.monotonic()
        logger.info("%s started as process %d", self.name, self._process.pid)

    @contextmanager
    def _output(self) -> Iterator[IO[bytes] | None]:
        """Where it writes to: its log file, or None for where this process does."""
        if not self._to_file:
            yield None
            return
        with explained("write", str(self.log_path)):
            make_private_folder(self.log_path.parent)
            if self.log_path.exists() and self.log_path.stat().st_size > LOG_BYTES:
                self.log_path.replace(self.log_path.with_suffix(".log.1"))
            with open(self.log_path, "ab", opener=private_opener) as log:
                yield log

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def keep_alive(self) -> None:
        """Start the process again if it has died and its pause is over; call this every second or so."""
        now = time.monotonic()
        if self._process is None:
            if now >= self._next_start:
                self.start()
            return
        status = self._process.poll()
        if status is None:
            return
        self.deaths += 1
        if now - self._started > STEADY_SECONDS:
            self._pause = 1.0
        logger.warning("%s ended with status %d; starting it again in %g s", self.name, status, self._pause)
        self._process = None
        self._next_start = now + self._pause
        self._pause = min(self._pause * 2, LONGEST_PAUSE)

    def ask_to_end(self) -> None:
        """Ask the process to end, without waiting for that."""
        if self._process is not None:
            self._process.terminate()

    def stop(self) -> None:
        """End the process: politely first, then outright."""
        if self._process is None:
            return
        self.ask_to_end()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def last_words(self, lines: int = 5) -> str:
        """The end of its log."""
        text = self.log_path.read_text(encoding="utf-8", errors="replace") if self.log_path.exists() else ""
        return "\n".join(text.splitlines()[-lines:])


class OwnProcess:
    """The process that does the work of one job, see `jobs.own_process`; what it writes goes to the file `output`.

    `secret` is what the work needs and no file may hold; with a `lease` nothing is written once that is lost.
    WorkspaceError where the output cannot be written.
    """

    def __init__(
        self,
        job: BackgroundJob[Any, Any],
        job_id: str,
        output: Path,
        secret: str | None = None,
        lease: LeaseKey | None = None,
    ) -> None:
        task = {
            "settings": job.settings.model_dump(mode="json", exclude_none=True),
            "arguments": job.arguments,
            "job": job_id,
            "secret": secret,
            "lease": None if lease is None else asdict(lease),
        }
        self._output = output
        self._passes_on = job.settings.log_to == "stdout"
        with explained("write", str(output)), open(output, "wb", opener=private_opener) as log:
            environment = sharing_cores(os.environ)
            module = "diet_explorer.jobs.own_process"
            self._process = _start(module, job.kind, env=environment, stdin=subprocess.PIPE, output=log)
        assert self._process.stdin is not None
        with suppress(BrokenPipeError), self._process.stdin:  # a process that dies at once reads nothing
            self._process.stdin.write(f"{json.dumps(task)}\n".encode())

    def wait(self, stopped: Callable[[], bool] | None = None, poll: float = 0.5) -> str | None:
        """Wait for its end; the value says how it ended badly, such as "ended with status -9: it gave no reason".

        Whether the job was cancelled is asked every `poll` seconds; then the process is ended: JobCancelledError.
        """
        try:
            while True:
                with suppress(subprocess.TimeoutExpired):
                    self._process.wait(None if stopped is None else poll)
                    break
                if stopped is not None and stopped():
                    raise JobCancelledError("The job was cancelled.", "Start it again.")
        finally:
            self._process.kill()
            self._process.wait()
        if self._passes_on:
            for line in self._lines():
                sys.stdout.write(line + "\n")
        if self._process.returncode == 0:
            return None
        return f"ended with status {self._process.returncode}: {reason_in(self._lines())}"

    def _lines(self) -> list[str]:
        """What it has written; nothing where another worker of this machine, which has the job by now, removed it."""
        if not self._output.exists():
            return []
        return self._output.read_text(encoding="utf-8", errors="replace").strip().splitlines()


def worker_child(settings: Settings) -> Child:
    """A worker for this workspace, not started yet."""
    return Child("worker", "diet_explorer.cli", ["worker"], settings)


def listen_for_the_end() -> threading.Event:
    """An event that is set when somebody asks this process to end (SIGINT, SIGTERM)."""
    ending = threading.Event()

    def hear(_number: int, _frame: FrameType | None) -> None:
        ending.set()

    signal.signal(signal.SIGINT, hear)
    signal.signal(signal.SIGTERM, hear)
    return ending


def _start(
    module: str, *arguments: str, env: dict[str, str], stdin: int, output: IO[bytes] | None
) -> subprocess.Popen[bytes]:
    """Run a module in a session of its own: Ctrl-C in the terminal reaches only its parent, which stops it."""
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "diet_explorer.jobs.guarded", str(os.getpid()), module, *arguments],
        env=env,
        stdin=stdin,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def _variables(settings: Settings) -> dict[str, str]:
    """The settings as environment variables, relative paths made absolute."""
    values = settings.model_dump(exclude_none=True)
    if settings.home_is_local:
        values["home"] = str(settings.home_folder)
    if settings.scratch is not None:
        values["scratch"] = str(Path(settings.scratch).absolute())
    return {f"DIET_EXPLORER_{name.upper()}": str(value) for name, value in values.items()}
