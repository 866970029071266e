"""The exact slower path, for the parameters that no fast rule covers: their per-example gradients are formed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from diet_explorer.errors import BadInputError
from diet_explorer.scoring.gradients.frozen_model import trainable
from diet_explorer.scoring.gradients.outputs import logits_of
from diet_explorer.scoring.gradients.token_batches import take_rows

_GRADIENT_BYTES = 256 * 2**20
"""Largest block of per-example gradients held at once by the vectorised way."""

Forward = Callable[[Mapping[str, object]], Tensor]
"""Takes a batch as the model's keyword arguments and returns logits (B, K)."""


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy summed over the batch, in fp32 or wider whatever the model computes in; BadInputError where a label
    is none of the model's classes."""
    outside = labels[(labels < 0) | (labels >= logits.shape[1])]
    if len(outside):
        raise BadInputError(
            f"The labels contain class {int(outside[0])}, but the model has the classes 0 to {logits.shape[1] - 1}.",
            "Number the classes from 0, and give the model as many as there are.",
        )
    logits = logits if logits.dtype == torch.float64 else logits.float()
    return nn.functional.cross_entropy(logits, labels, reduction="sum")


def per_example_squared_norms(
    forward: Forward, parameters: Sequence[nn.Parameter], batch: Mapping[str, object], labels: Tensor
) -> Tensor:
    """Squared gradient norms (parameters, B) in fp32 by one backward pass per example, 0 where an example does not
    reach a parameter; ``requires_grad`` is switched on meanwhile."""
    size = labels.shape[0]
    norms = torch.zeros(len(parameters), size, device=labels.device)
    with trainable(parameters):
        for example in range(size):
            row = torch.tensor([example], device=labels.device)
            loss = cross_entropy(forward(take_rows(batch, row, size)), labels[row])
            if not loss.requires_grad:
                continue
            for index, gradient in enumerate(torch.autograd.grad(loss, parameters, allow_unused=True)):
                if gradient is not None:
                    norms[index, example] = gradient.float().square().sum()
    return norms


def vectorised_squared_norms(
    model: nn.Module, parameters: Mapping[str, nn.Parameter], batch: Mapping[str, object], labels: Tensor
) -> Tensor:
    """The same as `per_example_squared_norms` by ``torch.func``, several examples at a time.

    RuntimeError where the model cannot be vectorised, for example because its control flow depends on data.
    """
    size = len(labels)
    weights = {name: parameter.detach() for name, parameter in parameters.items()}
    rows = {
        name: value
        for name, value in batch.items()
        if isinstance(value, Tensor) and value.dim() and value.shape[0] == size
    }
    rest = {name: value for name, value in batch.items() if name not in rows}

    def loss(values: dict[str, Tensor], row: dict[str, Tensor], label: Tensor) -> Tensor:
        inputs = {**rest, **{name: value.unsqueeze(0) for name, value in row.items()}}
        logits = logits_of(model, torch.func.functional_call(model, values, (), inputs))
        logits = logits if logits.dtype == torch.float64 else logits.float()
        return nn.functional.cross_entropy(logits, label.unsqueeze(0))

    def squares(row: dict[str, Tensor], label: Tensor) -> Tensor:
        gradients = torch.func.grad(loss)(weights, row, label)
        return torch.stack([gradients[name].float().square().sum() for name in weights])

    held = sum(value.numel() * value.element_size() for value in weights.values())
    chunk = max(1, min(size, _GRADIENT_BYTES // held))
    return torch.func.vmap(squares, out_dims=1, chunk_size=chunk)(rows, labels)
