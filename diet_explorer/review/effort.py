"""How much people decide, and in which time, kept up to date event by event at the same cost for each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np

from diet_explorer.review.arrays import Growing
from diet_explorer.store.decisions import DECISION_STATES, DecisionEvent

PAUSE = timedelta(minutes=5)
PACE_RULE = (
    "Decisions per hour of work. Work is the time between two actions of the same person that are at most "
    f"{PAUSE.seconds // 60} minutes apart; longer pauses and decisions about many examples at once do not count."
)


@dataclass
class Work:
    """What somebody has done, on one day or on several.

    Attributes
    ----------
    decisions : int
        Decisions about one example that were not taken back.
    paced : int
        Those of them that followed another action without a pause.
    seconds : float
        Between actions without a pause.
    """

    decisions: int = 0
    paced: int = 0
    seconds: float = 0.0

    def __add__(self, other: Work) -> Work:
        return Work(self.decisions + other.decisions, self.paced + other.paced, self.seconds + other.seconds)

    @property
    def per_hour(self) -> float | None:
        """Decisions per hour of work; None where there was no work without a pause yet."""
        return 3600 * self.paced / self.seconds if self.seconds > 0 and self.paced else None


class Effort:
    """The work of everybody, by person and day; days are those of this machine's time."""

    def __init__(self) -> None:
        self._last: dict[str, datetime] = {}
        self._days: defaultdict[str, defaultdict[int, Work]] = defaultdict(lambda: defaultdict(Work))
        self._all: defaultdict[str, Work] = defaultdict(Work)
        self._people: list[str] = []
        self._codes: dict[str, int] = {}
        # of every event, in the order of the replay: the day, whose decision it is (-1: none), whether it has a pace
        self._day, self._person, self._paced = Growing(np.int32), Growing(np.int32), Growing(np.bool_)

    def add(self, event: DecisionEvent) -> None:
        """Count an event that comes after all others."""
        who, day = event.annotator, event.at.astimezone().toordinal()
        gap = event.at - self._last[who] if who in self._last else None
        self._last[who] = event.at
        paced = gap is not None and gap <= PAUSE and not event.is_bulk
        decides = event.action in DECISION_STATES and not event.is_bulk
        work = Work(int(decides), int(decides and paced), gap.total_seconds() if gap is not None and paced else 0.0)
        self._count(who, day, work)
        if who not in self._codes:
            self._codes[who] = len(self._people)
            self._people.append(who)
        self._day.add([day])
        self._person.add([self._codes[who] if decides else -1])
        self._paced.add([paced])

    def take_back(self, number: int) -> None:
        """Count the decision of an event no more, which was the work that it was all the same."""
        person = int(self._person.values[number])
        if person >= 0:
            self._person.values[number] = -1  # once, however often it is taken back
            work = Work(-1, -int(self._paced.values[number]))
            self._count(self._people[person], int(self._day.values[number]), work)

    def people(self) -> Iterator[str]:
        """Who has taken decisions about single examples that were not taken back."""
        return (who for who, work in self._all.items() if work.decisions)

    def of(self, who: str) -> Work:
        """All that somebody has done."""
        return self._all.get(who, Work())

    def since(self, who: str, day: date) -> Work:
        """What somebody has done from a day on."""
        days: Mapping[int, Work] = self._days.get(who, {})
        recent = [work for ordinal, work in days.items() if ordinal >= day.toordinal()]
        return sum(recent, Work())

    def last(self, who: str) -> datetime | None:
        """When somebody did something last."""
        return self._last.get(who)

    def first_day(self) -> date | None:
        """The first day on which anybody did anything."""
        ordinals = [min(days) for days in self._days.values() if days]
        return date.fromordinal(min(ordinals)) if ordinals else None

    def _count(self, who: str, day: int, work: Work) -> None:
        self._days[who][day] += work
        self._all[who] += work
