"""Which examples go together: length-grouped batches for training, length-sorted ones for scoring."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Sampler

GROUP_BATCHES = 50


class LengthGroupedSampler(Sampler[int]):
    """A random order in which neighbours are of similar length, so that batches need little padding.

    The order is a pure function of seed and epoch, whatever the state of the random number generators: a resumed run
    sees the batches of an undisturbed one.
    """

    def __init__(self, lengths: NDArray[np.integer], batch_size: int, seed: int) -> None:
        self._lengths = lengths
        self._batch_size = batch_size
        self._seed = seed
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose order `iter` gives."""
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self._lengths)

    def __iter__(self) -> Iterator[int]:
        generator = np.random.Generator(np.random.PCG64([self._seed, self._epoch]))
        order = generator.permutation(len(self._lengths))
        group = self._batch_size * GROUP_BATCHES
        for start in range(0, len(order), group):
            members = order[start : start + group]
            members = members[np.argsort(-self._lengths[members], kind="stable")]
            full = len(members) // self._batch_size * self._batch_size
            batches = members[:full].reshape(-1, self._batch_size)
            yield from generator.permutation(batches, axis=0).ravel().tolist()
            yield from members[full:].tolist()


class PaddingCollator:
    """Pads the examples of a batch to its longest one, on the tokenizer's side.

    It gives what `transformers.DataCollatorWithPadding` gives, which takes a hundred times as long.
    """

    def __init__(self, pad_token_id: int, pad_token_type_id: int = 0, *, left: bool = False) -> None:
        self._fill = {"input_ids": pad_token_id, "token_type_ids": pad_token_type_id}
        self._left = left

    @classmethod
    def of(cls, tokenizer: Any) -> PaddingCollator:
        """The collator that pads as the tokenizer would."""
        return cls(
            tokenizer.pad_token_id,
            getattr(tokenizer, "pad_token_type_id", 0) or 0,
            left=tokenizer.padding_side == "left",
        )

    def __call__(self, examples: Sequence[dict[str, Any]]) -> dict[str, Tensor]:
        """Token columns and ``attention_mask`` as (B, T) tensors; ``labels`` (B,) where the examples have them."""
        lengths = np.array([len(example["input_ids"]) for example in examples])
        positions = np.arange(lengths.max())
        filled = (positions[::-1] if self._left else positions) < lengths[:, None]
        batch = {}
        for name, fill in self._fill.items():
            if name in examples[0]:
                values = np.full(filled.shape, fill, dtype=np.int64)
                values[filled] = np.concatenate([example[name] for example in examples])
                batch[name] = torch.from_numpy(values)
        batch["attention_mask"] = torch.from_numpy(filled.astype(np.int64))
        if "labels" in examples[0]:
            batch["labels"] = torch.tensor([example["labels"] for example in examples])
        return batch


def length_sorted_batches(lengths: NDArray[np.integer], max_rows: int, max_tokens: int) -> list[NDArray[np.int64]]:
    """Split all examples by their lengths in tokens into batches of similar length, the longest first; each position
    once.

    A batch has at most `max_rows` examples and `max_tokens` tokens, padding included; a longer example makes a batch of
    its own.
    """
    order = np.argsort(-lengths, kind="stable")
    batches = []
    start = 0
    while start < len(order):
        rows = int(min(max_rows, max(1, max_tokens // max(1, int(lengths[order[start]])))))
        batches.append(order[start : start + rows])
        start += rows
    return batches
