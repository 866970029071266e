"""What is different in processes that tests start; Python loads this by itself where the folder is on its path.

They are held where a test says so: a file `NAME.closed` in the folder `TEST_GATE` holds the import of the module NAME;
one named `steps.closed` holds a training after as many steps as it says. `NAME.reached` tells the test that a process
waits there, until the file is gone. And they have no `peft`, as with most users: transformers would load it for every
training, which takes nearly as long as torch itself.
"""

import os
import sys
import time
from importlib.abc import MetaPathFinder
from pathlib import Path

LEAST_SECONDS = 0.6
"""What a job looks up twice a second, such as whether it was cancelled, it looks up at once when it is let go."""


def note(name: str) -> Path:
    return Path(os.environ.get("TEST_GATE", "nowhere"), name)


def closed(name: str, steps: int) -> bool:
    """Whether the gate is closed for what is about to happen."""
    try:
        return steps >= int(note(f"{name}.closed").read_text())
    except FileNotFoundError:
        return False


def hold(name: str, steps: int = 0) -> None:
    """Wait while the gate is closed."""
    if not closed(name, steps):
        return
    begun = time.monotonic()
    note(f"{name}.reached").touch()
    while closed(name, steps) or time.monotonic() < begun + LEAST_SECONDS:
        time.sleep(0.02)


class Imports(MetaPathFinder):
    """Finds nothing: it holds imports, and sees to it that trainings count their steps."""

    steps = 0

    def find_spec(self, name: str, path: object, target: object = None) -> None:
        hold(name)
        if name == "transformers.trainer":
            from torch.optim.optimizer import register_optimizer_step_pre_hook

            register_optimizer_step_pre_hook(self.stepped)

    def stepped(self, *_: object) -> None:
        hold("steps", Imports.steps)
        Imports.steps += 1


sys.meta_path.insert(0, Imports())
sys.modules["peft"] = None  # type: ignore[assignment]
