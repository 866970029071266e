"""Fine-tuning by `transformers.Trainer`, resumable so that the result is the same bit for bit."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from numpy.typing import NDArray
from torch.utils.data import Dataset as TorchDataset
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.utils import logging as transformers_logging

from diet_explorer.store.files import explained
from diet_explorer.store.private import make_private_folder
from diet_explorer.training.batches import LengthGroupedSampler, PaddingCollator
from diet_explorer.training.config import RunConfig
from diet_explorer.training.encoding import EncodedExamples, TrainingExamples

_COMPLETE = "complete"
LOSS_REPORTS = 200


class _LengthGroupedTrainer(Trainer):
    """A Trainer whose order of examples depends on seed and epoch alone."""

    def __init__(self, *args: Any, lengths: NDArray[np.int64], **keywords: Any) -> None:
        super().__init__(*args, **keywords)
        self._train_lengths = lengths

    def _get_train_sampler(self, train_dataset: TorchDataset[Any] | None = None) -> LengthGroupedSampler:
        return LengthGroupedSampler(self._train_lengths, self.args.train_batch_size, self.args.seed)


class _CheckpointKeeper(TrainerCallback):
    """Marks a training checkpoint complete once all of it is on disk, then removes the older ones."""

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        newest = Path(str(args.output_dir)) / f"checkpoint-{state.global_step}"
        (newest / _COMPLETE).touch()
        for folder in newest.parent.glob("checkpoint-*"):
            if folder != newest:
                shutil.rmtree(folder)


def latest_checkpoint(folder: Path) -> Path | None:
    """The newest complete training checkpoint below a folder; half-written ones are removed."""
    complete = []
    for candidate in folder.glob("checkpoint-*"):
        if (candidate / _COMPLETE).exists():
            complete.append(candidate)
        else:
            shutil.rmtree(candidate)
    return max(complete, key=lambda path: int(path.name.removeprefix("checkpoint-")), default=None)


def fine_tune(
    model: Any,
    encoded: EncodedExamples,
    train_rows: NDArray[np.int64],
    collator: PaddingCollator,
    config: RunConfig,
    seed: int,
    folder: Path,
    callbacks: Sequence[TrainerCallback],
) -> None:
    """Train one seed in place, going on from the last complete checkpoint in `folder` if there is one.

    The seed fixes dropout and the order of examples. The callbacks are called at every step in their order; one asks
    for a training checkpoint by setting ``control.should_save``.
    """
    transformers_logging.disable_progress_bar()
    total = config.steps(len(train_rows))[1]
    with explained("write", str(folder)):
        make_private_folder(folder)
    arguments = TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=config.epochs,
        max_steps=config.max_steps or -1,
        per_device_train_batch_size=config.batch_size,
        learning_rate=config.learning_rate,
        weight_decay=config.weight_decay,
        warmup_steps=round(config.warmup_share * total),
        lr_scheduler_type="linear",
        seed=seed,
        logging_strategy="steps",
        logging_steps=max(1, total // LOSS_REPORTS),
        save_strategy="no",
        eval_strategy="no",
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        use_cpu=not torch.cuda.is_available(),
    )
    transformers.set_seed(seed)
    trainer = _LengthGroupedTrainer(
        model=model,
        args=arguments,
        train_dataset=TrainingExamples(encoded, train_rows),
        data_collator=collator,
        callbacks=[*callbacks, _CheckpointKeeper()],
        lengths=encoded.lengths[train_rows],
    )
    trainer.remove_callback(transformers.PrinterCallback)
    resume = latest_checkpoint(folder)
    with explained("write", str(folder)):
        trainer.train(resume_from_checkpoint=str(resume) if resume else None)
