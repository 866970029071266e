"""How far a background job is: one vocabulary for every kind of job, and who writes it down."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Generic, Literal, TypeVar

from diet_explorer.store.delay import Delay

JobState = Literal["absent", "queued", "running", "interrupted", "succeeded", "failed", "cancelled"]
REPORT_SECONDS = 1.0
_TOO_EARLY = 0.05  # of the work done: no end can be foretold yet


@dataclass(frozen=True, kw_only=True)
class JobProgress:
    """How far the last job that was asked for is; kinds of jobs add what else there is to know.

    Absent means that there was none; interrupted, that its process is gone and nobody takes it up again by itself.
    """

    state: JobState = "absent"
    stage: str = ""  # what is happening, in words
    share: float = 0.0  # how much is done, in [0, 1]
    seconds_left: float | None = None
    error: str | None = None
    remedy: str | None = None
    kind: str | None = None  # name of the error's class
    finished_at: str | None = None  # in UTC, ISO 8601
    job: str = ""  # id, so that the end of an older job is never taken for that of a newer one
    starts: int = 0  # how often a worker took it up
    delay: Delay | None = None  # why no worker takes it up, where it waits for one

    @property
    def is_active(self) -> bool:
        """Whether it waits or runs."""
        return self.state in ("queued", "running")

    @property
    def label(self) -> str:
        """The state as people read it."""
        return "done" if self.state == "succeeded" else self.state

    def describe(self) -> str:
        """Where it is, and why it waits, in a few words."""
        return f"waiting. {self.delay.describe()}" if self.delay else f"{self.share:.0%} · {self.stage}"


P = TypeVar("P", bound=JobProgress)


def ended(progress: P, state: JobState, **facts: Any) -> P:
    """A job's progress at its end; `facts` are further attributes."""
    share = 1.0 if state == "succeeded" else progress.share
    words = {"succeeded": "Done", "failed": "Failed", "cancelled": "Cancelled"}[state]
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return replace(progress, state=state, stage=words, share=share, seconds_left=None, finished_at=now, **facts)


class JobReporter(Generic[P]):
    """Writes down how far a job is, at most once a second, and how it ended."""

    def __init__(self, save: Callable[[P], None], begun: P) -> None:
        self._save = save
        self._progress = begun
        self._begun = time.monotonic()
        self._last_write = float("-inf")
        self._writing = threading.Lock()
        self._over = False

    def __call__(self, share: float, stage: str, **details: Any) -> None:
        """Report that a share in [0, 1] is done; `details` are further attributes of the progress."""
        with self._writing:
            now = time.monotonic()
            left = (now - self._begun) * (1 - share) / share if share > _TOO_EARLY else None
            facts = {"share": round(share, 4), "stage": stage, "seconds_left": left, **details}
            self._progress = replace(self._progress, **facts)
            if now - self._last_write >= REPORT_SECONDS and not self._over:
                self._last_write = now
                self._save(self._progress)

    def end(self, state: JobState, **facts: Any) -> None:
        """Write down how it ended; nothing is written after that, and only the first end counts."""
        with self._writing:
            if not self._over:
                self._over = True
                self._save(ended(self._progress, state, **facts))
