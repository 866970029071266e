"""Drawing an embedding map, with the embeddings and neighbours that it needs and that stay when a job is cut off."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from sqlalchemy import Engine

from diet_explorer.analysis.neighbours import EXACT_ROWS, store_neighbours
from diet_explorer.analysis.projection import FIT_ROWS, MapParameters, store_map
from diet_explorer.config import Settings
from diet_explorer.data.manifest import DatasetManifest
from diet_explorer.errors import DietExplorerError, NotFoundError
from diet_explorer.jobs.job import JobRequest, JobWords, QueuedJob
from diet_explorer.jobs.progress import JobProgress, JobReporter
from diet_explorer.jobs.protocol import Route
from diet_explorer.scoring.progress import RunReports
from diet_explorer.store.embeddings import EmbeddingFiles, Representation
from diet_explorer.store.files import Files
from diet_explorer.store.names import checked_id
from diet_explorer.training.config import RunConfig


@dataclass(frozen=True, kw_only=True)
class MapRequest(JobRequest):
    """What is asked of a map."""

    parameters: MapParameters


@dataclass(frozen=True, kw_only=True)
class MapProgress(JobProgress):
    """How far a map is; a job that failed or was cancelled leaves an earlier map in place."""

    which: Representation = "tuned"
    parameters: MapParameters | None = None  # of the last job, if there was one
    drawn: MapParameters | None = None  # of the map that is there, if there is one


class MapJob(QueuedJob[MapRequest, MapProgress]):
    """The drawing of one map of a run."""

    kind = "map"
    words = JobWords(
        noun="map",
        verb="drew",
        short_of_memory="Most often the machine is short of memory: close other programs, or draw the map on a larger "
        "machine.",
        unforeseen="The run's log has the details.",
    )
    route = Route("draw_map", "maps")
    niceness = 10  # a run that is being scored beside it goes first
    progress_type = MapProgress

    def __init__(self, settings: Settings, files: Files, database: Engine, run_id: str, which: Representation) -> None:
        super().__init__(settings, files, database, (checked_id("run", run_id), checked_id("map", which)))
        self._run_id = run_id
        self._which: Representation = which
        self._embeddings = EmbeddingFiles(files, run_id)

    @classmethod
    def read_request(cls, value: dict[str, Any]) -> MapRequest:
        """Rebuild a request from its record."""
        return MapRequest(**{**value, "parameters": MapParameters(**value["parameters"])})

    def progress(self) -> MapProgress:
        """How far the map is, and with which parameters it is and was drawn."""
        request, drawn = self.request(), self._drawn()
        last = replace(super().progress(), which=self._which, drawn=drawn)
        if request is not None:
            return replace(last, parameters=request.parameters)
        return last if drawn is None else replace(last, state="succeeded", share=1.0)

    def model(self) -> str | None:
        """The run's, unless its embeddings are there; what cannot be looked up the job itself deals with."""
        with suppress(DietExplorerError):
            return None if self._embeddings.has_vectors(self._which) else self._config().model
        return None

    def is_complete(self) -> bool:
        """Whether the map is there with the parameters that were asked for."""
        request = self.request()
        return request is not None and self._drawn() == request.parameters

    def note_unforeseen(self, error: Exception) -> None:
        """Write the details into the run's log."""
        details = "".join(traceback.format_exception(error))
        RunReports(self.database, self._run_id).log("error", str(error), level="error", traceback=details)

    def work(self, report: JobReporter[MapProgress], stop: Callable[[], bool]) -> dict[str, Any]:
        """Do what is missing: embeddings, neighbours, and the map itself."""
        request = self.request()
        assert request is not None
        config = self._config()
        manifest = DatasetManifest.load(self.files, config.dataset_id)
        store, which = self._embeddings, self._which
        embed, find_neighbours = not store.has_vectors(which), not store.has_neighbours(which)
        seconds = expected_seconds(manifest.rows, embed=embed, find_neighbours=find_neighbours)

        def report_stage(stage: str, share: float, words: str) -> None:
            names = list(seconds)
            before = sum(seconds[name] for name in names[: names.index(stage)])
            report((before + share * seconds[stage]) / sum(seconds.values()), words)

        if embed:
            report_stage("embedding", 0.0, "Loading the model")
            from diet_explorer.scoring.representations import store_initial_embeddings

            def embedded(done: int) -> None:
                words = f"Embedded {done:,} of {manifest.rows:,} examples"
                report_stage("embedding", done / manifest.rows, words)

            store_initial_embeddings(store, config, manifest, self.scratch_folder, embedded)
        if find_neighbours:
            report_stage("neighbours", 0.0, f"Finding the neighbours of {manifest.rows:,} examples")
            store_neighbours(store, manifest, which)
        store_map(store, which, request.parameters, partial(report_stage, "layout"))
        return {}

    def _config(self) -> RunConfig:
        return RunConfig.from_json(self.record_of(self._run_id).config)

    def _drawn(self) -> MapParameters | None:
        try:
            value = self.files.read_json(self._embeddings.paths.map_parameters(self._which))
        except NotFoundError:
            return None
        return MapParameters(value["neighbors"], value["min_dist"], value["seed"])


def expected_seconds(rows: int, *, embed: bool, find_neighbours: bool) -> dict[str, float]:
    """The stages ahead, with roughly the seconds that each takes on two cores with a small model."""
    seconds = {}
    if embed:
        seconds["embedding"] = 10.0 + 0.004 * rows
    if find_neighbours:
        seconds["neighbours"] = 2e-8 * rows**2 if rows < EXACT_ROWS else 60.0 + 0.0008 * rows
    fitted = min(rows, FIT_ROWS)
    seconds["layout"] = 15.0 + 0.002 * fitted + 0.001 * (rows - fitted)
    return seconds
