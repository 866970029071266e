"""Guidelines of a dataset: what whoever leads writes about how its examples are to be labelled, version by version."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from diet_explorer.errors import BadInputError, DietExplorerError
from diet_explorer.review.texts import checked_text
from diet_explorer.store.decisions import DecisionEvent

LONGEST_GUIDELINES = 50_000
SEEN = "guidelines"
"""Under this name a decision's `seen` has the uid of the version that its author had at hand."""
_TEXT = "text"

Change = Literal["same", "new", "gone", "between"]


@dataclass(frozen=True)
class Guidelines:
    """One version of a dataset's guidelines.

    Attributes
    ----------
    version : int
        Which one it is in the order of time; 1 is the first.
    uid : str
        Its name, in every ledger that it is copied to; decisions name their version by it.
    text : str
        Markdown; empty where the guidelines were taken away.
    by : str
        Who wrote it.
    at : datetime
        When, in UTC.
    """

    version: int
    uid: str
    text: str
    by: str
    at: datetime


@dataclass(frozen=True)
class GuidelineNews:
    """The version that somebody had at hand when they decided last, None where there was none, and that in force."""

    before: Guidelines | None
    now: Guidelines


@dataclass(frozen=True)
class GuidelineUse:
    """The guidelines in force, and how many examples were decided by which version; None: by none that is known."""

    latest: Guidelines
    examples: dict[int | None, int]


class GuidelinesChangedMeanwhile(DietExplorerError):
    """Somebody has written a newer version since, which is `latest`; nothing was stored."""

    def __init__(self, latest: Guidelines | None) -> None:
        who = "Somebody" if latest is None else latest.by
        super().__init__(
            f"{who} has changed the guidelines meanwhile; yours were not saved.",
            "Copy your text, read the newer version, and save what both of you mean.",
        )
        self.latest = latest

    def __reduce__(self) -> tuple[type[GuidelinesChangedMeanwhile], tuple[Guidelines | None]]:  # type: ignore[override]
        return type(self), (self.latest,)


def stored_guidelines(text: object) -> dict[str, str]:
    """What an event keeps of guidelines; BadInputError for a text that cannot be stored."""
    return {_TEXT: checked_text("text of the guidelines", text, LONGEST_GUIDELINES)}


def checked_guidelines(seen: object) -> dict[str, str]:
    """What `stored_guidelines` gave, checked again after it has been elsewhere."""
    if not isinstance(seen, dict) or _TEXT not in seen:
        raise BadInputError("The guidelines have no text.", "Give a file that an export has written.")
    return stored_guidelines(seen[_TEXT])


def versions_of(events: Sequence[DecisionEvent]) -> list[Guidelines]:
    """The versions that events have written, which come oldest first."""
    return [
        Guidelines(number, event.uid, str((event.seen or {}).get(_TEXT, "")), event.annotator, event.at)
        for number, event in enumerate(events, 1)
    ]


def version_seen(seen: dict[str, Any] | None) -> str | None:
    """Uid of the version that the author of a decision had at hand; None where none is known."""
    uid = (seen or {}).get(SEEN)
    return uid if isinstance(uid, str) else None


def changes(before: str, after: str, around: int = 1) -> Iterator[tuple[Change, str]]:
    """What has changed from one text to another, line by line, with some lines around; ``between`` stands for what is
    left out there."""
    old, new = before.splitlines(), after.splitlines()
    end = 0
    for group in difflib.SequenceMatcher(None, old, new, autojunk=False).get_grouped_opcodes(around):
        if group[0][1] > end:
            yield "between", ""
        for kind, first, last, from_, to in group:
            if kind == "equal":
                yield from (("same", line) for line in old[first:last])
            else:
                yield from (("gone", line) for line in old[first:last])
                yield from (("new", line) for line in new[from_:to])
            end = last
    if 0 < end < len(old):
        yield "between", ""
