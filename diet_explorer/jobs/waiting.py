"""Waiting for the end of something that a worker does."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol, TypeVar

POLL_SECONDS = 0.5


class Progress(Protocol):
    """How far something is."""

    @property
    def is_active(self) -> bool:
        """Whether it waits or runs."""


P = TypeVar("P", bound=Progress)


def wait_while_active(progress: Callable[[], P], timeout: float | None, describe: Callable[[P], str]) -> P:
    """How something ended that waits or runs now.

    Parameters
    ----------
    progress : callable
        Reads how far it is.
    timeout : float or None
        Seconds; None waits for ever.
    describe : callable
        Says how far it is, for the error.

    Raises
    ------
    TimeoutError
        It is not done in time; it goes on.
    """
    end = None if timeout is None else time.monotonic() + timeout
    while (current := progress()).is_active:
        if end is not None and time.monotonic() > end:
            raise TimeoutError(f"{describe(current)}; it goes on.")
        time.sleep(POLL_SECONDS)
    return current
