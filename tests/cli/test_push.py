"""From a file to a dataset on the Hub: import, prune, export, push by the command; who may push."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from diet_explorer.errors import HubTokenError, PermissionDeniedError
from diet_explorer.pruning.policies import Policy
from diet_explorer.review.annotators import Identity
from diet_explorer.training.config import RunConfig
from diet_explorer.workspace.workspace import Workspace
from tests.loopback_hub import TOKEN, loopback_hub
from tests.pruning.export.pushing import hub_environment
from tests.tiny_runs import check_json


def push(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "diet_explorer.cli", "push", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)


def test_command(tmp_path: Path) -> None:
    source = tmp_path / "reviews.csv"
    lines = [f'r{number:03},"text {number}, NA",{"good" if number % 3 else "bad"}' for number in range(40)]
    source.write_text("\n".join(["id,text,label", *lines]) + "\n", encoding="utf-8")
    home = str(tmp_path / "workspace")
    workspace = Workspace(home)
    dataset = workspace.import_dataset(source, text="text", label="label", id="id")
    run = workspace.create_run(RunConfig(dataset_id=dataset.id), name="never trained", origin="job")
    plan = run.pruning.plan(Policy("random", keep=50.0))
    export = plan.export(format="csv")

    viewer = workspace.acting_as(Identity("eve@example.org", "viewer", signed_in=True))
    with pytest.raises(PermissionDeniedError):
        viewer.export(export.id).push("ann/reviews", token=TOKEN)
    lead = workspace.acting_as(Identity("lea@example.org", "lead", signed_in=True))
    for nothing in (None, "", "  "):
        with pytest.raises(HubTokenError, match="your own token"):
            lead.export(export.id).push("ann/reviews", token=nothing)
    assert export.push_progress().state == "absent"

    with loopback_hub() as hub:
        environment = hub_environment(hub.url, tmp_path / "login", HF_TOKEN=TOKEN)
        done = push(environment, "last", "--repo", "ann/reviews", "--public", "--workspace", home, "--json")
        assert done.returncode == 0, done.stderr
        check_json(["push"], done.stdout)
        facts = json.loads(done.stdout)
        assert (facts["export"], facts["state"], facts["private"]) == (export.id, "done", False)
        assert facts["commit"] == hub.repositories["ann/reviews"].head.oid
        found = hub.files("ann/reviews")
        assert {name: found[name] for name in found.keys() - {"README.md", ".gitattributes"}} == {
            path.name: path.read_bytes() for path in Path(export.folder).iterdir()
        }
        card = found["README.md"].decode()
        kept = int(plan.selection.keep.sum())
        assert f"{kept} training examples of" in card
        assert export.push_progress().url == f"{hub.url}/datasets/ann/reviews"

        refused = push(environment, export.id, "--repo", "bob/reviews", "--workspace", home)
        assert refused.returncode == 1
        assert "Error: The token may not write to the dataset bob/reviews on the Hub." in refused.stderr
        unknown = push(environment, "export-0", "--repo", "ann/reviews", "--workspace", home)
        assert unknown.returncode == 2
        assert "Error: There is no export 'export-0'." in unknown.stderr
        assert TOKEN not in done.stdout + done.stderr + refused.stdout + refused.stderr + "".join(hub.lines)
    held = [path for path in (tmp_path / "workspace").rglob("*") if path.is_file()]
    assert not [path for path in held if TOKEN.encode() in path.read_bytes()]
