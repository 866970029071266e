"""One workspace in a store of objects, from the import to the Hub and to a backup that is put in place elsewhere."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from diet_explorer.pruning.policies import Policy
from diet_explorer.store.locks import is_locked
from diet_explorer.workspace.workspace import Workspace
from tests import rich_workspace, tiny_runs
from tests.loopback_hub import TOKEN, loopback_hub
from tests.object_store import S3Store, s3_store
from tests.pruning.export.pushing import hub_environment
from tests.waiting import until

ROOT = Path(__file__).parents[2]
PAGES = ("home", "datasets", "score", "bin", "browse", "distributions", "data_map", "embedding_map", "audit", "prune")
PASSING = ("backup", "move")


@pytest.fixture
def store() -> Iterator[S3Store]:
    with s3_store() as running:
        yield running


def content(workspace: Workspace) -> dict[str, str]:
    """Every file of a workspace but what is made anew where it is missing."""
    return {name: digest for name, digest in rich_workspace.files(workspace).items() if "/tokens/" not in name}


def tables(workspace: Workspace) -> dict[str, Any]:
    """Every table, without what a backup and its restoring say in the audit log."""
    found = rich_workspace.tables(workspace)
    return {**found, "audit_log": [row for row in found["audit_log"] if row["kind"] not in PASSING]}


def test_a_workspace_in_a_store_to_the_hub_and_back(
    store: S3Store,
    sentences: Path,
    model: Path,
    launch: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bucket = store.bucket()
    home = f"s3://{bucket}/home"
    machine = tmp_path / "machine"
    monkeypatch.setenv("DIET_EXPLORER_SCRATCH", str(machine))
    monkeypatch.setenv("DIET_EXPLORER_HOME", home)
    workspace = Workspace(home)
    dataset = workspace.import_dataset(sentences, text="sentence", label="mood", id="key")
    worker = launch("worker", home=home)

    run = workspace.score(dataset, model=str(model), **tiny_runs.SHORT)
    assert tiny_runs.ended(run) == "succeeded", run.log()
    assert run.landed() == {0: [0.0, 1.0, 2.0]}
    dataset.decide([0, 1], "exclude", annotator="ann")
    run.maps.draw("tuned")
    until(lambda: not run.maps.progress("tuned").is_active, "the map was drawn")
    assert run.maps.progress("tuned").state == "succeeded"
    assert len(run.maps.neighbours(3)) > 0

    with loopback_hub() as hub:
        for name, value in hub_environment(hub.url, tmp_path / "login", HF_TOKEN=TOKEN).items():
            monkeypatch.setenv(name, value)
        export = run.pruning.plan(Policy(kind="decisions")).export()
        export.wait()
        assert export.folder.startswith(home) and export.manifest["counts"] is not None
        assert export.push("ann/films").state == "succeeded"
        assert {"README.md", "manifest.json"} <= set(hub.files("ann/films"))

    for page in PAGES:
        app = AppTest.from_file(ROOT / "app.py", default_timeout=120)
        if page != "home":
            app.switch_page(f"pages/{page}.py")
        app.query_params["run"] = run.id
        app.run()
        assert not app.exception and not app.error, (page, [error.value for error in app.error])

    worker.send_signal(signal.SIGTERM)
    assert worker.wait(60) == 0
    workspace.backup(f"s3://{bucket}/backup")
    again = Workspace.from_backup(f"s3://{bucket}/backup", f"s3://{bucket}/again")
    assert content(again) == content(workspace) and tables(again) == tables(workspace)
    assert not [name for name in workspace.context.files.all_below(home) if name.endswith((".tmp", ".lock"))]

    assert not [folder for folder in machine.glob("*/copies/*") if not is_locked(folder / "lock")]
    assert not list(machine.glob("*/scratch/export-*")) and not list(machine.glob("*/scratch/map-*"))
