"""One pass over all examples with fixed weights: every score of every example."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diet_explorer.errors import BadInputError
from diet_explorer.scoring import metrics
from diet_explorer.scoring.catalogue import GROUP_PREFIX
from diet_explorer.scoring.gradients.norms import GradientNorms
from diet_explorer.training.batches import PaddingCollator, length_sorted_batches
from diet_explorer.training.config import GradientMode
from diet_explorer.training.encoding import EncodedExamples

MAX_BATCH_ROWS = 64
MAX_BATCH_TOKENS = 8_192
Array = NDArray[np.float32]


@dataclass(frozen=True)
class ScoredExamples:
    """Scores of N examples in row order."""

    rows: NDArray[np.int64]
    logits: Array  # (N, K)
    columns: dict[str, Array]  # by catalogue name, and grand.<group> for the norms of groups of parameters
    coverage: str | None  # which share of the parameters went by the fast path; None without gradient norms

    @property
    def predicted(self) -> NDArray[np.int32]:
        """Codes of the predicted classes, shape (N,)."""
        return np.asarray(self.logits.argmax(1), dtype=np.int32)


class ExampleScorer:
    """Scores examples of a dataset with a model, in length-sorted batches, eval mode and fp32.

    `share` is this process's number and the number of processes, of which each scores its share of the examples.
    `class_order` says where each of the dataset's classes stands in the model's output, where that is not the same
    position. `rows` are the rows to score, ascending; by default all.
    """

    def __init__(
        self,
        encoded: EncodedExamples,
        collator: PaddingCollator,
        grand: GradientMode,
        *,
        share: tuple[int, int] = (0, 1),
        class_order: NDArray[np.int64] | None = None,
        rows: NDArray[np.int64] | None = None,
    ) -> None:
        self._all = np.arange(len(encoded)) if rows is None else rows
        self._encoded = encoded
        self._collator = collator
        self._grand = grand
        self._class_order = class_order
        number, self._processes = share
        if len(self._all) < self._processes:
            raise BadInputError(
                f"{len(self._all):,} examples cannot be shared by {self._processes:,} processes.",
                "Use fewer processes.",
            )
        lengths = encoded.lengths[self._all]
        own = np.argsort(-lengths, kind="stable")[number :: self._processes]
        batches = length_sorted_batches(lengths[own], MAX_BATCH_ROWS, MAX_BATCH_TOKENS)
        self._batches = [own[batch] for batch in batches]  # positions in self._all

    @property
    def rows(self) -> int:
        """How many examples this process scores."""
        return sum(map(len, self._batches))

    def score(self, model: Any, on_batch: Callable[[int], None] = lambda done: None) -> ScoredExamples:
        """Score every chosen example; with several processes each scores its share and all get the whole.

        The model is left as it was: mode, gradients, random number generators. `on_batch` is called with how many
        examples are done and may raise to stop.
        """
        device = next(model.parameters()).device
        norms = None if self._grand == "off" else GradientNorms(model, parameters=self._grand, groups=True)
        columns: dict[str, Array] = {}
        done = 0
        with norms or _evaluating(model):
            for positions in self._batches:
                rows = self._all[positions]
                batch = self._collator([self._encoded.tokens(int(row)) for row in rows])
                batch = {name: values.to(device) for name, values in batch.items()}
                codes = self._encoded.labels[rows]
                labels = torch.from_numpy(codes if self._class_order is None else self._class_order[codes]).to(device)
                for name, values in self._outputs(model, norms, batch, labels).items():
                    if name not in columns:
                        columns[name] = np.zeros((len(self._all), *values.shape[1:]), dtype=np.float32)
                    columns[name][positions] = values.detach().float().cpu().numpy()
                done += len(positions)
                on_batch(done)
        if self._processes > 1:
            columns = {name: _sum_over_processes(values, device) for name, values in sorted(columns.items())}
        logits = columns.pop("logits")
        if self._class_order is not None:
            logits = np.ascontiguousarray(logits[:, self._class_order])
        with np.errstate(invalid="ignore"):  # that a training diverged is reported by who looks at the logits
            scores = metrics.scores_of(logits, self._encoded.labels[self._all])
        coverage = None if norms is None else str(norms.coverage)
        return ScoredExamples(self._all, logits, {**scores, **columns}, coverage)

    def _outputs(
        self, model: Any, norms: GradientNorms | None, batch: dict[str, Tensor], labels: Tensor
    ) -> dict[str, Tensor]:
        """Logits and gradient norms of one batch."""
        if norms is None:
            return {"logits": model(**batch).logits}
        gradients = norms(batch, labels)
        if self._grand == "head":
            return {"logits": gradients.logits, "grand_head": gradients.head_norms}
        return {
            "logits": gradients.logits,
            "grand": gradients.norms,
            "grand_head": gradients.head_norms,
            **{GROUP_PREFIX + name: values for name, values in gradients.groups.items()},
        }


@contextmanager
def _evaluating(model: Any) -> Iterator[None]:
    """Eval mode without gradients; every module gets its own mode back."""
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module in training:
            module.training = True


def _sum_over_processes(values: Array, device: torch.device) -> Array:
    total = torch.from_numpy(values).to(device)  # an example is scored by one process; it is 0 in the others
    torch.distributed.all_reduce(total)
    summed: Array = total.cpu().numpy()
    return summed
