"""Names that people give: of any script, and none that nobody could find again."""

from __future__ import annotations

from pathlib import Path

import pytest

from diet_explorer.errors import BadInputError
from diet_explorer.store.names import NAME_LENGTH, name_or
from diet_explorer.workspace.workspace import Workspace
from tests import tiny_runs


@pytest.mark.parametrize(
    ("given", "otherwise", "name"),
    [
        ("a/b.c", "file", "a/b.c"),
        ("  漢字  🎬 ", "file", "漢字 🎬"),
        ("-rf", "file", "-rf"),
        ("", "reviews", "reviews"),
        (None, "a\x00b\nc\udcff", "abc"),
        (None, "last", "data"),
        (None, "x" * 300, "x" * NAME_LENGTH),
    ],
)
def test_names(given: str | None, otherwise: str, name: str) -> None:
    assert name_or(given, otherwise) == name


@pytest.mark.parametrize("name", ["x" * 201, "a\x07b", "\udcff", "last", "Last"])
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(BadInputError) as caught:
        name_or(name, "file")
    assert caught.value.remedy


def test_datasets_of_any_name_are_found_again(workspace: Workspace, sentences: Path, tmp_path: Path) -> None:
    names = ["漢字", "🎬", "a/b", "reviews.v2", "..", "-rf", "👍"]
    ids = {workspace.import_dataset(sentences, text="sentence", label="mood", name=name).id for name in names}
    assert len(ids) == len(names)
    assert {workspace.dataset(name).name for name in names} == set(names)
    assert {path.name for path in (tmp_path / "home" / "datasets").iterdir()} == ids
    for name in names:
        said = tiny_runs.inside("score", "--no-wait", "--model", "/nowhere", "--", name, home=tmp_path / "home")
        assert "There is no model folder '/nowhere'" in said.stderr
