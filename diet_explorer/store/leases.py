"""Who works on a run, a map or an export: one job at a time, as long as its worker is alive.

A job takes the lease on what it is about and gets an epoch. Whoever takes it later, or declares the worker gone, makes
the epoch grow; so a worker that was frozen or cut off sees, in the transaction in which it would write, that it has
lost the lease. Before a file is put in place it looks too, unless it has looked a moment ago.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from diet_explorer.errors import JobLeftError, WorkspaceError
from diet_explorer.store.database import in_utc, time_of, transaction, writing
from diet_explorer.store.monotonic import steady_seconds
from diet_explorer.store.tables import LeaseRow, WorkerRow

RETRY_SECONDS = 0.5
FRESH_SECONDS = 0.5
"""For so long what the database said of a lease counts as what it says."""


@dataclass(frozen=True)
class LeaseKey:
    """What names one lease: the thing, and the epoch in which it was taken."""

    thing: str
    worker: str
    epoch: int


class Lease:
    """One job's hold on a thing; made by `take_lease`, or from its key by a process that works for the job."""

    def __init__(self, engine: Engine, key: LeaseKey) -> None:
        self.key = key
        self._engine = engine
        self._good_until = self._fresh_until = float("-inf")

    def check(self, session: Session) -> None:
        """Raise a JobLeftError where the lease is lost; nobody takes it until the transaction has ended."""
        row = session.scalar(select(LeaseRow).where(LeaseRow.thing == self.key.thing).with_for_update(read=True))
        if row is None or (row.worker, row.epoch) != (self.key.worker, self.key.epoch):
            raise JobLeftError(f"Another worker has taken over {self.key.thing}.", "Nothing is to be done: it goes on.")

    def look(self) -> float:
        """For how many seconds nobody can take the lease; JobLeftError where it is lost, WorkspaceError where the
        database cannot be reached."""
        begun = steady_seconds()
        self._fresh_until = begun + FRESH_SECONDS
        with transaction(self._engine) as session:
            self.check(session)
            worker = session.get(WorkerRow, self.key.worker)
            if worker is None:
                return 0.0
            silent = (time_of(session) - in_utc(worker.seen_at)).total_seconds()
            self._good_until = begun + worker.lease_seconds - max(0.0, silent)
        return self._good_until - steady_seconds()

    def assure(self, is_ending: Callable[[], bool] = lambda: False) -> None:
        """Return when the lease is held, as the database said a moment ago; JobLeftError where it is lost.

        While the database is away nobody can take the lease before its time is over; from then on this waits: the work
        pauses. It is given up with a JobLeftError too where `is_ending` says so meanwhile.
        """
        while steady_seconds() >= min(self._fresh_until, self._good_until):
            with suppress(WorkspaceError):
                self.look()
            if steady_seconds() < self._good_until:
                return
            if is_ending():
                raise JobLeftError(f"The work on {self.key.thing} was handed back.", "Nothing is to be done.")
            time.sleep(RETRY_SECONDS)

    def release(self) -> None:
        """Give the lease back, if it is still held."""
        mine = (LeaseRow.thing == self.key.thing) & (LeaseRow.worker == self.key.worker)
        with writing(self._engine, f"lease:{self.key.thing}") as session:
            session.execute(update(LeaseRow).where(mine, LeaseRow.epoch == self.key.epoch).values(worker=None))


def take_lease(engine: Engine, thing: str, worker: str, token: str, job: str) -> Lease | None:
    """Take the lease on a thing; None while another job holds it, on whichever machine.

    `token` is that with which the worker registered: JobLeftError where it has been declared gone since.
    """
    with writing(engine, f"lease:{thing}") as session:
        me = session.get(WorkerRow, worker, with_for_update={"read": True})
        if me is None or me.token != token:
            raise JobLeftError(f"The worker lost the work on {thing} before it began.", "Nothing is to be done.")
        row = session.get(LeaseRow, thing, with_for_update=True)
        if row is not None and row.worker is not None and session.get(WorkerRow, row.worker) is not None:
            return None
        epoch = 1 if row is None else row.epoch + 1
        session.merge(LeaseRow(thing=thing, worker=worker, job=job, epoch=epoch))
    return Lease(engine, LeaseKey(thing, worker, epoch))


def lease_holder(session: Session, thing: str) -> str | None:
    """Name of the worker that works on a thing."""
    return session.scalar(select(LeaseRow.worker).where(LeaseRow.thing == thing))


def held_things(engine: Engine) -> set[str]:
    """All that somebody who gives signs of life works on."""
    query = select(LeaseRow.thing, WorkerRow).join(WorkerRow, WorkerRow.id == LeaseRow.worker)
    with transaction(engine) as session:
        now = time_of(session)
        return {
            thing
            for thing, worker in session.execute(query)
            if (now - in_utc(worker.seen_at)).total_seconds() <= worker.lease_seconds
        }
