"""Writing an export: the rows in their source's columns, the list of what was dropped, and the manifest.

An export is built in a folder of a temporary name, its manifest last, and renamed when it is complete: one that was
interrupted never looks like an export.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from diet_explorer.data.example_rows import ExampleRows
from diet_explorer.errors import JobCancelledError, JobFailedError
from diet_explorer.pruning.export.columns import ExportColumns
from diet_explorer.pruning.export.folder import check_target, new_folder
from diet_explorer.pruning.export.formats import (
    CsvWriter,
    DatasetsSplitWriter,
    JsonLinesWriter,
    ParquetRowWriter,
    RowWriter,
)
from diet_explorer.pruning.export.manifest import (
    ExportedFile,
    different_libraries,
    manifest_bytes,
    plan_facts,
    result_sha256,
    row_facts,
)
from diet_explorer.pruning.export.request import ExportOptions, ExportRequest
from diet_explorer.pruning.plan import Plan
from diet_explorer.pruning.selection import REASONS
from diet_explorer.store.files import Files, explained
from diet_explorer.store.layout import MANIFEST_NAME, Layout
from diet_explorer.store.runs import RunRecord

BATCH_ROWS = 32_768
DROPPED_NAME = "dropped.csv"
_DROPPED_SCHEMA = pa.schema([(name, pa.string()) for name in ("id", "split", "label", "reason", "detail")])
_TAKEN_NAMES = ("dropped", "manifest", "dataset_dict")
Report = Callable[[float, str], None]
"""Called with the share done in [0, 1] and a word on what is happening."""


def write_export(
    files: Files,
    run: RunRecord,
    plan: Plan,
    options: ExportOptions,
    folder: str,
    export_id: str,
    *,
    report: Report = lambda share, words: None,
    stopped: Callable[[], bool] = lambda: False,
    expected: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Write an export to a folder that is not there yet, or empty.

    Parameters
    ----------
    files : Files
        The workspace.
    run : RunRecord
        The run that was planned with.
    plan : Plan
    options : ExportOptions
    folder : str
        A local folder, or one of a remote workspace.
    export_id : str
        Names the temporary folder, so that a job that starts again removes what it left before.
    report : callable
        See `Report`.
    stopped : callable
        Whether to give up; asked at every batch.
    expected : dict, optional
        A manifest: the new one must be the same.

    Returns
    -------
    dict
        The manifest.

    Raises
    ------
    BadInputError
        The folder is not empty.
    JobFailedError
        What came out is not what was expected.
    JobCancelledError
        It was stopped.
    WorkspaceError
        The folder cannot be written.
    """
    check_target(files, folder)
    request = ExportRequest.of(run.id, plan, options)
    with explained("write", folder), new_folder(files, folder, export_id) as path:
        data = _DataFiles(files, plan, options, path)
        data.write(report, stopped)
        report(1.0, "Hashing what was written")
        manifest = {
            **plan_facts(files, run, plan, request),
            "neutralised_cells": data.neutralised,
            **row_facts(plan),
            **data.facts(),
        }
        if expected is not None:
            _check_same(manifest, expected)
        (path / MANIFEST_NAME).write_bytes(manifest_bytes(manifest))
    return manifest


