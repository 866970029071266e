"""Live progress of the job that draws an embedding map.

Two small files of the run, so that a reader needs no connection to the job database: what was asked for last, written
by whoever asks or cancels, and how far the job is, written by the job. Each names the job, so that the end of an older
job is never taken for that of a newer one.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Literal

from diet_explorer.analysis.projection import MapParameters
from diet_explorer.errors import NotFoundError
from diet_explorer.store.embeddings import EmbeddingFiles, Representation
from diet_explorer.store.files import Files

MapState = Literal["absent", "queued", "running", "done", "failed", "cancelled"]
REPORT_SECONDS = 0.5
_TOO_EARLY = 0.05  # of the work done: no end can be foretold yet


@dataclass(frozen=True)
class MapProgress:
    """How far a map is.

    Attributes
    ----------
    which : {"initial", "tuned"}
    state : {"absent", "queued", "running", "done", "failed", "cancelled"}
        Of the last job; one that failed or was cancelled leaves an earlier map in place.
    stage : str
        What is happening, in words.
    share : float
        Of the expected time, in [0, 1].
    seconds_left : float or None
        None while it cannot be told.
    error, remedy : str or None
        What went wrong and what to do, if it failed.
    parameters : MapParameters or None
        Those of the last job; None if there was none.
    drawn : MapParameters or None
        Those of the map that is there; None if there is none.
    """

    which: Representation
    state: MapState = "absent"
    stage: str = ""
    share: float = 0.0
    seconds_left: float | None = None
    error: str | None = None
    remedy: str | None = None
    parameters: MapParameters | None = None
    drawn: MapParameters | None = None

    @property
    def is_active(self) -> bool:
        """Whether a job waits or works."""
        return self.state in ("queued", "running")


@dataclass(frozen=True)
class MapRequest:
    """The last job that was asked for."""

    job: str
    parameters: MapParameters
    cancelled: bool = False


@dataclass(frozen=True)
class MapStatus:
    """What a job says of itself; `starts` counts how often a worker took it up."""

    job: str
    state: Literal["running", "done", "failed", "cancelled"] = "running"
    stage: str = ""
    share: float = 0.0
    seconds_left: float | None = None
    error: str | None = None
    remedy: str | None = None
    starts: int = 1


class MapProgressFiles:
    """Reads and writes both files of one map.

    Parameters
    ----------
    files : Files
    run_id : str
    which : {"initial", "tuned"}
    """

    def __init__(self, files: Files, run_id: str, which: Representation) -> None:
        self._files = files
        self._which = which
        self._maps = EmbeddingFiles(files, run_id)
        self._request_path = files.path("runs", run_id, "progress", f"map-{which}-request.json")
        self._status_path = files.path("runs", run_id, "progress", f"map-{which}.json")

    def request(self) -> MapRequest | None:
        """What was asked for last."""
        try:
            value = self._files.read_json(self._request_path)
        except NotFoundError:
            return None
        return MapRequest(value["job"], MapParameters(**value["parameters"]), value["cancelled"])

    def save_request(self, request: MapRequest) -> None:
        """Write down what is asked for."""
        self._files.write_json(self._request_path, asdict(request))

    def status(self) -> MapStatus | None:
        """What the last job that was begun says."""
        try:
            return MapStatus(**self._files.read_json(self._status_path))
        except NotFoundError:
            return None

    def save_status(self, status: MapStatus) -> None:
        """Write down how far a job is."""
        self._files.write_json(self._status_path, asdict(status))

    def load(self) -> MapProgress:
        """How far the map is."""
        request, status, drawn = self.request(), self.status(), self._drawn()
        if request is None:
            return MapProgress(self._which, "absent" if drawn is None else "done", share=float(drawn is not None))
        known = MapProgress(self._which, parameters=request.parameters, drawn=drawn)
        begun = status if status is not None and status.job == request.job else None
        if request.cancelled and (begun is None or begun.state != "done"):  # it may have been done just before
            return replace(known, state="cancelled")
        if begun is None:
            return replace(known, state="queued", stage="Waiting for a worker")
        return replace(
            known,
            state=begun.state,
            stage=begun.stage,
            share=begun.share,
            seconds_left=begun.seconds_left,
            error=begun.error,
            remedy=begun.remedy,
        )

    def _drawn(self) -> MapParameters | None:
        try:
            value = self._files.read_json(self._maps.parameters_path(self._which))
        except NotFoundError:
            return None
        return MapParameters(value["neighbors"], value["min_dist"], value["seed"])


class MapReporter:
    """Tells the progress of one job, stage by stage, at most twice a second.

    Parameters
    ----------
    files : MapProgressFiles
    job : str
    starts : int
    seconds : mapping of str to float
        The stages ahead and how long each is expected to take; only their proportions matter.
    """

    def __init__(self, files: MapProgressFiles, job: str, starts: int, seconds: Mapping[str, float]) -> None:
        self._files = files
        self._status = MapStatus(job, starts=starts)
        self._total = sum(seconds.values())
        self._seconds = seconds
        self._begun = time.monotonic()
        self._last_write = float("-inf")

    def __call__(self, stage: str, share: float, words: str) -> None:
        """Tell that a share of a stage in [0, 1] is done."""
        now = time.monotonic()
        if now - self._last_write < REPORT_SECONDS:
            return
        self._last_write = now
        before = 0.0
        for name, seconds in self._seconds.items():
            if name == stage:
                break
            before += seconds
        done = (before + share * self._seconds[stage]) / self._total
        left = (now - self._begun) * (1 - done) / done if done > _TOO_EARLY else None
        self._files.save_status(
            MapStatus(
                self._status.job, stage=words, share=round(done, 4), seconds_left=left, starts=self._status.starts
            )
        )
