"""A data set whose every name is an attack on the page: each shows as the text that it is, on every page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from diet_explorer.training.config import RunConfig
from diet_explorer.ui.shell.boundary import as_text
from diet_explorer.workspace.workspace import Workspace
from tests.synthetic import write_scores
from tests.ui.conftest import Open, assert_calm

ATTACK = ":red[x] $a^2$ **b** :material/delete: <img src=y onerror=z> `c` [d](http://e) \u202eevil"
COLUMNS = {name: f"{name} {ATTACK}" for name in ("text", "label", "part", "note", "size")}
CLASSES = [f"good {ATTACK}", f"bad {ATTACK}"]
PAGES = ("home", "datasets", "score", "browse", "distributions", "data_map", "embedding_map", "audit", "prune", "proof")
# Fields of Streamlit's messages that it reads as Markdown.
MARKDOWN = {"label", "body", "help", "caption", "text", "placeholder", "content"}
LITERAL = {
    "selectbox",
    "multiselect",
    "html",
    "arrow_data_frame",
    "bidi_component",
    "plotly_chart",
    "component_instance",
}


@pytest.fixture
def hostile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Workspace, str]:
    """A scored data set of hostile names, with a decision by a person of such a name."""
    import pandas as pd

    rows = 40
    table = pd.DataFrame(
        {
            COLUMNS["text"]: [f"text {number} {ATTACK}" for number in range(rows)],
            COLUMNS["label"]: [CLASSES[number % 2] for number in range(rows)],
            COLUMNS["part"]: ["test" if number % 5 == 0 else "train" for number in range(rows)],
            COLUMNS["note"]: [ATTACK if number % 3 else "plain" for number in range(rows)],
            COLUMNS["size"]: range(rows),
        }
    )
    source = tmp_path / "rows.csv"
    table.to_csv(source, index=False)
    monkeypatch.setenv("DIET_EXPLORER_HOME", str(tmp_path / "home"))
    workspace = Workspace(tmp_path / "home")
    roles = {"text": COLUMNS["text"], "label": COLUMNS["label"], "split": COLUMNS["part"]}
    dataset = workspace.import_dataset(source, **roles, name=f"set {ATTACK}")
    config = RunConfig(dataset_id=dataset.id, epochs=1, seeds=1, checkpoints=(0.0, 1.0))
    run = workspace.create_run(config, name=f"run {ATTACK}", origin="job")
    for checkpoint in config.checkpoints:
        logits = np.random.default_rng(1).normal(size=(dataset.rows, 2))
        write_scores(workspace.context.files, dataset.manifest, run.id, 0, checkpoint, logits)
    workspace.context.records.set_status(run.id, "running")
    workspace.context.records.set_status(run.id, "succeeded")
    return workspace, run.id


def markdown_of(app: AppTest) -> Iterator[tuple[str, str]]:
    """Kind and text of everything on a page that Streamlit reads as Markdown."""
    for root in app._tree:  # the blocks of a page have no public walk that shows what is sent
        proto: Any = getattr(root, "proto", None)
        if proto is None:
            continue
        kind = str(getattr(root, "type", ""))
        if kind in LITERAL:
            continue
        yield from ((kind, text) for text in _texts(proto))


def _texts(proto: Any) -> Iterator[str]:
    for field, value in proto.ListFields():
        if field.name in MARKDOWN and isinstance(value, str):
            yield value
        elif field.type == field.TYPE_MESSAGE:
            values = value if hasattr(value, "__len__") and not hasattr(value, "ListFields") else [value]
            for inner in values:
                if hasattr(inner, "ListFields"):
                    yield from _texts(inner)


@pytest.mark.parametrize("page", PAGES)
def test_names_are_text_on_every_page(hostile: tuple[Workspace, str], open_page: Open, page: str) -> None:
    _, run = hostile
    app = open_page(page, run=run)
    assert_calm(app)
    for kind, text in markdown_of(app):
        assert not re.search(r"(?<!\\):red\[|(?<!\\)\$a|(?<!\\)\*\*b|(?<!\\):material/delete: <|\u202e", text), (
            kind,
            text,
        )
    for element in app.html:
        assert "<img src=y" not in element.body and "\u202e" not in element.body


def test_names_of_the_list_of_data_sets(hostile: tuple[Workspace, str], open_page: Open) -> None:
    app = open_page("datasets", tab="list")
    assert_calm(app)
    shown = [text for _, text in markdown_of(app)]
    assert any(as_text("set :red[x]") in text for text in shown), shown
