"""The process that draws one embedding map: ``python -m diet_explorer.jobs.map_process REQUEST``.

The request is a JSON document; what comes of it stands in the map's progress file.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from functools import partial
from pathlib import Path
from typing import Any

from diet_explorer.analysis.neighbours import EXACT_ROWS, store_neighbours
from diet_explorer.analysis.projection import FIT_ROWS, MapParameters, store_map
from diet_explorer.data.manifest import DatasetManifest
from diet_explorer.errors import DietExplorerError
from diet_explorer.jobs.map_progress import MapProgressFiles, MapReporter, MapStatus
from diet_explorer.scoring.progress import ProgressFiles
from diet_explorer.store.embeddings import EmbeddingFiles, Representation
from diet_explorer.store.files import Files
from diet_explorer.training.config import RunConfig

NICENESS = 10
"""A run that is being scored beside it goes first."""


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


def draw(
    files: Files,
    scratch: Path,
    run_id: str,
    which: Representation,
    config: RunConfig,
    parameters: MapParameters,
    progress: MapProgressFiles,
    job: str,
    starts: int,
) -> None:
    """Do what is missing: embeddings, neighbours, and the map itself."""
    manifest = DatasetManifest.load(files, config.dataset_id)
    store = EmbeddingFiles(files, run_id)
    embed, find_neighbours = not store.has_vectors(which), not store.has_neighbours(which)
    seconds = expected_seconds(manifest.rows, embed=embed, find_neighbours=find_neighbours)
    report = MapReporter(progress, job, starts, seconds)
    if embed:
        report("embedding", 0.0, "Loading the model")
        from diet_explorer.scoring.representations import store_initial_embeddings

        def embedded(done: int) -> None:
            report("embedding", done / manifest.rows, f"Embedded {done:,} of {manifest.rows:,} examples")

        store_initial_embeddings(store, config, manifest, scratch, embedded)
    if find_neighbours:
        report("neighbours", 0.0, f"Finding the neighbours of {manifest.rows:,} examples")
        store_neighbours(store, manifest, which)
    store_map(store, which, parameters, partial(report, "layout"))


def main() -> int:
    """Read the request from the command line, draw the map, and write down how it ended."""
    request: dict[str, Any] = json.loads(sys.argv[1])
    os.nice(NICENESS)
    files = Files(request["home"])
    scratch = Path(request["scratch"])
    run_id, which, job, starts = request["run_id"], request["which"], request["job"], request["starts"]
    progress = MapProgressFiles(files, run_id, which)
    wanted = progress.request()
    if wanted is None or wanted.job != job:
        return 0
    config = RunConfig.from_json(request["config"])
    try:
        draw(files, scratch, run_id, which, config, wanted.parameters, progress, job, starts)
        status = MapStatus(job, "done", share=1.0, starts=starts)
    except DietExplorerError as error:
        status = MapStatus(job, "failed", error=error.message, remedy=error.remedy, starts=starts)
    except Exception as error:  # noqa: BLE001  told to the user, with the details in the run's log
        ProgressFiles(files, run_id).log("error", str(error), level="error", traceback=traceback.format_exc())
        message = f"The map met an error that was not foreseen ({type(error).__name__}: {str(error)[:200]})."
        status = MapStatus(job, "failed", error=message, remedy="The run's log has the details.", starts=starts)
    progress.save_status(status)
    return 0


if __name__ == "__main__":
    sys.exit(main())
