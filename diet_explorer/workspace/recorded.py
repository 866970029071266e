"""Runs of a workspace whose outputs were computed elsewhere."""

from __future__ import annotations

from math import ceil

from diet_explorer.scoring.progress import RunReports
from diet_explorer.scoring.recorded_run import RecordedOutputs, write_recorded
from diet_explorer.store.runs import Origin
from diet_explorer.training.config import RunConfig
from diet_explorer.workspace.context import Context
from diet_explorer.workspace.core import create_record
from diet_explorer.workspace.dataset import Dataset
from diet_explorer.workspace.run import Run


def record_run(
    context: Context, dataset: Dataset, outputs: RecordedOutputs, *, origin: Origin, model: str, name: str, words: str
) -> Run:
    """A run that consists of these outputs; `words` go into its log."""
    config = RunConfig(
        dataset_id=dataset.id,
        model=model,
        epochs=max(1, ceil(outputs.checkpoints[-1])),
        seeds=outputs.seeds,
        checkpoints=tuple(outputs.checkpoints),
        grand="off",
    ).validated()
    record = create_record(context, config, name=name, origin=origin)
    run = Run(context, record.id, record)
    context.records.set_status(run.id, "running")
    write_recorded(run.store, RunReports(context.database, run.id), dataset.manifest, outputs, words)
    context.records.set_status(run.id, "succeeded")
    return run.refresh()
