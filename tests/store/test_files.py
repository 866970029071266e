"""Nobody ever sees half a file, on local disks and elsewhere."""

import errno
import os
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fsspec.registry import _registry

from diet_explorer.errors import BadInputError, NotFoundError, WorkspaceError
from diet_explorer.store.files import Files
from diet_explorer.store.queries import Queries, parquet
from diet_explorer.workspace.workspace import Workspace


@pytest.fixture(params=["local", "memory"])
def files(request, tmp_path):
    return Files(tmp_path / "home" if request.param == "local" else f"memory://{tmp_path.name}-{request.param}")


def test_write_read_list_remove(files):
    path = files.path("folder", "a.json")
    files.write_json(path, {"né": [1, "שלום"]})
    assert files.read_json(path) == {"né": [1, "שלום"]}
    assert files.list(files.path("folder")) == ["a.json"]
    assert files.list(files.path("nothing")) == []
    files.remove_file(path)
    files.remove_file(path)
    assert not files.exists(path)
    with pytest.raises(NotFoundError, match=r"There is no file .*a\.json"):
        files.read_json(path)


def test_an_interrupted_write_leaves_the_old_bytes(files):
    path = files.path("a.bin")
    files.write_bytes(path, b"old")
    with pytest.raises(ZeroDivisionError), files.atomic_writer(path) as stream:
        stream.write(b"new, but not all of it")
        raise ZeroDivisionError
    assert files.read_bytes(path) == b"old"
    assert files.list(files.root) == ["a.bin"]


def test_a_folder_above_may_be_removed_meanwhile(tmp_path, monkeypatch):
    make = Path.mkdir

    def slow_mkdir(path: Path, **options: object) -> None:
        if path.name == "own" and (tmp_path / "empty").exists():
            monkeypatch.setattr(Path, "mkdir", make)
            (tmp_path / "empty").rmdir()  # another process has ended, and leaves no empty folder
        make(path, **options)

    (tmp_path / "empty").mkdir()
    monkeypatch.setattr(Path, "mkdir", slow_mkdir)
    Files(tmp_path).make_folder(str(tmp_path / "empty" / "own"))
    assert (tmp_path / "empty" / "own").is_dir()


def test_two_files_may_be_open_at_once(files):
    with files.atomic_writer(files.path("a")) as first, files.atomic_writer(files.path("b")) as second:
        second.write(b"2")
        first.write(b"1")
        assert files.list(files.root) == []
    assert (files.read_bytes(files.path("a")), files.read_bytes(files.path("b"))) == (b"1", b"2")


def test_an_interrupted_folder_is_gone(files):
    path = files.path("set")
    with pytest.raises(ZeroDivisionError), files.new_folder(path, "part") as folder:
        folder.write_bytes(folder.path("part"), b"1")
        raise ZeroDivisionError
    assert files.list(files.root) == [] and not files.exists(path)
    with files.new_folder(path, "part") as folder:
        folder.write_bytes(folder.path("part"), b"1")
        assert not files.exists(path)
    assert files.list(path) == ["part"]
    with files.new_folder(path, "part") as folder:
        folder.write_bytes(folder.path("part"), b"2")
    assert files.read_bytes(f"{path}/part") == b"1", "who comes second leaves the first one's folder"


def test_damaged_json_is_told(files):
    files.write_bytes(files.path("a.json"), b"{")
    with pytest.raises(WorkspaceError, match=r"a\.json is damaged"):
        files.read_json(files.path("a.json"))


def test_sql_reads_both(files):
    with files.atomic_writer(files.path("t.parquet")) as stream:
        pq.write_table(pa.table({"n": [1, 2, 3]}), stream)
    assert Queries(files).value(f"SELECT sum(n) FROM {parquet(files.path('t.parquet'))}") == 6


@pytest.mark.parametrize(
    ("number", "words"), [(errno.ENOSPC, "Free some disk space"), (errno.EROFS, "read-only"), (errno.EACCES, "right")]
)
def test_a_full_or_locked_disk_is_told(tmp_path, number, words):
    files = Files(tmp_path)
    with pytest.raises(WorkspaceError, match="Cannot write") as caught, files.atomic_writer(files.path("a")):
        raise OSError(number, os.strerror(number))
    assert words in caught.value.remedy
    assert "another workspace" not in caught.value.remedy, "it may be where an export or a backup goes"
    assert list(tmp_path.iterdir()) == []


def test_no_space_left_for_real(tmp_path):
    """/dev/full is a disk that is always full."""
    files = Files(tmp_path)
    with (
        pytest.raises(WorkspaceError, match="no space left") as caught,
        files.atomic_writer(files.path("a")),
        Path("/dev/full").open("wb", buffering=0) as full,
    ):
        full.write(b"x")
    assert "Free some disk space" in caught.value.remedy


@pytest.mark.parametrize("form", ["parquet", "csv", "json"])
def test_a_disk_that_is_full_for_duckdb_is_full_for_everybody(tmp_path, form):
    """/dev/full is a disk that is always full."""
    queries = Queries(Files(tmp_path))
    with pytest.raises(OSError, match="No space left") as caught:
        queries.copy("SELECT range AS n FROM range(100000)", "/dev/full", form)
    assert caught.value.errno == errno.ENOSPC


def test_a_workspace_below_a_file_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    files = Files(tmp_path / "file" / "home")
    with pytest.raises(WorkspaceError, match="Cannot write"):
        files.write_bytes(files.path("a"), b"1")


def test_sigkill_in_mid_write_leaves_old_or_new(tmp_path):
    target = tmp_path / "a.bin"
    target.write_bytes(b"0" * 2_000_000)
    code = (
        "import sys; from diet_explorer.store.files import Files\n"
        f"files = Files({str(tmp_path)!r})\n"
        "for n in range(1, 10**6): files.write_bytes(files.path('a.bin'), str(n % 10).encode() * 2_000_000); "
        "print(n, flush=True)"
    )
    for round_ in range(5):
        with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            for _ in range(3 + round_):
                writer.stdout.readline()
            time.sleep(0.001 * round_)
            writer.kill()
        found = target.read_bytes()
        assert len(found) == 2_000_000 and len(set(found)) == 1
        assert Files(tmp_path).list(str(tmp_path)) == ["a.bin"], "what a kill leaves behind is not listed"


@pytest.mark.parametrize(
    ("url", "kind", "words"),
    [
        ("s3://bucket/folder", WorkspaceError, "diet-explorer[s3]"),
        ("gs://bucket/folder", WorkspaceError, "diet-explorer[gcs]"),
        ("az://container/folder", WorkspaceError, "diet-explorer[azure]"),
        ("nosuch://x/y", BadInputError, "no kind of address nosuch://"),
    ],
)
def test_what_a_remote_workspace_needs_is_named(monkeypatch, url, kind, words):
    for package in ("s3fs", "gcsfs", "adlfs"):
        monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(_registry, url.partition(":")[0], raising=False)  # once loaded it is kept
    with pytest.raises(kind) as caught:
        Files(url)
    assert words in str(caught.value)


def test_a_store_that_cannot_be_reached_is_told(monkeypatch):
    class NoCredentialsError(Exception):
        pass

    def refuse(*_):
        raise NoCredentialsError("Unable to locate credentials")

    files = Files("memory://bucket/folder")
    monkeypatch.setattr(type(files.filesystem), "info", refuse)
    with pytest.raises(WorkspaceError, match="memory://bucket/folder cannot be reached: Unable to locate credentials"):
        Workspace("memory://bucket/folder")
