"""`ScoreRecorder`: one line that scores every example during a training of one's own."""

from __future__ import annotations

import atexit
import logging
import math
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from diet_explorer.config import Settings, load_settings
from diet_explorer.data.splits import TRAIN
from diet_explorer.errors import BadInputError, DietExplorerError, JobCancelledError
from diet_explorer.scoring.gradients.frozen_model import unwrap
from diet_explorer.scoring.isolation import from_first_process, kept_state, of_all_processes, same_random_numbers
from diet_explorer.scoring.own_checks import (
    check_columns,
    check_labels,
    check_problem,
    check_set_up,
    probe,
)
from diet_explorer.scoring.own_labels import assumed_words, class_order, order_is_assumed, trained_classes
from diet_explorer.scoring.own_run import GOES_ON, SEED, OwnRun, manifest_of
from diet_explorer.scoring.own_schedule import OwnSchedule
from diet_explorer.scoring.own_words import missing_words, words_of
from diet_explorer.scoring.progress import SeedProgress
from diet_explorer.scoring.recorder import CheckpointRecorder, RecordingPlan, examples_per_step
from diet_explorer.scoring.scorer import ExampleScorer
from diet_explorer.scoring.train_ends import report_train_errors
from diet_explorer.store.files import Files
from diet_explorer.training.batches import PaddingCollator
from diet_explorer.training.config import MAX_EPOCHS, GradientMode, RunConfig
from diet_explorer.training.encoding import EncodedExamples, encode_examples

STATE_KEY = "diet_explorer"
"""Under this name the Trainer's checkpoints keep which run they belong to."""

logger = logging.getLogger("diet_explorer.recorder")


class _HasSettings(Protocol):
    settings: Settings


class _HasId(Protocol):
    id: str


@dataclass(frozen=True)
class _Prepared:
    """All that a training's scoring needs but the run."""

    config: RunConfig
    schedule: OwnSchedule
    encoded: EncodedExamples
    scorer: ExampleScorer
    steps: dict[int, list[float]]
    interrupt: KeyboardInterrupt | None  # of whoever stopped the script while its data were looked at
    assumed: bool  # nothing but the order of the dataset's classes says which number means which class


