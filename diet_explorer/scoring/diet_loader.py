"""What a diet has to do with the Trainer's data loader: its batches, its labels, and which examples are let through."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sized
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import BatchSampler
from transformers import TrainingArguments

from diet_explorer.errors import ModelError

_LABELS = ("labels", "label", "label_ids")


class DietSampler:
    """Stands before a training's own sampler and lets through what the epoch trains on.

    Its length is that of the own one: by it the Trainer and other callbacks count the steps of an epoch.
    """

    def __init__(self, sampler: Any, let_through: Callable[[Iterator[int]], Iterator[int]]) -> None:
        self._sampler = sampler
        self._let_through = let_through

    def __iter__(self) -> Iterator[int]:
        return self._let_through(iter(self._sampler))

    def __len__(self) -> int:
        return len(self._sampler)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sampler, name)


def batches_of(args: TrainingArguments, loader: Any) -> BatchSampler:
    """The data loader's own batch sampler; ModelError where there is none whose examples can be told apart."""
    if args.world_size > 1 or args.n_gpu > 1:
        raise ModelError(
            "DietCallback cannot choose examples for several processes or devices at once.",
            "Train on one, for instance with CUDA_VISIBLE_DEVICES=0.",
        )
    batches = getattr(loader, "batch_sampler", None)
    if not isinstance(getattr(loader, "dataset", None), Sized) or type(batches) is not BatchSampler:
        raise ModelError(
            "DietCallback needs training data with a length and places, from which the Trainer draws batches; a stream "
            "has none.",
            "Give the Trainer a dataset that can be indexed.",
        )
    return batches


def classes_of(examples: Any) -> NDArray[np.int64]:
    """The class of each training example, shape (N,)."""
    first = examples[0]
    name = next((name for name in _LABELS if name in first), None)
    if name is None:
        raise ModelError(
            f"The training examples have no column of labels (they have {', '.join(map(str, first))}).",
            "Call it labels or label.",
        )
    column = examples[name] if hasattr(examples, "column_names") else None
    return np.array(column if column is not None else [int(row[name]) for row in examples], dtype=np.int64)
