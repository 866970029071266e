"""Live progress of a run: a small snapshot per seed, and a structured log."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Engine

from diet_explorer.errors import StoreAwayError
from diet_explorer.redaction import redacted
from diet_explorer.scoring import catalogue
from diet_explorer.scoring.seed_meter import SeedMeter
from diet_explorer.store.delay import Delay
from diet_explorer.store.names import checked_id
from diet_explorer.store.patience import patiently
from diet_explorer.store.reports import ReportRecords

State = Literal["waiting", "preparing", "training", "scoring", "done"]
SNAPSHOT_SECONDS = 1.0


@dataclass
class CheckpointProgress:
    """A checkpoint whose scores have landed.

    `train_loss` (mean) and `train_accuracy` in [0, 1] are over the scored examples that are trained on,
    `heldout_accuracy` over the others; None where there are none.
    """

    checkpoint: float
    landed_at: str
    train_loss: float | None
    train_accuracy: float | None
    heldout_accuracy: float | None
    scoring_seconds: float

    @classmethod
    def of(
        cls,
        checkpoint: float,
        loss: NDArray[np.floating],
        right: NDArray[np.bool_],
        train: NDArray[np.bool_],
        scoring_seconds: float,
    ) -> CheckpointProgress:
        """A checkpoint that lands now, from arrays (N,) over the scored examples."""
        means = (_mean(loss[train]), _mean(right[train]), _mean(right[~train]))
        return cls(checkpoint, _now(), *means, scoring_seconds)


@dataclass
class MissingCheckpoint:
    """A checkpoint whose scores could not be taken, and why."""

    checkpoint: float
    reason: str


@dataclass(frozen=True)
class WorkerName:
    """A worker by its machine and its slot there; the slot is None for what no worker does."""

    host: str = ""
    slot: int | None = None


NO_WORKER = WorkerName()


@dataclass
class SeedProgress:
    """How far one seed is; rates in examples per second, `loss` is the training loss lately.

    `host` and `slot` are those of the worker that trains it, or did last.
    """

    seed: int
    state: State = "waiting"
    step: int = 0
    total_steps: int = 0
    epoch: float = 0.0
    examples_per_second: float | None = None
    seconds_left: float | None = None
    loss: float | None = None
    scoring_done: int = 0
    scoring_total: int = 0
    training_seconds: float = 0.0
    checkpoints: list[CheckpointProgress] = field(default_factory=list)
    missing: list[MissingCheckpoint] = field(default_factory=list)
    updated_at: str = ""
    host: str = ""
    slot: int | None = None

    @property
    def scoring_seconds(self) -> float:
        """Time that scoring took so far."""
        return sum(entry.scoring_seconds for entry in self.checkpoints)

    @property
    def worker(self) -> WorkerName:
        """Who trains it, or did last."""
        return WorkerName(self.host, self.slot)

    @property
    def is_busy(self) -> bool:
        """Whether it is being worked on."""
        return self.state not in ("waiting", "done")

    def share(self, planned: int) -> float:
        """How much of its work is done, in [0, 1]; training and scoring at the `planned` checkpoints count alike."""
        if self.state == "done":
            return 1.0
        scored = len(self.checkpoints) + (self.scoring_done / self.scoring_total if self.scoring_total else 0.0)
        trained = self.step / self.total_steps if self.total_steps else 0.0
        return (trained + min(scored / planned, 1.0)) / 2

    def describe(self) -> str:
        """Where it is, in a few words."""
        return f"seed {self.seed}, {self.state}, epoch {self.epoch:.2f}"


@dataclass(frozen=True)
class RunProgress:
    """How far a run is: `share` in [0, 1] of its expected time."""

    run_id: str
    status: str
    seeds: list[SeedProgress]
    share: float
    seconds_left: float | None
    error: str | None = None
    remedy: str | None = None
    queue_position: int | None = None
    notes: tuple[str, ...] = ()  # who works on it, or which scores are missing, in words
    delay: Delay | None = None  # why no worker takes it up, where it waits for one

    @property
    def is_active(self) -> bool:
        """Whether it waits or runs."""
        return self.status in ("queued", "running")

    @property
    def busy(self) -> list[SeedProgress]:
        """The seeds that are being worked on."""
        return [seed for seed in self.seeds if seed.is_busy]

    def describe(self) -> str:
        """Where it is, in a few words."""
        if self.status == "queued":
            return f"waiting, place {self.queue_position}" if self.queue_position else "waiting"
        if len(self.busy) > 1:
            return at_once_in_words(self.busy)
        return self.busy[0].describe() if self.busy else "starting"


def at_once_in_words(seeds: Sequence[SeedProgress]) -> str:
    """Which seeds train at once and where, such as "seeds 0 and 1 train at once, on alpha and beta"."""
    workers = [seed.worker for seed in seeds if seed.host]
    hosts = list(dict.fromkeys(worker.host for worker in workers))
    if len(hosts) == 1 and len(workers) > 1:
        where = f", on {hosts[0]} (workers {_listed([str(worker.slot) for worker in workers])})"
    else:
        where = f", on {_listed(hosts)}" if hosts else ""
    return f"seeds {_listed([str(seed.seed) for seed in seeds])} train at once{where}"


def seconds_left(seeds: Sequence[SeedProgress]) -> float | None:
    """Seconds until all seeds are done, where as many go on training at once as do now; None where nothing is known."""
    known = [seed.seconds_left for seed in seeds if seed.seconds_left is not None and seed.state != "done"]
    if not known:
        return None
    took = [seed.training_seconds + seed.scoring_seconds for seed in seeds if seed.state == "done"]
    busy = [seed for seed in seeds if seed.is_busy]
    spent = [seed.training_seconds + seed.scoring_seconds + (seed.seconds_left or 0.0) for seed in busy]
    each = took or spent
    mean = sum(each) / len(each) if each else 0.0
    not_begun = sum(seed.state == "waiting" and seed.seconds_left is None for seed in seeds)
    return max(max(known), (sum(known) + not_begun * mean) / max(1, len(busy)))


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def missing_in_words(planned: Sequence[float], seed: SeedProgress, *, complete: bool) -> str | None:
    """Which of the planned checkpoints an ended training has no scores of, and why; None where there are none.

    Of a training that is `complete` also the ones after its end count, where it ended early.
    """
    landed = [entry.checkpoint for entry in seed.checkpoints]
    reasons = {entry.checkpoint: entry.reason for entry in seed.missing}
    absent = [point for point in planned if point not in landed]
    early = [point for point in absent if landed and point < max(landed)]
    late = [point for point in absent if complete and point not in early]
    sentences = []
    if early:
        why = " ".join(dict.fromkeys(reasons.get(point, "the training went on from a later step.") for point in early))
        sentences.append(f"Scores are missing ({_titles(early)}): {why}")
    if late:
        sentences.append(f"The training ended at epoch {seed.epoch:.4g}, before scores could be taken {_titles(late)}.")
    return " ".join(sentences) or None


def _titles(points: Sequence[float]) -> str:
    return ", ".join(catalogue.checkpoint_title(point) for point in points)


class RunReports:
    """Reads and writes the snapshots and the log of one run, in the explorer database.

    A run in somebody's own training script is so as visible as a job of the app. Who trains waits up to `patience`
    seconds for a database that is away; a snapshot that another one follows is left out meanwhile.
    """

    def __init__(
        self,
        database: Engine,
        run_id: str,
        patience: float = 0.0,
        before_write: Callable[[], None] = lambda: None,
    ) -> None:
        self.run_id = checked_id("run", run_id)
        self._records = ReportRecords(database)
        self._patience = patience
        self._before_write = before_write  # what it raises keeps something from being written
        self._last_write = float("-inf")
        self._meter = SeedMeter()

    def save(self, progress: SeedProgress, *, force: bool = False) -> None:
        """Write the snapshot of a seed, at most once a second unless forced."""
        self._meter(progress)
        now = time.monotonic()
        if not force and now - self._last_write < SNAPSHOT_SECONDS:
            return
        self._last_write = now
        self._before_write()
        state = {name: value for name, value in asdict(progress).items() if name not in ("seed", "updated_at")}
        try:
            patiently(
                lambda: self._records.save_seed(self.run_id, progress.seed, state), self._patience if force else 0.0
            )
        except StoreAwayError:
            if force:
                raise

    def load(self, seed: int) -> SeedProgress:
        """The last snapshot of a seed; a waiting one where there is none."""
        return self.load_all().get(seed, SeedProgress(seed))

    def load_all(self) -> dict[int, SeedProgress]:
        """The last snapshot of each seed that has one."""
        found = patiently(lambda: self._records.seeds(self.run_id), self._patience)
        return {seed: _seed_progress(seed, state, at) for seed, (state, at) in found.items()}

    def log(self, event: str, message: str, *, level: str = "info", **details: Any) -> None:
        """Append one structured line to the run's log."""
        shown = {key: redacted(value) if isinstance(value, str) else value for key, value in details.items()}
        line = {"level": level, "event": event, "message": redacted(message), **shown}
        self._before_write()
        patiently(lambda: self._records.add_line(self.run_id, line), self._patience)

    def read_log(self, last: int = 200) -> list[dict[str, Any]]:
        """The last lines of the log, oldest first."""
        lines = patiently(lambda: self._records.lines(self.run_id, last), self._patience)
        return [{"time": at.isoformat(timespec="seconds"), **line} for at, line in lines]


def _seed_progress(seed: int, state: dict[str, Any], at: datetime) -> SeedProgress:
    checkpoints = [CheckpointProgress(**entry) for entry in state.pop("checkpoints", [])]
    missing = [MissingCheckpoint(**entry) for entry in state.pop("missing", [])]
    updated = at.isoformat(timespec="seconds")
    return SeedProgress(seed, **state, checkpoints=checkpoints, missing=missing, updated_at=updated)


def _mean(values: NDArray[Any]) -> float | None:
    return float(values.mean()) if len(values) else None


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
