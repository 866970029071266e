"""Every option and argument of every command with values that nobody should give: words with a remedy, no traceback.

By default each gets some kinds of values, the next one others; `--hypothesis-profile nightly` tries all on all.
"""

from __future__ import annotations

import contextlib
import functools
import io
import json
import re
import shutil
import sqlite3
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import settings
from typer.main import get_command

from diet_explorer.cli import app as cli
from diet_explorer.errors import LONGEST
from diet_explorer.pruning.policies import Policy
from diet_explorer.training.config import RunConfig
from diet_explorer.workspace.workspace import Workspace
from tests.synthetic import write_scores

MOST_SECONDS = 30
LARGE = str(2**63)
NO_TEXT, LONG = ("\0", "\udcff", "a\0b"), ("x" * 100_000, "é" * 300, "9" * 400)
BLANK, ELSEWHERE = ("", "  ", "\t"), ("../..", "~nobody-of-that-name/y", "a/../../../b", "/proc/1/mem")
ADDRESSES = ("nosuch://x", "file:///proc/nowhere/%20x", "hub:../..", "http://", "s3://", "hub:", "hub:a/b/c")
TEXTS = (
    *(BLANK, NO_TEXT, LONG, ELSEWHERE, ADDRESSES),
    ("\u202etxt\u202c", "é漢🎬", "\u200b", "\ufeffx"),
    ("--evil", "-1", "-", "--", "-rf"),
    ("0,,1", "nan:inf", ":", "1:0:x", "[", "*", "nan,1", "a=b:c", "-1,2", ",", "1:2:3:4"),
    ("'; --", "%s{0}", "a\nb\tc", "$HOME", "None", LARGE, "NaN", "<b>"),
)
NUMBERS = (
    (*BLANK, "\0", "x" * 100_000),
    (LARGE, f"-{LARGE}", "9" * 400, "1e400", str(10**18)),
    ("nan", "inf", "-inf"),
    ("-1", "-0.5", "0", "-1e300"),
    ("0x10", "1,5", "٣", "1_0", "--evil", "\udcff", "1e-400"),
)
DATES = (("2024-13-01", "0000-01-01"), ("9999-12-31", "0001-01-01"), ("yesterday", "\0"), ("2024-01-01T25:00", ""))
SCORE_FILE = ["{file}", "--text", "text", "--label", "label", "--no-wait", "--model", "{model}"]
NEEDED = {
    "import": ["{file}", "--text", "text", "--label", "label"],
    "score": SCORE_FILE,
    "score data": ["reviews", "--no-wait", "--model", "{model}"],
    "score --name": ["reviews", "--no-wait", "--model", "{model}"],
    "score --output": ["reviews", "--model", "{model}"],
    "scores": ["scored", "--output", "{out}/scores.csv"],
    "compare": ["scored", "scored"],
    "prune": ["scored", "--preview"],
    "prune --keep": ["scored", "--preview", "--policy", "hardest"],
    "prune --size": ["scored", "--preview", "--policy", "hardest"],
    "prune --strata": ["scored", "--preview", "--policy", "stratified"],
    "prune --seed": ["scored", "--preview", "--policy", "random"],
    "prune --saved": ["scored", "--preview"],
    "prune --output": ["scored", "--no-wait"],
    "prune --from-manifest": ["--output", "{out}/again"],
    "folds": ["scored", "--no-wait"],
    "prove --seeds": ["scored", "--policies", "hardest", "--no-wait"],
    "prove --precision": ["scored", "--policies", "hardest", "--until-decided", "--seeds", "6", "--no-wait"],
    "noise-check": ["scored", "--report"],
    "noise-check --share": ["scored"],
    "noise-check --seed": ["scored"],
    "push": ["last", "--repo", "ann/reviews"],
    "prove": ["scored", "--no-wait"],
    "prove --fractions": ["scored", "--policies", "hardest", "--no-wait"],
    "proof": ["last"],
    "send-to": ["csv", "scored", "--output", "{out}/work.csv"],
    "take-back": ["scored", "{work}"],
    "decide": ["reviews", "k1", "--action", "keep"],
    "undo": ["reviews", "--annotator", "ann"],
    "agreement": ["reviews"],
    "export-cartography": ["scored", "--output", "{out}/dynamics"],
    "import-cartography": ["reviews", "{dynamics}"],
    "map": ["scored", "--which", "initial", "--no-wait"],
    "rename": ["run:scored", "scored"],
    "delete": ["run:scored", "--dry-run"],
    "restore": ["last"],
    "backup": ["{out}/backup"],
    "move": ["--back"],
    "upgrade": ["--yes"],
    "clean": ["--dry-run"],
    "decisions list": ["reviews"],
    "decisions export": ["reviews", "--output", "{out}/decisions.jsonl"],
    "decisions import": ["reviews", "{decisions}"],
    "decisions rules": ["reviews"],
    "decisions guidelines": ["reviews"],
    "decisions notes": ["reviews"],
}
"""What each command needs besides; those that are not listed take a run, or nothing."""
FLAGS = ("--no-wait", "--until-decided", "--preview", "--dry-run", "--report", "--back", "--yes")
OF_ALL = "--workspace"
"""This option is the same one everywhere and is tried with one command."""


