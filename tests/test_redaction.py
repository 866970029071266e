"""No secret is left in what people, logs and files read: by its place, by its form, or because it is known."""

from __future__ import annotations

import io
import json
import logging
import pickle
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import pytest

from diet_explorer.cli import output as out
from diet_explorer.config import load_settings
from diet_explorer.errors import WorkspaceError
from diet_explorer.jobs.logs import JsonFormatter, PlainFormatter, guard_output
from diet_explorer.redaction import redacted
from diet_explorer.workspace.workspace import Workspace
from tests.tiny_runs import inside

MARKED = "ma-rked7secret"
PLACES = [
    f"postgresql://ann:{MARKED}@db.example.org:5432/diet",
    f"postgresql+psycopg://ann:{MARKED}@/diet?host=/tmp",
    f"postgresql://ann:{MARKED}/with/slashes@db/diet",
    f"postgresql://ann:{MARKED}@with@ats@db/diet",
    f"postgresql://:{MARKED}@db/diet",
    f"s3://AKIAEXAMPLE:{MARKED}@bucket/folder",
    f"sftp://ann:{MARKED}@host/home is away",
    f"https://{MARKED}@huggingface.co/datasets/a/b",
    f"git+https://{MARKED}@github.com/a/b",
    f"https://host/data.csv?token={MARKED}&x=1",
    f"https://bucket.s3.amazonaws.com/a.csv?X-Amz-Credential={MARKED}%2F2026&X-Amz-Signature={MARKED}",
    f"https://host.blob.core.windows.net/a?sv=1&sig={MARKED}",
    f"postgresql://ann@db/diet?sslpassword={MARKED}",
    f"invalid connection option in host=db password={MARKED} user=ann",
    f"{{'key': 'AKIA', 'secret': '{MARKED}', 'client_kwargs': {{}}}}",
    f'{{"aws_secret_access_key": "{MARKED}"}}',
    f"Authorization: Bearer {MARKED}",
    f"https://app/oauth2callback?state=1&code={MARKED}",
    "token hf_MARKEDma-rked7secretMARKED"[:9] + "abcdefghijklmnop",
]
HARMLESS = [
    "https://host:8501/page?label=a&view=b@c",
    "http://127.0.0.1:9000/bucket/a@b.csv",
    "abfs://container@account.dfs.core.windows.net/folder",
    "Column 'password' is not there. Its columns are: token, secret, key.",
    "postgresql://ann@db/diet",
    "The file C:\\data\\a.csv has no column text: see row 12.",
    "mail ann@example.org",
]


@pytest.mark.parametrize("text", PLACES, ids=lambda text: text[:24])
def test_places(text: str) -> None:
    shown = redacted(f"Cannot use {text}, sorry.")
    assert "***" in shown
    assert MARKED not in shown and "abcdefghijklmnop" not in shown
    assert redacted(shown) == shown


@pytest.mark.parametrize("text", HARMLESS)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redacted(text) == text


def test_what_the_settings_hold_is_known() -> None:
    load_settings(database_url="postgresql://ann:pa%2Fss-word%2F1@db/diet", join_code="the join code 1")
    for text in ('missing "=" after "pa/ss-word/1"', "pa%2Fss-word%2F1", "guests gave the join code 1"):
        assert "***" in redacted(text)
    assert "pa%2Fss" not in repr(load_settings(database_url="postgresql://ann:pa%2Fss-word%2F1@db/diet"))


def test_errors_hold_none(capsys: pytest.CaptureFixture[str]) -> None:
    error = WorkspaceError(f"The workspace {PLACES[5]} cannot be reached.", f"Check {PLACES[0]}.")
    for text in (
        str(error),
        repr(error),
        error.message,
        error.remedy,
        repr(error.args),
        str(pickle.loads(pickle.dumps(error))),
    ):
        assert MARKED not in text
    out.print_error(f"No: {PLACES[0]}", f"Check {PLACES[9]}")
    assert MARKED not in capsys.readouterr().err


@pytest.mark.parametrize("form", [PlainFormatter(), JsonFormatter()])
def test_log_lines_hold_none(form: logging.Formatter) -> None:
    try:
        raise OSError(f"no answer from {PLACES[0]}")
    except OSError:
        record = logging.LogRecord("a", logging.ERROR, "f", 1, "at %s", (PLACES[5],), sys.exc_info())
    text = form.format(record)
    assert MARKED not in text and "no answer from postgresql://ann:***@db" in text
    if isinstance(form, JsonFormatter):
        assert "\n" not in text
        assert json.loads(text)["message"] == "at s3://AKIAEXAMPLE:***@bucket/folder"


@contextmanager
def guarded(**settings: str) -> Iterator[io.StringIO]:
    """What a process writes whose output is guarded; everything is as it was afterwards."""
    written, root = io.StringIO(), logging.getLogger()
    with (
        mock.patch("diet_explorer.jobs.logs._original", {}),
        mock.patch.multiple(sys, stdout=written, stderr=written, excepthook=sys.excepthook),
        mock.patch.object(threading, "excepthook", threading.excepthook),
        mock.patch.object(root, "handlers", []),
    ):
        guard_output(load_settings(**settings), "server")
        yield written
    logging.captureWarnings(False)


def test_whatever_a_process_writes_is_one_object_per_line() -> None:
    with guarded(log="json") as streams:
        print("begin", PLACES[0])  # noqa: T201
        sys.stderr.write(f"ERROR streamlit.runtime: it broke\nTraceback\n  {PLACES[5]}\n")
        sys.stdout.write('{"time": "2026", "message": "of a child"}\n')
        try:
            raise ValueError(PLACES[9])
        except ValueError as error:
            sys.excepthook(type(error), error, error.__traceback__)
    begin, broken, passed, ended = map(json.loads, streams.getvalue().splitlines())
    assert MARKED not in streams.getvalue()
    assert begin["message"] == "begin postgresql://ann:***@db.example.org:5432/diet"
    assert (broken["level"], broken["logger"]) == ("ERROR", "streamlit.runtime") and "\n" in broken["message"]
    assert passed == {"time": "2026", "message": "of a child"}
    assert (ended["error"], ended["level"], ended["role"]) == ("ValueError", "CRITICAL", "server")


def test_lines_for_people_stay_as_they_are() -> None:
    with guarded() as streams:
        print("begin", PLACES[0], flush=True)  # noqa: T201
        sys.stderr.write("a bar\r")
    assert streams.getvalue() == "begin postgresql://ann:***@db.example.org:5432/diet\na bar\r"


def test_where_a_copy_goes_is_told_without_its_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the store's own packages say it without the scheme, and where it lies for good."""
    monkeypatch.setenv("HOME", str(tmp_path))  # with its cache
    address = f"s3://AKIAEXAMPLE:{MARKED}@bucket/folder"
    for words in (("backup", address), ("restore", address), ("move", address)):
        said = inside(*words, home=tmp_path / "home")
        assert said.returncode == 1 and "***" in said.stderr and MARKED not in said.stdout + said.stderr
    workspace, where = Workspace(tmp_path / "home"), f"memory://ann:{MARKED}@bucket/new"
    assert MARKED not in repr(workspace.backup(f"{where}-backup"))
    moved = inside("move", where, "--json", home=tmp_path / "home")
    assert moved.returncode == 0 and MARKED not in moved.stdout + moved.stderr
    assert all(MARKED.encode() not in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
