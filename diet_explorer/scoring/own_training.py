"""`ScoreRecorder`: one line that scores every example during a training of one's own."""

from __future__ import annotations

import atexit
import math
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from diet_explorer.config import Settings, load_settings
from diet_explorer.data.manifest import DatasetManifest
from diet_explorer.errors import BadInputError, ModelError
from diet_explorer.scoring.progress import ProgressFiles
from diet_explorer.scoring.recorder import CheckpointRecorder, RecordingPlan
from diet_explorer.scoring.scorer import ExampleScorer
from diet_explorer.store.database import open_database
from diet_explorer.store.files import Files
from diet_explorer.store.layout import Layout
from diet_explorer.store.runs import RunRecord, RunRecords
from diet_explorer.training.batches import PaddingCollator
from diet_explorer.training.config import GradientMode, RunConfig, default_checkpoints
from diet_explorer.training.encoding import encode_examples

SEED = 0  # a training of one's own is one seed of a run of its own


class _HasSettings(Protocol):
    settings: Settings


class _HasId(Protocol):
    id: str


class ScoreRecorder(TrainerCallback):
    """Scores every example of a dataset during your own `transformers.Trainer` training.

    The run appears in the app like one of its own. Model, loss, optimiser, precision and order of examples stay
    untouched: the trained weights are bit-identical to those without the recorder. With several processes each
    scores its share, and one writes.

    Parameters
    ----------
    workspace : Workspace, str or Path
    dataset : Dataset or str
        An imported dataset or its id. Its classes are matched to the model's by name (``model.config.label2id``), or
        by position where the model's classes have no names.
    name : str, optional
        What to call the run.
    checkpoints : sequence of float, optional
        Moments in epochs; by default 0, 0.25, 0.5 and the end of every epoch.
    grand : {"all", "head", "off"}
        Gradient norms over all trainable parameters, over the classifier only, or none.
    max_length : int
        Longest input in tokens when the examples are scored.
    tokenizer : transformers tokenizer, optional
        By default the Trainer's ``processing_class``.

    Raises
    ------
    BadInputError, ModelError
        When the training begins: no tokenizer, or the model's classes are not the dataset's.

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
        self._files = Files(self._settings.home)
        self._manifest = DatasetManifest.load(self._files, dataset if isinstance(dataset, str) else dataset.id)
        self._name = name or f"{self._manifest.name} · own training"
        self._checkpoints = checkpoints
        self._grand = grand
        self._max_length = max_length
        self._tokenizer = tokenizer
        self._recorder: CheckpointRecorder | None = None
        self._records: RunRecords | None = None
        self.run_id: str | None = None

    def on_train_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        model: Any = None,
        processing_class: Any = None,
        **keywords: Any,
    ) -> TrainerControl:
        """Record the run, encode the examples, and score before the first step."""
        tokenizer = self._tokenizer or processing_class
        if not callable(tokenizer):
            raise BadInputError(
                "ScoreRecorder has no tokenizer.",
                "Give Trainer(processing_class=tokenizer) or ScoreRecorder(tokenizer=tokenizer).",
            )
        order = class_order(self._manifest.classes, model.config)
        config = self._config(args, state, model)
        self.run_id = _from_first_process(self._create_run(config) if args.process_index == 0 else None)
        encoded = encode_examples(self._files, self._manifest, tokenizer, self._max_length)
        share = (args.process_index, args.world_size)
        plan = RecordingPlan(
            files=self._files,
            run_id=self.run_id,
            seed=SEED,
            encoded=encoded,
            scorer=ExampleScorer(encoded, PaddingCollator.of(tokenizer), self._grand, share=share, class_order=order),
            steps=_steps(config.checkpoints, state),
            writes=args.process_index == 0,
        )
        self._recorder = CheckpointRecorder(plan, save_training=False)
        return self._recorder.on_train_begin(args, state, control, model=model)

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **keywords: Any
    ) -> TrainerControl:
        """Note when the step began, and with which learning rate."""
        return self._recorder.on_step_begin(args, state, control, **keywords) if self._recorder else control

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, model: Any = None, **keywords: Any
    ) -> TrainerControl:
        """Report progress, and score if this step is a planned one."""
        return self._recorder.on_step_end(args, state, control, model=model) if self._recorder else control

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: Any = None, **keywords: Any
    ) -> TrainerControl:
        """Remember the training loss for the progress display."""
        return self._recorder.on_log(args, state, control, logs=logs) if self._recorder else control

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **keywords: Any
    ) -> TrainerControl:
        """Close the run and say what scoring cost."""
        if self._recorder:
            self._recorder.on_train_end(args, state, control)
        if self._records and self.run_id:
            self._records.set_status(self.run_id, "succeeded", only_from={"running"})
        return control

    def _config(self, args: TrainingArguments, state: TrainerState, model: Any) -> RunConfig:
        epochs = max(1, math.ceil(state.num_train_epochs))
        return RunConfig(
            dataset_id=self._manifest.id,
            model=str(getattr(model.config, "_name_or_path", "") or type(model).__name__),
            epochs=epochs,
            checkpoints=default_checkpoints(epochs) if self._checkpoints is None else tuple(self._checkpoints),
            grand=self._grand,
            batch_size=args.train_batch_size * args.gradient_accumulation_steps * args.world_size,
            max_length=self._max_length,
            learning_rate=args.learning_rate,
            weight_decay=args.weight_decay,
        ).validated()

    def _create_run(self, config: RunConfig) -> str:
        now = datetime.now(UTC)
        self._records = RunRecords(open_database(self._settings))
        record = RunRecord(
            id=f"run-{now:%Y%m%d-%H%M%S}-{uuid.uuid4().hex[:4]}",
            dataset_id=self._manifest.id,
            name=self._name,
            origin="callback",
            status="running",
            config=config.to_json(),
            created_at=now,
            started_at=now,
        )
        self._files.write_json(Layout(self._files).run(record.id).config, {"name": self._name, **record.config})
        self._records.create(record)
        ProgressFiles(self._files, record.id).log("started", "A training script began this run.")
        atexit.register(self._close_unfinished, record.id)
        return record.id

    def _close_unfinished(self, run_id: str) -> None:
        if self._records is not None:
            self._records.set_status(
                run_id,
                "failed",
                error="The training script ended before its training did.",
                remedy="Start the script again; what has landed stays readable.",
                only_from={"running"},
            )


def class_order(classes: Sequence[str], model_config: Any) -> NDArray[np.int64]:
    """Where each of the dataset's classes stands in the model's output; ModelError where they are not the same."""
    names = {int(code): str(name) for code, name in model_config.id2label.items()}
    if len(names) != len(classes):
        raise ModelError(
            f"The model has {len(names)} classes, the dataset {len(classes)}.",
            "Score the dataset that the model is for.",
        )
    if set(names.values()) == set(classes):
        positions = {name: code for code, name in names.items()}
        return np.array([positions[name] for name in classes], dtype=np.int64)
    if all(name == f"LABEL_{code}" for code, name in names.items()):
        return np.arange(len(classes), dtype=np.int64)
    raise ModelError(
        f"The model's classes ({', '.join(names.values())}) are not the dataset's ({', '.join(classes)}).",
        "Set model.config.id2label and label2id to the dataset's class names.",
    )


def _steps(checkpoints: Sequence[float], state: TrainerState) -> dict[int, list[float]]:
    per_epoch = state.max_steps / state.num_train_epochs
    steps: dict[int, list[float]] = {}
    for point in checkpoints:
        steps.setdefault(min(round(point * per_epoch), state.max_steps), []).append(point)
    return steps


def _from_first_process(value: str | None) -> str:
    shared = [value]
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.broadcast_object_list(shared)
    return str(shared[0])
