"""Hosts: each has a name, a clock, a disk and lines of its own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests import tiny_runs
from tests.faults.network import Line, Mode
from tests.forked import ForkedWorker
from tests.gate import SITE

_CLOCK = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
static long ahead(void) { const char *text = getenv("TEST_CLOCK_AHEAD"); return text ? atol(text) : 0; }
int clock_gettime(clockid_t clock, struct timespec *now) {
  static int (*real)(clockid_t, struct timespec *);
  if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
  int status = real(clock, now);
  if (!status && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += ahead();
  return status;
}
int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  struct timespec precise;
  int status = clock_gettime(CLOCK_REALTIME, &precise);
  now->tv_sec = precise.tv_sec; now->tv_usec = precise.tv_nsec / 1000;
  return status;
}
time_t time(time_t *where) {
  struct timespec precise;
  clock_gettime(CLOCK_REALTIME, &precise);
  if (where) *where = precise.tv_sec;
  return precise.tv_sec;
}
"""


@dataclass
class Host:
    """A machine with a worker; `variables` are those of its services, behind its own lines."""

    name: str
    folder: Path
    lines: dict[str, Line]
    variables: Mapping[str, str]
    worker: ForkedWorker | subprocess.Popen[bytes] | None = None
    _frozen: bool = field(default=False, init=False)

    @property
    def environment(self) -> dict[str, str]:
        """Of every process of this host."""
        paths = [str(SITE), str(SITE.parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        return {
            **inherited,
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": os.pathsep.join(paths),
            "HOME": str(self.folder),
            "TEST_HOST": self.name,
            "DIET_EXPLORER_SCRATCH": str(self.scratch),
            **self.variables,
        }

    @property
    def scratch(self) -> Path:
        """The folder of its own disk that its worker uses."""
        return self.folder / "scratch"

    @property
    def log(self) -> Path:
        """What its workers printed."""
        return self.folder / "worker.log"

    def start_worker(self) -> None:
        """Start its worker, where none is."""
        if self.worker is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            self.worker = ForkedWorker([], self.environment, self.log)

    def start_worker_ahead(self, seconds: int) -> None:
        """Start its worker with a clock that is so far ahead."""
        assert self.worker is None
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self.worker = subprocess.Popen(
                [sys.executable, "-m", "diet_explorer.cli", "worker"],
                env={**self.environment, **self.clock_ahead(seconds)},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def clock_ahead(self, seconds: int) -> dict[str, str]:
        """Variables that put a process's clock ahead, for as long as it lives."""
        library = self.folder / "clock.so"
        if not library.exists():
            command = ["gcc", "-shared", "-fPIC", "-x", "c", "-", "-o", str(library), "-ldl"]
            subprocess.run(command, input=_CLOCK.encode(), check=True)
        return {"LD_PRELOAD": str(library), "TEST_CLOCK_AHEAD": str(seconds)}

    def kill_worker(self) -> None:
        """Kill its worker with all that belongs to it, as a power cut does."""
        if self.worker is not None:
            self._signal(signal.SIGKILL)
            self.worker.wait()
            self.worker = None

    def lose_disk(self) -> None:
        """What was on the machine is gone with it."""
        self.kill_worker()
        shutil.rmtree(self.scratch, ignore_errors=True)

    def stop_worker(self) -> int | None:
        """Ask its worker to end, and give its exit status."""
        assert self.worker is not None
        self.worker.send_signal(signal.SIGTERM)
        status = self.worker.wait(60)
        self._signal(signal.SIGKILL)
        self.worker = None
        return status

    def freeze(self) -> None:
        """Stop its worker in the middle of whatever it does."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on as if nothing had been."""
        self._signal(signal.SIGCONT)

    def cut(self, mode: Mode, *services: str) -> None:
        """Change its lines to some services, by default all."""
        for service, line in self.lines.items():
            if not services or service in services:
                line.set(mode)

    def _signal(self, number: signal.Signals) -> None:
        if self.worker is not None and tiny_runs.is_alive(self.worker.pid):
            os.killpg(self.worker.pid, number)
