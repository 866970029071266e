"""The callback that scores every example at the listed checkpoints of a training."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from diet_explorer.data.splits import TRAIN
from diet_explorer.errors import JobCancelledError, JobFailedError
from diet_explorer.scoring import catalogue
from diet_explorer.scoring.progress import CheckpointProgress, MissingCheckpoint, RunReports, SeedProgress
from diet_explorer.scoring.rankings import rank_checkpoint
from diet_explorer.scoring.scorer import ExampleScorer, ScoredExamples
from diet_explorer.store.files import Files
from diet_explorer.store.scores import ScoreFiles, score_table
from diet_explorer.training.encoding import EncodedExamples

RATE_WINDOW = 0.9  # weight of the past in the running mean of seconds per step


@dataclass(frozen=True)
class RecordingPlan:
    """What a recorder records, and where.

    `at_end` is called with the trained model and a function that reports how many examples are done, before the seed
    counts as done: a job that was cut off meanwhile does it again.
    """

    files: Files
    run_id: str
    reports: RunReports | None  # None in all but one of several training processes, which writes
    seed: int
    encoded: EncodedExamples
    scorer: ExampleScorer
    steps: Mapping[int, list[float]]  # optimisation step to the checkpoints (in epochs) taken after it
    should_stop: Callable[[], bool] = lambda: False  # asked at every batch; True raises JobCancelledError
    ranked: bool = True  # whether rankings and statistics are made of the scores
    trained: NDArray[np.int64] | None = None  # rows that are trained on, where they are not the training split
    at_end: Callable[[Any, Callable[[int], None]], None] | None = None


class CheckpointRecorder(TrainerCallback):
    """Scores all examples at the planned steps, writes score files and rankings, and reports progress.

    Training itself is not touched: the model's mode, gradients and the random number generators are as before,
    so the trained weights are the same bit for bit as without the recorder. With `save_training` the Trainer is asked
    for a training checkpoint after each scoring, to resume from. `progress` is where the seed stands; by default
    that is read.
    """

    def __init__(self, plan: RecordingPlan, *, save_training: bool, progress: SeedProgress | None = None) -> None:
        self._plan = plan
        self._save_training = save_training
        self._store = ScoreFiles(plan.files, plan.run_id)
        self._progress = progress or (plan.reports.load(plan.seed) if plan.reports else SeedProgress(plan.seed))
        self._step_started: float | None = None
        self._seconds_per_step: float | None = None
        self._learning_rate: float | None = None

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, model: Any = None, **_: Any
    ) -> TrainerControl:
        """Score before the first step, unless the training goes on from a later one."""
        self._progress.total_steps = state.max_steps
        self._progress.step = state.global_step
        if state.global_step:
            self._log("continued", f"Goes on after step {state.global_step:,}.")
        return self._at_step(args, state, control, model)

    def on_step_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        lr_scheduler: Any = None,
        **_: Any,
    ) -> TrainerControl:
        """Note when the step began, and with which learning rate."""
        self._step_started = time.perf_counter()
        self._learning_rate = None if lr_scheduler is None else float(lr_scheduler.get_last_lr()[0])
        return control

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, model: Any = None, **_: Any
    ) -> TrainerControl:
        """Report progress, and score if this step is a planned one."""
        self._time_step(args, state)
        for step in self._plan.steps:
            if self._progress.step < step < state.global_step:
                self.skip(step, "The training went past it: its epoch was shortened by another callback.")
        self._progress.state = "training"
        self._progress.step = state.global_step
        self._progress.epoch = float(state.epoch or 0.0)
        self._estimate_end()
        self._save()
        self._stop_if_asked()
        return self._at_step(args, state, control, model)

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, model: Any = None, **_: Any
    ) -> TrainerControl:
        """Score where a callback that had its turn later put the training on to a planned step (`DietCallback`)."""
        if state.global_step == self._progress.step:
            return control
        self._progress.step = state.global_step
        return self._at_step(args, state, control, model)

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: Any = None, **_: Any
    ) -> TrainerControl:
        """Remember the training loss for the progress display."""
        if logs and "loss" in logs:
            self._progress.loss = float(logs["loss"])
        return control

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, model: Any = None, **_: Any
    ) -> TrainerControl:
        """Mark the seed done and say what scoring cost."""
        if self._plan.at_end is not None:
            self._progress.state = "scoring"
            self._progress.scoring_total = self._plan.scorer.rows
            self._plan.at_end(model, self._report_scoring)
            self._progress.scoring_done = self._progress.scoring_total = 0
        self._progress.state = "done"
        self._progress.seconds_left = 0.0
        self._save(force=True)
        spent = self._progress.training_seconds + self._progress.scoring_seconds
        share = self._progress.scoring_seconds / spent if spent else 0.0
        self._log(
            "seed done",
            f"Seed {self._plan.seed} is done; scores took {share:.0%} of {spent:,.0f} s.",
            training_seconds=round(self._progress.training_seconds, 3),
            scoring_seconds=round(self._progress.scoring_seconds, 3),
        )
        return control

    @property
    def missing(self) -> list[MissingCheckpoint]:
        """Checkpoints that were skipped."""
        return self._progress.missing

    def skip(self, step: int, reason: str) -> list[float]:
        """Go on without the scores of a step, which could not be taken, and give the checkpoints that are missing."""
        landed = {entry.checkpoint for entry in self._progress.checkpoints}
        points = [point for point in self._plan.steps.get(step, []) if point not in landed]
        self._progress.missing += [MissingCheckpoint(point, reason) for point in points]
        self._progress.state = "training"
        self._progress.scoring_done = self._progress.scoring_total = 0
        return points

    def _at_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, model: Any
    ) -> TrainerControl:
        points = self._plan.steps.get(state.global_step, [])
        landed = {entry.checkpoint for entry in self._progress.checkpoints}
        if landed.issuperset(points):
            return control
        self._record(model, points, state.global_step)
        # before the first step there is nothing to save, after the last nothing to go on to
        control.should_save |= self._save_training and 0 < state.global_step < state.max_steps
        return control

    def _record(self, model: Any, points: list[float], step: int) -> None:
        plan = self._plan
        started = time.perf_counter()
        self._progress.state = "scoring"
        self._progress.scoring_total = plan.scorer.rows
        self._report_scoring(0)
        scored = plan.scorer.score(model, self._report_scoring)
        check_finite(scored, step)
        for point in points if plan.reports is not None else []:
            table = score_table(
                plan.seed,
                point,
                scored.rows,
                plan.encoded.labels[scored.rows],
                scored.logits,
                scored.columns,
                self._learning_rate,
            )
            self._store.write_scores(plan.seed, point, table)
            if plan.ranked:
                rank_checkpoint(self._store, plan.encoded.order, plan.seed, point, table)
        seconds = (time.perf_counter() - started) / len(points)
        for point in points:
            self._land(scored, point, step, seconds)
        self._progress.scoring_done = self._progress.scoring_total = 0
        self._estimate_end()
        self._save(force=True)

    def _land(self, scored: ScoredExamples, point: float, step: int, seconds: float) -> None:
        encoded = self._plan.encoded
        correct = scored.predicted == encoded.labels[scored.rows]
        trained = encoded.rows_of_split(TRAIN) if self._plan.trained is None else self._plan.trained
        train = np.isin(scored.rows, trained, assume_unique=True)
        entry = CheckpointProgress.of(point, scored.columns["loss"], correct, train, seconds)
        self._progress.checkpoints.append(entry)
        coverage = f" {scored.coverage}." if scored.coverage else ""
        self._log(
            "checkpoint",
            f"Scores {catalogue.checkpoint_title(point)} have landed for seed {self._plan.seed} after {seconds:,.1f} s."
            f"{coverage}",
            checkpoint=point,
            step=step,
            train_loss=_rounded(entry.train_loss),
            train_accuracy=_rounded(entry.train_accuracy),
            heldout_accuracy=_rounded(entry.heldout_accuracy),
            scoring_seconds=round(seconds, 3),
        )

    def _save(self, *, force: bool = False) -> None:
        if self._plan.reports is not None:
            self._plan.reports.save(self._progress, force=force)

    def _log(self, event: str, message: str, **details: Any) -> None:
        if self._plan.reports is not None:
            self._plan.reports.log(event, message, seed=self._plan.seed, **details)

    def _report_scoring(self, done: int) -> None:
        self._progress.scoring_done = done
        self._save()
        self._stop_if_asked()

    def _stop_if_asked(self) -> None:
        if self._plan.should_stop():
            raise JobCancelledError("The run was cancelled.", "Resume it to go on from the last checkpoint.")

    def _time_step(self, args: TrainingArguments, state: TrainerState) -> None:
        if self._step_started is None:
            return
        seconds = time.perf_counter() - self._step_started
        self._progress.training_seconds += seconds
        past = self._seconds_per_step
        self._seconds_per_step = seconds if past is None else RATE_WINDOW * past + (1 - RATE_WINDOW) * seconds
        self._progress.examples_per_second = examples_per_step(args, state) / self._seconds_per_step

    def _estimate_end(self) -> None:
        if self._seconds_per_step is None:
            return
        landed = self._progress.checkpoints
        each = self._progress.scoring_seconds / len(landed) if landed else 0.0
        planned = sum(len(points) for step, points in self._plan.steps.items() if step > self._progress.step)
        steps = self._progress.total_steps - self._progress.step
        self._progress.seconds_left = steps * self._seconds_per_step + planned * each


def examples_per_step(args: TrainingArguments, state: TrainerState) -> int:
    """Examples of all processes and of all accumulated batches in an optimisation step."""
    batch = state.train_batch_size or args.train_batch_size  # less than asked for where the Trainer looks for one
    return int(batch * args.gradient_accumulation_steps * args.world_size)


def check_finite(scored: ScoredExamples, step: int) -> None:
    """Raise JobFailedError where a training went astray, so that no score is made of it."""
    if not np.isfinite(scored.logits).all():
        raise JobFailedError(
            f"Training diverged: the model's outputs are not finite at step {step:,}.",
            "Run again with a lower learning rate.",
        )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
