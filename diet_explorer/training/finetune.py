"""Fine-tuning by `transformers.Trainer`, resumable so that the result is the same bit for bit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import transformers
from numpy.typing import NDArray
from torch.utils.data import Dataset as TorchDataset
from transformers import Trainer, TrainerCallback, TrainingArguments
from transformers.utils import logging as transformers_logging

from diet_explorer.store.files import explained
from diet_explorer.store.private import make_private_folder
from diet_explorer.training.batches import LengthGroupedSampler, PaddingCollator
from diet_explorer.training.checkpoints import TrainingCheckpoints
from diet_explorer.training.config import RunConfig
from diet_explorer.training.encoding import EncodedExamples, TrainingExamples

LOSS_REPORTS = 200


class _LengthGroupedTrainer(Trainer):
    """A Trainer whose order of examples depends on seed and epoch alone."""

    def __init__(self, *args: Any, lengths: NDArray[np.int64], **keywords: Any) -> None:
        super().__init__(*args, **keywords)
        self._train_lengths = lengths

    def _get_train_sampler(self, train_dataset: TorchDataset[Any] | None = None) -> LengthGroupedSampler:
        return LengthGroupedSampler(self._train_lengths, self.args.train_batch_size, self.args.seed)


def fine_tune(
    model: Any,
    encoded: EncodedExamples,
    train_rows: NDArray[np.int64],
    collator: PaddingCollator,
    config: RunConfig,
    seed: int,
    checkpoints: TrainingCheckpoints,
    callbacks: Sequence[TrainerCallback],
) -> None:
    """Train one seed in place, going on from the newest of its checkpoints if there is one.

    The seed fixes dropout and the order of examples. The callbacks are called at every step in their order; one asks
    for a training checkpoint by setting ``control.should_save``.
    """
    transformers_logging.disable_progress_bar()
    total = config.steps(len(train_rows))[1]
    folder = checkpoints.folder
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
        callbacks=[*callbacks, checkpoints],
        lengths=encoded.lengths[train_rows],
    )
    trainer.remove_callback(transformers.PrinterCallback)
    with explained("write", str(folder)):
        resume = checkpoints.latest()
        trainer.train(resume_from_checkpoint=str(resume) if resume else None)
