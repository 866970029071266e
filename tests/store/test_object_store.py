"""Workspaces in a store of objects, spoken to by its own protocol."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from diet_explorer.config import load_settings
from diet_explorer.errors import NotFoundError, StoreAwayError, WorkspaceError
from diet_explorer.pruning.policies import Policy
from diet_explorer.store.files import Files
from diet_explorer.workspace.workspace import Workspace
from tests.object_store import S3Store


@pytest.fixture
def home(store: S3Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("DIET_EXPLORER_SCRATCH", str(tmp_path / "machine"))
    return f"s3://{store.bucket()}/home"


def test_a_workspace_from_the_import_to_the_export(home: str, sentences: Path, tmp_path: Path) -> None:
    workspace = Workspace(home)
    dataset = workspace.import_dataset(sentences, text="sentence", label="mood", id="key")
    outputs = np.random.default_rng(0).dirichlet([1, 1], size=60)
    run = workspace.record(dataset, outputs, kind="probabilities")
    assert len(run.ranked(limit=None)) == 60 and len(run.scores()) == 60
    plan = run.pruning.plan(Policy(kind="decisions"))
    there, here = plan.export(), plan.export(tmp_path / "out")
    assert there.folder.startswith(home) and there.manifest["result_sha256"] == here.manifest["result_sha256"]
    assert [export.id for export in Workspace(home).exports()] == [here.id, there.id]
    assert not [name for name in Files(home).all_below(home) if name.endswith(".tmp")]


def test_what_another_process_wrote_is_seen_at_once(home: str) -> None:
    files = Files(home)
    assert files.list(home) == [] and not files.exists(f"{home}/a")
    subprocess.run(
        [sys.executable, "-c", f"import fsspec; fsspec.filesystem('s3').pipe_file('{home}/a', b'1')"], check=True
    )
    assert files.list(home) == ["a"] and files.read_bytes(f"{home}/a") == b"1"


def test_a_writer_that_is_killed_leaves_nothing_that_readers_find(home: str) -> None:
    files = Files(home)
    with pytest.raises(ZeroDivisionError), files.new_folder(f"{home}/set", "manifest.json") as building:
        building.write_bytes(building.path("part"), b"1")
        raise ZeroDivisionError
    assert files.all_below(home) == {}
    with files.new_folder(f"{home}/set", "manifest.json") as building:
        building.write_bytes(building.path("manifest.json"), b"{}")
        building.write_bytes(building.path("part"), b"1")
    assert sorted(files.all_below(home)) == ["set/manifest.json", "set/part"]


def test_copies_of_a_killed_process_go_with_the_next_one(home: str, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    Files(home).write_bytes(f"{home}/a", b"1")
    code = (
        "import os, signal; from pathlib import Path; from diet_explorer.store.files import Files\n"
        f"files = Files({home!r}, cache=Path({str(cache)!r})); files.open_read({home + '/a'!r})\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGKILL
    assert len(list((cache / "copies").iterdir())) == 1
    files = Files(home, cache=cache)
    with files.open_read(f"{home}/a") as stream:
        assert stream.read() == b"1"
    assert len(list((cache / "copies").iterdir())) == 1, "only this process's own"
    del files
    assert list((cache / "copies").iterdir()) == []
    (cache / "copies" / "lockless").mkdir()  # of a process that ended while it was writing there
    Files(home, cache=cache).remove_abandoned_copies()
    assert list((cache / "copies").iterdir()) == []


def test_copies_are_bounded_in_bytes(home: str, tmp_path: Path) -> None:
    files = Files(home, cache=tmp_path, copies_mb=1)
    for name in "abc":
        files.write_bytes(f"{home}/{name}", os.urandom(600_000))
    for name in "abc":
        files.open_read(f"{home}/{name}").close()
    kept = [path for path in (tmp_path / "copies").rglob("*") if path.is_file() and path.name != "lock"]
    assert sum(path.stat().st_size for path in kept) == 600_000


def test_two_homes_on_one_machine_share_no_folder(home: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def folders(place: str) -> set[Path]:
        settings = load_settings(home=place)
        return {settings.home_folder, settings.scratch_folder}

    assert folders(home).isdisjoint(folders(f"{home}2")) and folders(home) == folders(f"{home}/")
    before = folders(home)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://elsewhere:1")
    assert folders(home).isdisjoint(before), "the same bucket of another store"


def test_a_store_that_is_away_is_told_and_waited_for(home: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda _: None)
    with pytest.raises(WorkspaceError, match="Cannot write s3://no-such-bucket") as caught:
        Files("s3://no-such-bucket/x").write_bytes("s3://no-such-bucket/x/a", b"1")
    assert "Create the bucket" in caught.value.remedy and "another workspace" not in caught.value.remedy
    files, tries = Files(home, patience=60), []

    def away(*_: object) -> object:
        tries.append(1)
        if len(tries) < 4:
            raise ConnectionRefusedError("refused")
        raise FileNotFoundError

    monkeypatch.setattr(files.filesystem, "cat_file", away)
    with pytest.raises(NotFoundError):
        files.read_bytes(f"{home}/a")
    assert len(tries) == 4
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    with pytest.raises(StoreAwayError, match="does not answer") as away_error:
        Workspace(home)
    assert "settings DIET_EXPLORER_HOME and AWS_ENDPOINT_URL_S3" in away_error.value.remedy
