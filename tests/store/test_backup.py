"""Backing up, checking and restoring: equal to the last cell on both databases, incremental, and never half a one."""

import shutil
import zipfile
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from diet_explorer import Workspace
from diet_explorer.errors import BadInputError, NotFoundError, PermissionDeniedError, WorkspaceError
from diet_explorer.review.annotators import Identity
from tests import rich_workspace
from tests.faults import services


@pytest.fixture(scope="module")
def rich(tmp_path_factory, sentences):
    """A workspace with something of everything; not to be changed."""
    workspace = Workspace(tmp_path_factory.mktemp("rich") / "home")
    rich_workspace.fill(workspace, sentences)
    return workspace


@pytest.fixture(scope="module")
def kept(rich, tmp_path_factory):
    """Its backup in a folder."""
    folder = tmp_path_factory.mktemp("kept") / "backup"
    rich.backup(folder)
    return folder


def new_database(postgres, tmp_path):
    name = f"r{abs(hash(str(tmp_path)))}"
    postgres.psql(f"CREATE DATABASE {name}")
    return postgres.get_uri(database=name)


@pytest.mark.parametrize("name", ["backup", "b.zip", "b.tar"])
def test_what_is_restored_is_the_original_and_goes_on(rich, tmp_path, name):
    made = rich.backup(tmp_path / name)
    assert made.files > 10 and made.size > 10_000 and made.new_bytes <= made.size
    again = Workspace.from_backup(tmp_path / name, tmp_path / "new" / "home")
    rich_workspace.assert_same(again, rich)
    assert again.context.id != rich.context.id

    run = next(run for run in again.runs() if run.name == "in work")
    assert (run.status, run.record.workflow_id) == ("interrupted", None) and "in work" in run.error
    highest = max(row["id"] for row in rich_workspace.tables(rich)["decisions"])
    assert again.datasets()[0].decide([9], "keep", annotator="zoë").id == highest + 1
    assert again.exports()[0].folder.startswith(str(tmp_path / "new"))
    with pytest.raises(DBAPIError, match="stay as they are"), again.context.database.begin() as connection:
        connection.execute(text("DELETE FROM audit_log"))


def test_token_ids_are_left_out_for_they_are_made_anew(workspace, dataset, tmp_path):
    files, folder = workspace.context.files, f"datasets/{dataset.id}/tokens/key"
    workspace.backup(tmp_path / "backup")
    files.make_folder(files.path(folder))
    for name in ("offsets.npy", "manifest.json"):
        files.write_bytes(files.path(folder, name), bytes(1_000_000))
    again = workspace.backup(tmp_path / "backup")
    assert again.new_bytes < 1_000_000
    restored = Workspace.from_backup(tmp_path / "backup", tmp_path / "new")
    assert restored.datasets()[0].id == dataset.id
    assert not (tmp_path / "new" / "datasets" / dataset.id / "tokens").exists()


def test_from_sqlite_to_postgresql_and_back(kept, rich, postgres, tmp_path):
    there = Workspace.from_backup(kept, tmp_path / "there", database_url=new_database(postgres, tmp_path))
    rich_workspace.assert_same(there, rich)
    there.backup(tmp_path / "b.zip")
    back = Workspace.from_backup(tmp_path / "b.zip", tmp_path / "back")
    rich_workspace.assert_same(back, rich)
    highest = max(row["id"] for row in rich_workspace.tables(rich)["decisions"])
    assert there.datasets()[0].decide([9], "keep", annotator="zoë").id == highest + 1
    with pytest.raises(DBAPIError, match="stay as they are"), there.context.database.begin() as connection:
        connection.execute(text("UPDATE audit_log SET who = 'nobody'"))
    with pytest.raises(BadInputError, match="has tables of a workspace already"):
        Workspace.from_backup(kept, tmp_path / "other", database_url=there.settings.database_url)
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("url", ["postgresql://ann:secret@127.0.0.1:1/none", "filled"])
def test_a_database_that_cannot_be_filled_is_told_before_anything_is_copied(kept, rich, tmp_path, url):
    address = rich.settings.explorer_url if url == "filled" else url

    def never(_share: float, words: str) -> None:
        raise AssertionError(words)

    with pytest.raises((BadInputError, WorkspaceError), match=r"has tables of a workspace|cannot be used"):
        Workspace.from_backup(kept, tmp_path / "new", database_url=address, progress=never)
    workspace = Workspace(tmp_path / "home")
    with pytest.raises((BadInputError, WorkspaceError), match=r"has tables of a workspace|cannot be used"):
        workspace.move(tmp_path / "new", database_url=address, progress=never)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "cat.jpg").touch()
    with pytest.raises(BadInputError, match=r"is not empty: it has 'cat\.jpg'") as caught:
        workspace.move(tmp_path / "full", progress=never)
    assert caught.value.remedy == "Move to a new or empty folder or address."
    assert sorted(path.name for path in tmp_path.iterdir()) == ["full", "home"]


