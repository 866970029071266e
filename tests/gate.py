"""What a test needs unfinished is held open until the test lets it go, however fast or busy the machine is."""

from __future__ import annotations

import os
from pathlib import Path

from tests.waiting import until

SITE = Path(__file__).parent / "gate_site"


class Gate:
    """Holds processes that are started with its environment; see `gate_site/sitecustomize.py`.

    A closed gate holds what comes to it, also processes that are started later; names are modules, whose import is
    held, or ``steps``, which holds trainings.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True)
        paths = [str(SITE), *filter(None, [os.environ.get("PYTHONPATH")])]
        self.environment = {"TEST_GATE": str(folder), "PYTHONPATH": os.pathsep.join(paths)}

    def close(self, name: str, after: int = 0) -> None:
        """Hold the import of a module, or with ``steps`` every training after so many steps of its process."""
        (self._folder / f"{name}.reached").unlink(missing_ok=True)
        temporary = self._folder / f"{name}.new"
        temporary.write_text(str(after))
        temporary.replace(self._folder / f"{name}.closed")

    def reached(self, name: str) -> None:
        """Wait until a process is held."""
        until((self._folder / f"{name}.reached").exists, f"a process came to {name!r}")

    def open(self, name: str) -> None:
        """Let what is held go on, and hold nothing more."""
        (self._folder / f"{name}.closed").unlink()
