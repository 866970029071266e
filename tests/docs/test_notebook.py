"""The notebook of the docs runs from its first cell to its last, and shows what it says that it shows."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import nbformat
import pytest

from tests.docs import notebook

BEFORE = "first 100 suspects: "


def test_the_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    done = notebook.executed(tmp_path)
    data = [output["data"] for output in notebook.outputs(done) if "data" in output]
    figures = [entry[notebook.FIGURE] for entry in data if notebook.FIGURE in entry]
    assert len(figures) == 2
    assert all(len(figure["data"]) >= 2 for figure in figures)
    printed = "".join(output["text"] for output in notebook.outputs(done) if output.get("name") == "stdout")
    suspects, everywhere = map(int, re.findall(r"(\d+)%", printed[printed.index(BEFORE) :]))
    assert suspects > 2 * everywhere > 0
    assert (tmp_path / "workspace").is_dir()


def test_what_is_kept_of_it_is_what_it_prints() -> None:
    kept = nbformat.read(notebook.PAGE, as_version=4)
    nbformat.validate(kept)
    page, pictures = notebook.as_page()
    assert len(pictures) == 2
    assert all(picture.startswith(b"\x89PNG") and f"({name})" in page for name, picture in pictures.items())
    assert page.count("```python") == sum(cell.cell_type == "code" for cell in kept.cells)
    assert BEFORE in page
    assert "<style" not in page
