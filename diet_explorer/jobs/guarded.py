"""Run a Python module that must not outlive its parent: ``python -m diet_explorer.jobs.guarded PID MODULE ARGUMENTS``.

A supervisor that is killed outright cannot stop its children, so they watch for its end themselves. Ending at once
is safe: a worker may be killed at any moment and its run goes on from the last checkpoint.
"""

from __future__ import annotations

import os
import runpy
import sys
import threading
import time

WATCH_SECONDS = 0.5


def main() -> None:
    """Read the parent's process id, the module and its arguments from the command line and run it."""
    parent, module = int(sys.argv[1]), sys.argv[2]
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    sys.argv = [module, *sys.argv[3:]]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(WATCH_SECONDS)
    os._exit(0)


if __name__ == "__main__":
    main()
