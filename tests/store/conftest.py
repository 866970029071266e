"""Databases on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import uuid

import pytest

from diet_explorer.config import load_settings


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(request, tmp_path):
    if request.param == "sqlite":
        return load_settings(home=str(tmp_path))
    server, name = request.getfixturevalue("postgres"), f"t{uuid.uuid4().hex}"
    server.psql(f"CREATE DATABASE {name}")
    return load_settings(home=str(tmp_path), database_url=server.get_uri(database=name))
