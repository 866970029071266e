"""Deleting and bringing back: what is hidden, what goes along, what stays, what is refused; on both databases."""

import io
import json
import os
import shlex
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from diet_explorer import Workspace
from diet_explorer.errors import BadInputError, DeletedError, NotFoundError, PermissionDeniedError
from diet_explorer.pruning.policies import Policy
from diet_explorer.review.annotators import Identity
from diet_explorer.training.config import RunConfig
from tests.synthetic import write_scores
from tests.tiny_runs import inside


@pytest.fixture
def run(workspace, dataset):
    """A finished run with made-up scores."""
    return finished(workspace, dataset, "a run")


def finished(workspace, dataset, name, **settings):
    config = RunConfig(dataset_id=dataset.id, model="bundled", epochs=1, checkpoints=(1.0,), **settings)
    made = workspace.create_run(config, name=name, origin="job")
    logits = np.random.default_rng(1).normal(size=(dataset.rows, 2))
    write_scores(workspace.context.files, dataset.manifest, made.id, 0, 1.0, logits)
    workspace.context.records.set_status(made.id, "running")
    workspace.context.records.set_status(made.id, "succeeded")
    return made.refresh()


def exported(run):
    return run.pruning.plan(Policy(kind="window", drop_hardest=10)).export()


def expire(workspace):
    """The same workspace, in which whatever is in the bin has been there for long enough."""
    later = Workspace(workspace.context.files.root)
    later.context = replace(later.context, settings=later.settings.model_copy(update={"bin_days": 0}))
    return later


def test_a_deleted_dataset_is_hidden_with_all_that_rests_on_it_and_comes_back_with_it(workspace, dataset, run):
    export = exported(run)
    run.pruning.save_policy("mild", Policy(kind="window", drop_hardest=2))
    dataset.decide([3], "exclude", annotator="ann")
    plan = workspace.bin.plan(dataset)
    assert plan.counts == ["1 run", "1 export", "1 saved policy"] and plan.size > 1000 and not plan.work
    assert any("ledger" in sentence for sentence in plan.stays)

    entry = workspace.delete(dataset, by="zoë")
    assert (entry.name, entry.by, entry.size) == (dataset.name, "zoë", plan.size)
    assert workspace.datasets() == workspace.runs() == workspace.exports() == []
    for look in (
        lambda: workspace.dataset(dataset.id),
        lambda: workspace.run(run.id),
        lambda: workspace.export(export.id),
        run.refresh,
        lambda: workspace.create_run(run.config, name="another", origin="job"),
    ):
        with pytest.raises(DeletedError, match="was deleted by zoë") as caught:
            look()
        assert caught.value.remedy.endswith(f"diet-explorer restore dataset:{dataset.id}")

    workspace.restore(f"dataset:{dataset.name}")
    assert [entry.id for entry in workspace.datasets()] == [dataset.id]
    assert [entry.status for entry in workspace.runs() if entry.id == run.id] == ["succeeded"]
    assert workspace.export(export.id).manifest["counts"]
    assert [saved.name for saved in workspace.run(run.id).pruning.policies()] == ["mild"]
    assert workspace.dataset(dataset.id).ledger.events()[0].action == "exclude"
    assert workspace.bin.entries() == []


def test_files_and_records_go_when_the_time_in_the_bin_is_over(workspace, dataset, run, tmp_path):
    inside_workspace = exported(run)
    elsewhere = run.pruning.plan(Policy(kind="window", drop_hardest=10)).export(tmp_path / "mine")
    dataset.decide([3], "exclude", annotator="ann")
    assert str(tmp_path / "mine") in " ".join(workspace.bin.plan(run).stays)
    workspace.delete(run)
    assert workspace.bin.empty(expired=True) == [] and Path(inside_workspace.folder).exists()
    later = expire(workspace)
    assert [entry.id for entry in later.bin.empty(expired=True)] == [run.id]
    root = Path(workspace.context.files.root)
    assert not (root / "runs" / run.id).exists() and not (root / "exports" / inside_workspace.id).exists()
    assert (tmp_path / "mine" / "manifest.json").exists() and not (root / "exports" / elsewhere.id).exists()
    with pytest.raises(NotFoundError, match="no run") as caught:
        workspace.run(run.id)
    assert not isinstance(caught.value, DeletedError)
    assert workspace.bin.entries() == [] and len(workspace.dataset(dataset.id).ledger.events()) == 1
    with pytest.raises(NotFoundError, match="Nothing in the bin"):
        workspace.restore(f"run:{run.id}")


def test_importing_the_same_file_again_brings_its_dataset_back(workspace, dataset, run, sentences):
    workspace.delete(dataset)
    again = workspace.import_dataset(sentences, text="sentence", label="mood", id="key")
    assert again.id == dataset.id and [entry.id for entry in workspace.runs()] == [run.id]


