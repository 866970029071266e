"""What a test needs unfinished is held open until the test lets it go, however fast or busy the machine is."""

from __future__ import annotations

import os
import time
from pathlib import Path

from tests.waiting import until

SITE = Path(__file__).parent / "gate_site"


class Gate:
    """Holds processes that are started with its environment; see `gate_site/sitecustomize.py`.

    A closed gate holds what comes to it, also processes that are started later. Names are those of modules, whose
    import is held, ``steps``, which holds each training after so many steps, and ``trainings``, which holds a process
    after so many trainings.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True)
        paths = [str(SITE), *filter(None, [os.environ.get("PYTHONPATH")])]
        self.environment = {"TEST_GATE": str(folder), "PYTHONPATH": os.pathsep.join(paths)}

    def close(self, name: str, after: int = 0) -> None:
        """Hold what comes here from now on; what is held already goes on until it comes here again."""
        (self._folder / f"{name}.reached").unlink(missing_ok=True)
        temporary = self._folder / f"{name}.new"
        temporary.write_text(f"{after} {time.monotonic_ns()}")
        temporary.replace(self._folder / f"{name}.closed")

    def reached(self, name: str, times: int = 1) -> None:
        """Wait until processes have been held, for so many times since the gate was closed."""
        until(lambda: self.held(name) >= times, f"a process came to {name!r}")

    def held(self, name: str) -> int:
        """How many times a process has been held since the gate was closed."""
        file = self._folder / f"{name}.reached"
        return file.stat().st_size if file.exists() else 0

    def open(self, name: str) -> None:
        """Let what is held go on, and hold nothing more."""
        (self._folder / f"{name}.closed").unlink()

    def fail_once(self) -> None:
        """Let every question to the explorer database fail once from now on; see `gate_site/sitecustomize.py`."""
        (self._folder / "away").touch()

    def failed(self) -> list[str]:
        """What has failed so: the places in the program, and the question."""
        return (self._folder / "away.said").read_text().splitlines()
