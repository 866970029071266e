"""Writing an export. A job that was cut off starts anew: what it had written lies in a folder of a temporary name."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from diet_explorer.config import Settings
from diet_explorer.data.manifest import DatasetManifest
from diet_explorer.errors import NotFoundError
from diet_explorer.jobs.job import JobRequest, JobWords, QueuedJob
from diet_explorer.jobs.progress import JobProgress, JobReporter
from diet_explorer.jobs.protocol import Route
from diet_explorer.pruning.export.manifest import MANIFEST_NAME, ExportOptions
from diet_explorer.pruning.export.writing import ExportPlan, temporary_folder, write_export
from diet_explorer.pruning.material import hardness_of, load_population, material_of, no_scores
from diet_explorer.pruning.policies import Policy
from diet_explorer.pruning.selection import select
from diet_explorer.review.decisions import Ledger
from diet_explorer.store.database import open_database
from diet_explorer.store.files import Files
from diet_explorer.store.layout import Layout
from diet_explorer.store.rows import RunRows
from diet_explorer.store.runs import RunRecords
from diet_explorer.store.scores import ScoreFiles


@dataclass(frozen=True, kw_only=True)
class ExportRequest(JobRequest):
    """What is asked of an export.

    Attributes
    ----------
    run_id, dataset_id : str
    policy : Policy
        Its checkpoint is a number wherever it uses one.
    checkpoint : float or None
        Of the scores that are written; None where the run has none.
    decisions_at : int
        The ledger's last event that counts.
    options : ExportOptions
    folder : str
        Where it goes.
    by : str
        Who asks.
    created_at : str
        In UTC, ISO 8601.
    """

    run_id: str
    dataset_id: str
    policy: Policy
    checkpoint: float | None
    decisions_at: int
    options: ExportOptions
    folder: str
    by: str
    created_at: str

    @property
    def asked_at(self) -> datetime:
        """When it was asked for."""
        return datetime.fromisoformat(self.created_at)


class ExportJob(QueuedJob[ExportRequest, JobProgress]):
    """The writing of one export.

    Parameters
    ----------
    settings : Settings
    files : Files
    export_id : str
    """

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

    def __init__(self, settings: Settings, files: Files, export_id: str) -> None:
        paths = Layout(files).export(export_id)
        super().__init__(settings, files, (export_id,), paths.request, paths.status)
        self._export_id = export_id

    @classmethod
    def read_request(cls, value: dict[str, Any]) -> ExportRequest:
        """Rebuild a request from its file."""
        policy, options = Policy.from_json(value["policy"]), ExportOptions(**value["options"])
        return ExportRequest(**{**value, "policy": policy, "options": options})

    def asked(self) -> ExportRequest:
        """What is asked for; NotFoundError where there is no such export."""
        request = self.request()
        if request is None:
            raise NotFoundError(
                f"There is no export {self._export_id!r}.", "List the exports with `diet-explorer exports`."
            )
        return request

    def is_complete(self) -> bool:
        """Whether the manifest is there, which is written last."""
        return self.files.exists(f"{self.asked().folder}/{MANIFEST_NAME}")

    def clean_up(self) -> None:
        """Remove the folder of a temporary name."""
        shutil.rmtree(temporary_folder(self.asked().folder, self._export_id), ignore_errors=True)

    def work(self, report: JobReporter[JobProgress], stop: Callable[[], bool]) -> dict[str, Any]:
        """Write the export."""
        request, engine = self.asked(), open_database(self.settings)
        ledger = Ledger(engine, DatasetManifest.load(self.files, request.dataset_id))
        report(0.0, "Reading scores and decisions")
        plan = plan_of(request, self.files, RunRecords(engine), ledger)
        write_export(self.files, plan, request.folder, request.id, tell=report, stopped=stop)
        return {}


def plan_of(request: ExportRequest, files: Files, runs: RunRecords, ledger: Ledger) -> ExportPlan:
    """Read what an export is made from.

    Parameters
    ----------
    request : ExportRequest
    files : Files
    runs : RunRecords
    ledger : Ledger
        Of the request's dataset.
    """
    manifest, policy = ledger.manifest, request.policy
    store = ScoreFiles(files, request.run_id)
    wanted = policy.needs_scores or request.options.all_rows
    point = request.checkpoint if wanted else None
    ranking = None if point is None else store.read_ranking(policy.run_seed, point)
    population = load_population(files, manifest)
    hardness = no_scores(manifest.rows)
    if policy.needs_scores and ranking is not None:
        hardness = hardness_of(ranking, policy.score, manifest.rows)
    held_out = RunRows(files, request.run_id).read_held_out()
    material = material_of(population, hardness, ledger.table(request.decisions_at), manifest, held_out)
    seeds = () if point is None else (policy.run_seed,) if policy.run_seed is not None else store.ranked_seeds(point)
    return ExportPlan(
        manifest=manifest,
        population=population,
        material=material,
        run=runs.get(request.run_id),
        policy=policy,
        selection=select(policy, material, manifest.classes),
        decisions_at=request.decisions_at,
        ranking=ranking,
        checkpoint=point,
        seeds=tuple(seeds),
        options=request.options,
    )
