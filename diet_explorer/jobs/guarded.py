"""Run a Python module that must not outlive its parent: ``python -m diet_explorer.jobs.guarded PID MODULE ARGUMENTS``.

A supervisor that is killed outright cannot stop its children, so they watch for its end themselves. Ending at once
is safe: a worker may be killed at any moment and its run goes on from the last checkpoint.

What the module writes is a log, and goes through `jobs.logs`.
"""

from __future__ import annotations

import os
import runpy
import sys
import threading
import time
from contextlib import suppress

from diet_explorer.config import load_settings
from diet_explorer.errors import DietExplorerError
from diet_explorer.jobs.logs import guard_output

WATCH_SECONDS = 0.5
_ROLES = {"streamlit": "server"}


def main() -> None:
    """Read the parent's process id, the module and its arguments from the command line and run it."""
    parent, module = int(sys.argv[1]), sys.argv[2]
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    sys.argv = [module, *sys.argv[3:]]
    with suppress(DietExplorerError):  # a setting that cannot be used is reported by the module itself
        guard_output(load_settings(), _ROLES.get(module) or sys.argv[1])
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(WATCH_SECONDS)
    os._exit(0)


if __name__ == "__main__":
    main()
