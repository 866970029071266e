"""Worker processes that need not load torch anew: forked from one that has loaded what a worker loads, and no more.

They are processes like any other, with an environment, an output and a process group of their own.
"""

from __future__ import annotations

import multiprocessing
import multiprocessing.forkserver
import os
import runpy
import signal
import sys
from pathlib import Path
from unittest import mock

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.forked_modules"])


class ForkedWorker:
    """``diet-explorer worker``, or another module, in a process forked from one that has loaded a worker's modules.

    Parameters
    ----------
    arguments : list of str
        After ``worker``, or of the module.
    environment : dict
    log : Path
        Gets what it prints.
    module : str, optional
        What is run in place of a worker.
    """

    def __init__(self, arguments: list[str], environment: dict[str, str], log: Path, module: str | None = None) -> None:
        with mock.patch.dict(os.environ, environment):  # of the process that is forked from, where there is none yet
            multiprocessing.forkserver.ensure_running()
        self._process = _CONTEXT.Process(target=_work, args=(arguments, environment, str(log), module))
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid
        self.log = log

    def poll(self) -> int | None:
        """Its exit status; None while it runs."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int | None:
        """Wait for its end and return the exit status; None if it has not ended in time."""
        self._process.join(timeout)
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def _work(arguments: list[str], environment: dict[str, str], log: str, module: str | None) -> None:
    os.setsid()
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.environ.clear()
    os.environ.update(environment)
    sys.modules["sitecustomize"].take_name()
    if "TEST_GATE" in environment:
        sys.modules["sitecustomize"].fail_once()
    sys.argv = ["diet-explorer", *arguments] if module else ["diet-explorer", "worker", *arguments]
    runpy.run_module(module or "diet_explorer.cli", run_name="__main__")
