"""Hold a model still while it is scored, and give it back as it was."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager

import torch
from torch import nn


def unwrap(model: nn.Module) -> nn.Module:
    """The model inside ``DataParallel``, ``DistributedDataParallel`` or ``torch.compile`` wrappers."""
    while True:
        inner = getattr(model, "_orig_mod", None)
        if inner is None and isinstance(model, (nn.DataParallel, nn.parallel.DistributedDataParallel)):
            inner = model.module
        if not isinstance(inner, nn.Module):
            return model
        model = inner


@contextmanager
def held(model: nn.Module) -> Iterator[None]:
    """Evaluation mode and no trainable parameter inside the block; every flag as before after it.

    accelerate's mixed-precision wrapper around ``model.forward`` is set aside too, so that scores are taken in the
    precision of the weights; an ``autocast`` that the caller opened is left alone.
    """
    modes = [(module, module.training) for module in model.modules()]
    flags = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
    wrapped = model.__dict__.get("forward") if "_original_forward" in model.__dict__ else None
    try:
        if wrapped is not None:
            model.__dict__["forward"] = model.__dict__["_original_forward"]
        model.eval()
        for parameter, _ in flags:
            parameter.requires_grad_(False)
        yield
    finally:
        if wrapped is not None:
            model.__dict__["forward"] = wrapped
        for parameter, flag in flags:
            parameter.requires_grad_(flag)
        for module, mode in modes:
            module.training = mode


@contextmanager
def trainable(parameters: Collection[nn.Parameter]) -> Iterator[None]:
    """Let gradients be taken for `parameters` inside the block, and for none of them after it."""
    try:
        for parameter in parameters:
            parameter.requires_grad_(True)
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(False)


@contextmanager
def isolated_random_state(model: nn.Module) -> Iterator[None]:
    """Leave the random number generators of the CPU and of the model's CUDA devices as they were."""
    devices = {parameter.device for parameter in model.parameters() if parameter.device.type == "cuda"}
    with torch.random.fork_rng(devices=sorted(devices, key=str)):
        yield
