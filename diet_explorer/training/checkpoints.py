"""Training checkpoints, from which a training goes on: on this machine, and in a workspace that lies elsewhere.

In a local workspace they are there already. Elsewhere each is sent file by file and named in a note last, so that a
reader finds a whole one or the one before; any other machine fetches it and goes on to the same bytes.
"""

from __future__ import annotations

import shutil
import uuid
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from diet_explorer.errors import NotFoundError, WorkspaceError
from diet_explorer.store.files import Files, file_sha256
from diet_explorer.store.private import make_private_folder

_COMPLETE = "complete"
_PREFIX = "checkpoint-"


class TrainingCheckpoints(TrainerCallback):
    """Keeps the newest checkpoint of one training; as a callback it does so whenever the Trainer has saved one.

    Parameters
    ----------
    folder : Path
        On this machine; the Trainer writes there.
    files : Files, optional
        The workspace, where it is not local and keeps the newest checkpoint too.
    store : str
        Folder in it.
    """

    def __init__(self, folder: Path, files: Files | None = None, store: str = "") -> None:
        self.folder = folder
        self._files = None if files is None or files.is_local else files
        self._store = store

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Mark a checkpoint complete once all of it is on disk, send it, and then remove the older ones."""
        newest = self.folder / f"{_PREFIX}{state.global_step}"
        (newest / _COMPLETE).touch()
        if self._files is not None:
            self._send(self._files, newest)
        for other in self.folder.glob(f"{_PREFIX}*"):
            if other != newest:
                shutil.rmtree(other)

    def latest(self) -> Path | None:
        """The newest complete checkpoint, fetched where it is elsewhere; half-written ones here are removed."""
        here = latest_checkpoint(self.folder)
        if self._files is None:
            return here
        note = self._note(self._files)
        if note is None or (here is not None and _step(here) >= note["step"]):
            return here
        return self._fetch(self._files, note) or here

    def remove(self) -> None:
        """Remove all of them: the training is done."""
        shutil.rmtree(self.folder, ignore_errors=True)
        if self._files is not None:
            self._files.remove_folder(self._store)

    @property
    def _note_path(self) -> str:
        return f"{self._store}/newest.json"

    def _note(self, files: Files) -> dict[str, Any] | None:
        try:
            note: dict[str, Any] = files.read_json(self._note_path)
        except (NotFoundError, WorkspaceError):  # none yet, or none that can be gone on from
            return None
        return note

    def _send(self, files: Files, newest: Path) -> None:
        before = self._note(files)
        if before is not None and before["step"] > _step(newest):  # another machine has gone on meanwhile
            return
        folder = f"{newest.name}-{uuid.uuid4().hex[:8]}"
        sums = {}
        for path in sorted(path for path in newest.iterdir() if path.is_file()):
            with path.open("rb") as source, files.atomic_writer(f"{self._store}/{folder}/{path.name}") as target:
                shutil.copyfileobj(source, target)
            sums[path.name] = file_sha256(path)
        files.write_json(self._note_path, {"step": _step(newest), "folder": folder, "files": sums})
        if before is not None:
            files.remove_folder(f"{self._store}/{before['folder']}")

    def _fetch(self, files: Files, note: dict[str, Any]) -> Path | None:
        """Copy a checkpoint to this machine; None where it is damaged or was removed meanwhile."""
        target = self.folder / f"{_PREFIX}{note['step']}"
        shutil.rmtree(target, ignore_errors=True)
        make_private_folder(target)
        try:
            for name in note["files"]:
                path = f"{self._store}/{note['folder']}/{name}"
                with files.open_read(path) as source, (target / name).open("wb") as copy:
                    shutil.copyfileobj(source, copy)
        except NotFoundError:
            return None
        if any(file_sha256(target / name) != digest for name, digest in note["files"].items()):
            return None
        (target / _COMPLETE).touch()
        return target


def latest_checkpoint(folder: Path) -> Path | None:
    """The newest complete training checkpoint below a folder; half-written ones are removed."""
    complete = []
    for candidate in folder.glob(f"{_PREFIX}*"):
        if (candidate / _COMPLETE).exists():
            complete.append(candidate)
        else:
            shutil.rmtree(candidate)
    return max(complete, key=_step, default=None)


def _step(path: Path) -> int:
    return int(path.name.removeprefix(_PREFIX))
