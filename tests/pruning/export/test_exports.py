"""Exports: what is in them, the same bytes again, and none that looks complete without being it."""

import csv
import hashlib
import json
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from diet_explorer import Workspace
from diet_explorer.cli.app import app
from diet_explorer.errors import BadInputError, JobCancelledError, JobFailedError
from diet_explorer.jobs.holding import Holds
from diet_explorer.jobs.kinds.export import ExportJob
from diet_explorer.jobs.progress import JobProgress
from diet_explorer.jobs.slots import WorkerSlot
from diet_explorer.jobs.workflow import carry_out
from diet_explorer.pruning.export.request import ExportOptions, ExportRequest
from diet_explorer.pruning.policies import Policy
from diet_explorer.review.annotators import Identity
from diet_explorer.training.config import RunConfig
from tests.synthetic import write_scores

ROWS = 240
NAMES = ["note", "stars", "key", "sentence", "keep", "mood", "part"]  # one like a column that exports add
NOTES = ["=1+1", "+x", "-y", "@cmd", "plain", "", 'quo"te', "line\nbreak", "ümlaut", "a,b"]


def source_row(number):
    part = "test" if number % 10 == 9 else "dev" if number % 10 == 8 else "train"
    text = f"sentence {number} about {number * 7919 % 1000} and {number * 104729 % 997} things"
    stars = "" if number % 13 == 0 else repr(number / 4)
    return [
        NOTES[number % 10],
        stars,
        f"k{number:03d}",
        text,
        str(number % 2),
        ["sad", "fine", "glad"][number % 3],
        part,
    ]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """A set with further columns, a finished run of two seeds with random scores, and some decisions."""
    home = tmp_path_factory.mktemp("exports")
    with (home / "set.csv").open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([NAMES, *map(source_row, range(ROWS))])
    workspace = Workspace(home / "workspace")
    dataset = workspace.import_dataset(
        home / "set.csv", text="sentence", label="mood", id="key", split="part", name="set"
    )
    config = RunConfig(dataset.id, epochs=1, seeds=2, checkpoints=(0.0, 1.0)).validated()
    run = workspace.create_run(config, name="run", origin="job")
    rng = np.random.default_rng(0)
    for seed in range(2):
        for point in (0.0, 1.0):
            logits = rng.normal(size=(ROWS, 3))
            write_scores(workspace.context.files, dataset.manifest, run.id, seed, point, logits)
    workspace.context.records.set_status(run.id, "succeeded")
    dataset.decide([0, 1, 9], "exclude", annotator="ann")  # the last one is a test row
    dataset.decide([2], "relabel", label="sad", annotator="ann")
    dataset.decide([3], "keep", annotator="ann")
    return workspace


@pytest.fixture
def run(workspace):
    return workspace.runs()[0]