class ScoreRecorder(TrainerCallback):
    """Scores every example of a dataset during your own `transformers.Trainer` training.

    The run appears in the app like one of its own. Model, loss, optimiser, precision, random numbers and order of
    examples stay untouched: the trained weights are bit-identical to those without the recorder. With several processes
    each scores its share, and one writes. What cannot be scored is refused before the first step; whatever fails after
    it never ends the training: the run says which scores are missing and why.

    Parameters
    ----------
    workspace : Workspace, str or Path
    dataset : Dataset or str
        An imported dataset, its id or its name. Its classes are matched to the model's by their names
        (``model.config.label2id``); where the model's have none, by the labels of the training examples, and by
        position where these are not the dataset's.
    name : str, optional
        What to call the run.
    checkpoints : sequence of float, optional
        Moments in epochs; by default 0, 0.25, 0.5, the end of every epoch and the end of the training. Where the
        training data have no length, an epoch is as many examples as the dataset's training split has.
    grand : {"all", "head", "off"}
        Gradient norms over all trainable parameters, over the classifier only, or none. The classifier is what is
        outside ``model.base_model``, or the layer that makes the logits; where it is not known, its columns are left
        out.
    max_length : int
        Longest input in tokens when the examples are scored.
    tokenizer : transformers tokenizer, optional
        By default the Trainer's ``processing_class``.

    Attributes
    ----------
    run_id : str or None
        The run, once the training has begun. A training that goes on by ``resume_from_checkpoint`` goes on in its run.

    Raises
    ------
    BadInputError, ModelError
        When the recorder is made, or when the training begins: a setting out of range, no tokenizer, a model or a
        training that cannot be scored, or other classes than the dataset's.

    Examples
    --------
    >>> trainer.add_callback(ScoreRecorder("workspace", dataset, name="my run"))  # doctest: +SKIP
    """

    def __init__(
        self,
        workspace: _HasSettings | str | Path,
        dataset: _HasId | str,
        *,
        name: str | None = None,
        checkpoints: Sequence[float] | None = None,
        grand: GradientMode = "all",
        max_length: int = 128,
        tokenizer: Any = None,
    ) -> None:
        self._settings = load_settings(home=str(workspace)) if isinstance(workspace, str | Path) else workspace.settings
        self._files = Files.of(self._settings, patience=self._settings.store_patience)
        self._manifest = manifest_of(self._files, dataset)
        self._name = name or f"{self._manifest.name} · own training"
        self._checkpoints = None if checkpoints is None else tuple(checkpoints)
        self._grand = grand
        self._max_length = max_length
        self._tokenizer = tokenizer
        self._recorder: CheckpointRecorder | None = None
        self._own: OwnRun | None = None
        self._steps: dict[int, list[float]] = {}
        self._complaints: set[str] = set()
        self._process = os.getpid()
        self.run_id: str | None = None
        RunConfig(
            self._manifest.id,
            epochs=MAX_EPOCHS,
            checkpoints=(0.0,) if self._checkpoints is None else self._checkpoints,
            grand=grand,
            max_length=max_length,
        ).validated()
        report_train_errors()

    def on_train_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        model: Any = None,
        processing_class: Any = None,
        train_dataloader: Any = None,
        **keywords: Any,
    ) -> TrainerControl:
        """Check that the training can be scored, record or take up its run, and score before the first step."""
        before = self._run_before(args, state)
        self._recorder = None
        with same_random_numbers():
            prepared = _outcome_of(lambda: self._prepare(args, state, model, processing_class, train_dataloader))
        for outcome in of_all_processes(prepared if isinstance(prepared, Exception) else None):
            if not self._accepts(outcome):
                return control
        assert isinstance(prepared, _Prepared)
        begun = _outcome_of(lambda: self._begin(prepared, state, before)) if args.process_index == 0 else None
        begun = from_first_process(begun)
        if not self._accepts(begun):
            return control
        self.run_id, progress = begun
        if prepared.assumed and args.process_index == 0:
            self._complain(assumed_words(self._manifest.classes))
        if prepared.interrupt is not None:
            raise prepared.interrupt
        kept = {**kept_state(state), STATE_KEY: {"args": {}, "attributes": {"run_id": self.run_id}}}
        state.stateful_callbacks = kept  # type: ignore[assignment]
        plan = RecordingPlan(
            files=self._files,
            run_id=str(self.run_id),
            reports=None if self._own is None else self._own.reports,
            seed=SEED,
            encoded=prepared.encoded,
            scorer=prepared.scorer,
            steps=prepared.steps,
            should_stop=self._should_stop,
        )
        self._steps = prepared.steps
        self._recorder = CheckpointRecorder(plan, save_training=False, progress=progress)
        self._guarded(state, lambda recorder: recorder.on_train_begin(args, state, control, model=model))
        return control

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **keywords: Any
    ) -> TrainerControl:
        """Note when the step began, and with which learning rate."""
        self._guarded(state, lambda recorder: recorder.on_step_begin(args, state, control, **keywords))
        return control

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, model: Any = None, **keywords: Any
    ) -> TrainerControl:
        """Report progress, and score if this step is a planned one."""
        if args.world_size > 1 and state.global_step in self._steps and not from_first_process(self._is_recording):
            self._recorder = None  # all processes score, or none

        def act(recorder: CheckpointRecorder) -> None:
            if state.global_step in self._steps:
                check_problem(model)  # transformers finds out at the first step what kind of labels there are
            recorder.on_step_end(args, state, control, model=model)

        self._guarded(state, act)
        return control

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, model: Any = None, **keywords: Any
    ) -> TrainerControl:
        """Score where a callback that had its turn later put the training on to a planned step."""
        if args.world_size == 1:  # such callbacks refuse several processes
            self._guarded(state, lambda recorder: recorder.on_epoch_end(args, state, control, model=model))
        return control

    def on_prediction_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **keywords: Any
    ) -> None:
        """Report that the training is alive while it evaluates."""
        if self._is_recording:
            self._guarded(state, lambda recorder: _stop_if(self._should_stop()))

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: Any = None, **keywords: Any
    ) -> TrainerControl:
        """Remember the training loss for the progress display."""
        self._guarded(state, lambda recorder: recorder.on_log(args, state, control, logs=logs))
        return control

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **keywords: Any
    ) -> TrainerControl:
        """Close the run and say what scoring cost."""
        missing = self._recorder.missing if self._recorder else []
        self._guarded(state, lambda recorder: recorder.on_train_end(args, state, control))
        if self._recorder and missing:
            self._close("failed", missing_words(missing), "What has landed stays readable; train again for the rest.")
        elif self._recorder:
            self._close("succeeded")
        else:
            self._let_go()
        return control

    def on_train_error(self, error: BaseException) -> None:
        """Close the run with the words of an exception that ended the training."""
        if isinstance(error, Exception):
            self._close("failed", f"The training ended by an error: {words_of(error)}", f"Mend the script. {GOES_ON}")
        else:
            self._close("interrupted", f"The training was interrupted ({type(error).__name__}).", GOES_ON)

    @property
    def _is_recording(self) -> bool:
        return self._recorder is not None

    def _run_before(self, args: TrainingArguments, state: TrainerState) -> str | None:
        """The run to go on in, if the training resumes or the Trainer tries it again with smaller batches."""
        tried = self._own is not None
        self._close("interrupted", "The training began anew.", GOES_ON)
        if state.global_step == 0:
            return self.run_id if tried and args.auto_find_batch_size else None
        kept = kept_state(state).get(STATE_KEY)
        return str(kept["attributes"]["run_id"]) if isinstance(kept, dict) else None

    def _prepare(
        self, args: TrainingArguments, state: TrainerState, model: Any, processing_class: Any, loader: Any
    ) -> _Prepared:
        check_set_up(args, model)
        check_problem(model)
        check_columns(args, model)
        check_labels(args, loader)
        tokenizer = self._tokenizer or processing_class
        if not callable(tokenizer):
            raise BadInputError(
                "ScoreRecorder has no tokenizer.",
                "Give Trainer(processing_class=tokenizer) or ScoreRecorder(tokenizer=tokenizer).",
            )
        if getattr(tokenizer, "pad_token_id", None) is None:
            raise BadInputError(
                "The tokenizer has no padding token, which scoring several examples at once takes.",
                "Set tokenizer.pad_token = tokenizer.eos_token and model.config.pad_token_id = tokenizer.pad_token_id.",
            )
        encoded = encode_examples(self._files, self._manifest, tokenizer, self._max_length)
        collator = PaddingCollator.of(tokenizer)
        use = probe(model, encoded, collator, self._grand)
        model_config = getattr(unwrap(model), "config", None)
        classes, trained, interrupt = self._manifest.classes, dict[int, str](), None
        try:
            trained = trained_classes(args, loader, encoded, classes)
        except KeyboardInterrupt as stopped:  # raised again once there is a run that says so
            interrupt = stopped
        order = class_order(classes, model_config, use.classes, trained)
        schedule = OwnSchedule.of(args, state, loader, len(encoded.rows_of_split(TRAIN)))
        checkpoints = schedule.checkpoints(self._checkpoints)
        config = RunConfig(
            dataset_id=self._manifest.id,
            model=str(getattr(model_config, "_name_or_path", "") or type(unwrap(model)).__name__),
            epochs=max(1, math.ceil(schedule.end)),
            ends_at=None if schedule.end.is_integer() else schedule.end,
            checkpoints=checkpoints,
            grand=self._grand,
            batch_size=examples_per_step(args, state),
            max_length=self._max_length,
            learning_rate=args.learning_rate,
            weight_decay=args.weight_decay,
        )
        share = (args.process_index, args.world_size)
        scorer = ExampleScorer(
            encoded, collator, self._grand, share=share, class_order=order, form=use.form, head=use.head
        )
        assumed = interrupt is None and order_is_assumed(classes, model_config, trained)
        return _Prepared(config, schedule, encoded, scorer, schedule.steps(checkpoints), interrupt, assumed)

    def _begin(self, prepared: _Prepared, state: TrainerState, before: str | None) -> tuple[str, SeedProgress]:
        """Record the run or take it up; in the first process only."""
        own = OwnRun.begin(self._settings, self._files, self._manifest, self._name, prepared.config, before)
        self._own = own
        atexit.register(self._end_of_process)
        if own.id == before:
            past = [step for step in prepared.steps if step <= state.global_step]
            own.keep([point for step in past for point in prepared.steps[step]])
        if prepared.schedule.estimated:
            own.log(
                "epochs",
                f"The training data have no length: {prepared.schedule.per_epoch:,} steps, which see as many examples "
                "as the dataset's training split has, count as an epoch.",
            )
        return own.id, own.progress

    def _accepts(self, outcome: object) -> bool:
        """Whether the training is recorded after an outcome: refusals are raised, other failures are reported."""
        if isinstance(outcome, DietExplorerError):
            self._let_go()
            raise outcome
        if isinstance(outcome, Exception):
            self._complain(f"This training is not recorded: {words_of(outcome)}")
            self._let_go()
        return not isinstance(outcome, Exception)

    def _guarded(self, state: TrainerState, act: Callable[[CheckpointRecorder], object]) -> None:
        """Let the recorder do something that must not end the training, whatever goes wrong."""
        recorder = self._recorder
        if recorder is None:
            return
        try:
            if state.global_step in self._steps:
                with same_random_numbers():
                    act(recorder)
            else:
                act(recorder)
        except JobCancelledError as error:
            self._complain(f"{error.message} Nothing more is recorded; the training goes on.")
            self._recorder = None
            self._let_go()
        except Exception as error:  # noqa: BLE001  it is reported, and the training goes on
            reason = words_of(error)
            points = recorder.skip(state.global_step, reason)
            if points:
                self._complain(f"{missing_words(recorder.missing[-len(points) :])} The training goes on.")
            else:
                self._complain(f"{reason} The training goes on.")

    def _should_stop(self) -> bool:
        try:
            if self._own is not None:
                self._own.report()
        except JobCancelledError:
            raise
        except Exception as error:  # noqa: BLE001  a database that is away for a moment is no reason to stop
            self._complain(words_of(error))
        return False

    def _complain(self, words: str) -> None:
        """Say something once, on the script's error output and, if that can be written, in the run's log."""
        if words in self._complaints:
            return
        self._complaints.add(words)
        logger.warning("ScoreRecorder: %s", words)
        with suppress(Exception):
            if self._own is not None:
                self._own.log("trouble", words, level="warning")

    def _close(self, status: Any, error: str | None = None, remedy: str | None = None) -> None:
        if self._own is None:
            return
        try:
            self._own.close(status, error, remedy)
        except Exception as failure:  # noqa: BLE001  it is reported, and the training goes on
            self._complain(f"The run {self._own.id} cannot be closed: {words_of(failure)}")
        self._let_go()

    def _let_go(self) -> None:
        self._recorder = None
        if self._own is not None:
            with suppress(OSError):
                self._own.release()
            self._own = None
            atexit.unregister(self._end_of_process)

    def _end_of_process(self) -> None:
        if os.getpid() == self._process:  # and not a process that was forked from it
            self._close("interrupted", "The training script ended before its training did.", GOES_ON)


def _outcome_of(work: Callable[[], Any]) -> Any:
    """What the work gives, or the exception that it raises."""
    try:
        return work()
    except Exception as error:  # noqa: BLE001  it is raised or reported in all processes alike
        return error


def _stop_if(stop: bool) -> None:
    if stop:
        raise JobCancelledError("The run was cancelled.", GOES_ON)
