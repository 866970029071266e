"""When a training of one's own is scored: its steps per epoch, its end, and the checkpoints on the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
from transformers import TrainerState, TrainingArguments
from transformers.trainer_utils import has_length

from diet_explorer.errors import BadInputError
from diet_explorer.scoring.recorder import examples_per_step
from diet_explorer.training.config import (
    CHECKPOINT_DIGITS,
    checked_checkpoints,
    default_checkpoints,
    steps_of_checkpoints,
)

MOST_EPOCH_ENDS = 100


@dataclass(frozen=True)
class OwnSchedule:
    """How a training counts its epochs.

    Attributes
    ----------
    per_epoch : int
        Optimisation steps in a pass over the training data.
    total : int
        Optimisation steps in all.
    estimated : bool
        Whether the data have no length, and as many rows as the dataset trains on are taken for an epoch.
    """

    per_epoch: int
    total: int
    estimated: bool = False

    @classmethod
    def of(cls, args: TrainingArguments, state: TrainerState, loader: Any, train_rows: int) -> OwnSchedule:
        """The schedule of a Trainer as it begins; `loader` is its data loader, which knows how many batches there are.

        The Trainer's own number of epochs is rounded up under ``max_steps``, and endless for data without a length.
        """
        known = loader is not None and has_length(loader) and len(loader) > 0
        batches = len(loader) if known else None
        if batches is None:
            per_epoch = ceil(train_rows / examples_per_step(args, state))
        else:
            per_epoch = ceil(batches / args.gradient_accumulation_steps)
        return cls(max(1, per_epoch), state.max_steps, not known)

    @property
    def end(self) -> float:
        """Where the training ends, in epochs."""
        return round(self.total / self.per_epoch, CHECKPOINT_DIGITS)

    def checkpoints(self, wanted: Sequence[float] | None) -> tuple[float, ...]:
        """Moments in epochs, sorted; BadInputError where one that is wanted comes after the end."""
        if wanted is None:
            return self._by_default()
        late = sorted(point for point in wanted if round(point, CHECKPOINT_DIGITS) > self.end)
        if late:
            raise BadInputError(
                f"The checkpoint {late[0]:g} comes after the end of the training, at epoch {self.end:g} "
                f"({self.total:,} steps, {self.per_epoch:,} an epoch).",
                f"List checkpoints up to {self.end:g}.",
            )
        return checked_checkpoints(wanted, self.end)

    def steps(self, checkpoints: Sequence[float]) -> dict[int, list[float]]:
        """Optimisation step to the checkpoints taken after it."""
        steps = steps_of_checkpoints([point for point in checkpoints if point < self.end], self.per_epoch, self.total)
        last = [point for point in checkpoints if point >= self.end]  # the end is rounded, the last step is not
        return steps | ({self.total: [*steps.get(self.total, []), *last]} if last else {})

    def _by_default(self) -> tuple[float, ...]:
        """The usual ones up to the end and the end itself, one for a step, and of very many epochs not all."""
        last = int(self.end)
        ends = range(1, last + 1)
        if last > MOST_EPOCH_ENDS:
            ends = np.unique(np.linspace(1, last, MOST_EPOCH_ENDS).round().astype(int)).tolist()
        usual = [point for point in default_checkpoints(0) if point <= self.end]
        of_step: dict[int, float] = {}
        for point in [*usual, *map(float, ends), self.end]:  # of those that share a step, the last is the truest
            of_step |= dict.fromkeys(self.steps([point]), point)
        return tuple(sorted(of_step.values()))
