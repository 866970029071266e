"""Whether an app or a worker can do its work: what ``/healthz`` answers, without addresses and secrets."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Engine, text

from diet_explorer import __version__
from diet_explorer.errors import DietExplorerError, WorkspaceError
from diet_explorer.store.database import transaction
from diet_explorer.store.files import Files

CHECK_SECONDS = 5.0
KEPT_SECONDS = 2.0
"""For so long an answer is given again: whoever asks often costs the databases nothing."""
MARKER = "workspace.json"

Check = Callable[[], object]


@dataclass(frozen=True)
class JobInSight:
    """A job that waits or is in work; `state` is queued or running."""

    kind: str
    state: str


@dataclass(frozen=True)
class SignOfLife:
    """A worker's last sign of life: which worker, when (seconds since 1970), and whether it does a job."""

    worker: str
    at: float
    busy: bool


@dataclass(frozen=True)
class Outcome:
    """What came of one check: whether it is well, what it took, and in a few words what is wrong."""

    ok: bool
    seconds: float
    words: str = ""


@dataclass(frozen=True)
class Health:
    """What came of all checks."""

    role: str
    checks: dict[str, Outcome]

    @property
    def is_ready(self) -> bool:
        """Whether all that is needed is there."""
        return all(outcome.ok for outcome in self.checks.values())

    def to_json(self) -> dict[str, Any]:
        """What ``/healthz`` answers."""
        return {
            "status": "ok" if self.is_ready else "unready",
            "role": self.role,
            "version": __version__,
            "checks": {name: asdict(outcome) for name, outcome in self.checks.items()},
        }


class HealthChecks:
    """The checks of one process, done at once and answered in bounded time.

    Parameters
    ----------
    role : str
        ``app`` or ``worker``.
    checks : mapping of str to callable
        Each raises what is wrong: of a `DietExplorerError` nothing is told but that it cannot be used.
    """

    def __init__(self, role: str, checks: Mapping[str, Check]) -> None:
        self._role = role
        self._checks = dict(checks)
        self._pool = ThreadPoolExecutor(len(self._checks), thread_name_prefix="health")
        self._pending: dict[str, Future[Outcome]] = {}
        self._asking = threading.Lock()
        self._last: tuple[float, Health] | None = None

    def __call__(self) -> Health:
        """Ask, or give what was found a moment ago."""
        with self._asking:
            if self._last is None or time.monotonic() - self._last[0] >= KEPT_SECONDS:
                self._last = (time.monotonic(), self._ask())
            return self._last[1]

    def _ask(self) -> Health:
        for name, check in self._checks.items():
            if name not in self._pending:  # one that hangs is not asked again beside itself
                self._pending[name] = self._pool.submit(_outcome, check)
        done, _ = wait_for(self._pending.values(), CHECK_SECONDS)
        late = Outcome(False, CHECK_SECONDS, f"no answer within {CHECK_SECONDS:g} s")
        outcomes = {name: future.result() if future in done else late for name, future in self._pending.items()}
        self._pending = {name: future for name, future in self._pending.items() if future not in done}
        return Health(self._role, {name: outcomes[name] for name in self._checks})


def database_check(database: Engine) -> Check:
    """Whether the database of runs and decisions answers."""

    def check() -> None:
        with transaction(database) as session:
            session.execute(text("SELECT 1"))

    return check


def store_check(files: Files) -> Check:
    """Whether the workspace's files can be read."""

    def check() -> None:
        files.read_bytes(files.path(MARKER))

    return check


class NotWellError(WorkspaceError):
    """A check's own words, which may be told to whoever asks for the health."""


def answer(path: str, health: HealthChecks) -> tuple[int, bytes]:
    """Status and body for a path that is about health."""
    if path == "/healthz/live":
        return 200, b'{"status": "ok"}\n'
    if path != "/healthz":
        return 404, b'{"status": "there is /metrics, /healthz and /healthz/live"}\n'
    found = health()
    return (200 if found.is_ready else 503), (json.dumps(found.to_json()) + "\n").encode()


def _outcome(check: Check) -> Outcome:
    begun = time.monotonic()
    words = ""
    try:
        check()
    except NotWellError as error:
        words = error.message
    except Exception as error:  # noqa: BLE001  whatever it is, it cannot be used; the log has the details
        words = "it cannot be used" if isinstance(error, DietExplorerError) else f"{type(error).__name__}"
    return Outcome(not words, round(time.monotonic() - begun, 4), words)
