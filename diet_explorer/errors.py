"""Typed errors, each with a message for the user and a remedy.

Every error that a user can cause or meet derives from `DietExplorerError`. The command line prints
``message`` and ``remedy`` on one line each and exits with ``exit_code``; pages show the same two lines. Neither holds
a secret, whatever the error was made of.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from diet_explorer.redaction import redacted

LONGEST = 640
"""So many characters of a message or a remedy are shown: what somebody typed may be longer than any screen."""


def cut(text: str) -> str:
    """A text without the middle of what is too long to be read."""
    return text if len(text) <= LONGEST else f"{text[: LONGEST // 2]} … {text[-LONGEST // 3 :]}"


class DietExplorerError(Exception):
    """Base of all errors shown to users.

    Parameters
    ----------
    message : str
        What happened and where: names the row, column, file or setting.
    remedy : str
        What to do about it.

    Attributes
    ----------
    exit_code : int
        Exit status of the command line: 2 for bad input, 1 for a failed job or environment.
    """

    exit_code = 1

    def __init__(self, message: str, remedy: str) -> None:
        self.message = cut(redacted(message))
        self.remedy = cut(redacted(remedy))
        super().__init__(self.message)

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}"

    def __reduce__(self) -> tuple[type[DietExplorerError], tuple[str, str]]:
        return type(self), (self.message, self.remedy)


class BadInputError(DietExplorerError):
    """The user's file, column, row or setting cannot be used as given."""

    exit_code = 2


class ReadingError(BadInputError):
    """A source cannot be read in the way that was guessed or told; `setting` names the choice that can mend it.

    Parameters
    ----------
    message, remedy : str
    setting : str
        Name of the choice: ``encoding``, ``delimiter``, ``header`` or ``column_names``.
    readings : sequence of (str, str)
        Values of the choice, the likeliest first, with what a part of the source says then.
    """

    def __init__(self, message: str, remedy: str, setting: str, readings: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(message, remedy)
        self.setting = setting
        self.readings = tuple(readings)

    def __reduce__(self) -> tuple[type[ReadingError], tuple[Any, ...]]:
        return type(self), (self.message, self.remedy, self.setting, self.readings)


class LimitError(BadInputError):
    """Something is larger than a limit that the operator sets.

    Parameters
    ----------
    message, remedy : str
    setting : str
        The variable that sets the limit, such as ``DIET_EXPLORER_MAX_ROW_MB``.
    """

    def __init__(self, message: str, remedy: str, setting: str) -> None:
        super().__init__(message, remedy)
        self.setting = setting

    def __reduce__(self) -> tuple[type[LimitError], tuple[str, str, str]]:  # type: ignore[override]
        return type(self), (self.message, self.remedy, self.setting)


class NotFoundError(BadInputError):
    """A dataset, run, score or checkpoint of that name does not exist."""


class DeletedError(NotFoundError):
    """Somebody deleted it; until the bin is emptied of it, it can be brought back.

    Parameters
    ----------
    kind, id, name : str
        What was deleted; that may be what the thing asked for belongs to.
    by : str
        Who deleted it.
    at : datetime
        When, in UTC.
    """

    def __init__(self, kind: str, id: str, name: str, by: str, at: datetime) -> None:
        super().__init__(
            f"The {kind} {name!r} was deleted by {by} on {at:%Y-%m-%d} at {at:%H:%M} UTC.",
            f"Bring it back on the page Bin, or with: diet-explorer restore {shlex.quote(f'{kind}:{id}')}",
        )
        self.kind, self.id, self.name, self.by, self.at = kind, id, name, by, at

    def __reduce__(self) -> tuple[type[DeletedError], tuple[str, str, str, str, datetime]]:  # type: ignore[override]
        return type(self), (self.kind, self.id, self.name, self.by, self.at)


class ModelError(BadInputError):
    """The model cannot be loaded or cannot be used for this set."""


class GuardRailError(BadInputError):
    """A policy would empty a class or go below a minimum; the message has the numbers."""


class PermissionDeniedError(DietExplorerError):
    """Who is signed in may not do this."""


class WorkspaceError(DietExplorerError):
    """The workspace cannot be read or written (permissions, disk space, version, lock)."""


class StoreAwayError(WorkspaceError):
    """The workspace's database or store does not answer for the moment: jobs wait for it, people try again."""


class JobFailedError(DietExplorerError):
    """A background job ended without its result."""


class NoWorkerError(DietExplorerError):
    """Something waits for a worker, and none is running."""


class JobCancelledError(DietExplorerError):
    """A background job was cancelled by a user."""


class JobLeftError(DietExplorerError):
    """A worker has no longer the job that it did: another one took it over, or it hands it back."""


class HubError(DietExplorerError):
    """The Hub did not take a push; the subclasses say why where that is known."""


class HubTokenError(HubError):
    """There is no token for the Hub, or the Hub does not accept it (unknown, revoked, expired)."""


class HubRightsError(HubError):
    """The token is good but may not write there."""


class HubNameClashError(HubError):
    """The name is taken on the Hub by something that a push must not replace."""


class HubRateLimitError(HubError):
    """The Hub asks to come back later than a push can wait."""


class ChangedByLoadingError(HubError):
    """An export that is to be pushed would be loaded with other values than it has."""


class HubOfflineError(HubError):
    """The Hub cannot be reached."""


class HubChangedError(HubError):
    """Somebody else changes the dataset on the Hub at the same time."""
