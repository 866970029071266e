"""Who may read what lies on this machine: the owner alone, or with a setting their group; whatever the umask is."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from diet_explorer.config import shares_with_group

_OWN = {"workspace.json", "datasets", "runs", "exports", "pushes", "proofs", "measurements", "scratch", "uploads"}
_OWN |= {"logs", "slots", "locks", "bin", "tmp", "app.json", "app.lock", "presence", "workers"}
_TIMES = 20  # that a folder is begun again which others remove at the same time
_DATABASES = ("explorer.sqlite", "jobs.sqlite")


def folder_mode() -> int:
    """0700; with sharing 2770, so that what is made in a folder belongs to its group."""
    return 0o2770 if shares_with_group() else 0o700


def file_mode() -> int:
    """0600, or 0660 with sharing."""
    return 0o660 if shares_with_group() else 0o600


def keep_new_files_private() -> None:
    """Let all that this process and its children make from now on be private; for processes of this program alone."""
    os.umask(0o007 if shares_with_group() else 0o077)


def make_private_folder(path: Path) -> None:
    """Make a folder and those above it that are missing, all of them private."""
    for _ in range(_TIMES):
        try:
            return _make_private_folder(path)
        except FileNotFoundError as error:  # another process has removed one above it, which was empty
            gone = error
    raise gone


def _make_private_folder(path: Path) -> None:
    missing, there = [], path
    while not there.exists():
        missing.append(there)
        there = there.parent
    for folder in reversed(missing):
        folder.mkdir(exist_ok=True)
        _set_mode(folder, folder_mode())
    if not missing and not path.is_dir():
        path.mkdir()  # says what is wrong


def make_private_file(path: Path) -> None:
    """Make an empty file that is private from its first moment, if there is none."""
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, file_mode()))
        _set_mode(path, file_mode())


def private_opener(path: str, flags: int) -> int:
    """For `open`: a file that is made is private, whatever the umask."""
    is_new = not Path(path).exists()
    descriptor = os.open(path, flags, file_mode())
    if is_new:
        _set_mode(Path(path), file_mode())
    return descriptor


def tighten_workspace(root: Path) -> None:
    """Make what this program made in a workspace private, where it was made before or under another setting.

    Links are not followed, files of other users and what else lies in the folder stay as they are. What is right at the
    top is taken to be right below, so that this costs nothing once it is done.
    """
    if not root.is_dir():
        return
    own = [path for path in root.iterdir() if _is_own(path.name)]
    if len(own) == len(list(root.iterdir())):
        _set_mode(root, folder_mode())
    for path in own:
        if _differs(path):
            tighten(path)


def tighten(path: Path) -> None:
    """Make a file, or a folder with all below it, private; links and files of other users stay as they are."""
    if path.is_dir() and not path.is_symlink():
        for folder, names, files in os.walk(path, topdown=False):
            _set_modes(Path(folder) / name for name in (*names, *files))
    _set_modes([path])


def _is_own(name: str) -> bool:
    return name in _OWN or name.startswith(_DATABASES) or name.endswith((".lock", ".turn", ".log", ".tmp"))


def _differs(path: Path) -> bool:
    try:
        facts = path.lstat()
    except FileNotFoundError:  # a database's journal goes when the last of its readers does
        return False
    wanted = folder_mode() if stat.S_ISDIR(facts.st_mode) else file_mode()
    return not stat.S_ISLNK(facts.st_mode) and stat.S_IMODE(facts.st_mode) != wanted


def _set_modes(paths: Iterable[Path]) -> None:
    for path in paths:
        with suppress(FileNotFoundError):
            kind = path.lstat().st_mode
            if stat.S_ISDIR(kind) or stat.S_ISREG(kind):
                _set_mode(path, folder_mode() if stat.S_ISDIR(kind) else file_mode())


def _set_mode(path: Path, mode: int) -> None:
    """Set the mode of what belongs to this user; where a file system has no modes, nothing can be set."""
    with suppress(OSError, NotImplementedError):
        facts = path.lstat()
        if stat.S_IMODE(facts.st_mode) != mode and not stat.S_ISLNK(facts.st_mode) and _is_ours(facts):
            path.chmod(mode)


def _is_ours(facts: os.stat_result) -> bool:
    return not hasattr(os, "geteuid") or facts.st_uid == os.geteuid()
