"""Runs of a workspace whose outputs were computed elsewhere."""

from __future__ import annotations

from dataclasses import replace
from math import ceil

from diet_explorer.scoring.progress import RunReports
from diet_explorer.scoring.recorded_run import RecordedOutputs, write_recorded
from diet_explorer.store.layout import Layout
from diet_explorer.store.reports import ReportRecords
from diet_explorer.store.runs import Origin
from diet_explorer.store.scores import ScoreFiles
from diet_explorer.training.config import RunConfig
from diet_explorer.workspace.context import Context
from diet_explorer.workspace.core import enter_record, planned_record
from diet_explorer.workspace.dataset import Dataset
from diet_explorer.workspace.run import Run


def record_run(
    context: Context, dataset: Dataset, outputs: RecordedOutputs, *, origin: Origin, model: str, name: str, words: str
) -> Run:
    """A run that consists of these outputs; `words` go into its log. It is there when all of it is there."""
    config = RunConfig(
        dataset_id=dataset.id,
        model=model,
        epochs=max(1, ceil(outputs.checkpoints[-1])),
        seeds=outputs.seeds,
        checkpoints=tuple(outputs.checkpoints),
        grand="off",
    ).validated()
    record = planned_record(context, config, name=name, origin=origin)
    store, reports = ScoreFiles(context.files, record.id), RunReports(context.database, record.id)
    try:
        write_recorded(store, reports, dataset.manifest, outputs, words)
    except BaseException:
        context.files.remove_folder(Layout(context.files).run(record.id).folder)
        ReportRecords(context.database).forget([record.id])
        raise
    now = context.records.now()
    enter_record(context, replace(record, status="succeeded", started_at=record.created_at, finished_at=now))
    return Run(context, record.id)
