"""The process that does the work of one job: ``python -m diet_explorer.jobs.own_process KIND``.

What to do comes as one line of JSON on the standard input, so that a secret in it stands on no disk, in no list of
processes and in no environment. What comes of the work stands in the job's progress file.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any

from diet_explorer.config import load_settings
from diet_explorer.errors import DietExplorerError, JobCancelledError
from diet_explorer.jobs.job import BackgroundJob, failure
from diet_explorer.jobs.logs import note_facts
from diet_explorer.jobs.progress import JobReporter
from diet_explorer.jobs.registry import kind_named
from diet_explorer.redaction import hide, redacted
from diet_explorer.store.files import Files


def main() -> None:
    """Read what to do, do it, and write down how it ended."""
    task: dict[str, Any] = json.loads(sys.stdin.readline())
    kind = kind_named(sys.argv[1])
    os.nice(kind.niceness)
    settings = load_settings(**task["settings"])
    make: Callable[..., BackgroundJob[Any, Any]] = kind
    job = make(settings, Files(settings.home), *task["arguments"])
    job.secret = task["secret"]
    hide(job.secret)
    note_facts(job=task["job"])
    status = job.status()
    if status.job == task["job"]:
        _carry_out(job, JobReporter(job.save, status), lambda: job.is_stopped(task["job"]))


def _carry_out(job: BackgroundJob[Any, Any], report: JobReporter[Any], stop: Callable[[], bool]) -> None:
    try:
        report.end("succeeded", **job.work(report, stop))
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
