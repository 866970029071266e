"""The process that writes one export: ``python -m diet_explorer.jobs.export_process REQUEST``.

The request is a JSON document; what comes of it stands in the export's progress file.
"""

from __future__ import annotations

import json
import sys
import traceback
from typing import Any

from diet_explorer.config import load_settings
from diet_explorer.data.manifest import DatasetManifest
from diet_explorer.errors import DietExplorerError
from diet_explorer.jobs.export_progress import ExportFiles, ExportProgress, ExportReporter, ExportRequest
from diet_explorer.pruning.export.writing import ExportPlan, write_export
from diet_explorer.pruning.material import hardness_of, load_population, material_of, no_scores
from diet_explorer.pruning.selection import select
from diet_explorer.review.decisions import Ledger
from diet_explorer.store.database import open_database
from diet_explorer.store.files import Files
from diet_explorer.store.rows import RunRows
from diet_explorer.store.runs import RunRecords
from diet_explorer.store.scores import ScoreFiles


def plan_of(request: ExportRequest, files: Files, runs: RunRecords, ledger: Ledger) -> ExportPlan:
    """Read what an export is made from.

    Parameters
    ----------
    request : ExportRequest
    files : Files
    runs : RunRecords
    ledger : Ledger
        Of the request's dataset.
    """
    manifest, policy = ledger.manifest, request.policy
    store = ScoreFiles(files, request.run_id)
    wanted = policy.needs_scores or request.options.all_rows
    point = request.checkpoint if wanted else None
    ranking = None if point is None else store.read_ranking(policy.run_seed, point)
    population = load_population(files, manifest)
    hardness = no_scores(manifest.rows)
    if policy.needs_scores and ranking is not None:
        hardness = hardness_of(ranking, policy.score, manifest.rows)
    held_out = RunRows(files, request.run_id).read_held_out()
    material = material_of(population, hardness, ledger.table(request.decisions_at), manifest, held_out)
    seeds = () if point is None else (policy.run_seed,) if policy.run_seed is not None else store.ranked_seeds(point)
    return ExportPlan(
        manifest=manifest,
        population=population,
        material=material,
        run=runs.get(request.run_id),
        policy=policy,
        selection=select(policy, material, manifest.classes),
        decisions_at=request.decisions_at,
        ranking=ranking,
        checkpoint=point,
        seeds=tuple(seeds),
        options=request.options,
    )


def main() -> int:
    """Read the request from the command line, write the export, and write down how it ended."""
    asked: dict[str, Any] = json.loads(sys.argv[1])
    settings = load_settings(home=asked["home"], database_url=asked["database_url"])
    files, starts = Files(asked["home"]), int(asked["starts"])
    state = ExportFiles(files, asked["export_id"])
    try:
        request = state.request()
        engine = open_database(settings)
        ledger = Ledger(engine, DatasetManifest.load(files, request.dataset_id))
        report = ExportReporter(state, starts)
        report(0.0, "Reading scores and decisions")
        plan = plan_of(request, files, RunRecords(engine), ledger)
        write_export(files, plan, request.folder, request.id, tell=report)
        ended = ExportProgress("done", "Done", 1.0, starts=starts)
    except DietExplorerError as error:
        ended = ExportProgress("failed", "Failed", error=error.message, remedy=error.remedy, starts=starts)
    except Exception as error:  # noqa: BLE001  told to the user, with the details in the process's output
        traceback.print_exc()
        message = f"The export met an error that was not foreseen ({type(error).__name__}: {str(error)[:200]})."
        ended = ExportProgress("failed", "Failed", error=message, remedy="Export again.", starts=starts)
    state.save(ended)
    return 0


if __name__ == "__main__":
    sys.exit(main())
