"""Pushing to a Hub on this machine with the real clients, in processes of their own, since the client library reads the
address of the Hub when it is imported."""

from __future__ import annotations

import io
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from diet_explorer.config import Settings, load_settings
from diet_explorer.errors import BadInputError, HubError, HubTokenError, JobCancelledError, NotFoundError
from diet_explorer.jobs.kinds.push import PushJob, PushProgress
from diet_explorer.pruning.export.formats import (
    EXPORT_FORMATS,
    CsvWriter,
    DatasetsSplitWriter,
    ExportFormat,
    JsonLinesWriter,
    ParquetRowWriter,
    RowWriter,
    features_of,
    with_features,
)
from diet_explorer.pruning.export.hub import check_repo_name
from diet_explorer.store.database import open_database
from diet_explorer.store.files import Files
from tests.loopback_hub import TOKEN, Account, LoopbackHub, Refusal, loopback_hub
from tests.object_store import s3_store
from tests.pruning.export.pushing import hub_environment, load_from_hub, push_all, write_export

ROWS = {"train": [{"text": "one\r\ntwo", "label": 0}, {"text": "NA", "label": 1}], "test": [{"text": "", "label": 1}]}


def parquet(rows: list[dict[str, Any]]) -> bytes:
    stream = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), stream)
    return stream.getvalue()


def exported(folder: Path, **files: bytes) -> Path:
    """An export of three large files; `files` replace or add to them."""
    contents = {**{split: parquet(rows) for split, rows in ROWS.items()}, "extra": bytes(300_000), **files}
    splits = {"train": "train", "test": "test"}
    write_export(folder, {f"{name}.parquet": (splits.get(name), data) for name, data in contents.items()})
    return folder


@pytest.fixture
def hub() -> Iterator[LoopbackHub]:
    with loopback_hub() as server:
        yield server


