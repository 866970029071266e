"""The tutorial runs from its first line to its last, on a small model and a part of the sample."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from diet_explorer.data.readers.opening import Source, open_source
from diet_explorer.workspace import workspace as front
from tests.docs import tutorial
from tests.tiny_runs import environment

SAMPLE = Path(__file__).parents[2] / "sample_data" / "movie_snippets.csv"
ROWS = 400


@pytest.fixture
def worker(tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker of the workspace that the tutorial makes in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DIET_EXPLORER_BUNDLED_MODEL", str(model))
    part = tmp_path / "sample.csv"
    part.write_text("".join(SAMPLE.open(encoding="utf-8").readlines()[: ROWS + 1]), encoding="utf-8")

    def open_part() -> Source:
        return open_source(part)

    monkeypatch.setattr(front, "open_sample", open_part)
    process = subprocess.Popen(
        [sys.executable, "-m", "diet_explorer.cli", "worker"],
        env=environment(tmp_path / "workspace", PYTHONPATH=os.pathsep.join(sys.path)),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    yield
    process.terminate()
    process.wait(30)


@pytest.mark.usefixtures("worker")
def test_the_tutorial_runs() -> None:
    text = tutorial.PAGE.read_text(encoding="utf-8")
    printed = list(tutorial.run(text))
    assert len(printed) == text.count("```python")
    assert printed[-1].count("%") > 0
