"""What notebooks show of runs and datasets."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import IPython
import numpy as np
import pytest

from diet_explorer import Workspace
from diet_explorer.errors import NotFoundError
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
