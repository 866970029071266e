"""Writing an export: the rows in their source's columns, the list of what was dropped, and the manifest.

An export is built in a folder of a temporary name, its manifest last, and renamed when it is complete: one that was
interrupted never looks like an export.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from diet_explorer.data.example_rows import ExampleRows
from diet_explorer.data.manifest import DatasetManifest
from diet_explorer.errors import BadInputError, JobCancelledError, JobFailedError
from diet_explorer.pruning.export.columns import ExportColumns
from diet_explorer.pruning.export.formats import (
    CsvWriter,
    DatasetsSplitWriter,
    JsonLinesWriter,
    ParquetRowWriter,
    RowWriter,
)
from diet_explorer.pruning.export.manifest import (
    FORMAT_VERSION,
    MANIFEST_NAME,
    ExportedFile,
    ExportOptions,
    class_counts,
    dataset_facts,
    decision_facts,
    different_libraries,
    library_versions,
    manifest_bytes,
    prune_command,
    result_sha256,
    run_facts,
    score_facts,
)
from diet_explorer.pruning.material import Population
from diet_explorer.pruning.policies import Policy
from diet_explorer.pruning.selection import REASONS, Material, Selection
from diet_explorer.store.files import Files, explained
from diet_explorer.store.layout import Layout
from diet_explorer.store.runs import RunRecord
from diet_explorer.store.scores import ranked_scores

BATCH_ROWS = 32_768
DROPPED_NAME = "dropped.csv"
_DROPPED_SCHEMA = pa.schema([(name, pa.string()) for name in ("id", "split", "label", "reason", "detail")])
Tell = Callable[[float, str], None]


@dataclass(frozen=True)
class ExportPlan:
    """All that decides the bytes of an export.

    Attributes
    ----------
    manifest : DatasetManifest
    population : Population
    material : Material
    run : RunRecord
    policy : Policy
        Its checkpoint is a number wherever it uses one.
    selection : Selection
        Of that policy.
    decisions_at : int
        The ledger's last event that counts.
    ranking : pyarrow.RecordBatch or None
        What is written as scores; None without any.
    checkpoint : float or None
        Of that ranking, in epochs.
    seeds : tuple of int
        Seeds of the run that the scores are of.
    options : ExportOptions
    """

    manifest: DatasetManifest
    population: Population
    material: Material
    run: RunRecord
    policy: Policy
    selection: Selection
    decisions_at: int
    ranking: pa.RecordBatch | None
    checkpoint: float | None
    seeds: tuple[int, ...]
    options: ExportOptions

    @property
    def scores(self) -> list[str]:
        """Names of the scores that the export hangs on."""
        if self.options.all_rows and self.ranking is not None:
            return ranked_scores(self.ranking)
        return [self.policy.score] if self.policy.needs_scores else []


def write_export(
    files: Files,
    plan: ExportPlan,
    folder: str,
    export_id: str,
    *,
    tell: Tell = lambda share, words: None,
    stopped: Callable[[], bool] = lambda: False,
    expected: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Write an export to a folder that is not there yet, or empty.

    Parameters
    ----------
    files : Files
        The workspace.
    plan : ExportPlan
    folder : str
        A local folder, or one of a remote workspace.
    export_id : str
        Names the temporary folder, so that a job that starts again removes what it left before.
    tell : callable
        Told the share done in [0, 1] and a word on what is happening.
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
    with explained("write", folder), _new_folder(files, folder, export_id) as place:
        built = _Building(files, plan, place, tell, stopped)
        built.write_rows()
        tell(1.0, "Hashing what was written")
        manifest = built.manifest()
        if expected is not None:
            _check_same(manifest, expected)
        (place / MANIFEST_NAME).write_bytes(manifest_bytes(manifest))
    return manifest


def check_target(files: Files, folder: str) -> None:
    """Say before the work that a folder cannot become an export.

    Raises
    ------
    BadInputError
        It is a file, or has something in it.
    """
    place = Path(folder)
    taken = files.exists(folder) if is_remote(folder) else place.exists() and (place.is_file() or any(place.iterdir()))
    if taken:
        raise BadInputError(f"{folder} is there already and not empty.", "Name a new folder, or empty it first.")


class _Building:
    """One export while it is written to a local folder."""

    def __init__(self, files: Files, plan: ExportPlan, place: Path, tell: Tell, stopped: Callable[[], bool]) -> None:
        self._files = files
        self._plan = plan
        self._place = place
        self._tell = tell
        self._stopped = stopped
        self._names = safe_names(plan.population.order.split_names)
        self._split_names = pa.array(plan.population.order.split_names, pa.string())
        self._neutralised = 0
        with files.open_read(Layout(files).dataset(plan.manifest.id).examples) as stream:
            stored = pq.read_schema(stream)
        scores = plan.scores if plan.options.all_rows else []
        self._columns = ExportColumns(
            plan.manifest, plan.options, plan.selection, plan.material, plan.ranking, scores, stored
        )
        self._stays = self._ids_that_stay()

    def write_rows(self) -> None:
        """Write all data files, and the list of dropped rows."""
        splits, keep = self._plan.population.order.splits, self._plan.selection.keep
        written = self._written()
        writers = [self._writer(name) for name in self._names]
        dropped = self._csv(DROPPED_NAME, _DROPPED_SCHEMA)
        for batch, start in self._batches():
            here = slice(start, start + batch.num_rows)
            for code, writer in enumerate(writers):
                chosen = np.flatnonzero(written[here] & (splits[here] == code))
                if len(chosen):
                    writer.write(self._columns.build(batch.take(pa.array(chosen)), start + chosen))
            gone = np.flatnonzero(~keep[here])
            if len(gone):
                dropped.write(self._dropped(batch["id"].take(pa.array(gone)), start + gone))
        for writer in [*writers, dropped]:
            writer.close()
            self._neutralised += writer.neutralised
        if self._plan.options.format == "datasets":
            (self._place / "dataset_dict.json").write_text(json.dumps({"splits": self._names}), encoding="utf-8")

    def manifest(self) -> dict[str, Any]:
        """What was written, and from what."""
        plan = self._plan
        files = self._files_written()
        reasons = np.bincount(plan.selection.reasons, minlength=len(REASONS))
        relabelled = plan.selection.keep & (plan.selection.labels != plan.material.labels)
        splits, names = plan.population.order.splits, plan.population.order.split_names
        return {
            "format_version": FORMAT_VERSION,
            "program": {"name": "diet-explorer", "version": version("diet-explorer")},
            "libraries": library_versions(),
            "command": prune_command(plan.run.id, plan.policy, plan.decisions_at, plan.options),
            "replay": f"diet-explorer prune --from-manifest {MANIFEST_NAME} --output DIR",
            "dataset": dataset_facts(plan.manifest),
            "run": run_facts(plan.run, plan.seeds),
            "scores": score_facts(plan.policy, plan.ranking, plan.checkpoint, plan.scores),
            "policy": plan.policy.to_json(),
            "policy_words": plan.policy.describe(),
            "decisions": decision_facts(plan.material, plan.decisions_at, plan.policy.use_decisions),
            "options": asdict(plan.options),
            "neutralised_cells": self._neutralised,
            "counts": class_counts(plan.material, plan.selection, splits, names, plan.manifest.classes),
            "reasons": {words: int(reasons[code]) for code, words in enumerate(REASONS) if reasons[code]},
            "relabelled": int(np.count_nonzero(relabelled)),
            "columns": self._columns.facts(),
            "features": self._columns.features(),
            "files": [asdict(entry) for entry in files],
            "result_sha256": result_sha256(files),
        }

    def _written(self) -> NDArray[np.bool_]:
        keep = self._plan.selection.keep
        return np.ones_like(keep) if self._plan.options.all_rows else keep

    def _batches(self) -> Iterator[tuple[pa.RecordBatch, int]]:
        total, start = self._plan.manifest.rows, 0
        with self._files.open_read(Layout(self._files).dataset(self._plan.manifest.id).examples) as stream:
            reader = pq.ParquetFile(stream, pre_buffer=False)  # a buffer ahead would hold the whole file
            for batch in reader.iter_batches(BATCH_ROWS):
                if self._stopped():
                    raise JobCancelledError("The export was cancelled; nothing is left of it.", "Export it again.")
                self._tell(start / total, f"Writing row {start:,} of {total:,}")
                yield batch, start
                start += batch.num_rows

    def _writer(self, name: str) -> RowWriter:
        schema, form = self._columns.schema, self._plan.options.format
        if form == "csv":
            return self._csv(f"{name}.csv", schema)
        if form == "jsonl":
            return JsonLinesWriter(self._place / f"{name}.jsonl", schema)
        if form == "parquet":
            return ParquetRowWriter(self._place / f"{name}.parquet", schema)
        return DatasetsSplitWriter(self._place / name, schema)

    def _csv(self, name: str, schema: pa.Schema) -> CsvWriter:
        return CsvWriter(self._place / name, schema, neutralise_formulas=self._plan.options.neutralise_formulas)

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

    def _files_written(self) -> list[ExportedFile]:
        splits, written = self._plan.population.order.splits, self._written()
        rows = {name: int(np.count_nonzero(written & (splits == code))) for code, name in enumerate(self._names)}
        found = []
        for path in sorted(entry for entry in self._place.rglob("*") if entry.is_file()):
            inside = path.relative_to(self._place)
            split = inside.parts[0] if len(inside.parts) > 1 else inside.stem
            is_data = split in rows and path.suffix not in (".json",)
            count = rows[split] if is_data else None
            if inside.name == DROPPED_NAME:
                count = int(np.count_nonzero(~self._plan.selection.keep))
            with path.open("rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
            own = split if is_data else None
            found.append(ExportedFile(inside.as_posix(), own, count, path.stat().st_size, digest))
        return found


def safe_names(splits: Sequence[str]) -> list[str]:
    """Names of splits as files and the `datasets` library can have them, each once and none that of another file."""
    found: list[str] = []
    for split in splits:
        name = base = re.sub(r"[^A-Za-z0-9_]", "_", split) or "split"
        number = 2
        while name.lower() in {"dropped", "manifest", "dataset_dict", *(other.lower() for other in found)}:
            name, number = f"{base}_{number}", number + 1
        found.append(name)
    return found


def temporary_folder(folder: str, export_id: str) -> Path:
    """Where an export to a local folder is built."""
    return Path(f"{folder.rstrip('/')}.{export_id}.tmp")


@contextmanager
def _new_folder(files: Files, folder: str, export_id: str) -> Iterator[Path]:
    """A local folder whose content becomes `folder` when the block ends well; nothing of it is left otherwise."""
    if is_remote(folder):
        with tempfile.TemporaryDirectory(prefix="diet-explorer-") as local:
            yield Path(local)
            paths = [entry for entry in Path(local).rglob("*") if entry.is_file()]
            for path in sorted(paths, key=lambda entry: entry.name == MANIFEST_NAME):  # the manifest goes last
                with (
                    files.atomic_writer(f"{folder}/{path.relative_to(local).as_posix()}") as stream,
                    path.open("rb") as own,
                ):
                    shutil.copyfileobj(own, stream)
        return
    temporary = temporary_folder(folder, export_id)
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        temporary.mkdir(parents=True)
        yield temporary
        for path in temporary.rglob("*"):
            _sync(path)
        _sync(temporary)
        temporary.rename(folder)
        _sync(temporary.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def is_remote(folder: str) -> bool:
    """Whether a folder lies elsewhere: an fsspec URL."""
    return "://" in folder and not folder.startswith("file://")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


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
