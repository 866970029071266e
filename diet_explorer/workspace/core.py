"""One run as it is recorded: its settings, how far it is, its rankings and scores."""

from __future__ import annotations

import socket
import uuid
from collections.abc import Iterable
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Self, TypeVar

import pandas as pd
import pyarrow as pa

from diet_explorer.analysis.card import ExampleCard, load_card
from diet_explorer.analysis.filters import ExampleFilter
from diet_explorer.analysis.ranking import Ranking
from diet_explorer.config import own_path
from diet_explorer.errors import (
    BadInputError,
    DeletedError,
    DietExplorerError,
    JobCancelledError,
    JobFailedError,
    NotFoundError,
)
from diet_explorer.jobs.notebooks import FRAME_HEIGHT, as_table, show_view
from diet_explorer.jobs.slots import living_workers
from diet_explorer.jobs.waiting import delay_of, wait_while_active
from diet_explorer.scoring import catalogue
from diet_explorer.scoring.long_table import long_table
from diet_explorer.scoring.own_run import GOES_ON
from diet_explorer.scoring.progress import (
    RunProgress,
    RunReports,
    SeedProgress,
    WorkerName,
    at_once_in_words,
    seconds_left,
)
from diet_explorer.store.arrow import exact_frame
from diet_explorer.store.delay import Delay
from diet_explorer.store.files import Files
from diet_explorer.store.layout import Layout
from diet_explorer.store.names import checked_id
from diet_explorer.store.runs import ACTIVE, Origin, RunRecord
from diet_explorer.store.scores import ScoreFiles
from diet_explorer.training.config import RunConfig
from diet_explorer.workspace.context import Context
from diet_explorer.workspace.dataset import Dataset
from diet_explorer.workspace.own_training import close_own, notes_on, settled


def create_record(
    context: Context, config: RunConfig, *, name: str, origin: Origin, parent_id: str | None = None
) -> RunRecord:
    """Record a run, or a further training for the run `parent_id`, without starting anything.

    DeletedError where its dataset or parent is in the bin.
    """
    record = planned_record(context, config, name=name, origin=origin, parent_id=parent_id)
    enter_record(context, record)
    return record


def planned_record(
    context: Context, config: RunConfig, *, name: str, origin: Origin, parent_id: str | None = None
) -> RunRecord:
    """What is to be recorded of a run; its folder has its settings, and the database knows nothing of it."""
    context.allow("lead", "start jobs")
    if context.reach.is_limited and origin not in ("callback", "cartography", "record"):
        context.model(config.model)
    checked_id("dataset", config.dataset_id)
    now = context.records.now()
    record = RunRecord(
        id=f"run-{now:%Y%m%d-%H%M%S}-{uuid.uuid4().hex[:4]}",
        dataset_id=config.dataset_id,
        name=name,
        origin=origin,
        status="queued",
        config=config.to_json(),
        created_at=now,
        parent_id=parent_id,
    )
    context.files.write_json(Layout(context.files).run(record.id).config, {"name": name, **record.config})
    return record


def enter_record(context: Context, record: RunRecord) -> None:
    """Put a run into the database: from now on people see it. DeletedError where what it is of is in the bin."""
    context.records.create(record)
    try:
        context.records.get(record.id)
    except DeletedError:  # whoever deletes stops what there is by then; this came later
        context.records.set_status(record.id, "cancelled", only_from=ACTIVE)
        raise


PAGES = ("browse", "distributions", "data_map", "embedding_map", "audit", "prune", "proof")
"""The app's pages of a run, by their addresses."""
AnyRun = TypeVar("AnyRun", bound="RunCore")
"""A run with or without its facets: facets hand out runs of the kind that they were made with."""