def test_what_jobs_work_on_is_refused_or_cancelled_first(workspace, dataset):
    config = RunConfig(dataset_id=dataset.id, model="bundled", epochs=1, checkpoints=(1.0,))
    run = workspace.create_run(config, name="busy", origin="job")
    assert workspace.bin.plan(dataset).work == ["the run “busy” is queued"]
    with pytest.raises(BadInputError, match="the run “busy” is queued"):
        workspace.delete(dataset)
    assert workspace.run(run.id).status == "queued"
    workspace.delete(dataset, cancel=True)
    workspace.restore(f"dataset:{dataset.id}")
    assert workspace.run(run.id).status == "cancelled"


def test_only_a_lead_may(workspace, dataset):
    annotator = workspace.acting_as(Identity("ann@example.org", "annotator", signed_in=True))
    for do in (
        lambda: annotator.delete(dataset),
        lambda: annotator.rename(dataset, "mine"),
        lambda: annotator.bin.empty(),
    ):
        with pytest.raises(PermissionDeniedError, match="may not"):
            do()
    workspace.delete(dataset)
    with pytest.raises(PermissionDeniedError):
        annotator.restore(f"dataset:{dataset.id}")
    refused = {(entry.who, entry.what) for entry in workspace.audit_log(kind="refusal")}
    assert {("ann@example.org", "may not delete datasets"), ("ann@example.org", "may not empty the bin")} <= refused
    with pytest.raises(PermissionDeniedError, match="read the audit log"):
        annotator.audit_log()


def test_the_audit_log_has_exports_deletions_and_ways_back(workspace, dataset, run):
    export = exported(run)
    run.pruning.save_policy("mild", Policy(kind="window", drop_hardest=2))
    workspace.delete(f"policy:{run.id}/mild", by="zoë")
    workspace.delete(export, by="zoë")
    workspace.restore(f"export:{export.id}", by="ann")
    workspace.bin.empty(by="zoë")
    dataset.export_decisions(io.StringIO(), by="ann")
    lines = [(entry.kind, entry.who, entry.about) for entry in workspace.audit_log()]
    assert lines[:-1] == [
        ("export", "ann", f"dataset:{dataset.id}"),
        ("deletion", "zoë", f"policy:{run.id}/mild"),
        ("restore", "ann", f"export:{export.id}"),
        ("deletion", "zoë", f"export:{export.id}"),
        ("deletion", "zoë", f"policy:{run.id}/mild"),
    ]
    assert (lines[-1][0], lines[-1][2]) == ("export", f"export:{export.id}")


def test_what_is_deleted_twice_or_below_something_deleted_says_so(workspace, dataset, run):
    export = exported(run)
    workspace.delete(export, by="zoë")
    with pytest.raises(DeletedError, match="deleted by zoë"):
        workspace.delete(export)
    workspace.delete(run)
    with pytest.raises(BadInputError, match="is in the bin too"):
        workspace.restore(f"export:{export.id}")
    workspace.restore(f"run:{run.id}")
    assert workspace.exports() == []  # it was deleted for itself
    workspace.restore(f"export:{export.id}")
    assert [entry.id for entry in workspace.exports(run)] == [export.id]


def test_a_saved_policy_comes_back_unless_its_name_is_taken(workspace, run):
    mild = Policy(kind="window", drop_hardest=2)
    run.pruning.save_policy("a/b: mild", mild)
    workspace.delete(f"policy:{run.id}/a/b: mild")
    assert run.pruning.policies() == []
    run.pruning.save_policy("a/b: mild", replace(mild, drop_hardest=5))
    with pytest.raises(BadInputError, match="again"):
        workspace.restore(workspace.bin.entries()[0])
    workspace.rename(f"policy:{run.id}/a/b: mild", "strong")
    workspace.restore(workspace.bin.entries()[0])
    assert {saved.name: saved.policy.drop_hardest for saved in run.pruning.policies()} == {"a/b: mild": 2, "strong": 5}


def test_names_may_have_any_visible_characters(workspace, dataset, run):
    config = Path(f"{workspace.context.files.root}/runs/{run.id}/config.json")
    for name in ("Größe / 100 % “x”", "名前", "a:b", "  two   words "):
        tidy = workspace.rename(dataset, name)
        assert tidy == " ".join(name.split()) and workspace.dataset(tidy).id == dataset.id
        workspace.rename(f"run:{run.id}", name)
        assert workspace.run(tidy).id == run.id and json.loads(config.read_text())["name"] == tidy


def test_names_that_cannot_be_used_are_refused(workspace, dataset, run):
    finished(workspace, dataset, "Other")
    for name in ("", "  ", "x" * 201, "a\x00b", "last", "OTHER", "Ｏther"):
        with pytest.raises(BadInputError):
            workspace.rename(run, name)
    assert workspace.run(run.id).name == "a run"


def test_names_of_runs_follow_the_name_of_their_dataset(workspace, dataset):
    made = finished(workspace, dataset, f"{dataset.name} · bundled")
    workspace.rename(dataset, "films")
    assert workspace.run(made.id).name == "films · bundled"


