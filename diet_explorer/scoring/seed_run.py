"""One seed of a run: load, encode, fine-tune, and score on the way. What a background job does."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from diet_explorer.data.manifest import DatasetManifest
from diet_explorer.data.splits import TRAIN
from diet_explorer.errors import JobCancelledError, ModelError
from diet_explorer.scoring.diet import DietCallback
from diet_explorer.scoring.progress import NO_WORKER, RunReports, WorkerName
from diet_explorer.scoring.recorder import CheckpointRecorder, RecordingPlan
from diet_explorer.scoring.representations import store_embeddings
from diet_explorer.scoring.scorer import ExampleScorer
from diet_explorer.store.embeddings import EmbeddingFiles
from diet_explorer.store.files import Files
from diet_explorer.store.layout import Layout
from diet_explorer.store.rows import RunRows
from diet_explorer.store.scores import ScoreFiles
from diet_explorer.training.backbone import load_for_run
from diet_explorer.training.checkpoints import TrainingCheckpoints
from diet_explorer.training.config import RunConfig
from diet_explorer.training.encoding import EncodedExamples, encode_examples
from diet_explorer.training.finetune import fine_tune

EMBEDDED_SEED = 0
_LIBRARIES = ("torch", "transformers", "accelerate", "tokenizers")


def run_seed(
    files: Files,
    scratch: Path,
    reports: RunReports,
    config: RunConfig,
    manifest: DatasetManifest,
    seed: int,
    *,
    should_stop: Callable[[], bool],
    worker: WorkerName = NO_WORKER,
) -> None:
    """Fine-tune one seed and record its scores, going on from the last checkpoint of an earlier attempt.

    ModelError where the model cannot be loaded, or cannot take this set's texts. The first seed's trained model also
    gives each example its embedding, at the very end. `scratch` is a local folder for training checkpoints, this seed's
    part of which is removed when it is done. `should_stop` is asked at every batch; True ends the work with
    JobCancelledError. `worker` is who does it.
    """
    run_id, progress = reports.run_id, reports.load(seed)
    folder = scratch / run_id / f"seed={seed}"
    checkpoints = TrainingCheckpoints(folder, files, Layout(files).run(run_id).training_checkpoints(seed))
    if progress.state == "done":
        _leave(checkpoints)
        return
    started = time.perf_counter()
    progress.state = "preparing"
    progress.host, progress.slot = worker.host, worker.slot
    landed = ScoreFiles(files, run_id).landed().get(seed, [])
    progress.checkpoints = [entry for entry in progress.checkpoints if entry.checkpoint in landed]
    reports.save(progress, force=True)
    torch.use_deterministic_algorithms(True, warn_only=True)
    reports.log("preparing", f"Loading the model {config.model!r}.", seed=seed)
    tokenizer, model, collator = load_for_run(config, manifest, seed)
    _check_fit(config, model, tokenizer)
    _stop_if(should_stop)
    _log_model(reports, model, seed)
    encoded = encode_examples(files, manifest, tokenizer, config.max_length, lambda: _stop_if(should_stop))
    encoded, train_rows = _training_rows(files, run_id, config, encoded, seed)
    reports.log(
        "encoded",
        f"{len(encoded):,} examples are {int(encoded.offsets[-1]):,} tokens, {encoded.truncated:,} of them cut off at "
        f"{config.max_length} tokens ({time.perf_counter() - started:,.1f} s).",
        seed=seed,
    )

    def embed(trained: Any, on_batch: Callable[[int], None]) -> None:
        try:
            store_embeddings(EmbeddingFiles(files, run_id), "tuned", trained, encoded, collator, folder, on_batch)
        except ModelError as error:  # a model that has none is no reason to fail
            reports.log("no embeddings", str(error), level="warning", seed=seed)

    plan = RecordingPlan(
        files=files,
        run_id=run_id,
        reports=reports,
        seed=seed,
        encoded=encoded,
        scorer=ExampleScorer(encoded, collator, config.grand, rows=RunRows(files, run_id).read_scored()),
        steps=config.checkpoint_steps(len(train_rows)),
        should_stop=should_stop,
        ranked=config.ranked,
        trained=train_rows,
        at_end=embed if config.ranked and seed == EMBEDDED_SEED else None,
    )
    recorder = CheckpointRecorder(plan, save_training=True)
    diet = [DietCallback(config.diet)] if config.diet < 1 else []
    fine_tune(model, encoded, train_rows, collator, config, seed, checkpoints, [*diet, recorder])
    _leave(checkpoints)


def _leave(checkpoints: TrainingCheckpoints) -> None:
    """Remove what a seed that is done needed to go on from, and the run's folder for it with its last seed."""
    checkpoints.remove()
    with suppress(OSError):  # other seeds train there
        checkpoints.folder.parent.rmdir()


def _log_model(reports: RunReports, model: Any, seed: int) -> None:
    """Write down what trains where."""
    parameters = sum(parameter.numel() for parameter in model.parameters())
    reports.log(
        "prepared",
        f"The model has {parameters / 1e6:,.1f} million parameters; training on {_device_name()}.",
        seed=seed,
        parameters=parameters,
        threads=torch.get_num_threads(),
        libraries={name: version(name) for name in _LIBRARIES},
        python=platform.python_version(),
    )


def _training_rows(
    files: Files, run_id: str, config: RunConfig, encoded: EncodedExamples, seed: int
) -> tuple[EncodedExamples, NDArray[np.int64]]:
    """The examples with the labels that this seed is to learn, and the rows that it is trained on."""
    if not config.own_rows:
        return encoded, encoded.rows_of_split(TRAIN)
    rows, labels = RunRows(files, run_id).read_training(seed)
    learned = encoded.labels.copy()
    learned[rows] = labels
    return replace(encoded, labels=learned), rows


def _check_fit(config: RunConfig, model: Any, tokenizer: Any) -> None:
    words = model.get_input_embeddings().num_embeddings
    if max(tokenizer.get_vocab().values()) >= words:
        raise ModelError(
            f"The tokenizer of {config.model!r} has words that the model does not know ({words:,} embeddings).",
            "Save the tokenizer that belongs to the model into the same folder.",
        )
    positions = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    longest = min(config.max_length, int(tokenizer.model_max_length))
    if isinstance(positions, int) and longest > positions:
        raise ModelError(
            f"The model {config.model!r} takes at most {positions} tokens, but the max length is {config.max_length}.",
            f"Set the max length to {positions} or less.",
        )


def _stop_if(should_stop: Callable[[], bool]) -> None:
    if should_stop():
        raise JobCancelledError("The run was cancelled.", "Resume it to go on from the last checkpoint.")


def _device_name() -> str:
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"{torch.get_num_threads()} processor threads"
