"""The exact slower path: one forward and backward pass per example, for the parameters that no fast rule covers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from diet_explorer.errors import BadInputError
from diet_explorer.scoring.frozen_model import trainable
from diet_explorer.scoring.token_batches import take_rows

Forward = Callable[[Mapping[str, object]], Tensor]
"""Takes a batch as the model's keyword arguments and returns logits (B, K)."""


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy summed over the batch, in fp32 or wider whatever the model computes in.

    Raises
    ------
    BadInputError
        If a label is none of the model's classes.
    """
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
    """Squared gradient norms by one backward pass per example.

    Parameters
    ----------
    forward : callable
        Batch to logits.
    parameters : sequence of nn.Parameter
        Parameters to differentiate by; their ``requires_grad`` is switched on meanwhile.
    batch : mapping
        Inputs of the model.
    labels : Tensor
        (B,) class ids.

    Returns
    -------
    Tensor
        (parameters, B) fp32; 0 where an example does not reach a parameter.
    """
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