def test_a_workspace_elsewhere_is_emptied_too(tmp_path, sentences):
    workspace = Workspace(f"memory://bin-{tmp_path.name}", database_url=f"sqlite:///{tmp_path}/a.sqlite")
    dataset = workspace.import_dataset(sentences, text="sentence", label="mood", id="key")
    workspace.rename(dataset, "elsewhere")
    assert workspace.bin.size(dataset) > 1000
    workspace.delete("elsewhere")
    assert workspace.datasets() == []
    workspace.bin.empty()
    assert not workspace.context.files.exists(dataset.folder)


def test_the_bin_keeps_things_for_as_long_as_the_setting_says(workspace, dataset):
    entry = workspace.delete(dataset)
    assert workspace.bin.ends(entry) - entry.at == timedelta(days=workspace.settings.bin_days)
    nothing = expire(workspace)
    nothing.bin.empty()
    assert nothing.bin.entries() == [] and not Path(dataset.folder).exists()


def test_the_commands_delete_restore_and_rename(workspace, dataset, run):
    home = Path(workspace.context.files.root)
    assert json.loads(inside("runs", "--json", home=home).stdout)[0]["size"] > 1000
    assert "on disk" in inside("status", run.id, home=home).stdout
    dry = inside("delete", "dataset:last", "--dry-run", home=home)
    assert "with 1 run" in dry.stdout and workspace.datasets()
    told = inside("delete", f"run:{run.name}", home=home)
    assert f"restore run:{run.id}" in told.stdout and told.returncode == 0
    gone = inside("status", run.id, home=home)
    assert gone.returncode == 2 and "was deleted by" in gone.stderr
    assert run.id in inside("bin", home=home).stdout
    assert json.loads(inside("restore", "last", "--json", home=home).stdout)[0]["id"] == run.id
    assert json.loads(inside("rename", f"run:{run.id}", "ours", "--json", home=home).stdout)["name"] == "ours"
    assert "--yes" in inside("delete", "run:ours", "--now", home=home).stderr
    assert inside("delete", "run:ours", "--now", "--yes", home=home).returncode == 0
    assert inside("bin", home=home).stdout == "The bin is empty.\n"


def test_the_command_that_brings_something_back_can_be_copied_whatever_its_name(workspace, run):
    home = Path(workspace.context.files.root)
    run.pruning.save_policy("it's mild", Policy(kind="window", drop_hardest=2))
    told = inside("delete", f"policy:{run.id}/it's mild", home=home)
    program, *words = shlex.split(told.stdout.split("brought back by: ")[1])
    assert program == "diet-explorer" and inside(*words, home=home).returncode == 0
    assert [saved.name for saved in run.pruning.policies()] == ["it's mild"]


def test_leftovers_are_listed_and_removed_but_never_what_is_in_use(workspace, dataset, run):
    scratch, old = workspace.settings.scratch_folder, time.time() - 3 * 24 * 3600
    failed, busy = finished(workspace, dataset, "failed"), finished(workspace, dataset, "busy")
    records = workspace.context.records
    records.set_status(failed.id, "failed")
    records.set_status(busy.id, "queued")
    root = Path(workspace.context.files.root)
    names = {
        "ended": scratch / run.id,
        "resumable": scratch / failed.id,
        "in use": scratch / busy.id,
        "unknown": scratch / "run-20200101-000000-abcd",
        "somebody's": scratch / "mine",
        "upload": workspace.settings.home_folder / "uploads" / "f00",
        "orphan": root / "runs" / "run-20200101-000000-abcd",
        "unfinished": root / "datasets" / "reviews-1.0123abcd.tmp",
    }
    for folder in names.values():
        folder.mkdir(parents=True)
        (folder / "data").write_bytes(b"x" * 1000)
        for path in (folder / "data", folder):
            os.utime(path, (old, old))
    listed = json.loads(inside("clean", "--dry-run", "--json", home=root).stdout)
    found = {name for name, path in names.items() if str(path) in {entry["path"] for entry in listed["leftovers"]}}
    assert found == {"ended", "unknown", "upload", "orphan", "unfinished"} and not listed["removed"]
    assert listed["size"] == 5 * 1000 and all(path.exists() for path in names.values())
    assert "5 leftovers, 5.0 kB" in inside("clean", home=root).stdout
    assert {name for name, path in names.items() if path.exists()} == {"resumable", "in use", "somebody's"}
    inside("clean", "--checkpoints", home=root)
    assert {name for name, path in names.items() if path.exists()} == {"in use", "somebody's"}
    assert workspace.run(run.id).ranked(limit=1) is not None


def test_another_database_makes_no_orphans(workspace, run, tmp_path):
    other = Workspace(workspace.context.files.root, database_url=f"sqlite:///{tmp_path}/other.sqlite")
    assert other.bin.leftovers() == [] and "DIET_EXPLORER_DATABASE_URL" in other.bin.cautions()[0]
