"""A small imported dataset with score files of two seeds, and the app run by Streamlit's own test runner."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from diet_explorer.training.config import RunConfig
from diet_explorer.workspace.dataset import Dataset
from diet_explorer.workspace.run import Run
from diet_explorer.workspace.workspace import Workspace
from tests.synthetic import write_scores

ROOT = Path(__file__).parents[2]
ROWS = 160
HOSTILE = "<script>alert(1)</script> <b>bold</b> **stars** $x^2$ :red[hi] [link](http://x) & =1+1"
CHECKPOINTS = (0.0, 0.5, 1.0, 2.0)
Open = Callable[..., AppTest]


@dataclass
class Filled:
    """A workspace with one scored dataset."""

    workspace: Workspace
    dataset: Dataset
    run: Run
    tables: dict[tuple[int, float], pd.DataFrame]


def examples_table() -> pd.DataFrame:
    """Sentences of two classes; row 3 is hostile, the last two cannot be used."""
    generator = np.random.default_rng(7)
    labels = np.where(np.arange(ROWS) % 3 == 0, "good", "bad")
    table = pd.DataFrame(
        {
            "key": [f"k{number:03d}" for number in range(ROWS)],
            "review": [f"Film {number} was {word} and long" for number, word in enumerate(labels)],
            "verdict": labels,
            "part": np.where(np.arange(ROWS) % 4 == 1, "test", "train"),
            "rating": generator.normal(size=ROWS).round(2),
            "origin": np.where(np.arange(ROWS) % 2 == 0, "press", "blog"),
        }
    )
    table.loc[3, "review"] = HOSTILE
    table.loc[5, "review"] = "=HYPERLINK(0) Film five"
    table.loc[ROWS - 2, "review"] = ""
    table.loc[ROWS - 1, "verdict"] = None
    return table


def fill(home: Path) -> Filled:
    """Import the table and write what a finished run of two seeds leaves behind."""
    source = home.parent / "reviews.csv"
    examples_table().to_csv(source, index=False)
    workspace = Workspace(home)
    dataset = workspace.import_dataset(
        source, text="review", label="verdict", id="key", split="part", name="Reviews <i>&</i> more"
    )
    run = workspace.create_run(
        RunConfig(dataset_id=dataset.id, epochs=2, seeds=2, checkpoints=CHECKPOINTS),
        name="a run",
        origin="job",
    )
    generator = np.random.default_rng(3)
    codes = dataset.examples()["label"].map({name: code for code, name in enumerate(dataset.classes)}).to_numpy()
    tables = {}
    for seed in range(2):
        for checkpoint in CHECKPOINTS:
            logits = generator.normal(size=(dataset.rows, 2))
            logits[np.arange(dataset.rows), codes] += checkpoint
            tables[seed, checkpoint] = write_scores(
                workspace.context.files, dataset.manifest, run.id, seed, checkpoint, logits
            )
    workspace.context.records.set_status(run.id, "running")
    workspace.context.records.set_status(run.id, "succeeded")
    return Filled(workspace, dataset, workspace.run(run.id), tables)


@pytest.fixture(scope="session", autouse=True)
def _close_workspaces() -> Iterator[None]:
    """The app keeps a workspace open per process; let them go before the interpreter ends."""
    yield
    st.cache_resource.clear()


@pytest.fixture(autouse=True)
def cookies(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The browser's cookies: Streamlit's test runner has no browser, and makes up a value for every one."""
    kept: dict[str, str] = {}
    monkeypatch.setattr(type(st.context), "cookies", property(lambda _: kept))
    return kept


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Filled:
    return fill(tmp_path_factory.mktemp("shared") / "home")


@pytest.fixture
def filled(shared: Filled, monkeypatch: pytest.MonkeyPatch) -> Filled:
    """The filled workspace, for tests that only read it."""
    monkeypatch.setenv("DIET_EXPLORER_HOME", shared.workspace.settings.home)
    return shared


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Filled:
    """A filled workspace of the test's own, to be changed."""
    filled = fill(tmp_path / "home")
    monkeypatch.setenv("DIET_EXPLORER_HOME", filled.workspace.settings.home)
    return filled


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A workspace with nothing in it."""
    monkeypatch.setenv("DIET_EXPLORER_HOME", str(tmp_path / "home"))
    return Workspace(tmp_path / "home")


@pytest.fixture
def open_page() -> Open:
    """Opens a page of the app with URL parameters, as a browser would."""

    def opened(page: str, /, **query: str | list[str]) -> AppTest:
        app = AppTest.from_file(ROOT / "app.py", default_timeout=60)
        if page != "home":
            app.switch_page(f"pages/{page}.py")
        for key, value in query.items():
            app.query_params[key] = value
        return app.run()

    return opened


def parameter(app: AppTest, key: str) -> str:
    """The last value of a URL parameter."""
    value = app.query_params[key]
    return value if isinstance(value, str) else value[-1]


def control(widgets: Any, name: str) -> Any:
    """The control that mirrors the URL under `name`; its key ends in a stamp of its identity."""
    (match,) = [widget for widget in widgets if re.fullmatch(rf"{name}-[0-9a-f]+", str(widget.key))]
    return match


def words_on(app: AppTest) -> str:
    """All text of a page: HTML, messages, captions, headings."""
    parts = [element.body for element in app.html]
    for kind in (app.error, app.warning, app.info, app.caption, app.header, app.markdown):
        parts += [element.value for element in kind]
    return "\n".join(parts)


def assert_calm(app: AppTest) -> None:
    """Neither a traceback nor a message of the last resort."""
    assert not app.exception
    assert "could not be shown" not in words_on(app)
