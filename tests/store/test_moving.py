"""Which workspace a database is of; upgrading after a backup; moving to another home and database."""

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config

from diet_explorer import Workspace
from diet_explorer.config import load_settings
from diet_explorer.errors import BadInputError, WorkspaceError
from diet_explorer.jobs.kinds.export import ExportJob
from diet_explorer.jobs.protocol import application_name
from diet_explorer.store import database
from diet_explorer.store.belonging import close_for_move
from diet_explorer.store.database import open_database
from diet_explorer.store.files import Files
from diet_explorer.store.locks import try_lock
from tests import rich_workspace
from tests.tiny_runs import inside
from tests.waiting import until


def new_database(postgres, tmp_path, name="m"):
    name = f"{name}{abs(hash(str(tmp_path)))}"
    postgres.psql(f"CREATE DATABASE {name}")
    return postgres.get_uri(database=name)


def downgraded(home: Path, revision: str) -> None:
    """The tables of a workspace as an earlier version of the program had them."""
    configuration = Config()
    configuration.set_main_option("script_location", str(Path(database.__file__).parent / "migrations"))
    with open_database(load_settings(home=str(home))).begin() as connection:
        configuration.attributes.update(connection=connection, home=str(home))
        command.downgrade(configuration, revision)


def test_a_database_that_is_given_to_two_workspaces_is_refused(postgres, tmp_path):
    url = new_database(postgres, tmp_path)
    first = Workspace(tmp_path / "one", database_url=url)
    assert Workspace(tmp_path / "one", database_url=url).context.id == first.context.id
    with pytest.raises(WorkspaceError, match="is of another workspace") as caught:
        Workspace(tmp_path / "two", database_url=url)
    assert first.context.id in caught.value.message and str(tmp_path / "two") in caught.value.message
    assert "DIET_EXPLORER_DATABASE_URL" in caught.value.remedy
    assert Workspace(tmp_path / "two").context.id != first.context.id, "nothing was left behind"
    with pytest.raises(WorkspaceError, match="which has the id"):
        Workspace(tmp_path / "two", database_url=url)


def test_two_that_open_a_new_workspace_at_once_make_one(postgres, tmp_path, monkeypatch):
    """Also in a store that does not tell two apart which create the same object; services start together."""
    url, others = new_database(postgres, tmp_path, "n"), []

    def opened():
        return Workspace(tmp_path / "home", database_url=url).context.id

    def waits():
        return " t\n" in postgres.psql("SELECT count(*) > 0 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")

    def create(files, path, data):
        if not others:
            others.append(pool.submit(opened))
            until(lambda: others[0].done() or waits(), "the other one has come as far as it can")
        files.write_bytes(path, data)

    monkeypatch.setattr(Files, "create", create)
    with ThreadPoolExecutor(1) as pool:
        assert opened() == others[0].result()


def test_files_without_an_id_get_that_of_their_own_database(tmp_path):
    known = Workspace(tmp_path).context.id
    for text in (None, '{"version": 1}'):
        (tmp_path / "workspace.json").unlink() if text is None else (tmp_path / "workspace.json").write_text(text)
        assert Workspace(tmp_path).context.id == known
        assert json.loads((tmp_path / "workspace.json").read_text())["id"] == known


def test_one_jobs_database_serves_workspaces_apart_however_they_are_spelt(tmp_path, monkeypatch):
    jobs = f"sqlite:///{tmp_path}/jobs.sqlite"
    for name in ("one", "two"):
        Workspace(tmp_path / name, jobs_url=jobs)
    (tmp_path / "link").symlink_to(tmp_path / "one")
    monkeypatch.chdir(tmp_path)
    spelt = [f"{tmp_path}/one", f"{tmp_path}/one/", "one", "two/../one", "link", f"file://{tmp_path}/one"]
    names = {application_name(load_settings(home=home, jobs_url=jobs)) for home in spelt}
    assert len(names) == 1
    other = load_settings(home="two", jobs_url=jobs)
    assert application_name(other) not in names
    first = Workspace("link", jobs_url=jobs)
    first.context.jobs.submit(ExportJob.route, "export-1", "export-1")
    assert [job.id if hasattr(job, "id") else job for job in first.context.jobs.in_sight()]
    assert not list(Workspace("two", jobs_url=jobs).context.jobs.in_sight())
    first.context.jobs.close()


