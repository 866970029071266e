"""Every public verb of the library × every role: it does what the table says, and a verb that is not in it fails."""

from __future__ import annotations

import ast
import io
import re
import zipfile
from pathlib import Path

import pytest

from diet_explorer import Workspace
from diet_explorer.analysis.filters import ExampleFilter
from diet_explorer.errors import BadInputError, DietExplorerError, PermissionDeniedError
from diet_explorer.jobs.queue import JobQueue
from diet_explorer.pruning.policies import Policy
from diet_explorer.review.annotators import Identity, Role
from diet_explorer.store.layout import Layout
from diet_explorer.ui.drawing.csv_download import filtered_csv
from tests.security.role_table import CALLS, ROLES, TABLE, as_markdown, least_roles, public_verbs, try_verb
from tests.ui.conftest import fill

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "who-can-do-what.md"
LEAST = least_roles()
# what pages may take from a workspace's plumbing: all else they ask its public verbs for
PLUMBING = {"allow", "may", "model", "audit_log", "note_download", "settings", "identity", "reach", "files.root"}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A finished run with a proof, an export and a saved policy."""
    filled = fill(tmp_path_factory.mktemp("roles") / "home")
    run, files = filled.run, filled.workspace.context.files
    run.pruning.save_policy("kept", Policy(kind="decisions"))
    run.pruning.plan(Policy(kind="decisions")).export()
    record = {"id": "proof-1", "run_id": run.id, "created_at": "2026-01-01T00:00:00+00:00", "seeds": 3, "steps": 1}
    training = {"variant": 0, "seed": 0, "key": "key-1", "run_id": run.id}
    files.write_json(
        Layout(files).proof("proof-1"),
        record
        | {"evaluated_on": "test", "evaluated": 1, "trainings": [training]}
        | {"variants": [{"kind": "full", "policy": None, "size": 118}]},
    )
    figures = {"run_id": run.id, "seed": 0, "checkpoint": 2.0, "split": "test", "figures": None}
    files.write_json(Layout(files).proof_training("key-1"), figures)
    filled.dataset.decide([1], "keep", annotator="ann")
    return filled.workspace


def test_every_public_verb_is_in_the_table() -> None:
    assert public_verbs() == set(LEAST)
    assert set(CALLS) <= set(LEAST)
    assert sum(len(verbs.split()) for roles in TABLE.values() for verbs in roles.values()) == len(LEAST)


@pytest.fixture
def _nothing_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither is the sample read, nor a job queued, once the role is known."""

    def refuse(*arguments: object) -> None:
        raise BadInputError("Not in a test.", "Try it in the app.")

    monkeypatch.setattr("diet_explorer.workspace.workspace.open_sample", refuse)
    monkeypatch.setattr(JobQueue, "submit", refuse)


@pytest.mark.usefixtures("_nothing_slow")
@pytest.mark.parametrize("role", ROLES)
def test_each_role_may_what_the_table_says_and_nothing_else(workspace: Workspace, role: Role) -> None:
    wrong = []
    for verb, least in LEAST.items():
        acting = workspace.acting_as(Identity("ann", role, signed_in=True))
        try:
            try_verb(acting, verb)
            allowed = True
        except PermissionDeniedError:
            allowed = False
        except (DietExplorerError, TimeoutError):  # it might, and something else is in the way
            allowed = True
        if allowed != (ROLES.index(role) >= ROLES.index(least)):
            wrong.append(f"{verb} is {'allowed' if allowed else 'refused'}")
    assert wrong == []


def test_who_is_signed_in_acts_in_no_other_name_and_role(workspace: Workspace) -> None:
    acting = workspace.acting_as(Identity("eve", "viewer", signed_in=True))
    for by in ("lea", Identity("lea", "lead"), Identity("lea", "lead", signed_in=True)):
        with pytest.raises(PermissionDeniedError):
            acting.rename("run:a run", "another run", by=by)
        with pytest.raises(PermissionDeniedError):
            acting.run("a run").pruning.plan(Policy(kind="decisions")).export(by=by)
        with pytest.raises(PermissionDeniedError):
            acting.datasets()[0].decide([0], "keep", annotator=by)


def test_pages_do_nothing_past_the_verbs() -> None:
    """What pages take from a context is of no consequence; everything else goes through verbs of the table."""
    makers = {"Exports", "ExportJob", "PushJob", "MapJob", "RunRecords", "BinRecords", "DecisionRecords", "JobQueue"}
    makers |= {
        "Ledger",
        "Context",
        "create_record",
        "enter_record",
        "Files",
        "PolicyShelf",
        "RunRows",
        "TrainingResults",
    }
    for path in [*(ROOT / "pages").glob("*.py"), *(ROOT / "diet_explorer" / "ui").rglob("*.py")]:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        called = {
            node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        }
        assert not called & makers, path
        if path.name == "observation.py":  # says to operators whether the parts of the workspace answer, and no more
            continue
        taken = re.findall(r"(?<!\bst)\.context\.(\w+(?:\.\w+)?)", path.read_text(encoding="utf-8"))
        assert not [name for name in taken if name not in PLUMBING and name.partition(".")[0] not in PLUMBING], path


def test_what_is_downloaded_is_noted_before_it_is_made(workspace: Workspace) -> None:
    acting = workspace.acting_as(Identity("vic", "viewer", signed_in=True))
    run, export = acting.run("a run"), acting.exports()[0]
    table = filtered_csv(run, "el2n", run.default_checkpoint(), None, ExampleFilter())()
    (Path(export.folder) / "beside.txt").write_text("not of the export")
    with zipfile.ZipFile(io.BytesIO(export.archive())) as archive:
        names = {name.removeprefix(f"{export.id}/") for name in archive.namelist()}
    assert len(table.splitlines()) > 2
    assert names == {"manifest.json", *(entry["path"] for entry in export.manifest["files"])}
    noted = [(entry.role, entry.what, entry.about) for entry in workspace.audit_log(kind="export", who="vic")]
    assert noted == [
        ("viewer", f"downloads the export {export.name!r}", f"export:{export.id}"),
        ("viewer", f"downloads examples of the run {run.name!r}", f"run:{run.id}"),
    ]
    nobody = workspace.acting_as(Identity("nobody", "nobody", signed_in=True))
    with pytest.raises(PermissionDeniedError):
        nobody.context.note_download("anything", "run:x")


def test_the_documentation_has_the_table() -> None:
    assert as_markdown() in PAGE.read_text(encoding="utf-8"), (
        "put tests.security.role_table.as_markdown() into the page"
    )
