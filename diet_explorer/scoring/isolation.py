"""Working inside somebody else's training: the same random numbers after it, and all of its processes together."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from transformers import TrainerState


@contextmanager
def same_random_numbers() -> Iterator[None]:
    """Leave every random number generator that a training may use as it was."""
    plain, of_numpy = random.getstate(), np.random.get_state()
    try:
        devices = [torch.cuda.current_device()] if torch.cuda.is_available() else []
        with torch.random.fork_rng(devices=devices):
            yield
    finally:
        random.setstate(plain)
        np.random.set_state(of_numpy)


def of_all_processes(value: Any) -> list[Any]:
    """The values of all processes of the training, the same list in each."""
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return [value]
    values: list[Any] = [None] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(values, value)
    return values


def from_first_process(value: Any) -> Any:
    """The value of the training's first process, in each."""
    shared = [value]
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.broadcast_object_list(shared)
    return shared[0]


def kept_state(state: TrainerState) -> dict[str, Any]:
    """What the Trainer's checkpoints keep of callbacks, by their names."""
    kept: Any = state.stateful_callbacks
    return dict(kept) if isinstance(kept, dict) else {}
