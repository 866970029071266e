"""What the command line says when the input is bad, and what it answers without any run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from diet_explorer.cli import app as cli
from diet_explorer.scoring.catalogue import SCORE_NAMES
from diet_explorer.workspace.workspace import Workspace
from tests.tiny_runs import command

VERBS = [
    *("app", "import", "score", "runs", "status", "workers", "cancel", "resume", "scores", "rank", "stability"),
    *("compare", "export-cartography", "import-cartography", "map", "backup", "move", "upgrade", "worker"),
]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace that the environment names, and a current folder with nothing in it."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("DIET_EXPLORER_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    """A small file with columns text and label, one row of which has no text."""
    path = tmp_path / "reviews.csv"
    lines = [f"film number {number},{'good' if number % 2 else 'bad'}" for number in range(20)]
    path.write_text("\n".join(["text,label", *lines, ",good"]) + "\n", encoding="utf-8")
    return path


def call(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    """Run a command in this process: exit code, standard output, standard error."""
    before, sys.argv = sys.argv, ["diet-explorer", *map(str, arguments)]
    try:
        with pytest.raises(SystemExit) as ended:
            cli.main()
    finally:
        sys.argv = before
    printed = capsys.readouterr()
    return int(ended.value.code or 0), printed.out, printed.err


def refused(capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 2) -> tuple[str, str]:
    """Run a command that must fail: its message and its remedy, which are all that it prints."""
    status, printed, errors = call(capsys, *arguments)
    assert status == code, errors
    assert printed == ""
    assert "Traceback" not in errors
    message, remedy = errors.splitlines()[-2:]
    assert message.startswith("Error: ") and remedy.startswith("       ")
    return message.removeprefix("Error: "), remedy.strip()


def test_help_names_every_verb_and_answers_quickly_without_torch(capsys: pytest.CaptureFixture[str]) -> None:
    status, printed, _ = call(capsys, "--help")
    assert status == 0
    assert [line.split()[0] for line in printed.splitlines() if line[:2] == "  " and line.split()[0] in VERBS] == VERBS
    assert call(capsys)[1] == printed, "no arguments at all print the help"
    script = (
        "import sys, diet_explorer.cli.app;"
        "print([name for name in ('torch', 'transformers', 'streamlit', 'pandas', 'dbos') if name in sys.modules])"
    )
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_workspace_and_json(capsys: pytest.CaptureFixture[str], verb: str) -> None:
    status, printed, _ = call(capsys, verb, "--help")
    assert status == 0
    assert "--workspace" in printed and "--json" in printed


def test_rank_explains_the_scores_of_the_catalogue(capsys: pytest.CaptureFixture[str]) -> None:
    printed = call(capsys, "rank", "--help")[1]
    assert all(f"{name}:" in printed for name in SCORE_NAMES)


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    status, printed, _ = call(capsys, "--version")
    assert status == 0 and printed.startswith("diet-explorer 0.")


def test_import_reports_what_it_found(home: Path, reviews: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, printed, _ = call(capsys, "import", reviews, "--text", "text", "--label", "label", "--json")
    assert status == 0
    manifest = json.loads(printed)
    assert manifest["rows"] == 20 and manifest["classes"] == ["bad", "good"]
    printed = call(capsys, "import", reviews, "--text", "text", "--label", "label")[1]
    assert f"Imported {manifest['id']}: 20 examples (train 20), 2 classes" in printed
    assert "Set aside: 1 rows, the first in line 22: " in printed
    (dataset,) = Workspace(home).datasets()
    assert dataset.id == manifest["id"] and dataset.set_aside()["file"].tolist() == [None]


def test_no_runs_yet(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(capsys, "runs", "--json")[:2] == (0, "[]\n")
    assert call(capsys, "runs")[1].startswith("No runs yet.")


@pytest.mark.parametrize("verb", ["status", "cancel", "resume", "rank"])
@pytest.mark.parametrize("name", ["run-1", "last", ""])
def test_unknown_run(home: Path, capsys: pytest.CaptureFixture[str], verb: str, name: str) -> None:
    message, remedy = refused(capsys, verb, name)
    assert message == f"There is no run {name!r}."
    assert "diet-explorer runs" in remedy


def test_missing_file(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for verb in ("import", "score"):
        message, _ = refused(capsys, verb, "nowhere.csv", "--text", "text", "--label", "label")
        assert message == "There is no file or folder nowhere.csv."
    assert refused(capsys, "score", "nowhere")[0] == "There is no dataset 'nowhere'."
    assert refused(capsys, "score", "nowhere", "--text", "text")[0] == "There is no file 'nowhere'."


@pytest.mark.parametrize(
    "words", ["scores last", "prune last", "score last", "export-cartography last", "send-to label-studio last"]
)
def test_results_go_to_this_machine(home: Path, capsys: pytest.CaptureFixture[str], words: str) -> None:
    """A folder called s3: is what nobody wants."""
    message, remedy = refused(capsys, *words.split(), "--output", "s3://bucket/results.csv")
    assert message == "The option --output is an address, s3://bucket/results.csv."
    assert remedy == "Give a path on this machine, and copy what is there."
    assert not list(Path.cwd().iterdir())


def test_missing_column(home: Path, reviews: Path, capsys: pytest.CaptureFixture[str]) -> None:
    message, remedy = refused(capsys, "import", reviews, "--text", "body", "--label", "label")
    assert message == "There is no column 'body' for the text." and "'text', 'label'" in remedy
    message, remedy = refused(capsys, "score", reviews, "--label", "label")
    assert message.endswith("reviews.csv needs --text.") and "text, label" in remedy
    assert refused(capsys, "import", reviews)[0].endswith("needs --text and --label.")
    assert Workspace(home).datasets() == []


def test_models_that_cannot_be_used(
    home: Path, reviews: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call(capsys, "import", reviews, "--text", "text", "--label", "label")
    assert refused(capsys, "score", "last", "--model", "./nowhere")[0] == "There is no model folder './nowhere'."
    bare = tmp_path / "bare"
    bare.mkdir()
    assert "holds no config.json" in refused(capsys, "score", "last", "--model", bare)[0]
    (bare / "config.json").write_text('{"model_type": "bert"}', encoding="utf-8")
    message, remedy = refused(capsys, "score", "last", "--model", bare)
    assert message == f"The folder {bare} holds no weights (model.safetensors)." and "save_pretrained" in remedy
    assert Workspace(home).runs() == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--epochs", "0"], "The setting epochs is 0."),
        (["--epochs", "many"], "Invalid value for '--epochs'"),
        (["--seeds", "-1"], "The setting seeds is -1."),
        (["--checkpoints", "0,x"], "The checkpoint 'x' is not a number."),
        (["--checkpoints", ""], "No checkpoint is listed."),
        (["--checkpoints", "4"], "The setting checkpoint is 4.0."),
        (["--grand", "some"], "Invalid value for '--grand'"),
        (["--learning-rate", "nan"], "The option --learning-rate is nan"),
        (["--no-wait", "--output", "scores.csv"], "--output needs the scores."),
        (["--output", "scores.txt"], "The ending of 'scores.txt' is not known."),
        (["--colour", "red"], "No such option: --colour"),
    ],
)
def test_settings_out_of_range(
    home: Path, reviews: Path, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    call(capsys, "import", reviews, "--text", "text", "--label", "label")
    assert refused(capsys, "score", "last", *options)[0].startswith(message)
    assert Workspace(home).runs() == []


def test_unknown_score(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    message, remedy = refused(capsys, "rank", "last", "--by", "el3n")
    assert message == "There is no score named 'el3n'." and all(name in remedy for name in SCORE_NAMES)


def test_unknown_verb_and_missing_argument(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert refused(capsys, "sort")[0].startswith("No such command 'sort'.")
    assert refused(capsys, "status")[0].startswith("Missing argument 'RUN'")
    assert "(option --checkpoints)" in " ".join(refused(capsys, "score", "films", "--checkpoints", "0, later"))
    assert "argument" not in " ".join(refused(capsys, "score", "x", "--checkpoints", "0,x"))
    assert refused(capsys, "scores", "last")[0].startswith("Missing option '--output'")


def test_a_workspace_that_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    for verb in (["runs"], ["worker"], ["app", "--port", "0"]):
        message, _ = refused(capsys, *verb, "--workspace", tmp_path / "file" / "home", code=1)
        assert message == f"Cannot create {tmp_path}/file/home: not a directory."
    message, _ = refused(capsys, "runs", "--workspace", "/proc/home", code=1)
    assert "/proc/home" in message


def test_a_workspace_that_is_a_file(reviews: Path, capsys: pytest.CaptureFixture[str]) -> None:
    message, remedy = refused(capsys, "runs", "--workspace", reviews, code=1)
    assert str(reviews) in message and remedy.startswith("A file is called so. Choose another place")


def test_a_workspace_of_a_newer_version(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call(capsys, "runs")
    (home / "workspace.json").write_text('{"version": 99}', encoding="utf-8")
    for verb in (["runs"], ["worker"], ["app", "--port", "0"]):
        message, remedy = refused(capsys, *verb, code=1)
        assert "newer version of diet-explorer" in message and remedy.startswith("Upgrade diet-explorer")


def test_settings_of_the_environment(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIET_EXPLORER_DATABASE_URL", "mysql://somewhere/name")
    assert refused(capsys, "runs")[1] == "Use SQLite or PostgreSQL."
    monkeypatch.delenv("DIET_EXPLORER_DATABASE_URL")
    monkeypatch.setenv("DIET_EXPLORER_PORT", "high")
    message, remedy = refused(capsys, "runs")
    assert message.startswith("The setting DIET_EXPLORER_PORT cannot be used") and "DIET_EXPLORER_PORT" in remedy


def test_a_setting_that_cannot_be_used_is_told_by_a_program_that_starts(home: Path) -> None:
    """One of its own: this process has read how its files are shared already."""
    started = command("runs", home=home, DIET_EXPLORER_LEASE_SECONDS="soon")
    message, remedy = started.stderr.splitlines()
    assert started.returncode == 2 and message.startswith("Error: The setting DIET_EXPLORER_LEASE_SECONDS cannot be")
    assert remedy.strip() == "Correct or unset DIET_EXPLORER_LEASE_SECONDS."


def test_the_unforeseen_is_one_line_that_names_a_file(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fault(_workspace: Workspace) -> None:
        raise AttributeError("not what belongs here")

    monkeypatch.setattr(Workspace, "runs", fault)
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    message, remedy = refused(capsys, "runs", code=1)
    assert message == "Something unforeseen went wrong: AttributeError."
    details = Path(remedy.removeprefix("The details are in ").removesuffix("."))
    assert details.is_relative_to(tmp_path / "user")
    assert details.read_text(encoding="utf-8").startswith("Traceback")


def test_a_damaged_workspace_is_refused_and_stays_as_it_is(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call(capsys, "runs")
    (home / "workspace.json").write_text('["not what belongs here"]', encoding="utf-8")
    message, _ = refused(capsys, "runs", code=1)
    assert "workspace.json is damaged" in message
    assert (home / "workspace.json").read_text(encoding="utf-8") == '["not what belongs here"]'


def test_a_closed_pipe_is_no_error(home: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "diet_explorer.cli", "runs"],
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writing)
    assert done.stderr == ""


def test_a_file_of_another_encoding_is_read_when_it_is_named(home, tmp_path, capsys):
    path = tmp_path / "latin.csv"
    path.write_bytes("text,label\ncafé noir,a\nthé vert,b\ncafé crème,a\nthé noir,b\n".encode("cp1252"))
    columns = ("--text", "text", "--label", "label")
    code, _, told = call(capsys, "import", path, *columns)
    assert code == 2 and "is not UTF-8 text: byte 14 (line 2)" in told and "cp1252" in told
    code, _, _ = call(capsys, "import", path, *columns, "--encoding", "cp1252")
    assert code == 0
    assert Workspace(home).datasets()[0].examples()["text"].tolist()[0] == "café noir"


def test_estimate_measures_every_choice_and_starts_nothing(home, reviews, model, capsys):
    code, printed, _ = call(
        capsys, "score", reviews, "--text", "text", "--label", "label", "--model", model, "--estimate", "--json"
    )
    found = json.loads(printed)
    assert code == 0 and set(found) == {"all", "head", "off"}
    assert all(choice["measured"] and choice["seconds_total"] > 0 for choice in found.values())
    assert Workspace(home).runs() == []