@pytest.fixture
def job(hub: LoopbackHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PushJob:
    for name, value in hub_environment(hub.url, tmp_path / "login").items():
        monkeypatch.setenv(name, value)
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    home = str(tmp_path / "workspace")
    return push_job(load_settings(home=home), "export-1")


def push_job(settings: Settings, export_id: str) -> PushJob:
    """The push of an export."""
    return PushJob(settings, Files(settings.home), open_database(settings), export_id)


def push_process() -> int:
    """The process of this test's push."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        parent = int(stat.read_text().rpartition(")")[2].split()[1]) if stat.exists() else 0
        if parent == os.getpid() and b"own_process" in (stat.parent / "cmdline").read_bytes():
            return int(stat.parent.name)
    raise AssertionError("there is no push under way")


def names_the_token(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and TOKEN.encode() in path.read_bytes()]


def test_killed_push_leaves_the_old_revision_and_is_resumed(hub: LoopbackHub, job: PushJob, tmp_path: Path) -> None:
    first = exported(tmp_path / "first", old=b"goes")
    job.start(first, "ann/reviews", token=TOKEN)
    done = job.wait()
    repository = hub.repositories["ann/reviews"]
    assert (done.state, done.private, repository.private, done.share) == ("succeeded", True, True, 1.0)
    assert (done.url, done.commit) == (f"{hub.url}/datasets/ann/reviews", repository.head.oid)
    before = hub.files("ann/reviews")

    second = exported(
        tmp_path / "second", train=parquet([*ROWS["train"], {"text": "three", "label": 0}]), extra=b"x" * 9
    )
    hub.stored.clear()
    hub.hold(after=1)
    job.start(second, "ann/reviews", token=TOKEN)
    assert hub.holding.wait(60)
    with pytest.raises(BadInputError, match="being pushed already"):
        job.start(second, "ann/reviews", token=TOKEN)
    process = push_process()
    for secret in ("cmdline", "environ"):
        assert TOKEN.encode() not in Path(f"/proc/{process}/{secret}").read_bytes()
    while not hub.stored:
        time.sleep(0.01)
    assert names_the_token(tmp_path) == []
    os.kill(process, signal.SIGKILL)
    with pytest.raises(HubError, match="was ended; the Hub has what it had before"):
        job.wait()
    assert job.progress().state == "interrupted"
    assert hub.files("ann/reviews") == before
    assert len(repository.commits) == 2

    hub.release()
    job.start(second, "ann/reviews", token=TOKEN)
    job.wait()
    assert len(hub.stored) == len(set(hub.stored)) == 2  # the finished one was not sent again, nor what was there
    after = hub.files("ann/reviews")
    assert "old.parquet" not in after
    assert {name: data for name, data in after.items() if name not in (".gitattributes", "README.md")} == {
        path.name: path.read_bytes() for path in second.iterdir()
    }
    assert len(repository.commits) == 3

    begun = hub.begun
    job.start(second, "ann/reviews", token=TOKEN)  # nothing has changed: nothing is sent, nothing is committed
    assert job.wait().commit == repository.head.oid
    assert (hub.begun, len(repository.commits)) == (begun, 3)
    assert names_the_token(tmp_path) == []
    assert not [line for line in hub.lines if TOKEN in line]


def test_cancel_and_login(hub: LoopbackHub, job: PushJob, tmp_path: Path) -> None:
    assert job.progress() == PushProgress()
    folder = exported(tmp_path / "export")
    job.start(folder, "ann/reviews")
    with pytest.raises(HubTokenError, match="There is no token for the Hub"):
        job.wait()
    (tmp_path / "login").mkdir(exist_ok=True)
    (tmp_path / "login" / "token").write_text(TOKEN)  # as `hf auth login` leaves it
    hub.hold(after=0)
    job.start(folder, "ann/reviews")
    assert hub.holding.wait(60)
    used = tmp_path / "workspace" / "scratch" / "fetched" / "export-1"
    assert used.exists()
    (used / "copy").touch()  # as of an export that lies elsewhere
    job.cancel()
    with pytest.raises(JobCancelledError, match="the Hub has what it had before"):
        job.wait()
    assert not used.exists()
    assert job.progress().finished_at is not None
    assert len(hub.repositories["ann/reviews"].commits) == 1


def test_what_may_go_wrong(hub: LoopbackHub, tmp_path: Path) -> None:
    folder = str(exported(tmp_path / "export"))
    hub.accounts |= {"hf_old": Account("ann", expired=True), "hf_read": Account("ann", role="read")}
    hub.create("ann/other", {"train.csv": b"text,label\n"})
    own_card = b"---\nconfigs:\n- config_name: default\n  data_files: own.csv\n---\n"
    hub.create("ann/csv", {"README.md": own_card, "own.csv": b"text\nmine\n"}, private=True)
    hub.create("ann/public", {"README.md": b"# Public\n"})
    hub.create("ann/broken", {"README.md": b"---\na: [1\n---\n"}, private=True)
    hub.create("ann/read", private=True)
    hub.create("bob/his")
    hub.refusals += [
        Refusal("/ann/limited/commit", 429, headers={"Retry-After": "1"}, times=2),
        Refusal("/ann/later/preupload", 429, headers={"RateLimit": '"api";r=0;t=4000'}, times=9),
        Refusal("/ann/raced/commit", 412, "A commit has happened since."),
        Refusal("/ann/rough/commit", 503, f"Busy with {TOKEN}"),
    ]
    cases = {
        "ann/limited": ("", ""),
        "ann/raced": ("", ""),
        "ann/old": ("HubTokenError", "The Hub's answer is that the token has expired."),
        "ann/unknown": ("HubTokenError", "The Hub's answer is that the token is not accepted: it is mistyped, revoked"),
        "ann/read": ("HubRightsError", "The token may not write to the dataset ann/read on the Hub."),
        "bob/new": ("HubRightsError", "The token may not write to the dataset bob/new on the Hub."),
        "bob/his": ("HubNameClashError", "The dataset bob/his is public on the Hub, and this push was to be private."),
        "ann/public": ("HubNameClashError", "The dataset ann/public is public on the Hub"),
        "ann/other": ("HubNameClashError", "The dataset ann/other on the Hub has files that no push of diet-explorer"),
        "ann/csv": ("HubNameClashError", "The dataset ann/csv on the Hub has data of another format: own.csv."),
        "ann/broken": ("HubError", "The card (README.md) of ann/broken on the Hub begins with lines that are not YAML"),
        "ann/later": ("HubRateLimitError", "The Hub lets no more requests through for now (error 429)."),
        "ann/rough": ("HubError", "The Hub refused the push to ann/rough with error 503: Busy with ***."),
        "ann": ("BadInputError", "'ann' cannot name a dataset on the Hub."),
    }
    tokens = {"ann/old": "hf_old", "ann/unknown": "hf_unknown", "ann/read": "hf_read"}
    wanted = [
        {"folder": folder, "repo": repo, "private": repo != "ann/other", "token": tokens.get(repo, TOKEN)}
        for repo in cases
    ]
    found = push_all(hub_environment(hub.url, tmp_path / "login"), wanted)
    for (repo, (kind, message)), result in zip(cases.items(), found, strict=True):
        assert result.get("error", "") == kind, (repo, result)
        assert result.get("message", "").startswith(message), result
        assert not kind or (result["remedy"] and "\n" not in result["message"] + result["remedy"])
        assert TOKEN not in str(result)
    assert found[0]["told"].count("Uploading") >= 1
    assert "The Hub asks to wait: going on in 1 s" in found[0]["told"]
    assert len(hub.repositories["ann/limited"].commits) == len(hub.repositories["ann/raced"].commits) == 2
    refused = ("ann/other", "ann/public", "ann/broken", "ann/read", "bob/his")
    assert all(len(hub.repositories[repo].commits) == 1 for repo in refused)


@pytest.mark.parametrize("offline", [False, True], ids=["no connection", "offline by setting"])
def test_no_hub(tmp_path: Path, offline: bool) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{unused.getsockname()[1]}"
        environment = hub_environment(endpoint, tmp_path / "login", **({"HF_HUB_OFFLINE": "1"} if offline else {}))
        wanted = {"folder": str(exported(tmp_path / "export")), "repo": "ann/x", "private": True, "token": TOKEN}
        (found,) = push_all(environment, [wanted])
    assert found["error"] == "HubOfflineError"
    assert found["message"] == (
        "The Hub cannot be reached: HF_HUB_OFFLINE or HF_DATASETS_OFFLINE is set."
        if offline
        else "The Hub cannot be reached: the connection is refused."
    )


@pytest.mark.parametrize(
    "name", ["", "ann", "ann/", "/x", "a/b/c", "ann/x y", "ann/x--y", "ann/.x", "ann/x.git", "é/x", "a/" + "b" * 95]
)
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(BadInputError, match="cannot name a dataset on the Hub"):
        check_repo_name(name)


def test_names() -> None:
    for name in ("ann/x", "a/b", "Ann-1/re_views.v2", "a/_x"):
        check_repo_name(name)


def test_folder_that_is_no_export(job: PushJob, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="is not a finished export"):
        job.start(tmp_path, "ann/x", token=TOKEN)
    folder = exported(tmp_path / "export")
    (folder / "test.parquet").write_bytes(b"")
    with pytest.raises(HubError, match=r"test\.parquet is missing or was changed"):
        job.start(folder, "ann/x", token=TOKEN)
    assert job.progress() == PushProgress()


def test_export_of_a_remote_workspace(hub: LoopbackHub, job: PushJob, tmp_path: Path) -> None:
    with s3_store() as store:
        home, scratch = f"s3://{store.bucket()}/elsewhere", tmp_path / "scratch"
        remote = push_job(load_settings(home=home, scratch=str(scratch)), "export-2")
        with pytest.raises(NotFoundError, match="is not a finished export"):
            remote.start(f"{home}/exports/export-2", "ann/far", token=TOKEN)
        folder = exported(tmp_path / "export-2")
        s3 = fsspec.filesystem("s3", skip_instance_cache=True, use_listings_cache=False)
        for path in folder.iterdir():
            s3.put_file(str(path), f"{home}/exports/export-2/{path.name}")
        remote.start(f"{home}/exports/export-2", "ann/far", token=TOKEN)
        assert remote.wait().state == "succeeded"
    found = hub.files("ann/far")
    assert {name: found[name] for name in found.keys() - {"README.md", ".gitattributes"}} == {
        path.name: path.read_bytes() for path in folder.iterdir()
    }
    assert not list(scratch.rglob("fetched/*")) and not list(scratch.rglob("*.parquet"))


NASTY = [
    {"id": "007", "text": 'one\r\n"two", three', "stars": 5, "rank": 1, "share": 0.1, "good": True, "label": "pos"},
    {"id": "1e5", "text": "NA", "stars": -3, "rank": None, "share": None, "good": False, "label": "neg"},
    {"id": " x ", "text": "", "stars": 2**53, "rank": 2, "share": 1e-9, "good": True, "label": "neg"},
    {"id": "=1+1", "text": "é\u2028🙂\t#", "stars": 0, "rank": 3, "share": -2.5, "good": False, "label": "pos"},
]


def exported_as(form: ExportFormat, folder: Path) -> Path:
    """An export of the nasty rows by the program's own writers."""
    folder.mkdir()
    described = with_features(pa.Table.from_pylist(NASTY).schema, ["label"], ["neg", "pos"])
    rows = NASTY
    if form == "datasets":
        rows = [{**row, "label": ["neg", "pos"].index(str(row["label"]))} for row in NASTY]
        described = with_features(pa.Table.from_pylist(rows).schema, ["label"], ["neg", "pos"])
    schema = described if form == "datasets" else described.remove_metadata()
    for split, part in (("train", rows[:3]), ("test", rows[3:])):
        path = folder / f"{split}.{form}"
        writers: dict[ExportFormat, Callable[[], RowWriter]] = {
            "csv": lambda path=path: CsvWriter(path, schema),
            "jsonl": lambda path=path: JsonLinesWriter(path, schema),
            "parquet": lambda path=path: ParquetRowWriter(path, schema),
            "datasets": lambda split=split: DatasetsSplitWriter(folder / split, schema),
        }
        writer = writers[form]()
        writer.write(pa.RecordBatch.from_pylist(part, schema=schema))
        writer.close()
    files: dict[str, tuple[str | None, bytes]] = {}
    for path in sorted(entry for entry in folder.rglob("*") if entry.is_file()):
        split = path.parent.name if form == "datasets" else path.stem
        files[path.relative_to(folder).as_posix()] = (None if path.suffix == ".json" else split, path.read_bytes())
    files["dropped.csv"] = (None, b"id,split,label,reason,detail\n")
    columns = [
        {"name": field.name, "type": str(field.type), "role": "", "nulls": field.name in ("rank", "share")}
        for field in schema
    ]
    options = {"format": form, "all_rows": False, "neutralise_formulas": False}
    write_export(folder, files, options=options, columns=columns, features=features_of(described))
    return folder


def test_loads_what_was_exported(hub: LoopbackHub, tmp_path: Path) -> None:
    own = parquet([{"text": "mine", "label": 0}])
    card = b"---\nlicense: mit\nconfigs:\n- config_name: default\n  data_files: own.parquet\n---\n# Mine\n"
    hub.create("ann/mine", {"README.md": card, "own.parquet": own}, private=True)
    environment = hub_environment(hub.url, tmp_path / "login", HF_TOKEN=TOKEN)
    folders = {form: exported_as(form, tmp_path / form) for form in EXPORT_FORMATS} | {"mine": exported(tmp_path / "m")}
    wanted = [
        {"folder": str(folder), "repo": f"ann/{name}", "private": True, "token": TOKEN}
        for name, folder in folders.items()
    ]
    for result in push_all(environment, wanted):
        assert result.get("private") is True, result
    found = load_from_hub(environment, [[f"ann/{form}"] for form in EXPORT_FORMATS] + [["ann/mine", "pruned"]])
    expected = {"train": NASTY[:3], "test": NASTY[3:]}
    loaded = dict(zip(EXPORT_FORMATS, found, strict=False))
    for form in ("parquet", "jsonl", "csv"):
        assert loaded[form]["rows"] == expected, form
    codes = {"neg": 0, "pos": 1}
    assert loaded["datasets"]["rows"] == {
        split: [{**row, "label": codes[str(row["label"])]} for row in rows] for split, rows in expected.items()
    }
    assert loaded["datasets"]["features"]["label"]["names"] == ["neg", "pos"]
    assert found[-1]["rows"] == ROWS
    assert hub.files("ann/mine")["own.parquet"] == own
