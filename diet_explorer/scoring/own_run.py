"""The run of a training of one's own: created or gone on in, kept alive by reports, and closed."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from filelock import FileLock
from sqlalchemy import Engine

from diet_explorer.config import Settings
from diet_explorer.data.manifest import DatasetManifest
from diet_explorer.errors import BadInputError, JobCancelledError, NotFoundError, WorkspaceError
from diet_explorer.scoring.progress import RunReports, SeedProgress
from diet_explorer.store.database import shared_database
from diet_explorer.store.files import Files
from diet_explorer.store.layout import Layout
from diet_explorer.store.presence import forget_presence, hold_presence, report_presence
from diet_explorer.store.runs import RunRecord, RunRecords, Status
from diet_explorer.store.scores import ScoreFiles
from diet_explorer.store.workers import WorkerInfo, WorkerRecords
from diet_explorer.training.config import RunConfig

REPORT_SECONDS = 10.0
_LISTED = 10
SEED = 0  # a training of one's own is one seed of a run of its own
GOES_ON = "Go on with trainer.train(resume_from_checkpoint=True) in the script; what has landed stays readable."
_ENDED: tuple[Status, ...] = ("interrupted", "failed", "cancelled", "succeeded")


def manifest_of(files: Files, dataset: Any) -> DatasetManifest:
    """The manifest of a dataset, of one of that whole id, or else of the only one of that name.

    BadInputError for what is no dataset; NotFoundError, with those of the workspace, where there is none.
    """
    given = dataset if isinstance(dataset, str) else getattr(dataset, "id", None)
    if not isinstance(given, str):
        raise BadInputError(
            f"A {type(dataset).__name__} is no dataset.", "Give what Workspace.import_dataset returned, or its id."
        )
    there = DatasetManifest.all(files)
    for called in ([entry for entry in there if entry.id == given], [entry for entry in there if entry.name == given]):
        if len(called) == 1:
            return called[0]
    known = ", ".join(f"{entry.id} ({entry.name})" for entry in there[:_LISTED]) or "none yet"
    raise NotFoundError(
        f"The workspace {files.root} has no dataset {given!r}, or several of that name.",
        f"Import it there first, or give an id. Its datasets: {known}.",
    )


class OwnRun:
    """One training's hold on its run; made by `begin`.

    Attributes
    ----------
    id : str
    progress : SeedProgress
        With what has landed before, where it goes on in a run.
    reports : RunReports
        Where it says how far it is.
    """

    def __init__(self, settings: Settings, files: Files, database: Engine, run_id: str) -> None:
        self.id = run_id
        self.progress = SeedProgress(SEED)
        self._settings = settings
        self._files = files
        self._records = RunRecords(database)
        self.reports = RunReports(database, run_id, files.patience)
        self._presence: FileLock | None = None
        self._workers = WorkerRecords(database)
        self._report: WorkerInfo | None = None
        self._next_report = 0.0

    @classmethod
    def begin(
        cls,
        settings: Settings,
        files: Files,
        manifest: DatasetManifest,
        name: str,
        config: RunConfig,
        before: str | None,
    ) -> OwnRun:
        """Record a run, or go on in the run `before` where that fits the dataset and nobody else trains for it."""
        database = shared_database(settings)
        if before is not None:
            resumed = cls(settings, files, database, before)
            if resumed._go_on(config):
                return resumed
        now = RunRecords(database).now()
        record = RunRecord(
            id=f"run-{now:%Y%m%d-%H%M%S}-{uuid.uuid4().hex[:4]}",
            dataset_id=manifest.id,
            name=name,
            origin="callback",
            status="running",
            config=config.to_json(),
            created_at=now,
            started_at=now,
        )
        run = cls(settings, files, database, record.id)
        run._presence = hold_presence(settings, run.id)
        files.write_json(Layout(files).run(run.id).config, {"name": name, **record.config})
        run._beat()
        run._records.create(record)
        run.log("started", "A training script began this run.")
        return run

    def keep(self, points: Sequence[float]) -> None:
        """Keep the scores of these checkpoints (in epochs) only, and forget what an earlier attempt took after them."""
        store = ScoreFiles(self._files, self.id)
        for point in store.landed().get(SEED, []):
            if point not in points:
                store.forget(SEED, point)
        landed = store.landed().get(SEED, [])
        progress = self.reports.load(SEED)
        entries = [entry for entry in progress.checkpoints if entry.checkpoint in landed]
        self.progress = replace(progress, checkpoints=entries, missing=[])

    def report(self) -> None:
        """Say now and then that the training is alive; JobCancelledError where a user cancelled or removed the run."""
        now = time.monotonic()
        if now < self._next_report:
            return
        self._next_report = now + REPORT_SECONDS
        try:
            status = self._records.get(self.id).status
        except NotFoundError:
            raise JobCancelledError(f"The run {self.id} was removed.", "Start the training again.") from None
        if status == "cancelled":
            raise JobCancelledError(f"The run {self.id} was cancelled.", GOES_ON)
        if status == "interrupted":  # somebody took a long silence for its end
            self._records.set_status(self.id, "running", only_from={"interrupted"})
        self._beat()

    def log(self, event: str, message: str, **details: Any) -> None:
        """Append a line to the run's log."""
        self.reports.log(event, message, **details)

    def close(self, status: Status, error: str | None = None, remedy: str | None = None) -> None:
        """Say how the training ended, unless a user closed the run before."""
        changed = self._records.set_status(
            self.id, status, error=error, remedy=remedy, only_from={"running", "interrupted"}
        )
        if changed and error is not None:
            self.log(status, f"{error} {remedy}", level="error")
        self.release()

    def release(self) -> None:
        """Let go of the run."""
        if self._report is not None:
            with suppress(WorkspaceError, OSError):  # a database that is away finds out by the lock, or by silence
                self._workers.leave(self._report)
            self._report = None
        if self._presence is not None:
            forget_presence(self._settings, self.id)
            self._presence.release()
            self._presence = None

    def _go_on(self, config: RunConfig) -> bool:
        """Take up the run, if it is there, of the same dataset, and nobody's."""
        try:
            record = self._records.get(self.id)
        except NotFoundError:
            return False
        if record.origin != "callback" or record.dataset_id != config.dataset_id:
            return False
        self._presence = hold_presence(self._settings, self.id)
        if self._presence is None:
            return False
        self._beat()
        self._files.write_json(Layout(self._files).run(self.id).config, {"name": record.name, **config.to_json()})
        self._records.set_config(self.id, config.to_json())
        return self._records.set_status(self.id, "running", only_from={"running", *_ENDED})

    def _beat(self) -> None:
        self._report = report_presence(self._workers, self.id, self._report)