def test_a_copied_folder_is_told_from_its_original_and_gets_an_id_of_its_own(tmp_path):
    jobs = f"sqlite:///{tmp_path}/jobs.sqlite"
    original, copied = tmp_path / "original", tmp_path / "copied"
    first = Workspace(original, jobs_url=jobs)
    first.context.jobs.check()
    shutil.copytree(original, copied)
    (tmp_path / "the-mount").symlink_to(original)
    Workspace(tmp_path / "the-mount", jobs_url=jobs).context.jobs.check()
    with pytest.raises(WorkspaceError, match="one is a copy of the other's folder") as caught:
        Workspace(copied, jobs_url=jobs).context.jobs.check()
    assert str(original) in caught.value.message and "diet-explorer upgrade --own-id" in caught.value.remedy
    Workspace(original, jobs_url=jobs).context.jobs.check()

    assert inside("upgrade", "--own-id", home=copied).returncode == 0
    again = Workspace(copied, jobs_url=jobs)
    assert again.context.id != first.context.id
    again.context.jobs.check()
    moved = first.move(tmp_path / "elsewhere", jobs_url=jobs)
    moved.context.jobs.check()
    Workspace(original, jobs_url=jobs).context.jobs.check()


def test_two_stores_on_one_machine_share_no_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    homes = [load_settings(home=f"memory://{name}").home_folder for name in ("a", "b", "a/")]
    assert homes[0] == homes[2] != homes[1]


def test_an_older_workspace_is_upgraded_when_asked_and_backed_up_first(sentences, tmp_path):
    home = tmp_path / "home"
    workspace = Workspace(home)
    rich_workspace.fill(workspace, sentences)
    before = rich_workspace.tables(workspace)["decisions"]
    downgraded(home, "0003")
    (home / "workspace.json").write_text('{"version": 1}')
    with pytest.raises(WorkspaceError, match="older version of diet-explorer") as caught:
        Workspace(home)
    assert "diet-explorer upgrade" in caught.value.remedy

    lock = try_lock(home / "app.lock")
    assert inside("upgrade", "--yes", home=home).returncode == 1
    lock.release()
    asked = inside("upgrade", home=home)
    assert asked.returncode == 2 and "--yes" in asked.stderr
    assert not (tmp_path / "home-before-upgrade").exists()
    done = inside("upgrade", "--yes", home=home)
    assert (done.returncode, done.stdout.split()[0]) == (0, "Upgraded"), done.stderr
    again = Workspace(home)
    assert rich_workspace.tables(again)["decisions"] == before
    assert again.audit_log(kind="upgrade")[0].what.startswith("upgrades the tables from 0003")
    assert inside("upgrade", home=home).returncode == 0

    old = Workspace.from_backup(tmp_path / "home-before-upgrade", tmp_path / "old")
    assert rich_workspace.tables(old)["decisions"] == before


