"""The folder of an export: it has a temporary name until it is complete, so that nothing half done looks like one."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from diet_explorer.errors import BadInputError
from diet_explorer.store.files import Files


def is_remote(folder: str) -> bool:
    """Whether a folder lies elsewhere: an fsspec URL."""
    return "://" in folder and not folder.startswith("file://")


def check_target(files: Files, folder: str) -> None:
    """Say before the work that a folder cannot become an export.

    Raises
    ------
    BadInputError
        It is a file, or has something in it.
    """
    path = Path(folder)
    taken = files.exists(folder) if is_remote(folder) else path.exists() and (path.is_file() or any(path.iterdir()))
    if taken:
        raise BadInputError(f"{folder} is there already and not empty.", "Name a new folder, or empty it first.")


def temporary_folder(folder: str, export_id: str) -> Path:
    """Where an export to a local folder is built."""
    return Path(f"{folder.rstrip('/')}.{export_id}.tmp")


@contextmanager
def new_folder(files: Files, folder: str, export_id: str, last: str) -> Iterator[Path]:
    """A local folder whose content becomes `folder` when the block ends well; nothing of it is left otherwise.

    Parameters
    ----------
    files : Files
        The workspace.
    folder : str
        A local folder, or one of a remote workspace.
    export_id : str
        Names the temporary folder, so that a job that starts again removes what it left before.
    last : str
        Name of the file that says that all is there; to a remote folder it is copied last.
    """
    if is_remote(folder):
        with tempfile.TemporaryDirectory(prefix="diet-explorer-") as local:
            yield Path(local)
            paths = [entry for entry in Path(local).rglob("*") if entry.is_file()]
            for path in sorted(paths, key=lambda entry: entry.name == last):
                target = f"{folder}/{path.relative_to(local).as_posix()}"
                with files.atomic_writer(target) as stream, path.open("rb") as own:
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


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
