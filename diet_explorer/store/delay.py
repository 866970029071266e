"""Why something that waits for a worker is not taken up: one vocabulary for runs, proofs and every kind of job."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

DelayReason = Literal[
    "no worker", "workers busy", "workers in trouble", "another version", "not taken up", "no able worker"
]


@dataclass(frozen=True)
class Delay:
    """Why a job waits, and how it goes on.

    `reason` is ``no worker`` where none is alive, ``workers busy`` where all have other work of the same kind,
    ``workers in trouble`` where none of them can take up jobs, ``another version`` where those that are there do not
    know such jobs, ``not taken up`` where one could and does not, and ``no able worker`` where none has what it needs.
    """

    reason: DelayReason
    words: str
    remedy: str

    @property
    def is_normal(self) -> bool:
        """Whether it goes on by itself, with nothing to be done."""
        return self.reason == "workers busy"

    def describe(self) -> str:
        """Both in one line."""
        return f"{self.words} {self.remedy}"