def test_a_second_backup_adds_what_is_new_and_drops_what_is_gone(sentences, tmp_path):
    workspace = Workspace(tmp_path / "home")
    run = rich_workspace.fill(workspace, sentences)
    first = workspace.backup(tmp_path / "backup")
    run.dataset.decide([20], "exclude", annotator="ann")
    run.pruning.save_policy("another", run.pruning.saved_policy("mild ü").policy)
    second = workspace.backup(tmp_path / "backup")
    assert first.new_bytes <= first.size and 0 < second.new_bytes < first.size / 4
    contents = [path for path in (tmp_path / "backup" / "contents").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in contents) <= second.size, "what no manifest names any more is gone"
    rich_workspace.assert_same(Workspace.from_backup(tmp_path / "backup", tmp_path / "new"), workspace)


def damage_a_byte(path: Path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("how", ["a bit", "a file less", "a shorter file", "the manifest", "no manifest"])
def test_a_damaged_backup_is_refused_before_anything_is_touched(kept, tmp_path, how):
    broken = tmp_path / "broken"
    shutil.copytree(kept, broken)
    content = max(
        (path for path in broken.rglob("*") if path.parent.parent.name == "contents"), key=lambda p: p.stat().st_size
    )
    if how == "a bit":
        damage_a_byte(content)
    elif how == "a file less":
        content.unlink()
    elif how == "a shorter file":
        content.write_bytes(content.read_bytes()[:-1])
    elif how == "the manifest":
        damage_a_byte(broken / "backup.json")
    else:
        (broken / "backup.json").unlink()
    words = "There is no backup" if how == "no manifest" else "is damaged"
    with pytest.raises((WorkspaceError, NotFoundError), match=words):
        Workspace.from_backup(broken, tmp_path / "home")
    assert not (tmp_path / "home").exists()


def test_from_a_folder_to_an_object_store_and_back(rich, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    with services.store("s3", tmp_path) as store:
        for name, value in store.variables().items():
            monkeypatch.setenv(name, value)
        at = store.home.removesuffix("/home")
        rich.backup(f"{at}/backups")
        assert rich.backup(f"{at}/backups").new_bytes < 10_000, "only lines of the audit log are new"
        there = Workspace.from_backup(f"{at}/backups", f"{at}/new")
        rich_workspace.assert_same(there, rich)
        there.backup(f"{at}/all.zip")
        rich_workspace.assert_same(Workspace.from_backup(f"{at}/all.zip", tmp_path / "back"), rich)


@pytest.mark.parametrize("name", ["b.zip", "b.tar"])
def test_an_archive_that_was_cut_short_is_refused(rich, tmp_path, name):
    rich.backup(tmp_path / name)
    whole = (tmp_path / name).read_bytes()
    for size in (0, 100, len(whole) // 2, len(whole) - 40_000):
        (tmp_path / f"cut-{name}").write_bytes(whole[:size])
        with pytest.raises((WorkspaceError, NotFoundError)):
            Workspace.from_backup(tmp_path / f"cut-{name}", tmp_path / "home")
    assert not (tmp_path / "home").exists()


class Killed(BaseException):
    """Stands for what ends a process."""


@pytest.mark.parametrize("name", ["backup", "b.zip"])
@pytest.mark.parametrize("at", [1, 8])
def test_a_backup_that_is_cut_off_leaves_the_earlier_one(sentences, tmp_path, name, at):
    workspace = Workspace(tmp_path / "home")
    rich_workspace.fill(workspace, sentences)
    seen = []

    def end(_share: float, words: str) -> None:
        seen.append(words)
        if len(seen) == at:
            raise Killed

    with pytest.raises(Killed):
        workspace.backup(tmp_path / name, progress=end)
    with pytest.raises(NotFoundError, match="There is no backup"):
        Workspace.from_backup(tmp_path / name, tmp_path / "none")
    workspace.backup(tmp_path / name)
    before = rich_workspace.tables(workspace)["decisions"]
    workspace.datasets()[0].decide([30], "exclude", annotator="ann")
    seen.clear()
    with pytest.raises(Killed):
        workspace.backup(tmp_path / name, progress=end)
    assert rich_workspace.tables(Workspace.from_backup(tmp_path / name, tmp_path / "new"))["decisions"] == before


def test_a_restore_that_is_cut_off_leaves_nothing_or_says_what_it_left(kept, tmp_path):
    def end(_share: float, words: str) -> None:
        if words.startswith("Copying runs"):
            raise Killed

    with pytest.raises(Killed):
        Workspace.from_backup(kept, tmp_path / "home", progress=end)
    assert list((tmp_path / "home").iterdir()) == []

    def look(_share: float, words: str) -> None:
        if words.startswith("Copying runs"):
            shutil.copytree(tmp_path / "home", tmp_path / "killed", dirs_exist_ok=True)  # as a kill would leave it

    Workspace.from_backup(kept, tmp_path / "home", progress=look)
    with pytest.raises(WorkspaceError, match="being restored from a backup, or that was cut off"):
        Workspace(tmp_path / "killed")


def test_what_is_written_while_it_is_copied(sentences, tmp_path):
    """Somebody decides, scores, exports and empties the bin whenever the backup has copied one more file."""
    workspace = Workspace(tmp_path / "home")
    run = rich_workspace.fill(workspace, sentences)
    dataset, step = run.dataset, iter(range(1000))

    def meddle(_share: float, _words: str) -> None:
        number = next(step)
        dataset.decide([number % 50], "exclude", annotator=f"a{number}")
        if number in (2, 6, 11):
            later = rich_workspace.finished(workspace, dataset.id, f"later {number}")
            later.pruning.plan(run.pruning.saved_policy("mild ü").policy).export()
        if number == 9:
            workspace.bin.empty()

    workspace.backup(tmp_path / "backup", progress=meddle)
    again = Workspace.from_backup(tmp_path / "backup", tmp_path / "new")
    decisions = rich_workspace.tables(again)["decisions"]
    assert decisions == rich_workspace.tables(workspace)["decisions"][: len(decisions)]
    assert {one.id for one in again.runs()} <= {one.id for one in workspace.runs()}
    for one in again.runs():
        if one.status == "succeeded":
            assert len(one.ranked(limit=None)) == dataset.rows
    for export in again.exports():
        assert again.run(export.run_id) and export.manifest["counts"]
    assert again.bin.clean() == [], "nothing without a record"


def test_a_backup_is_not_taken_for_an_empty_place_of_a_workspace(kept):
    there = sorted(path.name for path in kept.iterdir())
    with pytest.raises(WorkspaceError, match="is a backup, and no workspace") as caught:
        Workspace(kept)
    assert f"diet-explorer restore {kept} --workspace" in caught.value.remedy
    assert sorted(path.name for path in kept.iterdir()) == there


def test_where_a_backup_may_lie(rich, kept, sentences, tmp_path):
    other = Workspace(tmp_path / "home")
    with pytest.raises(BadInputError, match="of another workspace"):
        other.backup(kept)
    rich.backup(tmp_path / "b.zip")
    with pytest.raises(BadInputError, match="no backup of this workspace"):
        other.backup(tmp_path / "b.zip")
    (tmp_path / "x.zip").write_bytes(b"my thesis")
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").write_bytes(b"a cat")
    (tmp_path / "x.tar").write_bytes(b"my thesis")
    for target in ("x.zip", "x.tar"):
        with pytest.raises(BadInputError, match="no backup of this workspace") as caught:
            other.backup(tmp_path / target)
        assert "Name another file" in caught.value.remedy
    for target in ("photos", "home/backup", "b.tar.gz"):
        with pytest.raises((BadInputError, WorkspaceError)):
            other.backup(tmp_path / target)
    assert (tmp_path / "x.zip").read_bytes() == b"my thesis"
    with pytest.raises(BadInputError, match="is not empty"):
        Workspace.from_backup(kept, tmp_path / "photos")
    with pytest.raises(PermissionDeniedError):
        other.acting_as(Identity("ann", "annotator")).backup(tmp_path / "b")


def test_no_path_of_this_machine_and_no_secret_is_in_a_workspace(rich, kept, tmp_path):
    home = rich.context.files.root.encode()
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("tables", repr(rich_workspace.tables(rich)))
    assert home not in repr(rich_workspace.tables(rich)).encode()
    for path in Path(rich.context.files.root).rglob("*"):
        if path.is_file() and path.suffix in (".json", ".jsonl", ".md"):
            assert home not in path.read_bytes(), path
