"""What tests of several folders share: a tiny model and sentences made once, workspaces and commands made per test."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from diet_explorer.workspace.dataset import Dataset
from diet_explorer.workspace.workspace import Workspace
from tests import tiny_runs

os.environ.setdefault("OMP_NUM_THREADS", "1")  # two test processes share two cores


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
def dataset(workspace: Workspace, sentences: Path) -> Dataset:
    """The sentences, imported."""
    return workspace.import_dataset(sentences, text="sentence", label="mood", id="key")


@pytest.fixture
def launch() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts commands that are killed, children and all, when the test ends."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str, home: Path, **variables: str) -> subprocess.Popen[str]:
        process = tiny_runs.start(*arguments, home=home, **variables)
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
