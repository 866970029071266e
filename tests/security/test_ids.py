"""Attacks by ids: wherever one comes in it is an id or nothing, and a folder is what its manifest says."""

from __future__ import annotations

import io
import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from diet_explorer.data.manifest import DatasetManifest
from diet_explorer.errors import BadInputError, DietExplorerError, NotFoundError
from diet_explorer.jobs.kinds.export import ExportJob
from diet_explorer.jobs.kinds.map import MapJob
from diet_explorer.jobs.kinds.push import PushJob
from diet_explorer.pruning.policies import Policy
from diet_explorer.pruning.shelf import PolicyShelf
from diet_explorer.scoring.progress import RunReports
from diet_explorer.store.bin import BinEntry
from diet_explorer.store.embeddings import EmbeddingFiles
from diet_explorer.store.jobs import JobRecords
from diet_explorer.store.layout import Layout
from diet_explorer.store.names import is_hub_id, is_id
from diet_explorer.store.presence import forget_presence
from diet_explorer.store.scores import ScoreFiles
from diet_explorer.training.config import RunConfig
from tests.tiny_runs import inside
from tests.ui.conftest import Filled, fill, open_page  # noqa: F401  a fixture

CRAFTED = (
    "../uploads/x",
    "..",
    ".",
    "",
    "/etc",
    "a/b",
    "a\\b",
    "x\0",
    "x\n",
    "A",
    "ä",
    "x.tmp",
    "x y",
    "%2e%2e",
    "~",
    "*",
    "a" * 201,
    "ｘ",
    "x?y=1",
    "file://x",
)
Ids = pytest.mark.parametrize("crafted", CRAFTED, ids=repr)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Filled:
    folder = tmp_path_factory.mktemp("ids")
    filled = fill(folder / "home")
    outside = folder / "outside"
    outside.mkdir()
    (outside / "keep.txt").write_text("keep")
    return filled


@given(st.text(max_size=30))
@example("../x")
def test_an_id_is_a_plain_name(text: str) -> None:
    if is_id(text):
        assert text and set(text) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    if is_hub_id(text):
        assert text.count("/") <= 1 and ".." not in text and not text.startswith(("/", ".", "~", "-"))


@Ids
def test_no_path_is_made_of_what_is_no_id(made: Filled, crafted: str) -> None:
    files, settings = made.workspace.context.files, made.workspace.settings
    database = made.workspace.context.database
    layout = Layout(files)
    makers = [
        layout.dataset,
        layout.run,
        layout.export,
        layout.proof,
        layout.proof_training,
        lambda id: layout.measurement(id, "key"),
        lambda id: layout.measurement("dataset-1", id),
        layout.run("run-1").vectors,
        layout.run("run-1").neighbours,
        layout.run("run-1").map,
        layout.run("run-1").map_parameters,
        lambda id: ScoreFiles(files, id),
        lambda id: RunReports(database, id),
        lambda id: EmbeddingFiles(files, id).has_vectors("tuned"),
        lambda id: PolicyShelf(files, id),
        lambda id: ExportJob(settings, files, database, id),
        lambda id: PushJob(settings, files, database, id),
        lambda id: MapJob(settings, files, database, id, "tuned"),
        lambda id: MapJob(settings, files, database, "run-1", id),
        lambda id: forget_presence(settings, id),
        lambda id: DatasetManifest.load(files, id),
        lambda id: made.workspace.context.bin.add(BinEntry("dataset", id, "x", "eve", datetime.now(UTC), 0)),
    ]
    for make in makers:
        with pytest.raises(NotFoundError):
            make(crafted)


@Ids
def test_the_library_finds_nothing_by_it_and_says_so_plainly(made: Filled, crafted: str) -> None:
    workspace, run = made.workspace, made.run
    asked = (
        workspace.dataset,
        workspace.run,
        workspace.proof,
        workspace.export,
        workspace.runs,
        workspace.exports,
        workspace.delete,
        lambda id: workspace.delete(f"dataset:{id}"),
        lambda id: workspace.delete(f"run:{id}"),
        lambda id: workspace.delete(f"map:{id}/tuned"),
        lambda id: workspace.delete(f"map:{run.id}/{id or '..'}"),
        lambda id: workspace.delete(f"policy:{id}/x"),
        lambda id: workspace.rename(f"export:{id}", "x"),
        lambda id: workspace.restore(f"dataset:{id}"),
        lambda id: workspace.bin.size(f"dataset:{id}"),
        lambda id: workspace.bin.plan(f"run:{id}"),
        lambda id: workspace.create_run(RunConfig(id), name="x", origin="job"),
        lambda id: run.maps.neighbours(0, id or ".."),
        lambda id: run.maps.draw(id or ".."),
        lambda id: run.maps.progress(id or ".."),
    )
    for ask in asked:
        with pytest.raises(DietExplorerError) as caught:
            ask(crafted)
        assert made.workspace.settings.home not in str(caught.value)


@Ids
def test_the_command_line_answers_in_a_line(made: Filled, crafted: str) -> None:
    if "\0" in crafted or crafted == "":
        return  # no command line can hold it, or it stands for the newest
    done = inside("rank", crafted, home=Path(made.workspace.settings.home))
    assert done.returncode != 0 and "Traceback" not in done.stderr and "There is no" in done.stderr


