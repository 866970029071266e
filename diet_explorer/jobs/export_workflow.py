"""The job that writes an export, as one durable step; the work is done by a process of its own.

A job that was cut off starts anew: what it had written lies in a folder of a temporary name, which it removes.
"""

from __future__ import annotations

import shutil

from dbos import DBOS

from diet_explorer.errors import DietExplorerError, JobCancelledError
from diet_explorer.jobs.export_progress import ExportFiles, ExportProgress
from diet_explorer.jobs.own_process import run_in_own_process
from diet_explorer.jobs.protocol import EXPORT_WORKFLOW
from diet_explorer.jobs.workflows import MAX_STARTS, Workbench, alone
from diet_explorer.pruning.export.manifest import MANIFEST_NAME
from diet_explorer.pruning.export.writing import temporary_folder

_POLL_SECONDS = 0.2
_REMEDY = "Most often the machine is short of memory: close other programs, and export again."


def declare_export_workflow(bench: Workbench) -> None:
    """Register the job with the job library; call it once, before the library is launched."""

    @DBOS.step()
    def write(export_id: str) -> str:
        return _write(bench, export_id)

    @DBOS.workflow(name=EXPORT_WORKFLOW, max_recovery_attempts=None)
    def write_export(export_id: str) -> str:
        return write(export_id)


def _write(bench: Workbench, export_id: str) -> str:
    files = ExportFiles(bench.files, export_id)
    scratch = bench.settings.scratch_folder / export_id
    starts = files.status().starts + 1

    def stopped() -> bool:
        return files.request().cancelled

    failure: tuple[str, str] | None = None
    try:
        with alone(scratch, stopped):
            if stopped():
                return "cancelled"
            if starts > 1 and bench.files.exists(f"{files.request().folder}/{MANIFEST_NAME}"):
                files.save(ExportProgress("done", "Done", 1.0, starts=starts))  # it was cut off right after the end
                return "done"
            files.save(ExportProgress("running", "Starting", starts=starts))
            if starts > MAX_STARTS:
                failure = f"The worker was killed {MAX_STARTS} times while it wrote this export.", _REMEDY
            else:
                request = {"home": bench.files.root, "export_id": export_id, "starts": starts}
                request |= {"database_url": bench.settings.database_url}
                ended = run_in_own_process(
                    "diet_explorer.jobs.export_process", request, scratch, stopped, _POLL_SECONDS
                )
                failure = None if ended is None else (f"The process that wrote the export {ended}.", _REMEDY)
        shutil.rmtree(scratch, ignore_errors=True)
    except JobCancelledError:
        _remove_leftover(files, export_id)
        return "cancelled"
    except DietExplorerError as error:
        failure = (error.message, error.remedy)
    if failure is not None:
        _remove_leftover(files, export_id)
        files.save(ExportProgress("failed", "Failed", error=failure[0], remedy=failure[1], starts=starts))
    return files.status().state


def _remove_leftover(files: ExportFiles, export_id: str) -> None:
    shutil.rmtree(temporary_folder(files.request().folder, export_id), ignore_errors=True)
