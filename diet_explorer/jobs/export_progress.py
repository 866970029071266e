"""What is asked of an export, and how far it is: two small files of ``exports/<id>``.

`request.json` is written by whoever asks or cancels, `status.json` by the job, so that a reader needs no connection to
the job database.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Literal

from diet_explorer.errors import NotFoundError
from diet_explorer.pruning.export.manifest import ExportOptions
from diet_explorer.pruning.policies import Policy
from diet_explorer.store.files import Files

ExportState = Literal["queued", "running", "done", "failed", "cancelled"]
REPORT_SECONDS = 0.5
_TOO_EARLY = 0.05  # of the work done: no end can be foretold yet


@dataclass(frozen=True)
class ExportRequest:
    """What is asked of an export.

    Attributes
    ----------
    id, run_id, dataset_id : str
    policy : Policy
        Its checkpoint is a number wherever it uses one.
    checkpoint : float or None
        Of the scores that are written; None where the run has none.
    decisions_at : int
        The ledger's last event that counts.
    options : ExportOptions
    folder : str
        Where it goes.
    by : str
        Who asks.
    created_at : str
        In UTC, ISO 8601.
    cancelled : bool
    """

    id: str
    run_id: str
    dataset_id: str
    policy: Policy
    checkpoint: float | None
    decisions_at: int
    options: ExportOptions
    folder: str
    by: str
    created_at: str
    cancelled: bool = False

    @property
    def asked_at(self) -> datetime:
        """When it was asked for."""
        return datetime.fromisoformat(self.created_at)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> ExportRequest:
        """Rebuild a request from its file."""
        policy, options = Policy.from_json(value["policy"]), ExportOptions(**value["options"])
        return cls(**{**value, "policy": policy, "options": options})


@dataclass(frozen=True)
class ExportProgress:
    """How far an export is.

    Attributes
    ----------
    state : {"queued", "running", "done", "failed", "cancelled"}
    stage : str
        What is happening, in words.
    share : float
        In [0, 1].
    seconds_left : float or None
        None while it cannot be told.
    error, remedy : str or None
        What went wrong and what to do, if it failed.
    starts : int
        How often a worker took it up.
    """

    state: ExportState = "queued"
    stage: str = "Waiting for a worker"
    share: float = 0.0
    seconds_left: float | None = None
    error: str | None = None
    remedy: str | None = None
    starts: int = 0

    @property
    def is_active(self) -> bool:
        """Whether it waits or is being written."""
        return self.state in ("queued", "running")


class ExportFiles:
    """Reads and writes both files of one export.

    Parameters
    ----------
    files : Files
    export_id : str
    """

    def __init__(self, files: Files, export_id: str) -> None:
        self._files = files
        self._export_id = export_id
        self.folder = files.path("exports", export_id)

    @property
    def data_folder(self) -> str:
        """Where the export goes that is given no folder."""
        return f"{self.folder}/data"

    def exists(self) -> bool:
        """Whether there is such an export."""
        return self._files.exists(f"{self.folder}/request.json")

    def request(self) -> ExportRequest:
        """What is asked for; NotFoundError where there is no such export."""
        try:
            return ExportRequest.from_json(self._files.read_json(f"{self.folder}/request.json"))
        except NotFoundError as error:
            raise NotFoundError(
                f"There is no export {self._export_id!r}.", "List the exports with `diet-explorer exports`."
            ) from error

    def save_request(self, request: ExportRequest) -> None:
        """Write down what is asked for."""
        self._files.write_json(f"{self.folder}/request.json", asdict(request))

    def save(self, progress: ExportProgress) -> None:
        """Write down how far it is."""
        self._files.write_json(f"{self.folder}/status.json", asdict(progress))

    def status(self) -> ExportProgress:
        """What the job said last."""
        try:
            return ExportProgress(**self._files.read_json(f"{self.folder}/status.json"))
        except NotFoundError:
            return ExportProgress()

    def load(self) -> ExportProgress:
        """How far it is, for people."""
        status = self.status()
        if self.request().cancelled and status.is_active:
            return replace(status, state="cancelled", stage="Cancelled", seconds_left=None)
        return status


class ExportReporter:
    """Tells the progress of one export, at most twice a second.

    Parameters
    ----------
    files : ExportFiles
    starts : int
    """

    def __init__(self, files: ExportFiles, starts: int) -> None:
        self._files = files
        self._starts = starts
        self._begun = time.monotonic()
        self._last_write = float("-inf")

    def __call__(self, share: float, words: str) -> None:
        """Tell that a share in [0, 1] is done."""
        now = time.monotonic()
        if now - self._last_write < REPORT_SECONDS:
            return
        self._last_write = now
        left = (now - self._begun) * (1 - share) / share if share > _TOO_EARLY else None
        self._files.save(ExportProgress("running", words, round(share, 4), left, starts=self._starts))
