"""A proof: retrainings that show what policies are worth, how far they are, and what came of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from diet_explorer.errors import BadInputError, JobCancelledError, JobFailedError, NotFoundError
from diet_explorer.jobs.slots import living_workers
from diet_explorer.jobs.waiting import wait_while_active
from diet_explorer.pruning.deciding import comparisons_of
from diet_explorer.pruning.proof import MEASURES, Figures, Measure
from diet_explorer.pruning.results import results_table
from diet_explorer.pruning.trainings import ProofTrainings, Training, TrainingResults
from diet_explorer.review.annotators import Identity
from diet_explorer.store.delay import Delay
from diet_explorer.store.layout import Layout
from diet_explorer.store.names import checked_id
from diet_explorer.store.runs import ACTIVE, RunRecord, Status
from diet_explorer.workspace.context import Context
from diet_explorer.workspace.core import RunCore

if TYPE_CHECKING:
    from diet_explorer.drawing.frame import Figure

TrainingStatus = Status | Literal["not needed"]
_LATEST = 3  # trainings whose time says how long the others will take


@dataclass(frozen=True)
class TrainingProgress:
    """How far one training is: `share` in [0, 1]; `error` and `remedy` if it failed.

    It is ``not needed`` where the proof has decided without it, and it is not running.
    """

    training: Training
    title: str
    status: TrainingStatus
    share: float
    seconds_left: float | None = None
    error: str | None = None
    remedy: str | None = None
    delay: Delay | None = None


@dataclass(frozen=True)
class ProofProgress:
    """How far a proof is: `done` of `total` trainings, `share` in [0, 1] of the expected time.

    Where a proof goes on until it decides, `at_most` is True as long as it does: total and time left are then bounds,
    which shrink whenever something is decided.
    """

    proof_id: str
    status: Status
    done: int
    total: int
    share: float
    seconds_left: float | None
    trainings: list[TrainingProgress]
    delay: Delay | None = None  # why no worker takes up the next training, where none runs
    at_most: bool = False

    @property
    def is_active(self) -> bool:
        """Whether trainings wait or run."""
        return self.status in ("queued", "running")

    def describe(self) -> str:
        """Such as "12 of at most 40 trainings"."""
        return f"{self.done:,} of {'at most ' if self.at_most else ''}{self.total:,} trainings"


class Proof:
    """Retrainings that show what policies are worth. Made by `Proofs.start`, opened again by `Workspace.proof`.

    Attributes
    ----------
    id, run_id, name : str
    given_name : str or None
        The name that a person gave it.
    created_at : datetime
    seeds : int
        Trainings per variant, at most where it goes on until it decides; seeds are 0, 1, ….
    until_decided : float or None
        The precision in points of accuracy with which it goes on until it decides; None for a fixed number of seeds.
    steps : int
        Optimisation steps of every training.
    evaluated_on : str
        Split whose examples the results are taken over, or ``held out``.
    evaluated : int
        How many examples that is.
    variants : list of Variant
        Full data first.
    trainings : list of Training
    """

    def __init__(self, context: Context, record: dict[str, Any]) -> None:
        self._context = context
        self.id = checked_id("proof", record["id"])
        self.run_id = checked_id("run", record["run_id"])
        self.given_name: str | None = record.get("name")
        self.name = self.given_name or f"{self.run_id} · {record['created_at'][:16].replace('T', ' ')}"
        self.created_at = datetime.fromisoformat(record["created_at"])
        self.seeds: int = record["seeds"]
        self.steps: int = record["steps"]
        self.evaluated_on: str = record["evaluated_on"]
        self.evaluated: int = record["evaluated"]
        self._content = ProofTrainings.from_record(record)
        self.until_decided: float | None = record.get("until_decided")
        self.variants = self._content.variants
        self.trainings = self._content.trainings

    def __repr__(self) -> str:
        return f"Proof({self.id!r}, {len(self.variants)} variants × {self.seeds} seeds)"

    def progress(self) -> ProofProgress:
        """How far it is, per training."""
        needed = set(self._content.needed(self._results))
        records = {record.id: record for record in self._context.records.list()}
        trainings = [self._training_progress(training, training in needed, records) for training in self.trainings]
        counted = [entry for entry in trainings if entry.status != "not needed"]
        status = _overall([entry.status for entry in counted])
        return ProofProgress(
            proof_id=self.id,
            status=status,
            done=sum(entry.status == "succeeded" for entry in counted),
            total=len(counted),
            share=sum(entry.share for entry in counted) / len(counted),
            seconds_left=self._seconds_left(counted, records.values()),
            trainings=trainings,
            delay=self._delay(counted),
            at_most=self.until_decided is not None and status in ACTIVE,
        )

    def table(self) -> pd.DataFrame:
        """Results so far, one line per variant; see `results_table` for the columns."""
        return results_table(self.variants, self.results(), self.seeds, self._content.rule)

    def plot(self, measure: Measure = "accuracy") -> Figure:
        """Results so far against the kept share, with their intervals, as a figure.

        Parameters
        ----------
        measure : {"accuracy", "macro_f1", "loss"}

        Returns
        -------
        plotly.graph_objects.Figure

        Raises
        ------
        BadInputError
            There is no such measure.
        """
        from diet_explorer.drawing.frame import alone  # loads plotly
        from diet_explorer.drawing.proofs import proof_figure

        if measure not in MEASURES:
            raise BadInputError(f"There is no measure {measure!r}.", f"Choose one of: {', '.join(MEASURES)}.")
        figure = proof_figure(self.table(), measure)
        return alone(figure, f"{self.name}: on {self.evaluated:,} {self.evaluated_on} examples")

    def verdicts(self) -> list[str]:
        """One sentence per variant, in their order, full data first."""
        return [str(words) for words in self.table()["verdict"]]

    def results(self) -> list[dict[int, Figures]]:
        """For each variant the seeds that are done, and their results on the examples that no training saw."""
        return self._content.results(self._results)

    @property
    def comparisons(self) -> int:
        """How many differences its table has, which its intervals are corrected for if it goes on until it decides."""
        return len(comparisons_of(self.variants))

    @property
    def intervals(self) -> str:
        """How its intervals are to be read: a sentence."""
        if self.until_decided is None:
            return (
                "95 % intervals by Student's t, paired by seed where two are compared. They hold for one look, when "
                "all seeds are done, and nothing is corrected for comparing many choices."
            )
        number = self.comparisons
        corrected = "" if number == 1 else f", corrected for its {number} comparisons (Bonferroni)"
        return (
            "These intervals may be looked at at any time, and all of them hold together: sequential 95 % t intervals, "
            f"paired by seed{corrected}. A comparison is decided once its interval excludes 0, or once the difference "
            f"is known to ± {self.until_decided:g} points; what is not after {self.seeds} seeds is called undecided."
        )

    def cancel(self, training: Training | None = None, *, by: Identity | str | None = None) -> None:
        """Stop its trainings, or one of them, within seconds; what is done stays, and `resume` goes on from there.

        A training that another proof shares stops for that one too.

        Raises
        ------
        PermissionDeniedError
            `by` is somebody who may not.
        """
        self._context.allow("lead", "cancel a proof", by)
        for run in self._runs(training):
            if run.status in ACTIVE:
                with suppress(BadInputError):  # it has ended since it was looked at
                    run.cancel()

    def resume(self, training: Training | None = None, *, by: Identity | str | None = None) -> Proof:
        """Queue cancelled and failed trainings again, or one of them; each goes on from its last checkpoint.

        Those that the proof has decided without stay out.

        Raises
        ------
        PermissionDeniedError
            `by` is somebody who may not.
        """
        self._context.allow("lead", "resume a proof", by)
        needed = {entry.run_id for entry in self._content.needed(self._results)}
        for run in self._runs(training):
            if run.id in needed:
                take_up(run)
            elif run.record.workflow_id is None:  # it was never queued
                self._context.records.set_status(run.id, "cancelled", only_from=("queued",))
        return self

    def wait(self, timeout: float | None = None) -> Proof:
        """Block until all trainings have ended.

        Parameters
        ----------
        timeout : float, optional
            Seconds; None waits for ever.

        Raises
        ------
        JobFailedError, JobCancelledError
            One of them ended without a result; the results of the others stay.
        TimeoutError
            It is not done in time; it goes on.
        NoWorkerError
            No worker has been running for a minute.
        """
        progress = wait_while_active(
            self.progress, timeout, lambda now: f"The proof {self.id} has done {now.describe()}"
        )
        failed = next((entry for entry in progress.trainings if entry.status == "failed"), None)
        if failed is not None:
            what = f"{failed.title}, seed {failed.training.seed}"
            raise JobFailedError(f"{what}: {failed.error or 'the training failed.'}", failed.remedy or "Read its log.")
        if progress.status == "cancelled":
            raise JobCancelledError(
                f"The proof {self.id} was cancelled.", f"Go on with: diet-explorer proof {self.id} --resume"
            )
        return self

    @cached_property
    def _results(self) -> TrainingResults:
        return TrainingResults(self._context.files, self._context.records.get(self.run_id).dataset_id)

    def _runs(self, training: Training | None) -> list[RunCore]:
        """The runs that it may stop and start: not one that people scored and that serves as a training too."""
        ids = dict.fromkeys(entry.run_id for entry in self.trainings if training in (None, entry))
        runs = []
        for run_id in ids:
            with suppress(NotFoundError):  # it was deleted, with the other run that it belonged to
                runs.append(RunCore(self._context, run_id))
        return [run for run in runs if run.record.origin == "proof"]

    def _training_progress(
        self, training: Training, is_needed: bool, records: Mapping[str, RunRecord]
    ) -> TrainingProgress:
        title = self.variants[training.variant].title
        if self._results.figures(training.key) is not None:
            return TrainingProgress(training, title, "succeeded", 1.0, 0.0)
        try:
            run_id = self._results.run_id(training.key) or training.run_id
            run = RunCore(self._context, run_id, records.get(run_id))
        except NotFoundError as error:
            if not is_needed:
                return TrainingProgress(training, title, "not needed", 0.0)
            return TrainingProgress(training, title, "failed", 0.0, None, error.message, error.remedy)
        if run.status != "running":
            if not is_needed:
                return TrainingProgress(training, title, "not needed", 0.0)
            share = 1.0 if run.status == "succeeded" else 0.0
            delay = run.delay(entry.run_id for entry in self.trainings)
            facts = (run.record.status, share, None, run.error, run.remedy, delay)
            return TrainingProgress(training, title, *facts)
        progress = run.progress()
        return TrainingProgress(training, title, run.record.status, progress.share, progress.seconds_left)

    @staticmethod
    def _delay(trainings: list[TrainingProgress]) -> Delay | None:
        """Why nothing of it goes on: what keeps its first training that waits, where none runs."""
        if any(entry.status == "running" for entry in trainings):
            return None
        return next((entry.delay for entry in trainings if entry.status == "queued"), None)

    def _seconds_left(self, trainings: list[TrainingProgress], records: Iterable[RunRecord]) -> float | None:
        active = [entry for entry in trainings if entry.status in ACTIVE]
        done = {entry.training.run_id for entry in trainings if entry.status == "succeeded"}
        ended = [record for record in records if record.id in done and record.finished_at]
        took = [_seconds(record) for record in ended[::-1] if record.parent_id is not None]
        known = [entry.seconds_left for entry in active if entry.seconds_left is not None]
        each = sum(took[-_LATEST:]) / len(took[-_LATEST:]) if took else max(known, default=None)
        if not active or each is None:
            return None
        total = sum(known) + (len(active) - len(known)) * each
        return total / max(1, len(living_workers(self._context.settings)))


def list_proofs(context: Context, *, deleted: bool = False) -> list[Proof]:
    """Proofs of all runs of a workspace, newest first; on demand deleted ones too."""
    files, layout = context.files, Layout(context.files)
    names = [name for name in layout.ids(layout.proofs) if files.exists(layout.proof(name))]
    proofs = [Proof(context, files.read_json(layout.proof(name))) for name in names]
    proofs = [proof for name, proof in zip(names, proofs, strict=True) if proof.id == name]
    if not deleted and proofs:
        marks, runs = context.bin.keys(), {record.id for record in context.records.list()}
        proofs = [proof for proof in proofs if proof.run_id in runs and ("proof", proof.id) not in marks]
    return sorted(proofs, key=lambda proof: proof.created_at, reverse=True)


def load_proof(context: Context, proof_id: str) -> Proof:
    """A proof by its id; NotFoundError where there is none, DeletedError where it is in the bin."""
    record = context.files.find_json(Layout(context.files).proof(proof_id))
    if record is None:
        raise NotFoundError(f"There is no proof {proof_id!r}.", "List them with `diet-explorer proofs`.")
    proof = Proof(context, record)
    if proof.id != proof_id:
        raise NotFoundError(f"There is no proof {proof_id!r}: its file is of another one.", "Restore it from a backup.")
    context.bin.check(("proof", proof_id))
    context.records.get(proof.run_id)
    return proof


def take_up(run: RunCore) -> None:
    """Start a training that was never started, was cancelled or failed; leave any other alone."""
    if run.status in ("cancelled", "failed"):
        run.resume()
    elif run.status == "queued" and run.record.workflow_id is None:
        run.submit()


def _overall(statuses: list[TrainingStatus]) -> Status:
    """What to call the whole: active as long as anything is, then the worst end of any."""
    if ACTIVE.isdisjoint(statuses):
        ends: tuple[Status, ...] = ("failed", "cancelled", "succeeded")
        return next(status for status in ends if status in statuses)
    return "running" if {"running", "succeeded"}.intersection(statuses) else "queued"


def _seconds(record: RunRecord) -> float:
    if record.started_at is None or record.finished_at is None:
        return 0.0
    return (record.finished_at - record.started_at).total_seconds()
