"""Following what a worker does to its end, with a worker of the command's own where there is none."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from diet_explorer.cli import output as out
from diet_explorer.errors import JobFailedError
from diet_explorer.jobs.processes import Child, worker_child
from diet_explorer.jobs.progress import JobProgress
from diet_explorer.jobs.slots import living_workers
from diet_explorer.jobs.waiting import A, TakeUp
from diet_explorer.workspace.workspace import Workspace

FOLLOW_SECONDS = 0.5
MAX_WORKER_DEATHS = 3


@contextmanager
def some_worker(workspace: Workspace) -> Iterator[Child | None]:
    """A worker for the length of the block: None if one runs on this workspace already, else one of our own."""
    if living_workers(workspace.settings):
        yield None
        return
    child = worker_child(workspace.settings)
    child.start()
    try:
        yield child
    finally:
        child.stop()


def keep_alive(child: Child | None) -> None:
    """Start a worker of our own again if it has died; call this every second or so.

    Raises
    ------
    JobFailedError
        It dies again and again.
    """
    if child is None:
        return
    child.keep_alive()
    if child.deaths >= MAX_WORKER_DEATHS:
        words = child.last_words(2).replace("\n", " ") or "it gives no reason"
        raise JobFailedError(f"The worker does not stay alive: {words}", f"See {child.log_path}.")


def follow(progress: Callable[[], A], describe: Callable[[A], tuple[str, str]], child: Child | None) -> A:
    """Show how far something is until it ends, and give how it ended.

    Parameters
    ----------
    progress : callable
        Reads how far it is.
    describe : callable
        What `LiveLine.show` takes: a line that is rewritten, and a milestone.
    child : Child or None
        A worker of our own, which is kept alive.

    Raises
    ------
    JobFailedError
        No worker can be kept alive.
    """
    line = out.LiveLine()
    taken_up = TakeUp(starts_one=child is not None)
    try:
        while (current := progress()).is_active:
            line.show(*describe(current))
            keep_alive(child)
            words = taken_up.notice(current.delay)
            if words is not None:
                out.note(words)
            time.sleep(FOLLOW_SECONDS)
        line.show(*describe(current))
    finally:
        line.close()
    return current


def time_left(seconds: float | None, *, at_most: bool = False) -> str:
    """The end of a line of progress; empty where it is not known."""
    return "" if seconds is None else f" · {'at most ' if at_most else ''}{out.duration(seconds)} left"


def in_stages(progress: JobProgress) -> tuple[str, str]:
    """A job with stages, in words for `follow`."""
    return f"{progress.share:.0%} · {progress.stage}{time_left(progress.seconds_left)}", progress.label
