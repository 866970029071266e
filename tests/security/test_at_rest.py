"""What lies on the disk is the owner's alone, or the group's where that is set; whatever the umask is."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from diet_explorer.store.private import tighten_workspace
from diet_explorer.ui.datasets.uploads import keep_upload
from diet_explorer.workspace.workspace import Workspace


@pytest.fixture(autouse=True)
def _open_umask() -> Iterator[None]:
    """Everybody may read and write what is made, as far as this process does not see to it."""
    before = os.umask(0)
    yield
    os.umask(before)


def loose(root: Path, folders: int = 0o700, files: int = 0o600) -> list[str]:
    """Paths with other modes, to be read in a failure."""
    paths = [(path, path.lstat().st_mode) for path in (root, *root.rglob("*"))]
    return [
        f"{path.relative_to(root)} {stat.S_IMODE(mode):o}"
        for path, mode in paths
        if stat.S_IMODE(mode) != (folders if stat.S_ISDIR(mode) else files)
    ]


@pytest.mark.parametrize("shared", [False, True])
def test_a_library_makes_private_files(
    tmp_path: Path, sentences: Path, monkeypatch: pytest.MonkeyPatch, shared: bool
) -> None:
    monkeypatch.setenv("DIET_EXPLORER_SHARE_WITH_GROUP", str(int(shared)))
    home = tmp_path / "home"
    workspace = Workspace(home)
    workspace.import_dataset(sentences, text="sentence", label="mood", id="key")
    with sentences.open("rb") as stream:
        keep_upload(workspace.settings, "a.csv", stream)
    assert {"explorer.sqlite", "datasets", "uploads"} <= {path.name for path in home.iterdir()}
    assert not (loose(home, 0o2770, 0o660) if shared else loose(home))


def test_an_older_workspace_is_tightened_with_care(tmp_path: Path, sentences: Path) -> None:
    home = tmp_path / "home"
    Workspace(home).import_dataset(sentences, text="sentence", label="mood", id="key")
    outside = tmp_path / "outside"
    outside.write_text("somebody else's")
    (home / "datasets" / "link").symlink_to(outside)
    for path in (home, *home.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o777 if path.is_dir() else 0o666)
    tighten_workspace(home)
    (home / "datasets" / "link").unlink()
    assert not loose(home)
    assert stat.S_IMODE(outside.stat().st_mode) == 0o666


def test_what_is_not_ours_stays_as_it_is(tmp_path: Path, sentences: Path) -> None:
    """A workspace in somebody's own folder does not close that folder."""
    (tmp_path / "notes.txt").write_text("mine")
    tmp_path.chmod(0o755)
    workspace = Workspace(tmp_path)
    workspace.import_dataset(sentences, text="sentence", label="mood", id="key")
    Workspace(tmp_path)
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755
    assert stat.S_IMODE((tmp_path / "notes.txt").stat().st_mode) == 0o666
    assert not loose(tmp_path / "datasets")
