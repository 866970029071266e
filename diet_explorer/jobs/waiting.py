"""Waiting for the end of something that a worker does, and saying so where no worker takes it up."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Protocol, TypeVar

from diet_explorer.config import Settings
from diet_explorer.errors import NoWorkerError
from diet_explorer.jobs.slots import NO_WORKER, living_workers

POLL_SECONDS = 0.5
NOTICE_SECONDS = 3.0
PATIENCE_SECONDS = 60.0

logger = logging.getLogger("diet_explorer.waiting")


class Activity(Protocol):
    """Something that may go on: a job, a run, a proof."""

    @property
    def is_active(self) -> bool:
        """Whether it waits or runs."""

    @property
    def is_waiting(self) -> bool:
        """Whether it waits for a worker."""


A = TypeVar("A", bound=Activity)


class TakeUp:
    """Whether a worker takes up what waits for one; to be asked every second or so.

    With `starts_one` whoever asks is starting a worker, so that none is missed.
    """

    def __init__(self, settings: Settings, *, starts_one: bool = False) -> None:
        self._settings = settings
        self._starts_one = starts_one
        self._alone_since: float | None = None  # without any worker
        self._idle_since: float | None = None  # beside workers that do nothing
        self._said: str | None = None

    def notice(self, waits: bool) -> str | None:
        """Words for people, once when they are due: that no worker is there, or that none takes it up."""
        workers = living_workers(self._settings) if waits else []
        now = time.monotonic()
        alone = waits and not workers and not self._starts_one
        self._alone_since = (self._alone_since or now) if alone else None
        idle = bool(workers) and not any(worker.run_id for worker in workers)
        self._idle_since = (self._idle_since or now) if idle else None
        words = None
        if self._alone_since is not None and now - self._alone_since >= NOTICE_SECONDS:
            words = NO_WORKER
        elif self._idle_since is not None and now - self._idle_since >= PATIENCE_SECONDS:
            words = not_taken_up(self._settings)
        if words is None or words == self._said:
            return None
        self._said = words
        return words

    @property
    def is_hopeless(self) -> bool:
        """Whether it waited so long without any worker that none will come by itself."""
        return self._alone_since is not None and time.monotonic() - self._alone_since >= PATIENCE_SECONDS


def not_taken_up(settings: Settings) -> str:
    """What to do where workers are alive and take up nothing."""
    logs = settings.home_folder / "logs"
    return f"A worker is running, but has not taken it up for a minute: see its log in {logs}, or start it again."


def wait_while_active(
    progress: Callable[[], A], timeout: float | None, describe: Callable[[A], str], settings: Settings
) -> A:
    """How something ended that waits or runs now.

    TimeoutError, with its description, after so many seconds; NoWorkerError after a minute without any worker.
    """
    end = None if timeout is None else time.monotonic() + timeout
    taken_up = TakeUp(settings)
    while (current := progress()).is_active:
        if end is not None and time.monotonic() > end:
            raise TimeoutError(f"{describe(current)}; it goes on.")
        words = taken_up.notice(current.is_waiting)
        if words is not None:
            logger.warning("%s. %s", describe(current), words)
        if taken_up.is_hopeless:
            raise NoWorkerError(
                f"{describe(current)}: no worker has been running for a minute.",
                "Start one with `diet-explorer worker` or `diet-explorer app`, then wait again: it keeps its place.",
            )
        time.sleep(POLL_SECONDS)
    return current
