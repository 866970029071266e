"""Live progress of the push of an export to the Hub.

Two small files beside the exports and a lock, so that a reader needs no connection to the process that pushes: what was
asked for, written by whoever asks or cancels; how far it is, written by the process; and the lock, which the process
holds as long as it lives. The token is in none of them.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Literal

from diet_explorer.config import Settings
from diet_explorer.errors import BadInputError, NotFoundError
from diet_explorer.store.files import Files, explained

PushState = Literal["absent", "running", "interrupted", "done", "failed", "cancelled"]
REPORT_SECONDS = 0.5
TRY_SECONDS = 0.02
FEW_TRIES = 5
"""Onlookers hold a free lock for an instant, so one refusal does not mean that somebody works."""
ENDING_TRIES = 500


@dataclass(frozen=True)
class PushProgress:
    """How far a push is.

    Attributes
    ----------
    state : {"absent", "running", "interrupted", "done", "failed", "cancelled"}
        Of the last push; interrupted means that its process is gone: pushing again goes on where it was.
    repo : str
        ``OWNER/NAME``.
    private : bool
        As asked for; once done, as the dataset is.
    stage : str
        What is happening, in words.
    bytes_sent, bytes_total : int
        Of the export's files; what the Hub has already counts as sent in the end.
    url, commit : str or None
        Address and revision, once done.
    error, remedy, kind : str or None
        What went wrong, what to do, and the name of the error's class, if it failed.
    finished_at : str or None
        Time in UTC, ISO 8601, once it has ended.
    """

    state: PushState = "absent"
    repo: str = ""
    private: bool = True
    stage: str = ""
    bytes_sent: int = 0
    bytes_total: int = 0
    url: str | None = None
    commit: str | None = None
    error: str | None = None
    remedy: str | None = None
    kind: str | None = None
    finished_at: str | None = None

    @property
    def is_active(self) -> bool:
        """Whether it goes on."""
        return self.state == "running"

    @property
    def share(self) -> float:
        """How much is up, in [0, 1]."""
        if self.state == "done":
            return 1.0
        return self.bytes_sent / self.bytes_total if self.bytes_total else 0.0


class PushFiles:
    """Reads and writes what is known of the last push of one export.

    Parameters
    ----------
    settings : Settings
    files : Files
    export_id : str
    """

    def __init__(self, settings: Settings, files: Files, export_id: str) -> None:
        self._files = files
        self._cancel_path = files.path("pushes", export_id, "cancelled.json")
        self._status_path = files.path("pushes", export_id, "status.json")
        self.folder = settings.home_folder / "pushes" / export_id
        self._lock_path = self.folder / "lock"

    def load(self) -> PushProgress:
        """How far the last push is."""
        try:
            found = PushProgress(**self._files.read_json(self._status_path))
        except NotFoundError:
            return PushProgress()
        if found.is_active and not self._is_locked():
            found = PushProgress(**self._files.read_json(self._status_path))  # it may have ended between the two looks
            if found.is_active:
                return replace(found, state="interrupted")
        return found

    def save(self, progress: PushProgress) -> None:
        """Write down how far it is."""
        self._files.write_json(self._status_path, asdict(progress))

    def ask_to_stop(self, wanted: bool) -> None:
        """Ask the process to stop, or take an earlier wish back."""
        self._files.write_json(self._cancel_path, wanted)

    def is_asked_to_stop(self) -> bool:
        """Whether somebody asked."""
        try:
            return bool(self._files.read_json(self._cancel_path))
        except NotFoundError:
            return False

    @contextmanager
    def locked(self, busy: BadInputError) -> Iterator[int]:
        """The lock for the length of the block, as a file descriptor that a child process may inherit and so keep.

        Raises
        ------
        BadInputError
            `busy`, if somebody holds it.
        """
        with explained("write", str(self.folder)):
            self.folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self._lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            # a push that has written down its end holds the lock for an instant more
            if not _taken(descriptor, fcntl.LOCK_EX, tries=ENDING_TRIES if not self.load().is_active else FEW_TRIES):
                raise busy
            yield descriptor
        finally:
            os.close(descriptor)

    def _is_locked(self) -> bool:
        try:
            descriptor = os.open(self._lock_path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            return not _taken(descriptor, fcntl.LOCK_SH, tries=1)
        finally:
            os.close(descriptor)


def _taken(descriptor: int, kind: int, tries: int) -> bool:
    """Take a lock, if it is free within so many tries."""
    for _ in range(tries):
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            time.sleep(TRY_SECONDS)
    return False
