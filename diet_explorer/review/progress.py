"""How far a review is, who does how much of it, at which pace, and when it will be done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from diet_explorer.review.effort import Work
from diet_explorer.review.guidelines import versions_of
from diet_explorer.review.replay import NONE, Replay

WEEK = 7


@dataclass(frozen=True)
class PersonProgress:
    """What one person has done.

    Attributes
    ----------
    annotator : str
    examples : int
        Examples of the queue with a decision of theirs that counts.
    share : float
        Of all such decisions of everybody, in [0, 1].
    behind : int
        How many fewer these are than an equal share of what all have done.
    today, decisions : int
        Decisions about one example each that were not taken back, of today and of all days, in all of the dataset.
    hours : float
        Time of work; pauses do not count, see `review.effort.PACE_RULE`.
    per_hour : float or None
        Decisions per hour of work; None where too few are known.
    agreement : float or None
        How often others who decided about the same example of the queue say the same, in [0, 1]; None without any.
    guidelines : int or None
        The version of the guidelines that they had at hand when they decided last.
    last : datetime or None
        When they did something last, in UTC.
    """

    annotator: str
    examples: int
    share: float
    behind: int
    today: int
    decisions: int
    hours: float
    per_hour: float | None
    agreement: float | None
    guidelines: int | None
    last: datetime | None


@dataclass(frozen=True)
class ReviewProgress:
    """How far the review of some examples is.

    Attributes
    ----------
    examples : int
        In the queue.
    decided : int
        About which somebody has decided.
    given, left : int
        Decisions that count, and those that are still wanted: as many per example as the rules ask for.
    per_hour : float or None
        Decisions per hour of work, of all people together.
    hours_left : float or None
        Hours of work of one person until all are given, at that pace.
    per_day : float
        Decisions a day over the last seven days, or since the first of them.
    days_left : float or None
        Days until all are given, at that rate.
    people : tuple of PersonProgress
        Who has decided, who is most behind first.
    """

    examples: int
    decided: int
    given: int
    left: int
    per_hour: float | None
    hours_left: float | None
    per_day: float
    days_left: float | None
    people: tuple[PersonProgress, ...]

    def frame(self) -> pd.DataFrame:
        """A row per person; columns as the attributes of `PersonProgress`."""
        return pd.DataFrame([asdict(person) for person in self.people], columns=list(PersonProgress.__annotations__))


@dataclass(frozen=True)
class OwnPace:
    """What one person has done today, and their pace over all days."""

    today: int
    per_hour: float | None


def own_pace(replay: Replay, who: str, now: datetime) -> OwnPace:
    """What somebody has done today; costs the same whatever has been decided."""
    return OwnPace(replay.effort.since(who, _today(now)).decisions, replay.effort.of(who).per_hour)


def progress_of(replay: Replay, rows: NDArray[np.integer], now: datetime) -> ReviewProgress:
    """How far the review of some rows is; what it costs grows with them and with the decisions, so ask now and then."""
    effort, today = replay.effort, _today(now)
    about, numbers = replay.latest_votes()
    inside = np.zeros(len(replay.state), dtype=bool)
    inside[rows] = True
    here = inside[about]
    about, numbers = about[here], numbers[here]
    people = replay.annotators(numbers)
    counts = np.bincount(people, minlength=len(replay.people))
    agreed = _agreement(about, people, replay.verdicts(about, numbers), len(replay.people))
    examples = {name: int(count) for name, count in zip(replay.people, counts, strict=True)}
    names = sorted({name for name, count in examples.items() if count} | set(effort.people()))
    given, left = int(counts.sum()), _left(replay, rows)
    whole = sum((effort.of(name) for name in names), Work())
    first = effort.first_day() or today
    days = min(max((today - first).days + 1, 1), WEEK)
    recent = sum(effort.since(name, today - timedelta(days=days - 1)).decisions for name in names) / days
    versions = {version.uid: version.version for version in versions_of(replay.guidelines)}
    everybody = [
        PersonProgress(
            annotator=name,
            examples=examples[name],
            share=examples[name] / given if given else 0.0,
            behind=max(round(given / len(names)) - examples[name], 0),
            today=effort.since(name, today).decisions,
            decisions=effort.of(name).decisions,
            hours=effort.of(name).seconds / 3600,
            per_hour=effort.of(name).per_hour,
            agreement=agreed[replay.people.index(name)],
            guidelines=_version(versions, replay.saw.get(name)),
            last=effort.last(name),
        )
        for name in names
    ]
    return ReviewProgress(
        examples=len(rows),
        decided=int(np.count_nonzero(replay.decided()[rows])),
        given=given,
        left=left,
        per_hour=whole.per_hour,
        hours_left=None if whole.per_hour is None else left / whole.per_hour,
        per_day=recent,
        days_left=left / recent if recent else None,
        people=tuple(sorted(everybody, key=lambda person: (-person.behind, person.annotator))),
    )


def _left(replay: Replay, rows: NDArray[np.integer]) -> int:
    """How many decisions are still wanted about some rows."""
    if replay.rules.overlap == 1:
        return len(rows) - int(np.count_nonzero(replay.decided()[rows]))
    wanted = np.maximum(replay.rules.overlap - replay.votes[rows].astype(np.int64), 0)
    return int(wanted[replay.adjudged[rows] == NONE].sum())


def _agreement(
    rows: NDArray[np.integer], people: NDArray[np.integer], verdicts: NDArray[np.integer], count: int
) -> list[float | None]:
    """Of each person the share of the other opinions, about the examples that they decided about, that are theirs."""
    if not len(rows):
        return [None] * count
    _, of_row, in_row = np.unique(rows, return_inverse=True, return_counts=True)
    pairs = np.stack([of_row, verdicts], axis=1)
    _, of_pair, in_pair = np.unique(pairs, axis=0, return_inverse=True, return_counts=True)
    others = np.bincount(people, weights=in_row[of_row] - 1, minlength=count)
    same = np.bincount(people, weights=in_pair[of_pair.ravel()] - 1, minlength=count)
    return [float(alike / all_) if all_ else None for alike, all_ in zip(same, others, strict=True)]


def _version(versions: Mapping[str, int], uid: str | None) -> int | None:
    return None if uid is None else versions.get(uid)


def _today(now: datetime) -> date:
    return now.astimezone().date()