class RunCore:
    """One run as it is recorded; what its facets (`Run.audit` and so on) rest on.

    Attributes
    ----------
    context : Context
    id : str
    record : RunRecord
        As last read; see `refresh`.
    store : ScoreFiles
        Its score files.
    """

    def __init__(self, context: Context, run_id: str, record: RunRecord | None = None) -> None:
        self.context = context
        self.id = checked_id("run", run_id)
        self.record = settled(context, record or context.records.get(run_id))
        self.store = ScoreFiles(context.files, run_id)
        self._progress = RunReports(context.database, run_id)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.id!r}, {self.status})"

    def _repr_html_(self) -> str:
        """For notebooks: what it is, and how far."""
        now, config = self.progress(), self.config
        facts = {
            "dataset": self.dataset.name,
            "status": f"{now.status}, {now.share:.0%}" if now.is_active else now.status,
            "model": config.model,
            "epochs": f"{config.epochs:g}",
            "seeds": config.seeds,
            "scored after epochs": ", ".join(f"{point:g}" for point in self.checkpoints()) or "none yet",
        }
        return as_table(f"{self.name} ({self.id})", facts)

    def show(self, page: str = "browse", *, height: int = FRAME_HEIGHT) -> Any:
        """Its page of the app: in a notebook in a frame below the cell, elsewhere a printed link.

        Parameters
        ----------
        page : str
            Of the app: ``browse``, ``distributions``, ``data_map``, ``embedding_map``, ``audit``, ``prune`` or
            ``proof``.
        height : int
            Of the frame, in pixels.

        Returns
        -------
        IPython.display.IFrame or None
            None outside a notebook, and where no app of this workspace is running.

        Raises
        ------
        NotFoundError
            There is no such page.
        """
        if page not in PAGES:
            raise NotFoundError(f"The app has no page {page!r} of a run.", f"Choose one of: {', '.join(PAGES)}.")
        asked = {"dataset": self.record.dataset_id, "run": self.id}
        return show_view(self.context.settings, page, asked, height)

    @property
    def name(self) -> str:
        """What people call it."""
        return self.record.name

    @property
    def given_name(self) -> str | None:
        """The name that a person gave it; None where it has the one that it got by itself."""
        endings = (f" · {Path(self.config.model).name}", "% held out", " · own training")
        by_itself = self.name.endswith(endings) or (self.is_imported and " · " in self.name)
        return None if by_itself else self.name

    @cached_property
    def config(self) -> RunConfig:
        """Its settings."""
        return RunConfig.from_json(self.record.config)

    @cached_property
    def dataset(self) -> Dataset:
        """The set it was trained on."""
        return Dataset.load(self.context, self.record.dataset_id)

    def children(self, origin: Origin | None = None) -> list[Self]:
        """Further trainings for this run (folds, noise checks, proofs), newest first."""
        records = self.context.records.list(parent_id=self.id)
        return [type(self)(self.context, record.id, record) for record in records if origin in (None, record.origin)]

    def create(self, config: RunConfig, *, name: str, origin: Origin, as_child: bool = True) -> Self:
        """Record a further training for this run, or with `as_child` off a run of its own, without starting it."""
        parent_id = self.id if as_child else None
        record = create_record(self.context, config, name=name, origin=origin, parent_id=parent_id)
        return type(self)(self.context, record.id, record)

    def refresh(self) -> Self:
        """Read status and error again."""
        self.record = settled(self.context, self.context.records.get(self.id))
        return self

    @property
    def status(self) -> str:
        """queued, running, interrupted, succeeded, failed or cancelled, as last read."""
        return self.record.status

    @property
    def is_imported(self) -> bool:
        """Whether its scores were made from outputs that another program recorded; its settings say nothing then."""
        return self.record.origin in ("cartography", "record")

    @property
    def is_own_training(self) -> bool:
        """Whether a training script of somebody's own makes it, and no worker."""
        return self.record.origin == "callback"

    @property
    def error(self) -> str | None:
        """What went wrong, if it failed."""
        return self.record.error

    @property
    def remedy(self) -> str | None:
        """What to do about the error."""
        return self.record.remedy

    def wait(self, timeout: float | None = None) -> Self:
        """Block until the run ends.

        Parameters
        ----------
        timeout : float, optional
            Seconds; None waits for ever.

        Raises
        ------
        JobFailedError, JobCancelledError
            The run ended without all of its scores; what has landed stays readable.
        TimeoutError
            It is not done in time; it goes on.
        NoWorkerError
            No worker has been running for a minute; the run keeps its place in the queue.
        """
        wait_while_active(self.progress, timeout, lambda now: f"The run {self.id} is still {_status_in_words(now)}")
        if self.status in ("failed", "interrupted"):
            raise JobFailedError(self.error or "The run failed.", self.remedy or "Read its log.")
        if self.status == "cancelled":
            raise JobCancelledError(f"The run {self.id} was cancelled.", f"Go on with: diet-explorer resume {self.id}")
        return self

    def cancel(self) -> None:
        """Stop the run within seconds; what has landed stays, and `resume` goes on from there.

        A training script of somebody's own records nothing more then, and trains on if it is alive.

        Raises
        ------
        BadInputError
            It has ended already, or it was imported.
        """
        self.context.allow("lead", "cancel jobs")
        if self.is_own_training:
            close_own(self.context, self.record)
            self._progress.log("cancelled", "Closed by a user; the training script goes on by itself.")
            self.refresh()
            return
        self._check_is_job("cancelled")
        if not self.context.records.set_status(self.id, "cancelled", only_from=ACTIVE):
            raise BadInputError(
                f"The run {self.id} cannot be cancelled: it has ended ({self.refresh().status}).",
                "Choose a run that is queued or running.",
            )
        workflow_id = self.refresh().record.workflow_id
        if workflow_id is not None:
            self.context.jobs.cancel(workflow_id, self.config.seeds)
        self._progress.log("cancelled", "Cancelled by a user.")

    def resume(self) -> Self:
        """Queue a cancelled, failed or interrupted run again; it goes on from the last checkpoint.

        Raises
        ------
        BadInputError
            It is queued or running, or has all of its scores, or a training script of somebody's own goes on in it.
        """
        self.context.allow("lead", "start jobs")
        self._check_is_job("resumed")
        if not self.context.records.set_status(self.id, "queued", only_from=("cancelled", "failed", "interrupted")):
            status = self.refresh().status
            remedy = "It is complete; browse its scores." if status == "succeeded" else "Wait for it, or cancel it."
            raise BadInputError(f"The run {self.id} cannot be resumed: it is {status}.", remedy)
        self.submit()
        self._progress.log("resumed", "Resumed by a user.", queued_at=self.context.records.now().isoformat())
        return self.refresh()

    def submit(self) -> None:
        """Put the queued run into the job queue; where that fails, the run says so instead of waiting for ever."""
        self.context.allow("lead", "start jobs")
        try:
            job = f"score-{self.id}-{uuid.uuid4().hex[:8]}"
            self.context.jobs.submit_run(job, self.id, self.config.seeds)
            self.context.records.set_workflow(self.id, job)
        except DietExplorerError as error:
            self.context.records.set_status(self.id, "failed", error=error.message, remedy=error.remedy)
            raise

    def progress(self) -> RunProgress:
        """How far it is, per seed and checkpoint."""
        self.refresh()
        seeds = self._seeds()
        planned = len(self.config.checkpoints)
        waiting = self.status == "queued"
        return RunProgress(
            run_id=self.id,
            status=self.status,
            seeds=seeds,
            share=1.0 if self.status == "succeeded" else sum(seed.share(planned) for seed in seeds) / len(seeds),
            seconds_left=seconds_left(seeds) if self.status == "running" else None,
            error=self.error,
            remedy=self.remedy,
            queue_position=self._queue_position() if waiting else None,
            notes=(*_at_once(seeds, self.status), *notes_on(self.context, self.record, self.config.checkpoints, seeds)),
            delay=self.delay() if waiting else None,
        )

    def delay(self, beside: Iterable[str] = ()) -> Delay | None:
        """Why no worker takes it up; None where it does not wait for one, by its status as last read.

        Nor where one is busy with a run of those `beside` it, which belong to the same work.
        """
        if self.status != "queued" or self.is_own_training:
            return None
        last = self._progress.read_log(1)  # of a run that was resumed
        resumed_at = last[-1].get("queued_at") if last else None
        queued_at = datetime.fromisoformat(resumed_at) if resumed_at else self.record.created_at
        return delay_of(self.context.settings, queued_at, needs=self.config, tasks=[self.id, *beside])

    def log(self, last: int = 200) -> list[dict[str, Any]]:
        """The last lines of its log: ``time, level, event, message`` and details."""
        return self._progress.read_log(last)

    def landed(self) -> dict[int, list[float]]:
        """Seed to the checkpoints (in epochs) whose scores are there."""
        return self.store.landed()

    def checkpoints(self, seed: int | None = None) -> list[float]:
        """Checkpoints that are ranked, of one seed or of the mean over seeds."""
        return self.store.ranked_checkpoints(seed)

    def default_checkpoint(self, seed: int | None = None) -> float:
        """The end of epoch 1 if it has landed, else the latest checkpoint before it, else the first after it.

        Raises
        ------
        NotFoundError
            Nothing has landed yet.
        """
        points = self.landed_checkpoints(seed)
        early = [point for point in points if point <= catalogue.DEFAULT_CHECKPOINT]
        return early[-1] if early else points[0]

    def checkpoint_or_default(self, checkpoint: float | None, seed: int | None = None) -> float:
        """The checkpoint that was asked for, or the default one; BadInputError where it is no number."""
        if checkpoint is None:
            return self.default_checkpoint(seed)
        try:
            return float(checkpoint)
        except (TypeError, ValueError):
            landed = ", ".join(f"{point:g}" for point in self.landed_checkpoints(seed))
            raise BadInputError(
                f"The checkpoint {checkpoint!r} is no number of epochs.", f"Recorded checkpoints: {landed}."
            ) from None

    def ranking(self, checkpoint: float | None = None, seed: int | None = None) -> Ranking:
        """The ranking at a checkpoint, of one seed or of the mean over seeds."""
        point = self.checkpoint_or_default(checkpoint, seed)
        return Ranking(
            self.store,
            self.dataset.manifest,
            point,
            seed,
            search=self.context.text_search(self.dataset.manifest).mask,
            decisions=self.dataset.ledger,
        )

    def landed_checkpoints(self, seed: int | None = None) -> list[float]:
        """The same, at least one; NotFoundError where nothing has landed yet."""
        points = self.checkpoints(seed)
        if not points and seed is not None and (landed := self.landed()):
            known = ", ".join(map(str, landed))
            raise NotFoundError(f"The run {self.id} has no scores of seed {seed}.", f"Recorded seeds: {known}.")
        if not points:
            raise NotFoundError(f"The run {self.id} has no scores yet.", "Wait until its first checkpoint has landed.")
        return points

    def score_names(self, checkpoint: float | None = None, seed: int | None = None) -> list[str]:
        """Scores that there are at a checkpoint; those over the training so far come after its first one above 0."""
        return self.ranking(checkpoint, seed).score_names

    def recorded_names(self) -> list[str]:
        """Scores of one checkpoint each, which the long table has."""
        return [name for name in self.score_names() if catalogue.score(name).span == "checkpoint"]

    def ranked(
        self,
        by: str = catalogue.DEFAULT_SCORE,
        checkpoint: float | None = None,
        *,
        seed: int | None = None,
        where: ExampleFilter | None = None,
        limit: int | None = 50,
        offset: int = 0,
    ) -> pd.DataFrame:
        """Examples, highest score first; see `Ranking.page` for the columns.

        Parameters
        ----------
        by : str
            A score of the catalogue.
        checkpoint : float, optional
            In epochs; by default `default_checkpoint`.
        seed : int, optional
            One seed; by default the mean over seeds.
        where : ExampleFilter, optional
            By default every example of the training split.
        limit, offset : int
            Which part of the ranking; a limit of None gives all of it.
        """
        return self.ranking(checkpoint, seed).page(by, where or ExampleFilter(), limit, offset)

    def count(
        self, where: ExampleFilter | None = None, checkpoint: float | None = None, *, seed: int | None = None
    ) -> int:
        """How many examples a filter keeps."""
        return self.ranking(checkpoint, seed).count(where or ExampleFilter())

    def position(
        self,
        row: int,
        by: str = catalogue.DEFAULT_SCORE,
        checkpoint: float | None = None,
        *,
        seed: int | None = None,
        where: ExampleFilter | None = None,
    ) -> int | None:
        """An example's position from 0 on in the list that `ranked` gives; None where the filter does not keep it."""
        return self.ranking(checkpoint, seed).position(row, by, where or ExampleFilter())

    def histogram(
        self,
        by: str = catalogue.DEFAULT_SCORE,
        checkpoint: float | None = None,
        *,
        seed: int | None = None,
        where: ExampleFilter | None = None,
        bins: int = 60,
    ) -> pd.DataFrame:
        """Counts of a score in equal-width bins: ``left, right, count``."""
        return self.ranking(checkpoint, seed).histogram(by, where or ExampleFilter(), bins)

    def card(self, row: int) -> ExampleCard:
        """Everything about one example."""
        return load_card(self.context.queries, self.store, self.dataset.manifest, row)

    def percentiles(self, row: int, checkpoint: float | None = None, *, seed: int | None = None) -> dict[str, float]:
        """For each score the share, in percent, of the example's split that is less suspicious than it."""
        return self.ranking(checkpoint, seed).percentiles(row)

    def scores(self) -> pd.DataFrame:
        """The long table: one row per example, seed and checkpoint.

        Returns
        -------
        pandas.DataFrame
            ``id, split, seed, checkpoint, label, predicted`` (class names) and every recorded score.
        """
        return exact_frame(self._long_table().read_all())

    def export_scores(self, path: str | Path) -> Path:
        """Write the long table; the name's ending decides: .parquet, .csv or .jsonl.

        Raises
        ------
        BadInputError
            The ending is none of these.
        PermissionDeniedError
            Only a lead may.
        """
        self.context.allow("lead", "export scores")
        target = self.context.reach.check(own_path(path))
        forms = {".parquet": "parquet", ".csv": "csv", ".jsonl": "json", ".json": "json"}
        if target.suffix not in forms:
            raise BadInputError(
                f"The ending of {target.name!r} is not known.", "Name a file that ends in .parquet, .csv or .jsonl."
            )
        with Files(target.parent).atomic_writer(str(target)) as stream:
            self.context.queries.copy_batches(self._long_table(), stream.name, forms[target.suffix])
        return target

    def _long_table(self) -> pa.RecordBatchReader:
        return long_table(self.store, self.dataset.manifest, self.recorded_names())

    def _check_is_job(self, verb: str) -> None:
        if self.is_own_training:
            raise BadInputError(f"The run {self.id} cannot be {verb} here: it belongs to a training script.", GOES_ON)
        if self.is_imported:
            raise BadInputError(f"The run {self.id} cannot be {verb}: it was imported.", "Import it again instead.")

    def _seeds(self) -> list[SeedProgress]:
        """How far each seed is; one whose worker is seen not to work on it any more waits for another."""
        known = self._progress.load_all()
        seeds = [known.get(seed, SeedProgress(seed)) for seed in self.config.seed_numbers]
        if any(seed.is_busy and seed.slot is not None for seed in seeds):
            workers = living_workers(self.context.settings)
            at_work = {WorkerName(worker.host, worker.slot) for worker in workers if worker.run_id == self.id}
            seen = {socket.gethostname(), *(worker.host for worker in workers)}
            for seed in seeds:
                if seed.is_busy and seed.host in seen and seed.worker not in at_work:
                    seed.state = "waiting"
        return seeds

    def _queue_position(self) -> int | None:
        queued = [record.id for record in self.context.records.list() if record.status in ACTIVE]
        return len(queued) - queued.index(self.id) if self.id in queued else None


def _at_once(seeds: list[SeedProgress], status: str) -> tuple[str, ...]:
    busy = [seed for seed in seeds if seed.is_busy]
    return (f"{_capital(at_once_in_words(busy))}.",) if status == "running" and len(busy) > 1 else ()


def _status_in_words(progress: RunProgress) -> str:
    return f"running ({progress.describe()})" if len(progress.busy) > 1 else progress.status


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
