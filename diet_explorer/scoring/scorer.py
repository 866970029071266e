"""One pass over all examples with fixed weights: every score of every example."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from diet_explorer.errors import BadInputError, JobFailedError
from diet_explorer.scoring import metrics
from diet_explorer.scoring.catalogue import GROUP_PREFIX
from diet_explorer.scoring.gradients.frozen_model import held, unwrap
from diet_explorer.scoring.gradients.norms import GradientNorms, GradientPass
from diet_explorer.scoring.gradients.outputs import CallForm, logits_of
from diet_explorer.store.aside import AsideArray, zeros_aside
from diet_explorer.store.scores import PART
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
    position. `rows` are the rows to score, ascending; by default all. `form` is how the model is called, and `head` are
    the parameters of its classifier, by default those outside ``model.base_model``.
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
        form: CallForm | None = None,
        head: Collection[nn.Parameter] | None = None,
    ) -> None:
        self._all = np.arange(len(encoded)) if rows is None else rows
        self._encoded = encoded
        self._collator = collator
        self._grand = grand
        self._class_order = class_order
        self._form = form or CallForm()
        self._head = head
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
        coverage = None
        columns: dict[str, Array] = {}
        failure: Exception | None = None
        try:
            columns, coverage = self._own_share(model, on_batch)
        except Exception as error:
            if self._processes == 1:
                raise
            failure = error  # the other processes wait for this one
        if self._processes > 1:
            device = next(model.parameters()).device
            _fail_together(failure, device)
            columns = {name: _sum_over_processes(values, device) for name, values in sorted(columns.items())}
        logits = columns.pop("logits")
        if self._class_order is not None:
            logits = np.ascontiguousarray(logits[:, self._class_order])
        with np.errstate(invalid="ignore"):  # that a training diverged is reported by who looks at the logits
            scores = _scores_of(logits, self._encoded.labels[self._all])
        return ScoredExamples(self._all, logits, {**scores, **columns}, coverage)

    def _own_share(self, model: Any, on_batch: Callable[[int], None]) -> tuple[dict[str, Array], str | None]:
        """Columns over all chosen examples, zero where another process scores them; and the share on the fast path."""
        device = next(model.parameters()).device
        norms = None
        if self._grand != "off":
            norms = GradientNorms(model, parameters=self._grand, groups=True, head=self._head, form=self._form)
        whole = unwrap(model)
        columns: dict[str, Array] = {}
        done = 0
        with norms or held(whole):
            for positions in self._batches:
                rows = self._all[positions]
                batch = self._collator([self._encoded.tokens(int(row)) for row in rows])
                batch = {name: values.to(device) for name, values in batch.items()}
                codes = self._encoded.labels[rows]
                labels = torch.from_numpy(codes if self._class_order is None else self._class_order[codes]).to(device)
                outputs = self._logits(whole, batch, labels) if norms is None else self._columns(norms(batch, labels))
                for name, values in outputs.items():
                    if name not in columns:
                        columns[name] = zeros_aside((len(self._all), *values.shape[1:]), np.float32)
                    columns[name][positions] = values.detach().float().cpu().numpy()
                done += len(positions)
                on_batch(done)
        return columns, None if norms is None else str(norms.coverage)

    def _logits(self, model: nn.Module, batch: dict[str, Tensor], labels: Tensor) -> dict[str, Tensor]:
        with torch.no_grad():
            return {"logits": logits_of(model, model(**self._form.inputs(batch, labels)))}

    def _columns(self, gradients: GradientPass) -> dict[str, Tensor]:
        """Logits and gradient norms of one batch, by their columns."""
        every = self._grand == "all"
        columns = {"logits": gradients.logits, **({"grand": gradients.norms} if every else {})}
        if gradients.head_norms is not None:
            columns["grand_head"] = gradients.head_norms
        if every:
            columns |= {GROUP_PREFIX + name: values for name, values in gradients.groups.items()}
        return columns


def _scores_of(logits: Array, labels: NDArray[np.integer]) -> dict[str, Array]:
    """`metrics.scores_of`, a part of the examples after another."""
    columns: dict[str, AsideArray] = {}
    for start in range(0, max(len(logits), 1), PART):
        here = slice(start, start + PART)
        for name, values in metrics.scores_of(logits[here], labels[here]).items():
            columns.setdefault(name, AsideArray()).add(values)
    return {name: column.array() for name, column in columns.items()}


def _fail_together(failure: Exception | None, device: torch.device) -> None:
    """Raise in every process where one has failed, so that none waits for it."""
    failed = torch.tensor([failure is not None], dtype=torch.int32, device=device)
    torch.distributed.all_reduce(failed)
    if failure is not None:
        raise failure
    if failed.item():
        raise JobFailedError("Another process of this training could not score its share.", "See its output.")


def _sum_over_processes(values: Array, device: torch.device) -> Array:
    total = torch.from_numpy(values).to(device)  # an example is scored by one process; it is 0 in the others
    torch.distributed.all_reduce(total)
    summed: Array = total.cpu().numpy()
    return summed
