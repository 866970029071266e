"""What is different in processes that tests start; Python loads this by itself where the folder is on its path.

They are held where a test says so: a file `NAME.closed` in the folder `TEST_GATE` holds the import of the module NAME;
`steps.closed` holds a training after as many steps as it says, `trainings.closed` the first step of a training after so
many trainings of the process. `NAME.reached` gets a character when a process waits, until the file is gone or another.

Where they stand for another machine, `TEST_HOST` is its name and `TEST_NETWORK` its network, if it has one; each step
of a training takes `TEST_STEP_SECONDS` longer, and is written into the file `TEST_STEPS` as ``time by the monotonic
clock, host, process, seed, step``.

While there is a file `away` in the folder `TEST_GATE`, every question to the explorer database and to a store fails
once, each time that it is asked from another place in the program; `away.said` names what failed.

And they have no `peft`, as with most users: transformers would load it for every training, which takes nearly as long
as torch itself.
"""

import os
import socket
import sys
import threading
import time
import traceback
from importlib.abc import MetaPathFinder
from pathlib import Path

LEAST_SECONDS = 0.6
"""What a job looks up twice a second, such as whether it was cancelled, it looks up at once when it is let go."""


def note(name: str) -> Path:
    return Path(os.environ.get("TEST_GATE", "nowhere"), name)


def closing(name: str, count: int) -> str:
    """What the gate that is closed for this says, which changes when it is closed anew; empty if it is not closed."""
    try:
        text = note(f"{name}.closed").read_text()
    except FileNotFoundError:
        return ""
    return text if count >= int(text.split()[0]) else ""


def hold(name: str, count: int = 0) -> None:
    """Wait while the gate is closed."""
    text = closing(name, count)
    if not text:
        return
    begun = time.monotonic()
    with note(f"{name}.reached").open("a") as stream:
        stream.write("1")
    while closing(name, count) == text or time.monotonic() < begun + LEAST_SECONDS:
        time.sleep(0.02)


class Imports(MetaPathFinder):
    """Finds nothing: it holds imports, and sees to it that trainings count their steps."""

    def find_spec(self, name: str, path: object, target: object = None) -> None:
        hold(name)
        if name == "diet_explorer.store.database" and "TEST_GATE" in os.environ:
            fail_once()
        if name == "transformers.trainer":
            from torch.optim.optimizer import register_optimizer_step_pre_hook

            register_optimizer_step_pre_hook(Steps())


class Steps:
    """Counts the steps of each training, which has an optimizer of its own, and the trainings of this process."""

    def __init__(self) -> None:
        self.optimizer: object = None
        self.trainings = 0
        self.steps = 0

    def __call__(self, optimizer: object, *_: object) -> None:
        if optimizer is not self.optimizer:
            self.optimizer = optimizer
            self.steps = 0
            hold("trainings", self.trainings)
            self.trainings += 1
        hold("steps", self.steps)
        self.steps += 1
        write_step(optimizer)


def write_step(optimizer: object) -> None:
    """Write down that a step is made, and take the time that it takes a larger model."""
    path = os.environ.get("TEST_STEPS")
    if path is None:
        return
    import torch

    state = next(iter(optimizer.state.values()), {})  # type: ignore[attr-defined]
    step = int(state.get("step", 0))
    facts = (f"{time.monotonic():.3f}", os.environ["TEST_HOST"], os.getpid(), torch.initial_seed(), step)
    with Path(path).open("a") as stream:
        stream.write(" ".join(map(str, facts)) + "\n")
    time.sleep(float(os.environ.get("TEST_STEP_SECONDS", "0")))


_answered: set[str] = set()
_answering = threading.Lock()


def is_away(question: str) -> bool:
    """Whether a question from this place in the program is to fail: the first time."""
    if not note("away").exists():
        return False
    here = [frame for frame in traceback.extract_stack() if "/diet_explorer/" in frame.filename]
    places = [f"{Path(frame.filename).stem}.{frame.name}:{frame.lineno}" for frame in here]
    with _answering:
        known = len(_answered)
        _answered.add(" ".join([*places, question]))
        if len(_answered) == known:
            return False
    with note("away.said").open("a") as stream:
        stream.write(f"{' '.join([*places, question])}\n")
    return True


def fail_once() -> None:
    """Let questions to the explorer database and to S3 fail where it is said so; see `is_away`."""
    from sqlalchemy import Engine, event
    from sqlalchemy.exc import OperationalError

    def ask(connection: object, question: str) -> None:
        name = str(connection.engine.url.database)  # type: ignore[attr-defined]
        if "explorer" in Path(name).name and is_away(question):
            raise OperationalError(question, None, Exception("the server is away for a moment"))

    def ask_statement(connection: object, _cursor: object, statement: str, *_: object) -> None:
        ask(connection, " ".join(statement.split()[:3]))

    event.listen(Engine, "before_cursor_execute", ask_statement)
    event.listen(Engine, "commit", lambda connection: ask(connection, "COMMIT"))


_true_name = socket.gethostname


def take_name() -> None:
    """Be the machine that the environment says, in its network."""
    name, network = os.environ.get("TEST_HOST"), os.environ.pop("TEST_NETWORK", None)
    socket.gethostname = _true_name if name is None else lambda: name
    if network is not None:  # those that this process starts are in it already
        from tests.faults.namespaces import enter

        enter(network)


take_name()
sys.meta_path.insert(0, Imports())
sys.modules["peft"] = None  # type: ignore[assignment]
