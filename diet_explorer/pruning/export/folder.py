"""Folders of exports: a new one has a temporary name until it is complete, so that nothing half done looks like one."""

from __future__ import annotations

import io
import json
import os
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from diet_explorer.errors import BadInputError, HubError, JobLeftError, NotFoundError
from diet_explorer.store.files import Files, explained
from diet_explorer.store.layout import MANIFEST_NAME
from diet_explorer.store.private import make_private_folder, tighten


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
    if is_remote(folder):
        taken = files.at(folder).exists(folder)
    else:
        taken = path.exists() and (path.is_file() or any(path.iterdir()))
    if taken:
        raise BadInputError(f"{folder} is there already and not empty.", "Name a new folder, or empty it first.")


def temporary_folder(folder: str, export_id: str) -> Path:
    """Where an export to a local folder is built."""
    return Path(f"{folder.rstrip('/')}.{export_id}.tmp")


@contextmanager
def new_folder(files: Files, folder: str, export_id: str) -> Iterator[Path]:
    """A local folder whose content becomes `folder` when the block ends well; nothing of it is left otherwise.

    Parameters
    ----------
    files : Files
        The workspace.
    folder : str
        A local folder, or one of a remote workspace.
    export_id : str
        Names the temporary folder, so that a job that starts again removes what it left before.
    """
    if is_remote(folder):
        store = files.at(folder)
        with store.temporary_folder() as local:
            yield local
            store.put_folder(local, folder, MANIFEST_NAME)
        return
    temporary = temporary_folder(folder, export_id)
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        make_private_folder(temporary)
        yield temporary
        tighten(temporary)
        for path in temporary.rglob("*"):
            _sync(path)
        _sync(temporary)
        files.before_write()
        temporary.rename(folder)
        _sync(temporary.parent)
    finally:
        with suppress(JobLeftError):  # whoever has taken the job over writes there
            files.before_write()
            shutil.rmtree(temporary, ignore_errors=True)


def checked_export(folder: Path) -> dict[str, Any]:
    """The manifest of a local folder that is a finished export with all of its files.

    Raises
    ------
    NotFoundError
        The folder is no finished export.
    HubError
        A file is missing, or is not the one that was exported.
    """
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST_NAME).read_bytes())
    except FileNotFoundError as error:
        raise NotFoundError(
            f"{folder} is not a finished export: it has no {MANIFEST_NAME}.", "Export first."
        ) from error
    for entry in manifest["files"]:
        path = folder / entry["path"]
        if not path.is_file() or path.stat().st_size != entry["bytes"]:
            raise HubError(f"The export's file {path} is missing or was changed.", "Export again, then push that.")
    return manifest


def zip_export(folder: Path, name: str) -> bytes:
    """A finished export as a ZIP archive of one folder `name`: the files of its manifest, and nothing beside them.

    Raises
    ------
    NotFoundError, HubError
        As for `checked_export`.
    """
    stream = io.BytesIO()
    paths = [folder / entry["path"] for entry in checked_export(folder)["files"]]
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted([*paths, folder / MANIFEST_NAME]):
            if path.resolve().is_relative_to(folder.resolve()):
                archive.write(path, f"{name}/{path.relative_to(folder)}")
    return stream.getvalue()


def check_finished(files: Files, folder: str) -> None:
    """Refuse a folder of a remote workspace that is no finished export.

    Raises
    ------
    NotFoundError
    """
    if not files.at(folder).exists(f"{folder}/{MANIFEST_NAME}"):
        raise NotFoundError(f"{folder} is not a finished export: it has no {MANIFEST_NAME}.", "Export first.")


def fetch_export(files: Files, folder: str, target: Path) -> Path:
    """Copy an export of a remote workspace into the local folder `target`, and return that.

    Raises
    ------
    NotFoundError
        It is no finished export, or a file of it is gone.
    """
    check_finished(files, folder)
    files = files.at(folder)
    names = [entry["path"] for entry in files.read_json(f"{folder}/{MANIFEST_NAME}")["files"]]
    with explained("write", str(target)):
        for name in [*names, MANIFEST_NAME]:
            path = target / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with files.open_read(f"{folder}/{name}") as source, path.open("wb") as copy:
                shutil.copyfileobj(source, copy)
    return target


def _sync(path: Path) -> None:
    if os.name == "nt":
        return  # neither can a folder be opened there, nor what is open for reading be synced
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