class _DataFiles:
    """The data files of one export, and the list of what was dropped, in a local folder."""

    def __init__(self, files: Files, plan: Plan, options: ExportOptions, folder: Path) -> None:
        self._files = files
        self._plan = plan
        self._options = options
        self._folder = folder
        self.neutralised = 0
        split_names = plan.population.order.split_names
        self._names = safe_names(split_names)
        self._split_names = pa.array(split_names, pa.string())
        keep = plan.selection.keep
        self._written = np.ones_like(keep) if options.all_rows else keep
        with files.open_read(Layout(files).dataset(plan.manifest.id).examples) as stream:
            self._columns = ExportColumns(plan, options, pq.read_schema(stream))
        self._stays = self._ids_that_stay()

    def write(self, report: Report, stopped: Callable[[], bool]) -> None:
        """Write all of them; what is called is as for `write_export`."""
        splits, keep = self._plan.population.order.splits, self._plan.selection.keep
        writers = [self._writer(name) for name in self._names]
        # A list for people, whatever the format of the rows: it is opened in spreadsheets.
        dropped = CsvWriter(self._folder / DROPPED_NAME, _DROPPED_SCHEMA, neutralise_formulas=True)
        for batch, start in self._batches(report, stopped):
            part = slice(start, start + batch.num_rows)
            for code, writer in enumerate(writers):
                chosen = np.flatnonzero(self._written[part] & (splits[part] == code))
                if len(chosen):
                    writer.write(self._columns.build(batch.take(pa.array(chosen)), start + chosen))
            gone = np.flatnonzero(~keep[part])
            if len(gone):
                dropped.write(self._dropped(batch["id"].take(pa.array(gone)), start + gone))
        for writer in [*writers, dropped]:
            writer.close()
            self.neutralised += writer.neutralised
        if self._options.format == "datasets":
            (self._folder / "dataset_dict.json").write_text(json.dumps({"splits": self._names}), encoding="utf-8")

    def facts(self) -> dict[str, Any]:
        """What a manifest says of their columns and of each file."""
        files = self._exported_files()
        return {
            "columns": self._columns.facts(),
            "features": self._columns.features(),
            "files": [asdict(entry) for entry in files],
            "result_sha256": result_sha256(files),
        }

    def _batches(self, report: Report, stopped: Callable[[], bool]) -> Iterator[tuple[pa.RecordBatch, int]]:
        total, start = self._plan.manifest.rows, 0
        with self._files.open_read(Layout(self._files).dataset(self._plan.manifest.id).examples) as stream:
            reader = pq.ParquetFile(stream, pre_buffer=False)  # a buffer ahead would hold the whole file
            for batch in reader.iter_batches(BATCH_ROWS):
                if stopped():
                    raise JobCancelledError("The export was cancelled; nothing is left of it.", "Export it again.")
                report(start / total, f"Writing row {start:,} of {total:,}")
                yield batch, start
                start += batch.num_rows

    def _writer(self, name: str) -> RowWriter:
        schema, form = self._columns.schema, self._options.format
        if form == "csv":
            return self._csv(f"{name}.csv", schema)
        if form == "jsonl":
            return JsonLinesWriter(self._folder / f"{name}.jsonl", schema)
        if form == "parquet":
            return ParquetRowWriter(self._folder / f"{name}.parquet", schema)
        return DatasetsSplitWriter(self._folder / name, schema)

    def _csv(self, name: str, schema: pa.Schema) -> CsvWriter:
        return CsvWriter(self._folder / name, schema, neutralise_formulas=self._options.neutralise_formulas)

    def _ids_that_stay(self) -> pa.StringArray:
        """Of each row that goes for a near-duplicate, the id of the one that stays; null elsewhere."""
        stays = self._plan.selection.stays
        rows = np.unique(stays[stays >= 0])
        ids = ExampleRows(self._files, self._plan.manifest).of(rows)["id"].combine_chunks()
        return ids.take(pa.array(np.searchsorted(rows, stays), mask=stays < 0))

    def _dropped(self, ids: pa.StringArray, rows: NDArray[np.int64]) -> pa.RecordBatch:
        codes, splits = self._plan.selection.reasons[rows], self._plan.population.order.splits[rows]
        labels = self._columns.label_names(self._plan.material.labels[rows])
        reasons = pa.array(REASONS).take(pa.array(codes))
        columns = [ids, self._split_names.take(pa.array(splits)), labels, reasons, self._stays.take(pa.array(rows))]
        return pa.record_batch(columns, schema=_DROPPED_SCHEMA)

    def _exported_files(self) -> list[ExportedFile]:
        splits = self._plan.population.order.splits
        rows = {name: int(np.count_nonzero(self._written & (splits == code))) for code, name in enumerate(self._names)}
        files = []
        for path in sorted(entry for entry in self._folder.rglob("*") if entry.is_file()):
            inside = path.relative_to(self._folder)
            split = inside.parts[0] if len(inside.parts) > 1 else inside.stem
            is_data = split in rows and path.suffix not in (".json",)
            count = rows[split] if is_data else None
            if inside.name == DROPPED_NAME:
                count = int(np.count_nonzero(~self._plan.selection.keep))
            with path.open("rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
            own = split if is_data else None
            files.append(ExportedFile(inside.as_posix(), own, count, path.stat().st_size, digest))
        return files


def safe_names(splits: Sequence[str]) -> list[str]:
    """Names of splits as files and the `datasets` library can have them, each once and none that of another file."""
    names: list[str] = []
    for split in splits:
        name = base = re.sub(r"[^A-Za-z0-9_]", "_", split) or "split"
        number = 2
        while name.lower() in {*_TAKEN_NAMES, *(other.lower() for other in names)}:
            name, number = f"{base}_{number}", number + 1
        names.append(name)
    return names


def _check_same(made: dict[str, Any], expected: dict[str, Any]) -> None:
    """Hold what was made against a manifest.

    Raises
    ------
    JobFailedError
        A file differs; the message names it, and what else is different.
    """
    if made["result_sha256"] == expected["result_sha256"]:
        return
    now, then = ({entry["path"]: entry["sha256"] for entry in value["files"]} for value in (made, expected))
    differing = sorted(path for path in now.keys() | then.keys() if now.get(path) != then.get(path))
    libraries = different_libraries(expected)
    raise JobFailedError(
        f"The export does not come out as its manifest says: {', '.join(differing[:5])} "
        f"{'differs' if len(differing) == 1 else 'differ'}.",
        f"Use the same versions: {libraries}." if libraries else "Export anew with the policy of the manifest.",
    )
