"""What every command prints with `--json` is what its published schema says, and nothing else."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer.main
from jsonschema import Draft202012Validator

from diet_explorer.cli.app import app
from diet_explorer.cli.schemas import FORMS, schema_of
from diet_explorer.workspace.run import Run
from diet_explorer.workspace.workspace import Workspace
from tests import rich_workspace, tiny_runs


def verbs(group: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from verbs(command, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", command


def test_every_command_that_prints_json_has_a_schema() -> None:
    commands = verbs(typer.main.get_command(app))
    with_json = {name for name, command in commands if any("--json" in entry.opts for entry in command.params)}
    assert with_json == set(FORMS)


@pytest.mark.parametrize("verb", FORMS)
def test_schemas_are_schemas_that_allow_nothing_undescribed(verb: str) -> None:
    schema = schema_of(verb)
    Draft202012Validator.check_schema(schema)
    for part in objects(schema):
        assert part.get("additionalProperties") is not None, part


def objects(part: Any) -> Iterator[dict[str, Any]]:
    if isinstance(part, list):
        for entry in part:
            yield from objects(entry)
    elif isinstance(part, dict):
        if "properties" in part and part.get("type") == "object":
            yield part
        for entry in part.values():
            yield from objects(entry)


@dataclass(frozen=True)
class Things:
    """A workspace that every command can be tried on, and what is in it."""

    folder: Path
    workspace: Workspace
    run: Run
    other: Run

    @property
    def home(self) -> Path:
        return self.folder / "home"


@pytest.fixture(scope="module")
def things(tmp_path_factory: pytest.TempPathFactory) -> Things:
    folder = tmp_path_factory.mktemp("schemas")
    workspace = Workspace(folder / "home")
    run = rich_workspace.fill(workspace, tiny_runs.save_sentences(folder / "sentences.csv"))
    run.dataset.decide([4], "keep", annotator="zoë")
    other = rich_workspace.finished(workspace, run.dataset.id, "other")
    return Things(folder, workspace, run, other)


def said(things: Things, *arguments: object) -> Any:
    """What a command prints as JSON; `inside` holds it against its schema."""
    done = tiny_runs.inside(*map(str, arguments), "--json", home=things.home)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_data_and_runs(things: Things) -> None:
    source = things.folder / "sentences.csv"
    said(things, "import", source, "--text", "sentence", "--label", "mood", "--name", "again")
    queued = said(things, "score", things.run.dataset.id, "--no-wait")["id"]
    assert len(said(things, "runs")) > 2
    said(things, "status", things.run.id)
    said(things, "status", queued)
    for verb in ("cancel", "resume", "cancel"):
        said(things, verb, queued)
    said(things, "scores", things.run.id, "--output", things.folder / "scores.csv")
    said(things, "export-cartography", things.run.id, "--output", things.folder / "dynamics")
    said(things, "import-cartography", things.run.dataset.id, things.folder / "dynamics")


def test_rankings(things: Things) -> None:
    run = things.run.id
    assert said(things, "rank", run, "--top", 3, "--label", "good")["examples"]
    assert said(things, "stability", run, "--between", "scores")["agreement"]
    said(things, "stability", run)
    assert said(things, "compare", run, things.other.id, "--top", 2)["examples"]
    assert said(things, "suspects", run, "--top", 3)["suspects"]
    said(things, "folds", run, "--no-wait")


def test_pruning_and_proofs(things: Things) -> None:
    run, target = things.run.id, things.folder / "pruned"
    assert said(things, "prune", run, "--drop-hardest", 5, "--preview")["counts"]
    said(things, "prune", run, "--drop-hardest", 5, "--output", target)
    said(things, "prune", "--from-manifest", target / "manifest.json", "--output", things.folder / "again")
    said(things, "exports")
    said(things, "exports", "--follow", "last")
    said(things, "prove", run, "--hold-out", 20, "--no-wait")
    assert said(things, "proofs") == []


def test_a_proof(things: Things) -> None:
    source = things.folder / "split.csv"
    with (things.folder / "sentences.csv").open(encoding="utf-8") as given, source.open("w", encoding="utf-8") as out:
        writer = csv.writer(out)
        for number, line in enumerate(csv.reader(given)):
            writer.writerow([*line, "split" if number == 0 else ("train", "train", "test")[number % 3]])
    dataset = things.workspace.import_dataset(source, text="sentence", label="mood", id="key", split="split")
    run = rich_workspace.finished(things.workspace, dataset.id, "with a test split")
    proof = said(things, "prove", run.id, "--policies", "window:hardest=5", "--no-wait")
    assert proof["arms"] and proof["trainings"]
    said(things, "proof", proof["id"], "--cancel")
    assert said(things, "proofs")


def test_decisions(things: Things) -> None:
    dataset, ledger, tasks = things.run.dataset.id, things.folder / "ledger.jsonl", things.folder / "tasks.csv"
    said(things, "decide", dataset, "s001", "s002", "--action", "relabel", "--label", "good")
    said(things, "decide", dataset, "s008", "s009", "s010", "--accept-suggestions", things.run.id)
    assert len(said(things, "decisions", "list", dataset)["events"]) > 2
    said(things, "undo", dataset)
    assert said(things, "decisions", "notes", dataset)["notes"]
    assert said(things, "decisions", "progress", dataset)["people"]
    guidelines = things.folder / "guidelines.md"
    guidelines.write_text("Warm films are good.\n", encoding="utf-8")
    assert said(things, "decisions", "guidelines", dataset, "--set", guidelines)["guidelines"]
    assert said(things, "agreement", dataset)["pairs"]
    said(things, "decisions", "export", dataset, "--output", ledger)
    said(things, "decisions", "import", dataset, ledger)
    said(things, "decisions", "rules", dataset)
    said(things, "send-to", "csv", things.run.id, "--output", tasks, "--top", 3)
    tasks.write_text(tasks.read_text(encoding="utf-8-sig").replace(",,,,id:", ",maybe,,,id:"), encoding="utf-8")
    assert said(things, "take-back", things.run.id, tasks)["left_out"]


def test_tidying_and_moving(things: Things) -> None:
    other = f"run:{things.other.id}"
    said(things, "rename", other, "renamed")
    said(things, "delete", other, "--dry-run")
    said(things, "delete", other)
    assert said(things, "bin")
    said(things, "restore", other)
    said(things, "clean", "--dry-run")
    said(things, "backup", things.folder / "backup.zip")
    said(things, "restore", things.folder / "backup.zip", "--workspace", things.folder / "restored")
    said(things, "upgrade")
    assert said(things, "audit-log")
    said(things, "move", things.folder / "moved", "--workspace", things.folder / "restored")
    said(things, "move", "--back", "--workspace", things.folder / "restored")


def test_commands_that_stay(things: Things, monkeypatch: pytest.MonkeyPatch) -> None:
    def opened(*_: Any, announce: Any, **__: Any) -> None:
        announce(["http://localhost:8501"], "")

    def works(*_: Any, announce: Any, **__: Any) -> None:
        announce("ready")

    monkeypatch.setattr("diet_explorer.jobs.supervisor.run_app", opened)
    monkeypatch.setattr("diet_explorer.jobs.worker.run_worker", works)
    assert said(things, "app")["urls"] == ["http://localhost:8501"]
    assert said(things, "worker") == {"event": "ready"}


def test_the_command_prints_them(things: Things) -> None:
    done = tiny_runs.inside("schema", "decisions", "list", home=things.home)
    assert json.loads(done.stdout) == schema_of("decisions list")
    assert list(json.loads(tiny_runs.inside("schema", home=things.home).stdout)) == list(FORMS)
    assert "No command 'none' prints JSON." in tiny_runs.inside("schema", "none", home=things.home).stderr
