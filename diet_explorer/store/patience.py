"""Waiting for a database or a store that is away for a moment: jobs do, people are told at once."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from diet_explorer.errors import StoreAwayError

LONGEST_PAUSE = 5.0
_TOLD_AT = 2
T = TypeVar("T")

logger = logging.getLogger("diet_explorer.store")


def patiently(work: Callable[[], T], seconds: float) -> T:
    """Do something that may be done more than once, again and again for so long as what it needs is away."""
    retrying = Retrying(
        stop=stop_after_delay(seconds),
        wait=wait_random_exponential(multiplier=0.25, max=LONGEST_PAUSE),
        retry=retry_if_exception_type(StoreAwayError),
        before_sleep=_tell,
        reraise=True,
    )
    return retrying(work)


def _tell(state: RetryCallState) -> None:
    if state.attempt_number == _TOLD_AT and state.outcome is not None:
        logger.warning("Waiting: %s", state.outcome.exception())
