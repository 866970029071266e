"""A clock that nobody sets, and that goes on while the machine sleeps."""

from __future__ import annotations

import time

_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def steady_seconds() -> float:
    """Seconds since some moment in the past, those among them in which the machine slept."""
    return time.clock_gettime(_CLOCK)
