"""The audit log on SQLite and on a real PostgreSQL: lines are added, read, and stay as they are."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from diet_explorer.errors import BadInputError
from diet_explorer.store.audit_log import AuditLog
from diet_explorer.store.database import open_database


@pytest.fixture
def engine(settings):
    return open_database(settings)


def test_lines_come_back_newest_first_and_by_kind_and_person(engine):
    log = AuditLog(engine)
    log.add("sign-in", "ann@example.org", "signs in", role="annotator")
    log.add("export", "lea", "exports the run r", role="lead", about="export:e")
    log.add("deletion", "lea", "deletes\0 \ud800 it")
    assert [(entry.kind, entry.who) for entry in log.entries()] == [
        ("deletion", "lea"),
        ("export", "lea"),
        ("sign-in", "ann@example.org"),
    ]
    (export,) = log.entries(kind="export")
    assert (export.role, export.what, export.about) == ("lead", "exports the run r", "export:e")
    assert export.at.tzinfo is not None
    assert [entry.kind for entry in log.entries(who="lea", limit=1)] == ["deletion"]
    with pytest.raises(BadInputError, match="no kind 'exports'"):
        log.entries(kind="exports")


def test_what_is_to_be_kept_once_is_kept_once(engine):
    log = AuditLog(engine)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: log.add("sign-in", "ann", "signs in", once="token 1"), range(8)))
    log.add("sign-in", "ann", "signs in", once="token 2")
    assert len(log.entries()) == 2


def test_repeated_refusals_do_not_fill_the_disk(engine):
    log = AuditLog(engine)
    for _ in range(50):
        log.refuse("eve", "may not import data", "viewer")
    assert 1 <= len(log.entries(kind="refusal")) <= 2  # of the minute, and of the next where it has just begun


@pytest.mark.parametrize("statement", ["UPDATE audit_log SET who = 'nobody'", "DELETE FROM audit_log"])
def test_the_database_itself_refuses_to_change_a_line(engine, statement):
    AuditLog(engine).add("export", "lea", "exports")
    with pytest.raises(DBAPIError, match="stay as they are"), engine.begin() as connection:
        connection.execute(text(statement))
    assert [entry.who for entry in AuditLog(engine).entries()] == ["lea"]
