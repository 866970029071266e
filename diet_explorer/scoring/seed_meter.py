"""What a training in work tells the metrics, taken from the progress that it reports anyway."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Protocol

from diet_explorer.store.happenings import happened


class Metered(Protocol):
    """What is taken from a seed's progress."""

    seed: int
    examples_per_second: float | None
    scoring_total: int
    training_seconds: float

    @property
    def state(self) -> str: ...

    @property
    def checkpoints(self) -> Sequence[object]: ...

    @property
    def scoring_seconds(self) -> float: ...


class SeedMeter:
    """Tells what has come since the last report; what an earlier attempt did is not counted again."""

    def __init__(self) -> None:
        self._last: dict[int, tuple[float, float, int]] = {}
        self._examples = 0  # that a checkpoint scores

    def __call__(self, progress: Metered) -> None:
        """Take note of a report."""
        now = (progress.training_seconds, progress.scoring_seconds, len(progress.checkpoints))
        trained, scored, landed = self._last.get(progress.seed, now)
        self._last[progress.seed] = now
        self._examples = progress.scoring_total or self._examples
        happened("examples_per_second", (progress.examples_per_second or 0.0) if progress.state == "training" else 0.0)
        if now[0] > trained:
            happened("work_seconds", now[0] - trained, phase="training")
        if now[1] > scored:
            happened("work_seconds", now[1] - scored, phase="scoring")
        if now[2] > landed:
            happened("checkpoints", now[2] - landed)
            happened("examples_scored", (now[2] - landed) * self._examples)
            happened("last_checkpoint_timestamp_seconds", time.time())