def test_an_uploaded_manifest_is_no_dataset(made: Filled) -> None:
    home = Path(made.workspace.settings.home)
    planted = home / "uploads" / "0a1b" / "manifest.json"
    planted.parent.mkdir(parents=True)
    planted.write_text(json.dumps({**made.dataset.manifest.to_json(), "id": "../uploads/0a1b"}))
    with pytest.raises(NotFoundError) as there:
        made.workspace.dataset("../uploads/0a1b")
    with pytest.raises(NotFoundError) as missing:
        made.workspace.dataset("../uploads/none")
    assert str(there.value).replace("0a1b", "none") == str(missing.value)


@pytest.mark.parametrize("named", ["another-0123456789", "../uploads/x", "../../outside", 7, None])
def test_a_manifest_that_names_another_folder_is_no_dataset(made: Filled, named: object) -> None:
    files = made.workspace.context.files
    path = Layout(files).dataset("crafted").manifest
    files.write_json(path, {**made.dataset.manifest.to_json(), "id": named, "name": "crafted too"})
    try:
        assert [dataset.id for dataset in made.workspace.datasets()] == [made.dataset.id]
        with pytest.raises(
            NotFoundError, match=r"the manifest in the folder of this name is of another one|There is no"
        ):
            made.workspace.dataset("crafted")
        with pytest.raises(NotFoundError):
            made.workspace.delete("dataset:crafted")
        assert (Path(made.workspace.settings.home).parent / "outside" / "keep.txt").exists()
    finally:
        shutil.rmtree(Path(path).parent)


def test_damaged_manifests_are_told_plainly(made: Filled) -> None:
    files = made.workspace.context.files
    path = Layout(files).dataset("crafted").manifest
    for value in (
        [],
        {"id": "crafted"},
        {"id": "crafted", "format_version": "x"},
        {"id": "crafted", "format_version": 1},
    ):
        files.write_json(path, value)
        with pytest.raises(DietExplorerError, match="damaged"):
            made.workspace.dataset("crafted")
    shutil.rmtree(Path(path).parent)


def test_files_of_other_ids_are_no_proofs_and_no_exports(made: Filled) -> None:
    files, layout = made.workspace.context.files, Layout(made.workspace.context.files)
    record = {"created_at": "2026-01-01T00:00:00+00:00", "seeds": 3, "steps": 1, "evaluated_on": "test", "evaluated": 1}
    record |= {"variants": [], "trainings": [], "run_id": made.run.id}
    files.write_json(layout.proof("proof-1"), {**record, "id": "proof-2"})
    try:
        assert made.workspace.proofs() == []
        with pytest.raises(NotFoundError):
            made.workspace.proof("proof-1")
    finally:
        files.remove_file(layout.proof("proof-1"))
    export = made.run.pruning.plan(Policy(kind="decisions")).export()
    jobs = JobRecords(made.workspace.context.database)
    try:
        shutil.copytree(Path(layout.export(export.id).folder), Path(layout.export("export-copy").folder))
        with pytest.raises(NotFoundError):
            made.workspace.export("export-copy")
        request = jobs.get("export", export.id).request
        assert request is not None
        for key in ("run_id", "dataset_id"):
            jobs.save_request("export", export.id, {**request, key: "../../outside"})
            with pytest.raises(NotFoundError):
                made.workspace.export(export.id)
    finally:
        jobs.forget("export", export.id)
        for name in (export.id, "export-copy"):
            shutil.rmtree(Path(layout.export(name).folder))


def test_nothing_outside_is_removed_with_the_bin(made: Filled) -> None:
    outside = Path(made.workspace.settings.home).parent / "outside" / "keep.txt"
    for kind in ("dataset", "run", "proof", "export", "map", "policy"):
        for id in ("../../outside", "../outside", str(outside.parent)):
            entry = BinEntry(kind, id, "x", "eve", datetime(2020, 1, 1, tzinfo=UTC), 0)
            for verb in (made.workspace.restore, lambda chosen: made.workspace.bin.empty([chosen])):
                with pytest.raises(NotFoundError):
                    verb(entry)
    assert outside.exists()


def test_a_ledger_that_names_a_run_by_a_path(made: Filled) -> None:
    dataset = made.dataset
    dataset.decide([0], "keep", annotator="ann")
    stream = io.StringIO()
    dataset.export_decisions(stream)
    line = json.loads(stream.getvalue().splitlines()[0])
    for run in ("../x", 7, ["run-1"], "x" * 300):
        with pytest.raises(BadInputError, match=r"Line 1: .* is no id of a run"):
            dataset.import_decisions(io.StringIO(json.dumps({**line, "uid": "new", "run": run})))


def test_an_address_that_names_a_path(made: Filled, open_page, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    monkeypatch.setenv("DIET_EXPLORER_HOME", made.workspace.settings.home)
    for key in ("dataset", "run"):
        app = open_page("browse", **{key: "../uploads/0a1b"})
        words = " ".join(str(entry.value) for entry in (*app.error, *app.markdown, *app.warning))
        assert not app.exception and f"There is no {key} '../uploads/0a1b'" in words.replace("\\", "")
        assert made.workspace.settings.home not in words
