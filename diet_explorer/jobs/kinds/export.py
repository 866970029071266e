"""Writing an export. A job that was cut off starts anew.

What it had written lies in a folder of a temporary name, or elsewhere without the manifest, which comes last.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Engine

from diet_explorer.config import Settings
from diet_explorer.data.manifest import DatasetManifest
from diet_explorer.errors import NotFoundError, WorkspaceError
from diet_explorer.jobs.job import JobRequest, JobWords, QueuedJob
from diet_explorer.jobs.progress import JobProgress, JobReporter
from diet_explorer.jobs.protocol import Route
from diet_explorer.pruning.export.folder import is_remote, temporary_folder
from diet_explorer.pruning.export.request import ExportOptions, ExportRequest
from diet_explorer.pruning.export.writing import write_export
from diet_explorer.pruning.policies import Policy
from diet_explorer.review.decisions import Ledger
from diet_explorer.store.files import Files
from diet_explorer.store.layout import MANIFEST_NAME, Layout
from diet_explorer.store.names import checked_id


@dataclass(frozen=True, kw_only=True)
class ExportJobRequest(ExportRequest, JobRequest):
    """What is asked of the writing of an export into a folder."""

    folder: str
    by: str
    created_at: str  # in UTC, ISO 8601
    name: str = ""  # that a person gave it

    @property
    def asked_at(self) -> datetime:
        """When it was asked for."""
        return datetime.fromisoformat(self.created_at)


class ExportJob(QueuedJob[ExportJobRequest, JobProgress]):
    """The writing of one export."""

    kind = "export"
    words = JobWords(
        noun="export",
        verb="wrote",
        short_of_memory="Most often the machine is short of memory: close other programs, and export again.",
        unforeseen="Export again.",
    )
    route = Route("write_export", "exports")
    poll_seconds = 0.2
    progress_type = JobProgress

    def __init__(self, settings: Settings, files: Files, database: Engine, export_id: str) -> None:
        super().__init__(settings, files, database, (checked_id("export", export_id),))
        self._export_id = export_id
        self._own_folder = Layout(files).export(export_id).data

    @classmethod
    def read_request(cls, value: dict[str, Any]) -> ExportJobRequest:
        """Rebuild a request from its record."""
        checked_id("run", value["run_id"])
        checked_id("dataset", value["dataset_id"])
        policy, options = Policy.from_json(value["policy"]), ExportOptions(**value["options"])
        return ExportJobRequest(**{**value, "policy": policy, "options": options})

    def request(self) -> ExportJobRequest | None:
        """What was asked for last; an export in the workspace is found wherever the workspace lies by now."""
        request = super().request()
        if request is None or not request.folder.endswith(f"exports/{self._export_id}/data"):
            return request
        return replace(request, folder=self._own_folder)

    def save_request(self, request: ExportJobRequest) -> None:
        """Write down what is asked for, without the place of the workspace."""
        is_own = request.folder == self._own_folder
        super().save_request(replace(request, folder=f"exports/{self._export_id}/data") if is_own else request)

    def asked(self) -> ExportJobRequest:
        """What is asked for; NotFoundError where there is no such export."""
        request = self.request()
        if request is None or request.id != self._export_id:
            raise NotFoundError(
                f"There is no export {self._export_id!r}.", "List the exports with `diet-explorer exports`."
            )
        return request

    def is_complete(self) -> bool:
        """Whether the manifest is there, which is written last."""
        folder = self.asked().folder
        return self.files.at(folder).exists(f"{folder}/{MANIFEST_NAME}")

    def clean_up(self) -> None:
        """Remove the folder of a temporary name, or what lies elsewhere without a manifest."""
        folder = self.asked().folder
        if not is_remote(folder):
            shutil.rmtree(temporary_folder(folder, self._export_id), ignore_errors=True)
            return
        with suppress(WorkspaceError):  # a store that is away; `clean` finds it later
            if not self.is_complete():
                self.files.at(folder).remove_folder(folder)

    def work(self, report: JobReporter[JobProgress], stop: Callable[[], bool]) -> dict[str, Any]:
        """Write the export."""
        request = self.asked()
        ledger = Ledger(self.database, DatasetManifest.load(self.files, request.dataset_id))
        report(0.0, "Reading scores and decisions")
        plan, run = self.patiently(lambda: request.plan(self.files, ledger)), self.record_of(request.run_id)
        write_export(self.files, run, plan, request.options, request.folder, request.id, report=report, stopped=stop)
        return {}
