"""Options of commands with values that nobody should give: words with a remedy, never a traceback.

By default every option gets a few of the values, each value many options; `--hypothesis-profile nightly` tries all.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from hypothesis import settings

from diet_explorer.cli import app as cli
from diet_explorer.errors import LONGEST
from diet_explorer.workspace.workspace import Workspace

MOST_SECONDS = 30
ANYWHERE = ("", "-1", "\0", "é漢🎬", "../..", "x" * 5000, "\udcff", "None", "  ")
NUMBERS = ("nan", "inf", "1e999", "-0.5", "0", str(2**63), "9" * 400, "٣", "0x10", "1,5")
DATES = ("2024-13-01", "0000-01-01", "9999-12-31", "yesterday", "2024-01-01T25:00")
TEXTS = (
    *("a=b:c", ":", "1:0:x", "[", "*", "nosuch://x", "~nobody-of-that-name/y", "%s{0}", "'; --", "a\nb\tc"),
    *("0,,1", "nan,1", "1e9", "-1,2", "nan:inf", str(2**63)),
)
NOTHING = ("app", "runs", "proofs", "exports", "bin", "worker")  # commands that need no argument
NEEDED = {
    "import": ["{file}", "--text", "text", "--label", "label"],
    "score": ["last", "--no-wait", "--model", "{model}"],
    "scores": ["last", "--output", "{out}/scores.csv"],
    "compare": ["last", "last"],
    "prune": ["last", "--preview"],
    "folds": ["last", "--no-wait"],
    "push": ["last", "--repo", "ann/reviews"],
    "prove": ["last", "--no-wait"],
    "decide": ["last", "k1", "--action", "keep"],
    "export-cartography": ["last", "--output", "{out}/dynamics"],
    "import-cartography": ["last", "{out}"],
    "map": ["last", "--no-wait"],
    "rename": ["nothing", "new"],
    "delete": ["nothing", "--dry-run"],
    "restore": ["nothing"],
    "decisions export": ["last", "--output", "{out}/decisions.jsonl"],
    "decisions import": ["last", "{file}"],
}
FLAGS = ("--no-wait", "--preview", "--dry-run")
TRIED = ("app", "runs", "status", "cancel", "rank", "prune")
"""Commands whose options are tried; the others follow as their answers are mended."""
WRITING = ("--output", "--workspace")
"""Options that name where to write; no other may leave anything behind."""


def commands(group: Any = None, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every command by its words."""
    for name, command in (group or typer.main.get_command(cli.app)).commands.items():
        words = f"{path} {name}".strip()
        yield from commands(command, words) if hasattr(command, "commands") else [(words, command)]


def trials() -> dict[str, list[tuple[Any, str]]]:
    """For every command, its parameters that take a value, each with values to try."""
    chosen, position = defaultdict(list), 0
    for words, command in commands():
        for parameter in command.params:
            if not getattr(parameter, "is_flag", False):
                values = _values(parameter)
                count = len(values) if settings.default.max_examples > 25 else 3
                chosen[words] += [(parameter, values[(position + n) % len(values)]) for n in range(count)]
                position += count
    return chosen


def _values(parameter: Any) -> tuple[str, ...]:
    kind = str(parameter.type_descriptor.annotation)
    if "int" in kind or "float" in kind:
        return (*NUMBERS, *ANYWHERE)
    return (*DATES, *ANYWHERE) if "datetime" in kind else (*TEXTS, *ANYWHERE)


def call(*arguments: str) -> tuple[int, str]:
    """Run a command in this process: exit status and standard error."""
    errors = io.StringIO()
    before, sys.argv = sys.argv, ["diet-explorer", *arguments]
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(errors):
            cli.main()
    except SystemExit as ended:
        return int(ended.code or 0), errors.getvalue()
    finally:
        sys.argv = before
    raise AssertionError("the command did not end")


def with_value(command: Any, needed: list[str], parameter: Any, value: str) -> list[str]:
    """The arguments of a command with one of its parameters added, or replaced by a value."""
    flag = parameter.opts[0]
    options: list[str] = []
    positional: list[str] = []
    rest = iter(needed)
    for word in rest:
        if word in FLAGS:
            options.append(word)
        elif word.startswith("--"):
            options += [] if (following := next(rest)) and word == flag else [f"{word}={following}"]
        else:
            positional.append(word)
    if flag.startswith("-"):
        return [*options, f"{flag}={value}", "--", *positional]
    names = [entry.opts[0] for entry in command.params if not entry.opts[0].startswith("-")]
    number = names.index(flag)
    return [*options, "--", *positional[:number], value, *positional[number + 1 :]]


def problem(status: int, errors: str, seconds: float) -> str:
    """What is wrong with how a command answered; empty where nothing is."""
    if "Traceback" in errors or "unforeseen" in errors or status not in (0, 1, 2):
        return f"status {status}: {errors[-400:]}"
    lines = errors.rstrip("\n").split("\n")
    if status and not (len(lines) > 1 and lines[-2].startswith("Error: ") and lines[-1].startswith(" " * 7)):
        return f"no error with a remedy: {errors[-400:]!r}"
    if status and max(map(len, lines[-2:])) > LONGEST + 10:
        return f"nobody reads so much: {errors[:400]}…"
    return "" if seconds < MOST_SECONDS else f"took {seconds:.0f} s"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a dataset and a run that has scores."""
    folder = tmp_path_factory.mktemp("hostile")
    rows = [f"k{n},film {n},{'good' if n % 2 else 'bad'}" for n in range(12)]
    (folder / "reviews.csv").write_text("\n".join(["key,text,label", *rows]), encoding="utf-8")
    lines = [json.dumps({"guid": f"k{n}", "logits_epoch_0": [0.1 * n, 1], "gold": n % 2}) for n in range(12)]
    (folder / "dynamics_epoch_0.jsonl").write_text("\n".join(lines), encoding="utf-8")
    workspace = Workspace(folder / "home")
    dataset = workspace.import_dataset(folder / "reviews.csv", text="text", label="label", id="key")
    workspace.import_cartography(dataset, folder, name="scored")
    return folder / "home"


def _files_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("words", [words for words in trials() if words in TRIED])
def test_every_option(home: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str) -> None:
    here = tmp_path / "a" / "b" / "here"
    here.mkdir(parents=True)
    monkeypatch.chdir(here)
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    monkeypatch.setenv("DIET_EXPLORER_HOME", str(home))
    monkeypatch.setattr("diet_explorer.jobs.queue.JobQueue.submit", lambda *_: None)
    monkeypatch.setattr("diet_explorer.jobs.supervisor.run_app", lambda *_, **__: None)
    monkeypatch.setattr("diet_explorer.jobs.worker.run_worker", lambda *_, **__: None)
    places = {"file": home.parent / "reviews.csv", "model": model, "out": tmp_path}
    needed = [word.format(**places) for word in NEEDED.get(words, [] if words in NOTHING else ["last"])]
    command, wrong = dict(commands())[words], []
    before: list[Path] = _files_in(here.parents[1])
    for parameter, value in trials()[words]:
        begun = time.monotonic()
        status, errors = call(*words.split(), *with_value(command, needed, parameter, value))
        found = problem(status, errors, time.monotonic() - begun)
        name = f"{words} {parameter.opts[0]} {value[:40]!r}"
        wrong += [f"{name}: {found}"] if found else []
        if parameter.opts[0] not in WRITING:
            assert _files_in(here.parents[1]) == before, f"{name} wrote something"
        before = _files_in(here.parents[1])
    assert not wrong, "\n".join(wrong)
