"""The process that does the work of one job: ``python -m diet_explorer.jobs.own_process KIND``.

What to do comes as one line of JSON on the standard input, so that a secret in it stands on no disk, in no list of
processes and in no environment. What comes of the work stands in the job's progress.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from diet_explorer.config import load_settings
from diet_explorer.errors import DietExplorerError, JobCancelledError, JobLeftError, WorkspaceError
from diet_explorer.jobs.job import BackgroundJob, failure
from diet_explorer.jobs.logs import note_facts
from diet_explorer.jobs.progress import JobReporter
from diet_explorer.jobs.registry import kind_named
from diet_explorer.redaction import hide, redacted
from diet_explorer.store.database import open_database
from diet_explorer.store.files import Files
from diet_explorer.store.leases import Lease, LeaseKey
from diet_explorer.store.patience import patiently

LOOK_SECONDS = 0.5


def main() -> None:
    """Read what to do, do it, and write down how it ended."""
    task: dict[str, Any] = json.loads(sys.stdin.readline())
    kind = kind_named(sys.argv[1])
    if hasattr(os, "nice"):
        os.nice(kind.niceness)
    settings = load_settings(**task["settings"])
    make: Callable[..., BackgroundJob[Any, Any]] = kind
    database, look = patiently(lambda: open_database(settings), settings.store_patience), _nothing
    files = Files.of(settings, patience=settings.store_patience)
    if task["lease"] is not None:
        lease = Lease(database, LeaseKey(**task["lease"]))
        files, look = files.guarded(lease.assure), _now_and_then(lease)
    job = make(settings, files, database, *task["arguments"])
    job.secret = task["secret"]
    hide(job.secret)
    note_facts(job=task["job"])
    status = job.status()

    def stopped() -> bool:
        look()
        return job.is_stopped(task["job"])

    if status.job == task["job"]:
        _carry_out(job, JobReporter(job.save, status), stopped)


def _now_and_then(lease: Lease) -> Callable[[], None]:
    """Looks twice a second whether a lease is lost: JobLeftError."""
    next_look = 0.0

    def look() -> None:
        nonlocal next_look
        if time.monotonic() >= next_look:
            next_look = time.monotonic() + LOOK_SECONDS
            with suppress(WorkspaceError):
                lease.look()
            lease.assure()

    return look


def _nothing() -> None:
    """What a job does to see whether it has lost its lease, where it has none."""


def _carry_out(job: BackgroundJob[Any, Any], report: JobReporter[Any], stop: Callable[[], bool]) -> None:
    try:
        report.end("succeeded", **job.work(report, stop))
    except JobLeftError:
        return  # whoever goes on with it says how it ends
    except JobCancelledError:
        report.end("cancelled")
    except DietExplorerError as error:
        report.end("failed", **failure(error))
    except Exception as error:  # noqa: BLE001  the user reads of it, and the details are written down
        job.note_unforeseen(error)
        reason = type(error).__name__ if job.secret else f"{type(error).__name__}: {redacted(str(error))[:200]}"
        message = f"The {job.words.noun} met an error that was not foreseen ({reason})."
        report.end("failed", error=message, remedy=job.words.unforeseen, kind=type(error).__name__)


if __name__ == "__main__":
    main()
