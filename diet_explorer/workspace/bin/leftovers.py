"""What nobody needs any more: files of jobs that ended or were cut off, uploads, things without a record."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

from diet_explorer.data.manifest import DatasetManifest
from diet_explorer.pruning.export.folder import is_remote, temporary_folder
from diet_explorer.store.files import Files, local_size
from diet_explorer.store.layout import Layout
from diet_explorer.store.leases import held_things
from diet_explorer.store.locks import is_locked, try_lock
from diet_explorer.store.runs import RunRecord
from diet_explorer.workspace.bin.in_stores import StoreLeftovers
from diet_explorer.workspace.bin.leftover import Leftover
from diet_explorer.workspace.context import Context
from diet_explorer.workspace.exports import Exports
from diet_explorer.workspace.proof import list_proofs

_QUIET_SECONDS = 3600.0
"""What was written to within this time may be in use by somebody who holds no lock."""
_UPLOAD_SECONDS = 24 * 3600.0
_STAMP = "%Y%m%d-%H%M%S"


class Leftovers:
    """Finds and removes leftovers; what is locked, belongs to something that goes on, or is fresh is never one.

    Parameters
    ----------
    context : Context
    checkpoints : bool
        Whether training checkpoints of runs that were cancelled or failed count, which `resume` goes on from.
    """

    def __init__(self, context: Context, *, checkpoints: bool = False) -> None:
        self._context = context
        self._layout = Layout(context.files)
        self._checkpoints = checkpoints
        self._runs = {record.id: record for record in context.records.list(deleted=True)}
        self._exports = {export.id: export for export in Exports(context).list(deleted=True)}
        self._held = held_things(context.database)
        self._now = context.records.now()
        self._datasets = {manifest.id for manifest in DatasetManifest.all(context.files)}

    def find(self) -> list[Leftover]:
        """All there are, by kind."""
        return [
            *self._scratch(),
            *self._uploads(),
            *self._unfinished(),
            *self._in_store().find(),
            *self._orphans(),
            *self._stored_checkpoints(),
            *self._tokens(),
        ]

    def cautions(self) -> list[str]:
        """Sentences on what looks like a leftover and is left alone."""
        if not self._foreign():
            return []
        return [
            "The database knows none of the runs in this workspace, so that none of them counts as a leftover: "
            "is DIET_EXPLORER_DATABASE_URL that of this workspace?"
        ]

    def remove(self, leftover: Leftover) -> bool:
        """Remove one, and whether that was done: not where somebody works there by now."""
        if leftover.sending:
            self._in_store().take_back(leftover)
            return True
        if not leftover.is_local:
            self._context.files.at(leftover.path).remove(leftover.path)
            return True
        path = Path(leftover.path)
        with ExitStack() as held:
            for file in _locks(path) if path.is_dir() else []:
                lock = try_lock(file)
                if lock is None:
                    return False
                held.callback(lock.release)
            Files(path.parent).remove(str(path))
        return True

    def _in_store(self) -> StoreLeftovers:
        return StoreLeftovers(self._context.files, list(self._exports.values()), self._held)

    def _scratch(self) -> Iterator[Leftover]:
        settings = self._context.settings
        folder = settings.scratch_folder
        for path in (path for place in sorted({folder, settings.training_folder}) for path in _entries(place)):
            why = None if any(map(is_locked, _locks(path))) else self._why_scratch(path)
            if why is not None:
                kind = "training files" if path.name in self._runs else "scratch"
                yield Leftover(kind, str(path), local_size(path), why)
        for path in _entries(folder / "fetched"):
            pushing = is_locked(self._context.settings.home_folder / "pushes" / path.name / "lock")
            if not pushing and _is_quiet(path):
                yield Leftover("scratch", str(path), local_size(path), "of a push that was cut off")
        for path in _entries(self._context.settings.home_folder / "pushes"):
            if path.name not in self._exports and self._is_old(path.name) and not is_locked(path / "lock"):
                yield Leftover("scratch", str(path), local_size(path), "of an export that is gone")
        for path in _entries(folder / "search"):
            if path.name not in self._datasets and _is_quiet(path):
                yield Leftover("scratch", str(path), local_size(path), "of a dataset that is gone")

    def _why_scratch(self, path: Path) -> str | None:
        name = path.name
        if name in self._runs:
            return self._why_training(self._runs[name])
        if not _is_quiet(path):
            return None
        if name.startswith("run-"):
            return "of a run that is gone"
        if name.startswith("export-"):
            export = self._exports.get(name.removeprefix("export-"))
            return None if export is not None and export.progress().is_active else "of an export that was cut off"
        return "of a map that was cut off" if name.startswith("map-") else None

    def _why_training(self, record: RunRecord) -> str | None:
        if record.is_active:
            return None
        if record.status == "succeeded":
            return "of a run that has ended"
        return f"of a run that is {record.status}: it can be resumed, but from its start" if self._checkpoints else None

    def _uploads(self) -> Iterator[Leftover]:
        for path in _entries(self._context.settings.home_folder / "uploads"):
            if _is_quiet(path, _UPLOAD_SECONDS):
                yield Leftover("upload", str(path), local_size(path), "that was never imported")

    def _unfinished(self) -> Iterator[Leftover]:
        for export in self._exports.values():
            if not is_remote(export.folder) and not export.progress().is_active:
                path = temporary_folder(export.folder, export.id)
                if path.exists() and _is_quiet(path):
                    yield Leftover("unfinished", str(path), local_size(path), "of an export that was cut off")
        if not self._context.files.is_local:
            return
        root = Path(self._context.files.root)
        for name in ("datasets", "runs", "exports", "proofs", "pushes", "measurements"):
            for path in sorted((root / name).rglob("*.tmp")):
                inside = any(parent.suffix == ".tmp" for parent in path.parents)
                known = any(path == temporary_folder(export.folder, export.id) for export in self._exports.values())
                if not inside and not known and _is_quiet(path):
                    yield Leftover("unfinished", str(path), local_size(path), "whose writing was cut off")

    def _orphans(self) -> Iterator[Leftover]:
        files, layout = self._context.files, self._layout
        folders: list[tuple[str, str]] = []
        if not self._foreign():
            names = [name for name in files.list(files.path("runs")) if name not in self._runs]
            names = [name for name in names if self._is_old(name) and not self._is_held(name)]
            folders += [(files.path("runs", name), "of a run that is gone") for name in names]
        for name in layout.ids(layout.exports):
            if name not in self._exports and self._is_old(name):
                folders.append((layout.export(name).folder, "of an export that was cut off"))
        for name in files.list(files.path("measurements")):
            if not any(name.startswith(f"{dataset}-") for dataset in self._datasets):
                folders.append((files.path("measurements", name), "of a dataset that is gone"))
        folders += self._trainings()
        for path, why in folders:
            yield Leftover("orphan", path, files.size(path), why, is_local=False)

    def _stored_checkpoints(self) -> Iterator[Leftover]:
        """What trainings went on from, in a workspace that is not local: see `TrainingCheckpoints`."""
        files = self._context.files
        for record in self._runs.values() if not files.is_local else []:
            path, why = self._layout.run(record.id).training, self._why_training(record)
            if why is not None and not self._is_held(record.id) and files.exists(path):
                yield Leftover("training files", path, files.size(path), why, is_local=False)

    def _tokens(self) -> Iterator[Leftover]:
        """Token ids of datasets that no run needs now; the next one makes them anew."""
        files, needed = self._context.files, {run.dataset_id for run in self._runs.values() if run.is_active}
        for name in sorted(self._datasets - needed):
            path = self._layout.dataset(name).tokens
            if files.exists(path) and not (files.is_local and not _is_quiet(Path(path))):
                yield Leftover("token ids", path, files.size(path), "that no run needs now", is_local=False)

    def _trainings(self) -> list[tuple[str, str]]:
        """Results of trainings whose run is gone and that no proof names."""
        files, folder = self._context.files, self._context.files.path("proofs", "trainings")
        names = files.list(folder)
        if not names or self._foreign():
            return []
        used = {f"{entry.key}.json" for proof in list_proofs(self._context, deleted=True) for entry in proof.trainings}
        paths = [f"{folder}/{name}" for name in names if name not in used]
        return [
            (path, "of a proof that is gone") for path in paths if files.read_json(path)["run_id"] not in self._runs
        ]

    def _is_held(self, run_id: str) -> bool:
        """Whether a worker trains for a run: one that was cancelled goes on until the end of its batch."""
        return any(thing.startswith(f"{run_id}/") for thing in self._held)

    def _is_old(self, name: str) -> bool:
        """Whether the time in an id was long ago by the database's clock; an id without one is never old."""
        try:
            made = datetime.strptime("-".join(name.split("-")[1:3]), _STAMP).replace(tzinfo=UTC)
        except ValueError:
            return False
        return self._now - made > timedelta(seconds=_UPLOAD_SECONDS)

    def _foreign(self) -> bool:
        """Whether the database is another workspace's: it knows none of the runs that there are."""
        folders = self._context.files.list(self._context.files.path("runs"))
        return bool(folders) and self._runs.keys().isdisjoint(folders)


def _locks(folder: Path) -> list[Path]:
    """What is locked by who works in a folder: it as a whole, or parts of it, such as seeds."""
    return [folder / "lock", *sorted(folder.glob("*/lock"))]


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _is_quiet(path: Path, seconds: float = _QUIET_SECONDS) -> bool:
    """Whether nothing in it was written for so long."""
    times = [entry.lstat().st_mtime for entry in (path, *path.rglob("*")) if entry.is_symlink() or entry.exists()]
    return time.time() - max(times, default=0.0) > seconds
