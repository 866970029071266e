"""Waiting for what a worker does, and saying why none takes it up."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Collection
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from diet_explorer import __version__
from diet_explorer.config import Settings
from diet_explorer.errors import NoWorkerError
from diet_explorer.jobs.needs import lack_of
from diet_explorer.jobs.notebooks import is_in_notebook
from diet_explorer.jobs.protocol import FORMAT, JOB_FORMAT, SCORE
from diet_explorer.jobs.slots import failure_at_start, workers_at
from diet_explorer.store.delay import Delay, DelayReason
from diet_explorer.store.workers import WorkerInfo
from diet_explorer.training.config import RunConfig

if TYPE_CHECKING:
    from tqdm import tqdm

POLL_SECONDS = 0.5
NOTICE_SECONDS = 3.0
PATIENCE_SECONDS = 60.0
START_ONE = "Start one with `diet-explorer worker`; `diet-explorer app` does so by itself."

BRING_IT = "Start a worker on a machine that has it, or put it there: it is taken up by itself then."

logger = logging.getLogger("diet_explorer.waiting")


def delay_of(
    settings: Settings,
    queued_at: datetime,
    line: str = SCORE.line,
    needs: RunConfig | None = None,
    tasks: Collection[str] = (),
) -> Delay | None:
    """Why a job is not taken up that waits in a line since `queued_at`, by the database's clock.

    None where a worker, on whichever machine, is about to do it. `needs` is the run that it trains,
    for which not all may have what it takes; `tasks` is what workers say that they are busy with once it has begun, or
    what it is a part of.
    """
    workers, now = workers_at(settings)
    if not workers:
        failure = failure_at_start(settings)
        words = ", so that it waits." if failure is None else f": it does not start. {failure}"
        return Delay("no worker", f"No worker is running{words}", START_ONE)
    knowing = [worker for worker in workers if worker.can.get(FORMAT, JOB_FORMAT) == JOB_FORMAT]
    if not knowing:
        return _of_another_version(workers[0])
    workers = knowing
    lacks = {worker.id: None if needs is None else lack_of(worker, needs) for worker in workers}
    if all(lacks.values()):
        what = " and ".join(dict.fromkeys(filter(None, lacks.values())))
        return Delay("no able worker", f"No worker has {what}, so that it waits.", BRING_IT)
    workers = [worker for worker in workers if lacks[worker.id] is None]
    if any(worker.tasks.get(line) in tasks for worker in workers):
        return None
    free = [worker for worker in workers if line not in worker.tasks]
    if not free:
        tasks = ", ".join(dict.fromkeys(worker.tasks[line] for worker in workers))
        words = f"The worker is busy with {tasks}." if len(workers) == 1 else f"All workers are busy, with {tasks}."
        return Delay("workers busy", words, "It comes next in its turn; `diet-explorer worker` starts a further one.")
    logs = settings.home_folder / "logs"
    able = [worker for worker in free if worker.trouble is None]
    if not able:
        words = f"The worker cannot take up jobs: {free[0].trouble}"
        return Delay("workers in trouble", words, f"It tries again by itself; its log is in {logs}.")
    first = min(max(queued_at, worker.idle_since(line)) for worker in able)
    if (now - first).total_seconds() < PATIENCE_SECONDS:
        return None
    words = "A worker is running, but has not taken it up for a minute."
    return Delay("not taken up", words, f"See its log in {logs}, or start it again.")


def _of_another_version(worker: WorkerInfo) -> Delay:
    own = __version__
    words = (
        f"The worker on {worker.host} is of another version ({worker.version}, jobs of form {worker.can[FORMAT]}) than "
        f"what asked for this ({own}, jobs of form {JOB_FORMAT}), and leaves it."
    )
    return Delay("another version", words, f"Stop it there, install version {own} and start `diet-explorer worker`.")


class Activity(Protocol):
    """How far something is that may go on: a job, a run, a proof."""

    @property
    def is_active(self) -> bool:
        """Whether it waits or runs."""

    @property
    def share(self) -> float:
        """How much of it is done, in [0, 1]."""

    @property
    def delay(self) -> Delay | None:
        """Why it is not taken up, where it waits for a worker."""


A = TypeVar("A", bound=Activity)


class TakeUp:
    """Whether a worker takes up what waits for one; to be asked every second or so.

    With `starts_one` whoever asks is starting a worker, so that none is missed.
    """

    def __init__(self, *, starts_one: bool = False) -> None:
        self._starts_one = starts_one
        self._alone_since: float | None = None  # without any worker
        self._said: DelayReason | None = None

    def notice(self, delay: Delay | None) -> str | None:
        """Words for people, once for each reason: that no worker is there, that all are busy, that none takes it up."""
        now = time.monotonic()
        alone = delay is not None and delay.reason == "no worker"
        self._alone_since = (self._alone_since or now) if alone else None
        if delay is None or delay.reason == self._said:
            return None
        if alone and (self._starts_one or now - (self._alone_since or now) < NOTICE_SECONDS):
            return None
        self._said = delay.reason
        return delay.describe()

    @property
    def is_hopeless(self) -> bool:
        """Whether it waited so long without any worker that none will come by itself."""
        return self._alone_since is not None and time.monotonic() - self._alone_since >= PATIENCE_SECONDS


def wait_while_active(progress: Callable[[], A], timeout: float | None, describe: Callable[[A], str]) -> A:
    """How something ended that waits or runs now; in a terminal or notebook a bar shows how far it is.

    TimeoutError, with its description, after so many seconds; NoWorkerError after a minute without any worker.
    """
    end = None if timeout is None else time.monotonic() + timeout
    taken_up = TakeUp()
    bar: tqdm[Any] | None = None
    while (current := progress()).is_active:
        bar = bar or _bar()
        bar.update(current.share - bar.n)
        if end is not None and time.monotonic() > end:
            raise TimeoutError(f"{describe(current)}; it goes on.")
        words = taken_up.notice(current.delay)
        if words is not None:
            logger.warning("%s. %s", describe(current), words)
        if taken_up.is_hopeless:
            raise NoWorkerError(
                f"{describe(current)}: no worker has been running for a minute.",
                "Start one with `diet-explorer worker` or `diet-explorer app`, then wait again: it keeps its place.",
            )
        time.sleep(POLL_SECONDS)
    if bar is not None:
        bar.update(current.share - bar.n)
        bar.close()
    return current


def _bar() -> tqdm[Any]:
    """A bar from 0 to 1, which is silent where nobody looks, such as in a job or behind a pipe."""
    from tqdm.auto import tqdm

    watched = is_in_notebook() or (sys.stderr is not None and sys.stderr.isatty())
    form = "{percentage:3.0f} %|{bar}| {elapsed} < {remaining}"
    return tqdm(total=1.0, bar_format=form, disable=not watched, leave=False)
