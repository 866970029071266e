"""Uploaded files, kept beside the workspace for as long as they are needed and no longer."""

from __future__ import annotations

import hashlib
import io
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from diet_explorer.config import Settings
from diet_explorer.data.limits import current_limits
from diet_explorer.errors import DietExplorerError
from diet_explorer.store.files import explained, local_size
from diet_explorer.store.in_words import bytes_in_words
from diet_explorer.store.private import make_private_folder, private_opener

STALE_SECONDS = 24 * 3600.0
_NAME_LENGTH = 120


def keep_upload(settings: Settings, name: str, stream: BinaryIO, owner: str = "") -> Path:
    """Copy an upload to a file of its own; its name's last part stays, since the ending tells the format.

    Files of sessions that ended without an import are removed on the way.

    Raises
    ------
    LimitError
        With it, its owner would keep more than one person may.
    WorkspaceError
        It cannot be written (disk full, read-only); nothing half-written stays.
    """
    folder = settings.home_folder / "uploads"
    _sweep(folder)
    mark = hashlib.sha256(owner.encode()).hexdigest()[:16]
    _check_kept(folder, mark, stream)
    own = folder / f"{mark}-{uuid.uuid4().hex}"
    target = own / (Path(name).name[-_NAME_LENGTH:] or "upload")
    with explained("write", str(target)):
        try:
            make_private_folder(own)
            with open(target, "wb", opener=private_opener) as copy:
                shutil.copyfileobj(stream, copy, 1 << 20)
        except OSError:
            shutil.rmtree(own, ignore_errors=True)
            raise
    return target


@contextmanager
def called_as_uploaded(path: Path | None) -> Iterator[None]:
    """Let errors name an upload as the person who brought it does, not by the server's folder that keeps it."""
    try:
        yield
    except DietExplorerError as error:
        if path is not None:
            error.message = error.message.replace(str(path), path.name)
            error.remedy = error.remedy.replace(str(path), path.name)
        raise


def drop_upload(path: Path) -> None:
    """Remove an upload and the folder it has to itself."""
    shutil.rmtree(path.parent, ignore_errors=True)


def _check_kept(folder: Path, mark: str, stream: BinaryIO) -> None:
    """Hold what one person keeps, with what comes in, against the limit."""
    limits = current_limits()
    coming = stream.seek(0, io.SEEK_END)
    stream.seek(0)
    kept = sum(local_size(own) for own in folder.glob(f"{mark}-*"))
    if kept + coming > limits.uploads_mb << 20:
        raise limits.error(
            "uploads_mb",
            f"With this file your uploads would take {bytes_in_words(kept + coming)}; one person keeps "
            f"{limits.uploads_mb:,} MB at most.",
            "Import or take away the file in your other tabs first.",
        )


def _sweep(folder: Path) -> None:
    if not folder.is_dir():
        return
    for upload in folder.iterdir():
        if time.time() - upload.stat().st_mtime > STALE_SECONDS:
            shutil.rmtree(upload, ignore_errors=True)
