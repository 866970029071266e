"""What notebooks show of runs and datasets."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import IPython
import numpy as np
import pandas as pd
import pytest

from diet_explorer import ExampleFilter, Workspace
from diet_explorer.analysis.filters import ScoreRange
from diet_explorer.errors import BadInputError, NotFoundError
from diet_explorer.workspace.dataset import Dataset
from diet_explorer.workspace.run import Run


@pytest.fixture
def run(workspace: Workspace, tmp_path: Path) -> Run:
    """A run of recorded outputs, of a set whose class and name are HTML."""
    path = tmp_path / "a.csv"
    path.write_text("text,label\none,<b>x</b>\ntwo,y\nthree,y\n", encoding="utf-8")
    dataset = workspace.import_dataset(str(path), text="text", label="label")
    return workspace.record(dataset, np.full((3, 2), 0.5), kind="probabilities", name="<script>alert(1)</script>")


def test_what_is_shown_is_text(run: Run) -> None:
    dataset: Dataset = run.dataset
    for shown in (run._repr_html_(), dataset._repr_html_()):
        assert "<script" not in shown
        assert "<b>x" not in shown
        assert shown.startswith("<table>")
        assert len(shown) < 2000
    assert "&lt;b&gt;x" in dataset._repr_html_()
    assert "succeeded" in run._repr_html_()


def running(run: Run, port: int = 8765) -> None:
    folder = run.context.settings.home_folder
    (folder / "app.json").write_text(json.dumps({"url": f"http://127.0.0.1:{port}", "pid": 1}))


def test_the_link_is_printed_outside_notebooks(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run.show() is None
    assert "diet-explorer app" in capsys.readouterr().out
    running(run)
    assert run.show("audit") is None
    assert capsys.readouterr().out == f"http://127.0.0.1:8765/audit?dataset={run.dataset.id}&run={run.id}\n"
    with pytest.raises(NotFoundError, match="no page 'nowhere'"):
        run.show("nowhere")


def test_a_notebook_gets_a_frame(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    running(run)
    monkeypatch.setattr(IPython, "get_ipython", lambda: SimpleNamespace(kernel=True))
    assert run.show().src.startswith("http://127.0.0.1:8765/browse?")
    monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", "/user/ann/")
    assert run.show().src.startswith("/user/ann/proxy/8765/browse?")


@pytest.fixture
def learned(workspace: Workspace, tmp_path: Path) -> Run:
    """A run of made-up outputs of two seeds after two epochs, on two splits."""
    path = tmp_path / "b.csv"
    lines = [f"text {n},{'xyz'[n % 3]},{'train' if n % 4 else 'test'}" for n in range(90)]
    path.write_text("\n".join(["text,label,split", *lines]), encoding="utf-8")
    dataset = workspace.import_dataset(str(path), text="text", label="label", split="split")
    outputs = np.random.default_rng(0).normal(size=(2, 2, 90, 3))
    return workspace.record(dataset, list(outputs), kind="logits", name="<i>mine</i>")


def test_the_data_map_as_a_figure(learned: Run) -> None:
    expected = learned.dynamics.data_map()
    figure = learned.dynamics.plot_map()
    (points,) = figure.data
    pd.testing.assert_frame_equal(
        pd.DataFrame({"row": points.customdata, "x": points.x, "y": points.y}), expected[["row", "x", "y"]]
    )
    assert points.marker.color.tolist() == expected["correctness"].tolist()
    assert "&lt;i&gt;mine" in figure.layout.title.text and "<i>mine" not in figure.layout.title.text
    assert all("text " in words for words in points.text)

    where = ExampleFilter(labels=("x", "y"))
    by_class = learned.dynamics.plot_map(where, 1, colour="label")
    counts = learned.dynamics.data_map(where, 1)["label"].value_counts()
    assert {trace.name: len(trace.x) for trace in by_class.data} == counts.to_dict()
    assert len({trace.marker.color for trace in by_class.data}) == 2
    assert len(learned.dynamics.plot_map(limit=7).data[0].x) == 7
    with pytest.raises(NotFoundError, match="colour"):
        learned.dynamics.plot_map(colour="colour")
    with pytest.raises(BadInputError, match="nothing to draw"):
        learned.dynamics.plot_map(ExampleFilter(labels=("x",), disagree=True, scores=(ScoreRange("el2n", 99, 100),)))


def test_distributions_as_a_figure(learned: Run) -> None:
    figure = learned.dynamics.plot_score("margin")
    shown = {(round(trace.x[0]), trace.y[1]) for trace in figure.data if trace.mode == "lines+markers"}
    expected = {
        (number, float(table["margin"].median()))
        for number, point in enumerate((1, 2))
        for _, table in learned.ranked(by="margin", checkpoint=point, limit=None).groupby("label")
    }
    assert len(expected) == 6
    np.testing.assert_allclose(sorted(shown), sorted(expected), atol=1e-5)
    together = learned.dynamics.plot_score("margin", split="test", by_class=False, log=True)
    assert {trace.name for trace in together.data if trace.name} == {"all classes"}


def test_what_cannot_be_drawn_is_said(learned: Run) -> None:
    with pytest.raises(NotFoundError, match=r"run\.maps\.draw"):
        learned.maps.plot()
    with pytest.raises(NotFoundError, match="no split 'dev'"):
        learned.dynamics.plot_score(split="dev")
    with pytest.raises(NotFoundError, match="GraNd"):
        learned.dynamics.plot_score("grand")
