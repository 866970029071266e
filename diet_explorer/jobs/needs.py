"""What a run needs of the worker that trains it, and which of that a worker lacks."""

from __future__ import annotations

from diet_explorer.store.workers import WorkerInfo
from diet_explorer.training.config import RunConfig

_GB = 1_000_000_000


def lack_of(worker: WorkerInfo, config: RunConfig) -> str | None:
    """What a worker is known to lack for a run, in words; None where it has all that was asked for."""
    if config.gpu and not worker.can.get("gpu"):
        return "a GPU"
    if worker.memory_total is not None and worker.memory_total < config.memory_gb * _GB:
        return f"{config.memory_gb:,} GB of memory"
    model: str | None = worker.can.get("lacks", {}).get(config.model)
    return model