def commands(group: Any = None, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every command by its words."""
    for name, command in (group or whole()).commands.items():
        words = f"{path} {name}".strip()
        yield from commands(command, words) if hasattr(command, "commands") else [(words, command)]


@functools.cache
def whole(_: Any = None) -> Any:
    """The command line; its making takes a tenth of a second."""
    return get_command(cli.app)


def trials() -> dict[str, list[tuple[Any, tuple[str, ...]]]]:
    """For every command, its parameters that take a value, each with values to try."""
    chosen: dict[str, list[tuple[Any, tuple[str, ...]]]] = {words: [] for words, _ in commands()}
    position, every = 0, settings.default.max_examples > 25
    for words, command in commands():
        for parameter in command.params:
            if not getattr(parameter, "is_flag", False) and (parameter.opts[0] != OF_ALL or words == "runs"):
                kinds = _kinds(parameter)
                rotated = tuple(kind[position % len(kind)] for kind in kinds)
                few = tuple(rotated[(position + n * len(kinds) // PER_OPTION) % len(kinds)] for n in range(PER_OPTION))
                chosen[words].append((parameter, tuple(value for kind in kinds for value in kind) if every else few))
                position += 1
    return chosen


PER_OPTION = 2


def _kinds(parameter: Any) -> tuple[tuple[str, ...], ...]:
    kind = str(parameter.type_descriptor.annotation)
    return NUMBERS if "int" in kind or "float" in kind else DATES if "datetime" in kind else TEXTS


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


def problem(parameter: Any, status: int, errors: str, seconds: float) -> str:
    """What is wrong with how a command answered; empty where nothing is."""
    if "Traceback" in errors or "unforeseen" in errors or status not in (0, 2, int(parameter.opts[0] == OF_ALL)):
        return f"status {status}: {errors[-400:]}"
    lines = errors.rstrip("\n").split("\n")
    if status and not (len(lines) > 1 and lines[-2].startswith("Error: ") and len(lines[-1].strip()) > 9):
        return f"no error with a remedy: {errors[-400:]!r}"
    if status and max(map(len, lines[-2:])) > LONGEST + 60:
        return f"nobody reads so much: {errors[:400]}…"
    if status and not _names(parameter, " ".join(lines[-2:])):
        return f"does not say which argument: {' '.join(errors[-800:].split())}"
    return "" if seconds < MOST_SECONDS else f"took {seconds:.0f} s"


def _names(parameter: Any, errors: str) -> bool:
    """Whether an error names the option, or the argument by one of the words that the help has for it."""
    names = [*parameter.opts, *re.split(r"[|:/]", (parameter.metavar or "").strip("[]…"))]
    said = f" {_plain(errors)} "
    return any(f" {name}" in said for name in map(_plain, names) if name)


def _plain(text: str) -> str:
    return " ".join(re.sub(r"[^a-z]", " ", text.lower()).split()).removesuffix("s")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a workspace that has one of everything, and the files that it was made of."""
    folder = tmp_path_factory.mktemp("hostile")
    rows = [f"k{n},film {n},{'good' if n % 2 else 'bad'},{'test' if n > 8 else 'train'}" for n in range(12)]
    (folder / "reviews.csv").write_text("\n".join(["key,text,label,part", *rows]), encoding="utf-8")
    for epoch in range(2):
        lines = [json.dumps({"guid": f"k{n}", f"logits_epoch_{epoch}": [0.1 * n, 1], "gold": n % 2}) for n in range(12)]
        (folder / f"dynamics_epoch_{epoch}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    (folder / "model").mkdir()
    (folder / "model" / "config.json").write_text('{"model_type": "bert"}', encoding="utf-8")
    (folder / "model" / "model.safetensors").write_bytes(b"")
    workspace = Workspace(folder / "home")
    columns = {"text": "text", "label": "label", "id": "key"}
    dataset = workspace.import_dataset(folder / "reviews.csv", **columns, split="part", name="reviews")
    config = RunConfig(dataset.id, model=str(folder / "model"), epochs=2, checkpoints=(0.0, 1.0, 2.0))
    run = workspace.create_run(config, name="scored", origin="job")
    for checkpoint in config.checkpoints:
        logits = np.random.default_rng(0).normal(size=(dataset.rows, 2))
        write_scores(workspace.context.files, dataset.manifest, run.id, 0, checkpoint, logits)
    workspace.context.records.set_status(run.id, "running")
    workspace.context.records.set_status(run.id, "succeeded")
    run.pruning.save_policy("mine", Policy(kind="random", keep=70))
    run.pruning.plan(Policy(kind="random", keep=70)).export(folder / "home" / "out")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("diet_explorer.jobs.queue.JobQueue.submit", lambda *_: None)
        run.proofs.start([Policy(kind="hardest")], [80.0]).progress()
    run.audit.suspects()
    dataset.decide([1], "exclude", annotator="ann")
    dataset.export_decisions(folder / "decisions.jsonl")
    run.review.send_to("csv", folder / "work.csv", limit=3)
    workspace.delete(f"dataset:{workspace.import_dataset(folder / 'reviews.csv', **columns, name='gone').id}")
    return folder


def state(*folders: Path) -> tuple[object, ...]:
    """What is in folders: their files, and what their databases hold."""
    files = [path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()]
    databases = [path for path in files if path.name == "explorer.sqlite"]
    rest = [(path, path.stat().st_size) for path in files if not path.name.startswith("explorer.sqlite")]
    return (rest, *("\n".join(sqlite3.connect(path).iterdump()) for path in databases))


@pytest.mark.parametrize("words", trials())
def test_every_option(prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str) -> None:
    here = tmp_path / "a" / "b" / "here"
    here.mkdir(parents=True)
    monkeypatch.chdir(here)
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    monkeypatch.setattr("typer.main.get_command", whole)
    monkeypatch.setattr("diet_explorer.jobs.queue.JobQueue.submit", lambda *_: None)
    monkeypatch.setattr("diet_explorer.jobs.supervisor.run_app", lambda *_, **__: None)
    monkeypatch.setattr("diet_explorer.jobs.kinds.push.OwnProcess", mock.MagicMock())
    monkeypatch.setattr("diet_explorer.jobs.worker.run_worker", lambda *_, **__: None)
    monkeypatch.setattr("diet_explorer.cli.following.some_worker", contextlib.nullcontext)
    monkeypatch.setattr("diet_explorer.cli.following.follow", lambda *_: sys.exit(0))
    monkeypatch.setattr("diet_explorer.workspace.exports.Export.wait_for_push", lambda *_: sys.exit(0))
    names = {"file": "reviews.csv", "dynamics": ".", "decisions": "decisions.jsonl", "model": "model"}
    names["work"] = "work.csv"
    places = {"out": tmp_path, **{name: prepared / path for name, path in names.items()}}
    command, wrong, homes, before = dict(commands())[words], [], 0, None
    for parameter, values in trials()[words]:
        takes_a_run = any(entry.required and not entry.opts[0].startswith("-") for entry in command.params)
        usual = NEEDED.get(words, ["scored"] if takes_a_run else [])
        needed = NEEDED.get(f"{words} {parameter.opts[0]}", usual)
        arguments = [word.format(**places) for word in needed]
        for value in values:
            if before is None:
                homes += 1
                home = shutil.copytree(prepared / "home", tmp_path / f"home-{homes}")
                monkeypatch.setenv("DIET_EXPLORER_HOME", str(home))
                before = state(home, here.parents[1])
            begun = time.monotonic()
            status, errors = call(*words.split(), *with_value(command, arguments, parameter, value))
            found = problem(parameter, status, errors, time.monotonic() - begun)
            after = state(home, here.parents[1])
            if status and not found and after != before:
                found = f"left something behind: {set(map(str, after[0])) ^ set(map(str, before[0]))}"
            wrong += [f"{words} {parameter.opts[0]} {value[:40]!r}: {found}"] if found else []
            before = before if after == before else None
    assert not wrong, "\n".join(wrong)
