"""Leases on both databases: one worker has a thing at a time, and whoever has lost it changes nothing more."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import Engine

from diet_explorer.config import Settings
from diet_explorer.errors import JobLeftError
from diet_explorer.store.database import open_database, transaction
from diet_explorer.store.leases import Lease, held_things, lease_holder, take_lease
from diet_explorer.store.tables import WorkerRow
from diet_explorer.store.workers import WorkerInfo, WorkerRecords


def registered(database: Engine, name: str) -> WorkerInfo:
    """A worker that is there."""
    about = WorkerInfo(id=name, host=name, slot=0, pid=1, machine=name, version="1", device="a processor")
    return WorkerRecords(database).register(about)


def taken(database: Engine, worker: WorkerInfo, thing: str = "run-1/0") -> Lease | None:
    return take_lease(database, thing, worker.id, worker.token, "job")


def silence(database: Engine, worker: WorkerInfo) -> None:
    """As if its last sign of life had been a while ago, by the database's clock."""
    with transaction(database) as session:
        row = session.get_one(WorkerRow, worker.id)
        row.seen_at -= timedelta(minutes=2)


def test_who_is_silent_loses_what_it_works_on_and_changes_nothing_more(settings: Settings) -> None:
    database = open_database(settings)
    records, first, second = WorkerRecords(database), registered(database, "first"), registered(database, "second")
    lease = taken(database, first)
    assert lease is not None and lease.look() > 0
    assert taken(database, second) is None and taken(database, second, "run-1/1") is not None
    assert held_things(database) == {"run-1/0", "run-1/1"}

    silence(database, first)
    assert held_things(database) == {"run-1/1"}, "nobody alive works on it"
    assert taken(database, second) is None, "it has not been declared gone yet"
    known, now = records.get("first")
    assert known is not None and known.is_silent(now)
    assert not records.declare_gone(first), "it has given a sign of life since, by what was read"
    assert records.declare_gone(known) and not records.declare_gone(known)
    with pytest.raises(JobLeftError):
        lease.look()
    after = taken(database, second)
    assert after is not None and after.key.epoch > lease.key.epoch
    with pytest.raises(JobLeftError), transaction(database) as session:
        lease.check(session)
    assert records.beat(first) is None
    with pytest.raises(JobLeftError):  # it has to register anew
        taken(database, first)
    lease.release()
    with transaction(database) as session:
        assert lease_holder(session, "run-1/0") == "second", "what is lost cannot be given back"
    after.release()
    again = taken(database, registered(database, "first"))
    assert again is not None and again.look() > 0


def test_of_many_at_once_one_takes_it(settings: Settings) -> None:
    database = open_database(settings)
    workers = [registered(database, f"worker-{number}") for number in range(4)]
    together = threading.Barrier(len(workers), timeout=60)

    def take(worker: WorkerInfo) -> Lease | None:
        together.wait()
        return taken(database, worker)

    with ThreadPoolExecutor(len(workers)) as pool:
        leases = [lease for lease in pool.map(take, workers) if lease is not None]
    assert len(leases) == 1 and leases[0].look() > 0
