"""One run of a workspace: a training during which every example is scored."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from diet_explorer.analysis.card import ExampleCard, load_card
from diet_explorer.analysis.filters import ExampleFilter
from diet_explorer.errors import BadInputError, DietExplorerError, JobCancelledError, JobFailedError
from diet_explorer.jobs.waiting import wait_while_active
from diet_explorer.review.annotators import Identity
from diet_explorer.scoring import catalogue
from diet_explorer.scoring.progress import ProgressFiles, RunProgress, SeedProgress
from diet_explorer.store.decisions import DecisionEvent
from diet_explorer.store.files import Files
from diet_explorer.store.queries import parquet, quote_text
from diet_explorer.store.runs import ACTIVE, Origin, RunRecord
from diet_explorer.workspace.audit import AuditedRun
from diet_explorer.workspace.dynamics import AnalysedRun
from diet_explorer.workspace.maps import EmbeddedRun
from diet_explorer.workspace.proofs import ProvenRun
from diet_explorer.workspace.pruning import PrunedRun
from diet_explorer.workspace.review import ReviewedRun

if TYPE_CHECKING:
    from diet_explorer.workspace.workspace import Workspace


class Run(AnalysedRun, AuditedRun, EmbeddedRun, ProvenRun, PrunedRun, ReviewedRun):
    """One training run during which every example is scored. Made by `Workspace`."""

    def __init__(self, workspace: Workspace, run_id: str, record: RunRecord | None = None) -> None:
        super().__init__(workspace, run_id, record)
        self._progress = ProgressFiles(workspace.files, run_id)

    def __repr__(self) -> str:
        return f"Run({self.id!r}, {self.status})"

    def refresh(self) -> Run:
        """Read status and error again."""
        self.record = self._workspace.records.get(self.id)
        return self

    @property
    def status(self) -> str:
        """queued, running, succeeded, failed or cancelled, as last read."""
        return self.record.status

    @property
    def error(self) -> str | None:
        """What went wrong, if it failed."""
        return self.record.error

    @property
    def remedy(self) -> str | None:
        """What to do about the error."""
        return self.record.remedy

    def children(self, origin: Origin | None = None) -> list[Run]:
        """Further trainings for this run (folds, noise checks, proofs), newest first."""
        found = self._workspace.records.children(self.id)
        return [Run(self._workspace, record.id, record) for record in found if origin in (None, record.origin)]

    def wait(self, timeout: float | None = None) -> Run:
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
        """
        wait_while_active(
            lambda: self.refresh().record, timeout, lambda record: f"The run {self.id} is still {record.status}"
        )
        if self.status == "failed":
            raise JobFailedError(self.error or "The run failed.", self.remedy or "Read its log.")
        if self.status == "cancelled":
            raise JobCancelledError(f"The run {self.id} was cancelled.", f"Go on with: diet-explorer resume {self.id}")
        return self

    def cancel(self) -> None:
        """Stop the run within seconds; what has landed stays, and `resume` goes on from there.

        Raises
        ------
        BadInputError
            It has ended already, or it is a training script of somebody's own.
        """
        self._workspace.allow("lead", "cancel jobs")
        self._check_is_job("cancelled")
        if not self._workspace.records.set_status(self.id, "cancelled", only_from=ACTIVE):
            raise BadInputError(
                f"The run {self.id} cannot be cancelled: it has ended ({self.refresh().status}).",
                "Choose a run that is queued or running.",
            )
        workflow_id = self.refresh().record.workflow_id
        if workflow_id is not None:
            self._workspace.jobs.cancel(workflow_id)
        self._progress.log("cancelled", "Cancelled by a user.")

    def resume(self) -> Run:
        """Queue a cancelled or failed run again; it goes on from the last checkpoint.

        Raises
        ------
        BadInputError
            It is queued or running, or has all of its scores.
        """
        self._workspace.allow("lead", "start jobs")
        self._check_is_job("resumed")
        if not self._workspace.records.set_status(self.id, "queued", only_from=("cancelled", "failed")):
            status = self.refresh().status
            remedy = "It is complete; browse its scores." if status == "succeeded" else "Wait for it, or cancel it."
            raise BadInputError(f"The run {self.id} cannot be resumed: it is {status}.", remedy)
        self.submit()
        self._progress.log("resumed", "Resumed by a user.")
        return self.refresh()

    def submit(self) -> None:
        """Put the queued run into the job queue; where that fails, the run says so instead of waiting for ever."""
        try:
            self._workspace.records.set_workflow(self.id, self._workspace.jobs.submit_score(self.id))
        except DietExplorerError as error:
            self._workspace.records.set_status(self.id, "failed", error=error.message, remedy=error.remedy)
            raise

    def progress(self) -> RunProgress:
        """How far it is, per seed and checkpoint."""
        self.refresh()
        seeds = [self._progress.load(seed) for seed in self.config.seed_numbers]
        waiting = self.status == "queued"
        return RunProgress(
            run_id=self.id,
            status=self.status,
            seeds=seeds,
            share=1.0 if self.status == "succeeded" else sum(map(self._seed_share, seeds)) / len(seeds),
            seconds_left=self._seconds_left(seeds) if self.status == "running" else None,
            error=self.error,
            remedy=self.remedy,
            queue_position=self._queue_position() if waiting else None,
        )

    def log(self, last: int = 200) -> list[dict[str, Any]]:
        """The last lines of its log: ``time, level, event, message`` and details."""
        return self._progress.read_log(last)

    def landed(self) -> dict[int, list[float]]:
        """Seed to the checkpoints (in epochs) whose scores are there."""
        return self.store.landed()

    def decide(
        self,
        where: ExampleFilter,
        action: str,
        *,
        annotator: Identity | str,
        label: str | None = None,
        note: str | None = None,
        checkpoint: float | None = None,
        seed: int | None = None,
        uid: str | None = None,
    ) -> DecisionEvent:
        """Decide about every example that a filter keeps, in one event that can be undone.

        Parameters
        ----------
        where : ExampleFilter
        action, annotator, label, note, uid
            As for `Ledger.decide`.
        checkpoint, seed
            The ranking that the filter's score ranges are about.
        """
        point = self.default_checkpoint(seed) if checkpoint is None else float(checkpoint)
        ledger, rows = self.dataset.ledger, self.ranking(point, seed).rows(where)
        seen = {"filter": where.to_query(), "checkpoint": point, "seed": seed}
        before = ledger.sent_by_filter(uid, action, annotator=annotator, seen=seen, label=label)
        return before or ledger.decide(
            rows, action, annotator=annotator, label=label, note=note, run_id=self.id, seen=seen, uid=uid
        )

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
        """Examples from the worst on; see `Ranking.page` for the columns.

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
        """An example's place from 0 on in the list that `ranked` gives; None where the filter does not keep it."""
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
        return load_card(self._workspace.queries, self.store, self.dataset.manifest, row)

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
        return self._workspace.queries.frame(self._long_sql())

    def export_scores(self, path: str | Path) -> Path:
        """Write the long table; the name's ending decides: .parquet, .csv or .jsonl.

        Raises
        ------
        BadInputError
            The ending is none of these.
        """
        target = Path(path).absolute()
        forms = {".parquet": "parquet", ".csv": "csv", ".jsonl": "json", ".json": "json"}
        if target.suffix not in forms:
            raise BadInputError(
                f"The ending of {target.name!r} is not known.", "Name a file that ends in .parquet, .csv or .jsonl."
            )
        with Files(target.parent).atomic_writer(str(target)) as stream:
            self._workspace.queries.copy(self._long_sql(), stream.name, forms[target.suffix])
        return target

    def _long_sql(self) -> str:
        names = self.recorded_names()
        paths = [self.store.scores_path(seed, point) for seed, points in self.landed().items() for point in points]
        classes = f"[{', '.join(quote_text(name) for name in self.dataset.classes)}]"
        scores = "".join(f", {name}" for name in names)
        return (
            f"SELECT id, split, seed, checkpoint, {classes}[label + 1] AS label, {classes}[predicted + 1] AS predicted"
            f"{scores} FROM {parquet(paths)} ORDER BY seed, checkpoint, row"
        )

    def _check_is_job(self, verb: str) -> None:
        if self.record.origin == "callback":
            raise BadInputError(
                f"The run {self.id} cannot be {verb} here: it belongs to a training script.", "Use the script itself."
            )
        if self.record.origin == "cartography":
            raise BadInputError(f"The run {self.id} cannot be {verb}: it was imported.", "Import it again instead.")

    def _seed_share(self, seed: SeedProgress) -> float:
        if seed.state == "done":
            return 1.0
        points = len(self.config.checkpoints)
        scored = len(seed.checkpoints) + (seed.scoring_done / seed.scoring_total if seed.scoring_total else 0.0)
        trained = seed.step / seed.total_steps if seed.total_steps else 0.0
        return (trained + min(scored / points, 1.0)) / 2

    def _seconds_left(self, seeds: list[SeedProgress]) -> float | None:
        known = [entry.seconds_left for entry in seeds if entry.seconds_left is not None and entry.state != "done"]
        if not known:
            return None
        took = [entry.training_seconds + entry.scoring_seconds for entry in seeds if entry.state == "done"]
        waiting = sum(entry.state == "waiting" for entry in seeds)
        running = [entry for entry in seeds if entry.state not in ("done", "waiting")]
        spent = [entry.training_seconds + entry.scoring_seconds + (entry.seconds_left or 0.0) for entry in running]
        each = took or spent
        return sum(known) + waiting * (sum(each) / len(each) if each else 0.0)

    def _queue_position(self) -> int | None:
        queued = [record.id for record in self._workspace.records.list() if record.status in ACTIVE]
        return len(queued) - queued.index(self.id) if self.id in queued else None
