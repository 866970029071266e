"""Waiting for what comes about in other processes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def until(condition: Callable[[], Any], what: str, seconds: float = 300) -> Any:
    """Wait until a condition holds and return its value."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.05)  # what is asked is often a database, which twenty times a second is enough for
    raise AssertionError(f"in {seconds} seconds it did not happen that {what}")