def table(folder, split, form):
    """Rows of a split as dictionaries of texts and numbers, by other readers than the program's."""
    if form == "csv":
        return list(csv.DictReader((folder / f"{split}.csv").open(newline="", encoding="utf-8")))
    if form == "jsonl":
        return [json.loads(line) for line in (folder / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()]
    if form == "parquet":
        return pq.read_table(folder / f"{split}.parquet").to_pylist()
    import datasets

    found = datasets.load_from_disk(str(folder))[split]
    assert found.features["mood"].names == ["fine", "glad", "sad"]
    labels = {name: found.features[name] for name in ("mood", "original_label")}
    return [{**row, **{name: of.int2str(row[name]) for name, of in labels.items()}} for row in found]


def bytes_of(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet", "datasets"])
def test_kept_rows_in_the_source_columns_and_the_same_bytes_again(run, workspace, tmp_path, form):
    plan = run.pruning.plan(Policy(drop_hardest=10, drop_easiest=5, deduplicate=True))
    export = plan.export(tmp_path / "out", format=form)
    for split, part in (("train", "train"), ("validation", "dev"), ("test", "test")):
        numbers = [row for row in range(ROWS) if source_row(row)[-1] == part and plan.selection.keep[row]]
        found = table(tmp_path / "out", split, form)
        assert [row["key"] for row in found] == [f"k{row:03d}" for row in numbers]
        assert list(found[0]) == [*NAMES, "original_label"]
        for number, row in zip(numbers, found, strict=True):
            note, stars, _, text, keep, mood, _ = source_row(number)
            assert row["note"] == note and row["sentence"] == text and str(row["keep"]) == keep
            assert (float(row["stars"]) if row["stars"] not in ("", None) else "") == (float(stars) if stars else "")
            assert row["original_label"] == mood and row["mood"] == ("sad" if number == 2 else mood)
            assert row["part"] == split
    dropped = list(csv.DictReader((tmp_path / "out" / "dropped.csv").open(newline="")))
    assert [row["id"] for row in dropped] == [f"k{row:03d}" for row in np.flatnonzero(~plan.selection.keep)]
    assert [row["reason"] for row in dropped[:2]] == ["excluded by an annotator"] * 2
    manifest = export.manifest
    assert sum(entry["kept"] for entry in manifest["counts"] if entry["split"] == "train") == len(plan.rows)
    for entry in manifest["files"]:
        data = (tmp_path / "out" / entry["path"]).read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (entry["bytes"], entry["sha256"])
    assert str(tmp_path) not in json.dumps(manifest)
    event = run.dataset.decide([5], "exclude", annotator="late")  # what comes later changes nothing
    workspace.export_again(tmp_path / "out" / "manifest.json", tmp_path / "again")
    run.dataset.undo("late")
    assert event.id > manifest["decisions"]["position"]
    assert bytes_of(tmp_path / "again") == bytes_of(tmp_path / "out")
    assert [found.id for found in workspace.exports(run)][1] == export.id
    assert workspace.export(export.id).status == "succeeded"


def test_the_plan_of_a_request_is_the_one_that_was_made(run, workspace):
    for policy in (Policy(drop_hardest=10, deduplicate=True), Policy("random", keep=50), Policy("hardest", run_seed=1)):
        plan = run.pruning.plan(policy)
        request = ExportRequest.of(run.id, plan, ExportOptions(all_rows=True))
        again = request.plan(workspace.context.files, run.dataset.ledger)
        assert again.policy == plan.policy and again.decisions_at == plan.decisions_at
        assert again.rows.tolist() == plan.rows.tolist() and again.labels.tolist() == plan.labels.tolist()
        assert again.counts().equals(plan.counts()) and again.reasons().equals(plan.reasons())
        assert again.checkpoint == plan.checkpoint == 1.0 and np.array_equal(
            again.ranking.column("el2n"), plan.ranking.column("el2n")
        )
        kept = ExportRequest.of(run.id, plan, ExportOptions())
        assert kept.checkpoint == (1.0 if policy.needs_scores else None)  # which scores the bytes hang on


def test_all_rows_with_why_and_their_scores(run, tmp_path):
    plan = run.pruning.plan(Policy(drop_hardest=10))
    plan.export(tmp_path / "out", format="jsonl", all_rows=True)
    rows = [row for split in ("train", "validation", "test") for row in table(tmp_path / "out", split, "jsonl")]
    assert len(rows) == ROWS
    scores = run.ranking(1.0).columns.score("el2n")
    for row in rows:
        number = int(row["key"][1:])
        assert row["keep"] == str(number % 2) or row["keep"] == number % 2  # the source's own column
        assert row["keep_diet_explorer"] == bool(plan.selection.keep[number])
        assert row["original_label"] == source_row(number)[5]
        assert row["el2n"] == pytest.approx(float(scores[number]), abs=1e-6)
    reasons = {row["reason"] for row in rows if not row["keep_diet_explorer"]}
    assert reasons == {"excluded by an annotator", "too hard"}


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet", "datasets"])
def test_all_rows_have_the_notes_that_stood_and_nobody_s_name(run, workspace, tmp_path, form):
    dataset, splits = run.dataset, ("train", "validation", "test")
    dataset.note([4, 9], "=irony?\nask", annotator="zoe")  # row 9 is a test row
    dataset.decide([4], "keep", annotator="bob", note="clear")
    dataset.note([5], "taken back", annotator="max")
    dataset.undo("max")
    plan = run.pruning.plan(Policy("decisions"))
    later = dataset.note([6], "too late", annotator="max")
    neutral = {"neutralise_formulas": True} if form == "csv" else {}
    export = plan.export(tmp_path / "out", format=form, all_rows=True, **neutral)
    plan.export(tmp_path / "kept", format=form)
    workspace.export_again(tmp_path / "out", tmp_path / "again")
    for who in ("max", "bob", "zoe"):
        dataset.undo(who)
    assert later.id > export.manifest["decisions"]["position"]
    rows = {row["key"]: row for split in splits for row in table(tmp_path / "out", split, form)}
    assert rows["k004"]["note"] == NOTES[4], "the source's own column"
    mark = "'" if neutral else ""
    noted = {key: row["note_diet_explorer"] for key, row in rows.items() if row["note_diet_explorer"] not in (None, "")}
    assert noted == {"k004": f"{mark}=irony?\nask\nclear", "k009": f"{mark}=irony?\nask"}
    assert bytes_of(tmp_path / "again") == bytes_of(tmp_path / "out")
    assert "note_diet_explorer" not in table(tmp_path / "kept", "train", form)[0]
    assert not any(b"zoe" in data for data in bytes_of(tmp_path / "out").values())
    run.pruning.plan(plan.policy).export(tmp_path / "without", format=form, all_rows=True)
    assert "note_diet_explorer" not in table(tmp_path / "without", "train", form)[0], "no note stands any more"


def test_formulas_are_neutralised_where_asked(run, tmp_path):
    plan = run.pruning.plan(Policy("decisions"))
    notes = {}
    for neutralise in (False, True):
        export = plan.export(tmp_path / str(neutralise), neutralise_formulas=neutralise)
        splits = ("train", "validation", "test")
        rows = [row for split in splits for row in table(tmp_path / str(neutralise), split, "csv")]
        notes[neutralise] = [row["note"] for row in rows]
    assert notes[True] == [f"'{note}" if note[:1] in tuple("=+-@") else note for note in notes[False]]
    assert export.manifest["neutralised_cells"] == sum(note[:1] in tuple("=+-@") for note in notes[False])
    with pytest.raises(BadInputError, match="CSV only"):
        plan.export(tmp_path / "no", format="parquet", neutralise_formulas=True)


@given(
    kind=st.sampled_from(["window", "hardest", "random", "class_balanced", "stratified"]),
    share=st.integers(40, 90),
    form=st.sampled_from(["csv", "jsonl", "parquet"]),
    all_rows=st.booleans(),
)
@settings(max_examples=settings().max_examples // 5, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_manifests_replay_to_the_same_bytes(run, workspace, tmp_path, kind, share, form, all_rows):
    policy = (
        Policy(kind, drop_easiest=100 - share) if kind in ("window", "class_balanced") else Policy(kind, keep=share)
    )
    for name in ("one", "two"):
        shutil.rmtree(tmp_path / name, ignore_errors=True)
    run.pruning.plan(policy).export(tmp_path / "one", format=form, all_rows=all_rows)
    workspace.export_again(tmp_path / "one", tmp_path / "two")
    assert bytes_of(tmp_path / "one") == bytes_of(tmp_path / "two")


def test_a_manifest_that_does_not_fit_is_refused_and_leaves_nothing(run, workspace, tmp_path):
    run.pruning.plan(Policy("random", keep=50)).export(tmp_path / "out")
    path = tmp_path / "out" / "manifest.json"
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps(manifest | {"policy": Policy("random", keep=50, seed=1).to_json()}))
    with pytest.raises(JobFailedError, match=r"dropped\.csv.*differ"):
        workspace.export_again(path, tmp_path / "again")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["out"]
    with pytest.raises(BadInputError, match="not empty"):
        run.pruning.plan().export(tmp_path / "out")


def test_a_viewer_exports_nothing(run, tmp_path):
    viewer = Identity("eve@example.org", "viewer", signed_in=True)
    with pytest.raises(Exception, match="may not write an export"):
        run.pruning.plan().export(tmp_path / "out", by=viewer)
    assert not (tmp_path / "out").exists()


_CHILD = """
import sys
from diet_explorer import Workspace
from diet_explorer.cli.app import app
from diet_explorer.pruning.policies import Policy
Workspace(sys.argv[1]).runs()[0].pruning.plan(Policy(drop_hardest=5)).export(sys.argv[2], format="jsonl", all_rows=True)
"""


@pytest.mark.parametrize("delay", [0.0, 0.05])
def test_a_killed_export_never_looks_complete(workspace, tmp_path, delay):
    target = tmp_path / "out"
    child = subprocess.Popen([sys.executable, "-c", _CHILD, workspace.context.files.root, str(target)])
    while child.poll() is None and not list(tmp_path.iterdir()):
        time.sleep(0.002)
    time.sleep(delay)
    child.send_signal(signal.SIGKILL)
    child.wait()
    if target.exists():  # it was quicker: then all of it is there
        files = json.loads((target / "manifest.json").read_text())["files"]
        for entry in files:
            assert hashlib.sha256((target / entry["path"]).read_bytes()).hexdigest() == entry["sha256"]
    else:
        assert all(entry.name.endswith(".tmp") for entry in tmp_path.iterdir())


def submitted(run, workspace, folder):
    """A queued export, its job, and the work that a worker would do; there is no worker that would take it up."""
    export = run.pruning.plan(Policy(drop_hardest=5)).submit_export(folder, format="parquet")
    job = ExportJob(workspace.settings, workspace.context.files, workspace.context.database, export.id)

    def work():
        slot = WorkerSlot(workspace.settings)
        holds = Holds(slot, workspace.context.database)
        with holds.holding(job.thing, export.id, lambda: False):
            state = carry_out(job, export.id, holds)
        slot.release()
        return state

    return export, job, work


def test_a_job_that_was_killed_begins_anew_and_ends_as_a_direct_call(run, workspace, tmp_path):
    export, job, work = submitted(run, workspace, tmp_path / "out")
    assert export.status == "queued"
    leftover = Path(f"{export.folder}.{export.id}.tmp")
    leftover.mkdir()
    (leftover / "train.parquet").write_bytes(b"half")
    assert work() == "succeeded" and export.wait().status == "succeeded"
    assert not leftover.exists()
    run.pruning.plan(Policy(drop_hardest=5)).export(tmp_path / "direct", format="parquet")
    assert bytes_of(tmp_path / "out") == bytes_of(tmp_path / "direct")
    job.save(JobProgress(state="running", job=export.id, starts=1))
    assert work() == "succeeded"  # killed after the end, before it was noted


def test_a_cancelled_job_leaves_nothing(run, workspace, gate, tmp_path, monkeypatch):
    for name, value in gate.environment.items():
        monkeypatch.setenv(name, value)
    gate.close("diet_explorer.jobs.own_process")
    target = tmp_path / "target"
    target.mkdir()
    export, _, work = submitted(run, workspace, target / "out")
    ended = []
    thread = threading.Thread(target=lambda: ended.append(work()))
    thread.start()
    gate.reached("diet_explorer.jobs.own_process")
    export.cancel()
    thread.join()
    assert ended == ["cancelled"] and export.status == "cancelled"
    assert not list(target.iterdir())
    with pytest.raises(JobCancelledError):
        export.wait()


def test_saved_policies(run):
    first, second = Policy(drop_hardest=2), Policy("stratified", keep=50)
    run.pruning.save_policy("mine", first)
    run.pruning.save_policy("other", second)
    run.pruning.save_policy("mine", second)
    assert {saved.name: saved.policy for saved in run.pruning.policies()} == {"mine": second, "other": second}
    run.pruning.delete_policy("mine")
    assert [saved.name for saved in run.pruning.policies()] == ["other"]
    with pytest.raises(BadInputError):
        run.pruning.save_policy(" ", first)


def test_the_preview_counts_what_the_export_would_do(run):
    plan = run.pruning.plan(Policy(drop_hardest=10, drop_easiest=5))
    found = plan.preview(bins=7, examples=3)
    scores, keep, train = run.ranking(1.0).columns.score("el2n"), plan.selection.keep, plan.material.train
    assert (found.counts.eval("before - dropped - moved_out + moved_in") == found.counts["kept"]).all()
    assert found.histogram["kept"].sum() == len(plan.rows) and found.histogram["dropped"].sum() == plan.dropped
    hard = sorted((float(scores[row]), f"k{row:03d}") for row in range(ROWS) if plan.selection.reasons[row] == 6)
    easy = sorted((float(scores[row]), f"k{row:03d}") for row in range(ROWS) if plan.selection.reasons[row] == 7)
    assert {cut.end: cut.value for cut in found.cuts} == {"hardest": hard[0][0], "easiest": easy[-1][0]}
    kept = sorted((float(scores[row]), f"k{row:03d}") for row in plan.rows)
    shown = {key: part["id"].tolist() for key, part in found.boundary.groupby(["end", "side"])}
    assert shown["hardest", "dropped"] == [name for _, name in hard[:3]]
    assert shown["hardest", "kept"] == [name for _, name in kept[::-1][:3]]
    assert shown["easiest", "dropped"] == [name for _, name in easy[::-1][:3]]
    assert shown["easiest", "kept"] == [name for _, name in kept[:3]]
    order = run.audit.order(checkpoint=1.0)
    worst = order[: round(len(order) * 0.05)]
    assert found.suspects.set_index("worst").loc[0.05].tolist() == [keep[worst].sum(), (~keep[worst]).sum()]
    states = found.decisions.set_index("state")
    assert states.loc["exclude"].tolist() == [0, 2] and states.loc["relabel"].tolist() == [1, 0]
    assert found.ignored_decisions == 1
    lengths = [len(source_row(row)[3]) for row in plan.rows]
    assert found.lengths.summary.set_index("figure")["after"]["mean"] == pytest.approx(np.mean(lengths))
    differs = run.ranking(1.0).columns["disagree"]
    wrong, right = {0, 1, 2}, {3}
    before = [row in wrong or (row not in right and bool(differs[row])) for row in np.flatnonzero(train)]
    after = [row not in wrong | right and bool(differs[row]) for row in plan.rows]
    assert (found.noise.before, found.noise.after) == pytest.approx((np.mean(before), np.mean(after)))


def test_the_command_line_writes_the_same(run, workspace, tmp_path, capsys):
    def prune(*words):
        app(["prune", *words, "--workspace", workspace.context.files.root, "--json"], standalone_mode=False)
        return json.loads(capsys.readouterr().out)

    prune(run.id, "--drop-hardest", "5", "--output", str(tmp_path / "one"))
    run.pruning.plan(Policy(drop_hardest=5)).export(tmp_path / "two")
    assert bytes_of(tmp_path / "one") == bytes_of(tmp_path / "two")
    found = prune("--from-manifest", str(tmp_path / "one" / "manifest.json"), "--output", str(tmp_path / "three"))
    assert found["state"] == "done" and bytes_of(tmp_path / "three") == bytes_of(tmp_path / "two")
    words = shlex.split(json.loads((tmp_path / "one" / "manifest.json").read_text())["command"])
    assert words[:2] == ["diet-explorer", "prune"] and words[-2:] == ["--output", "DIR"]
    prune(*words[2:-1], str(tmp_path / "four"))
    assert bytes_of(tmp_path / "four") == bytes_of(tmp_path / "two")
