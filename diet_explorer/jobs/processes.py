"""Child processes that are kept alive, end with their parent, and write their output to a log file."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import FrameType

from diet_explorer.config import Settings
from diet_explorer.store.files import explained

LONGEST_PAUSE = 30.0
STEADY_SECONDS = 60.0
STOP_SECONDS = 5.0
LOG_BYTES = 5_000_000

logger = logging.getLogger("diet_explorer.app")


class Child:
    """A Python module run in a process of its own, started again with growing pauses when it dies.

    Parameters
    ----------
    name : str
        What people call it; also the stem of its log file.
    module : str
        Run as ``python -m module``.
    arguments : list of str
    settings : Settings
        Handed down through the environment.
    """

    def __init__(self, name: str, module: str, arguments: list[str], settings: Settings) -> None:
        self.name = name
        self.log_path = settings.home_folder / "logs" / f"{name}.log"
        self._command = [sys.executable, "-P", "-m", "diet_explorer.jobs.guarded", str(os.getpid()), module, *arguments]
        self._environment = {**os.environ, **_variables(settings)}
        self._process: subprocess.Popen[bytes] | None = None
        self._started = 0.0
        self._pause = 1.0
        self._next_start = 0.0
        self.deaths = 0

    def start(self) -> None:
        """Start the process.

        Raises
        ------
        WorkspaceError
            Its log file cannot be written.
        """
        with explained("write", str(self.log_path)):
            self.log_path.parent.mkdir(parents=True, exist_ok=True)
            if self.log_path.exists() and self.log_path.stat().st_size > LOG_BYTES:
                self.log_path.replace(self.log_path.with_suffix(".log.1"))
            with self.log_path.open("ab") as log:
                # a session of its own: Ctrl-C in the terminal reaches only the parent, which then stops its children
                self._process = subprocess.Popen(
                    self._command,
                    env=self._environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        self._started = time.monotonic()
        logger.info("%s started as process %d", self.name, self._process.pid)

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

    def stop(self) -> None:
        """End the process: politely first, then outright."""
        if self._process is None:
            return
        self._process.terminate()
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


def worker_child(settings: Settings) -> Child:
    """A worker for this workspace, not started yet."""
    return Child("worker", "diet_explorer.cli", ["worker"], settings)


def listen_for_the_end() -> threading.Event:
    """An event that is set when this process is told to end (SIGINT, SIGTERM)."""
    told = threading.Event()

    def hear(_number: int, _frame: FrameType | None) -> None:
        told.set()

    signal.signal(signal.SIGINT, hear)
    signal.signal(signal.SIGTERM, hear)
    return told


def _variables(settings: Settings) -> dict[str, str]:
    """The settings as environment variables, relative paths made absolute."""
    values = settings.model_dump(exclude_none=True)
    if settings.home_is_local:
        values["home"] = str(settings.home_folder)
    if settings.scratch is not None:
        values["scratch"] = str(Path(settings.scratch).absolute())
    return {f"DIET_EXPLORER_{name.upper()}": str(value) for name, value in values.items()}
