"""Ledgers on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from diet_explorer.config import Settings, load_settings
from diet_explorer.review.decisions import Ledger
from diet_explorer.store.database import open_database
from diet_explorer.store.files import Files
from tests.synthetic import write_dataset

ROWS, CLASSES = 30, ["bad", "good", "so-so"]


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """A fresh database of each kind."""
    if request.param == "sqlite":
        return load_settings(home=str(tmp_path))
    server, name = request.getfixturevalue("postgres"), f"t{uuid.uuid4().hex}"
    server.psql(f"CREATE DATABASE {name}")
    return load_settings(home=str(tmp_path), database_url=server.get_uri(database=name))


@pytest.fixture
def open_ledger(settings: Settings) -> Callable[[], Ledger]:
    """Opens the same ledger anew, as another process would."""
    files = Files(settings.home)
    manifest = write_dataset(files, [f"text {n}" for n in range(ROWS)], [n % 3 for n in range(ROWS)], CLASSES)
    return lambda: Ledger(open_database(settings), manifest)
