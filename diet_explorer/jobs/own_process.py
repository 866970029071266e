"""The work of a job in a process of its own: it can be ended at any moment and gives its memory back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from diet_explorer.config import sharing_cores
from diet_explorer.errors import JobCancelledError

POLL_SECONDS = 0.5


def run_in_own_process(
    module: str, request: Mapping[str, object], folder: Path, stopped: Callable[[], bool], poll: float = POLL_SECONDS
) -> str | None:
    """Run ``python -m MODULE REQUEST`` to its end; it ends with this process, too.

    Parameters
    ----------
    module : str
    request : mapping
        Plain data.
    folder : Path
        Gets the process's output, ``output.log``.
    stopped : callable
        Whether the job was cancelled.
    poll : float
        Seconds between looks.

    Returns
    -------
    str or None
        Where it ended badly, its status and last words, such as "ended with status -9: it gave no reason".

    Raises
    ------
    JobCancelledError
        It was stopped; the process is gone.
    """
    output = folder / "output.log"
    with output.open("wb") as log:
        child = subprocess.Popen(
            [sys.executable, "-P", "-m", "diet_explorer.jobs.guarded", str(os.getpid()), module, json.dumps(request)],
            env=sharing_cores(os.environ),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        while child.poll() is None:
            if stopped():
                raise JobCancelledError("The job was cancelled.", "Start it again.")
            time.sleep(poll)
    finally:
        child.kill()
        child.wait()
    if child.returncode == 0:
        return None
    lines = output.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return f"ended with status {child.returncode}: {lines[-1][:200] if lines else 'it gave no reason'}"
