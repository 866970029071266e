"""The kinds of jobs that a process of its own does; scoring, `jobs.kinds.score`, is what a worker does itself."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from diet_explorer.jobs.job import BackgroundJob, QueuedJob

_CLASSES = {"map": "MapJob", "export": "ExportJob", "push": "PushJob"}  # in the file of that name


def kind_named(name: str) -> type[BackgroundJob[Any, Any]]:
    """The kind of job of that name; only what its own file imports is loaded."""
    kind: type[BackgroundJob[Any, Any]] = getattr(import_module(f"diet_explorer.jobs.kinds.{name}"), _CLASSES[name])
    return kind


def queued_kinds() -> list[type[QueuedJob[Any, Any]]]:
    """The kinds that wait for a worker."""
    return [kind for kind in map(kind_named, _CLASSES) if issubclass(kind, QueuedJob)]
