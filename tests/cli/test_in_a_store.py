"""Everything of a workspace by the command line, with all of it in a store that speaks S3."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from diet_explorer.workspace.workspace import Workspace
from tests import rich_workspace, tiny_runs
from tests.loopback_hub import TOKEN, loopback_hub
from tests.object_store import S3Store
from tests.pruning.export.pushing import hub_environment
from tests.tiny_runs import SHORT

ROWS = 24
SCORE = ["--epochs", SHORT["epochs"], "--checkpoints", "0,1,2", "--batch-size", SHORT["batch_size"]]
SCORE += ["--max-length", SHORT["max_length"], "--grand", "head"]


def test_from_the_import_to_the_restored_backup(
    store: S3Store, model: Path, launch: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIET_EXPLORER_SCRATCH", str(tmp_path / "machine"))
    home = f"s3://{store.bucket()}/home"

    def call(*arguments: object) -> Any:
        done = tiny_runs.inside(*map(str, arguments), "--json", home=home)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    launch("worker", home=home)
    source = tiny_runs.save_sentences(tmp_path / "sentences.csv", ROWS)
    assert call("import", source, "--text", "sentence", "--label", "mood", "--id", "key")["rows"] == ROWS
    assert call("score", "last", "--model", model, *SCORE)["status"] == "succeeded"
    hardest = call("rank", "last", "--top", ROWS)["examples"][0]["id"]
    drawn = call("map", "last", "--neighbors", 5)
    assert drawn["state"] == "done" and drawn["file"].startswith(home)
    call("decide", "last", hardest, "--action", "exclude", "--annotator", "ann")
    plan = call("prune", "last", "--policy", "decisions", "--save", "mine", "--preview")
    assert sum(entry["dropped"] for entry in plan["counts"]) == 1
    export = call("prune", "last", "--saved", "mine")
    assert export["folder"].startswith(home) and export["dropped"] == 1

    with loopback_hub() as hub:
        for name, value in hub_environment(hub.url, tmp_path / "login", HF_TOKEN=TOKEN).items():
            monkeypatch.setenv(name, value)
        pushed = call("push", "last", "--repo", "ann/reviews")
        assert pushed["commit"] == hub.repositories["ann/reviews"].head.oid
        files = Workspace(home).context.files
        sent = hub.files("ann/reviews")
        for name in files.all_below(export["folder"]):
            assert sent[name] == files.read_bytes(f"{export['folder']}/{name}")

    assert call("backup", tmp_path / "backup")["files"] > 10
    restored = tmp_path / "restored"
    assert tiny_runs.inside("restore", str(tmp_path / "backup"), home=restored).returncode == 0
    rich_workspace.assert_same(Workspace(restored), Workspace(home))
    shown = [tiny_runs.inside("rank", "last", "--json", home=where).stdout for where in (restored, home)]
    assert shown[0] == shown[1] and hardest in shown[0]