def test_a_move_says_what_room_it_takes_and_does_not_begin_without(sentences, tmp_path, monkeypatch):
    home = tmp_path / "home"
    workspace = Workspace(home)
    dataset = workspace.import_dataset(sentences, text="sentence", label="mood", id="key")
    size = sum(path.stat().st_size for path in (home / "datasets").rglob("*") if path.is_file())
    monkeypatch.setattr("shutil.disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9, size))
    with pytest.raises(WorkspaceError, match=r"The move needs about .* are free") as caught:
        workspace.move(tmp_path / "new" / "home")
    assert str(tmp_path / "new" / "home") in caught.value.message and "another disk" in caught.value.remedy
    assert dataset.decide([1], "keep", annotator="ann") is not None, "it is open still"
    monkeypatch.undo()
    moved = inside("move", str(tmp_path / "new"), home=home)
    assert moved.returncode == 0 and "The move needs about" in moved.stderr, moved.stderr
    assert "are free" in moved.stderr


def test_a_move_that_was_killed_is_not_taken_for_one_that_is_done(sentences, tmp_path):
    home, where = tmp_path / "home", str(tmp_path / "new")
    close_for_move(Workspace(home).context.database, where)  # as a kill leaves it
    with pytest.raises(WorkspaceError, match="is not done, or was cut off") as caught:
        Workspace(home).import_dataset(sentences, text="sentence", label="mood")
    assert where in caught.value.message and "--back" in caught.value.remedy
    assert Workspace(home).move_back().import_dataset(sentences, text="sentence", label="mood").rows == 60


def test_no_worker_waits_where_nothing_comes_any_more(tmp_path, monkeypatch):
    home, started = tmp_path / "home", []
    monkeypatch.setattr("diet_explorer.jobs.worker.run_worker", lambda *_, **__: started.append("worker"))
    monkeypatch.setattr(
        "diet_explorer.jobs.supervisor.run_app", lambda *_, **given: started.append(given["with_worker"])
    )
    workspace = Workspace(home)
    assert inside("worker", home=home).returncode == inside("app", home=home).returncode == 0
    workspace.move(tmp_path / "new")
    refused = inside("worker", home=home)
    assert refused.returncode == 1 and f"was moved to {tmp_path / 'new'}" in refused.stderr
    assert inside("app", home=home).returncode == 0
    assert started == ["worker", True, False]


def test_a_workspace_moves_to_another_home_and_database_and_the_old_one_says_so(sentences, postgres, tmp_path):
    workspace = Workspace(tmp_path / "home")
    run = rich_workspace.fill(workspace, sentences)
    with pytest.raises(BadInputError, match="would be cut off"):
        workspace.move(tmp_path / "new")
    workspace.context.records.set_status(workspace.run("in work").id, "cancelled")
    beside = Workspace(tmp_path / "home")  # another process, which has it open already

    def fail(share: float, _words: str) -> None:
        if share > 0.6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        workspace.move(tmp_path / "new", progress=fail)
    run.dataset.decide([11], "keep", annotator="ann")  # it is as it was
    decisions = rich_workspace.tables(workspace)["decisions"]

    moved = workspace.move(tmp_path / "new", database_url=new_database(postgres, tmp_path))
    assert moved.context.id == workspace.context.id
    assert rich_workspace.tables(moved)["decisions"] == decisions
    assert rich_workspace.files(moved) == rich_workspace.files(workspace)
    assert sorted(path.name for path in tmp_path.iterdir() if "moving" in path.name) == []
    for old in (beside, Workspace(tmp_path / "home")):
        assert len(old.datasets()[0].ledger.events()) == len(decisions)
        with pytest.raises(WorkspaceError, match="was moved to") as caught:
            old.datasets()[0].decide([12], "keep", annotator="ann")
        assert str(tmp_path / "new") in caught.value.message and "--back" in caught.value.remedy
    with pytest.raises(WorkspaceError, match="was moved to"):
        Workspace(tmp_path / "home").import_dataset(sentences, text="sentence", label="mood")
    assert moved.datasets()[0].decide([12], "keep", annotator="ann").id == decisions[-1]["id"] + 1

    third = moved.move(tmp_path / "third")
    with pytest.raises(WorkspaceError, match="was moved to"):
        moved.datasets()[0].decide([13], "keep", annotator="ann")
    assert rich_workspace.tables(third)["decisions"] == rich_workspace.tables(moved)["decisions"]
    back = Workspace(tmp_path / "home").move_back()
    assert back.datasets()[0].decide([12], "keep", annotator="ann") is not None
