"""Temporary local copies of what lies elsewhere: bounded in number and bytes, and gone when their process is.

Each process has a folder of its own below one that belongs to the home alone, and holds a lock in it. What a process
that was killed has left there is removed by the next one.
"""

from __future__ import annotations

import os
import shutil
import threading
import uuid
import weakref
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock

from diet_explorer.store.locks import try_lock
from diet_explorer.store.private import make_private_folder

MOST_FILES = 256
_LOCK = "lock"


_removals: list[weakref.finalize[..., Any]] = []


def remove_copies() -> None:
    """Remove all copies of this process, which is about to end in a way that the interpreter does not see."""
    for removal in _removals:
        removal()


class LocalCopies:
    """The temporary files of this process, below `base`; safe to share between threads, made anew after a fork."""

    def __init__(self, base: Path, most_bytes: int) -> None:
        self._base = base
        self._most_bytes = most_bytes
        self._changing = threading.Lock()
        self._folder: Path | None = None
        self._begin()

    @contextmanager
    def copy(self, key: str, fetch: Callable[[str], object]) -> Iterator[str]:
        """A local file of that key, which `fetch` writes where it is missing; it stays there during the block.

        The last ones are kept. What was opened or mapped stays readable when its file goes.
        """
        path = self._pinned(key)
        if path is None:
            fresh = self.folder() / uuid.uuid4().hex
            try:
                fetch(str(fresh))
            except BaseException:
                fresh.unlink(missing_ok=True)
                raise
            path = self._added(key, fresh)
        try:
            yield str(path)
        finally:
            with self._changing:
                self._pins[key] -= 1
                self._shrink()

    @contextmanager
    def temporary_folder(self) -> Iterator[Path]:
        """A folder that is there during the block."""
        folder = self.folder() / uuid.uuid4().hex
        make_private_folder(folder)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def folder(self) -> Path:
        """This process's own folder."""
        with self._changing:
            if self._pid != os.getpid():
                self._begin()
            if self._folder is None:
                self._folder = self._made()
            return self._folder

    def remove_abandoned(self) -> None:
        """Remove what processes that were killed have left there."""
        if self._base.is_dir():
            _remove_abandoned(self._base)

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._folder = None
        self._lock: FileLock | None = None
        self._copies: OrderedDict[str, tuple[Path, int]] = OrderedDict()
        self._pins: Counter[str] = Counter()

    def _made(self) -> Path:
        make_private_folder(self._base)
        _remove_abandoned(self._base)
        while True:
            folder = self._base / uuid.uuid4().hex
            make_private_folder(folder)
            with suppress(FileNotFoundError):  # another process took it for one that was left
                self._lock = try_lock(folder / _LOCK)
                if self._lock is not None and (folder / _LOCK).exists():
                    break
        _removals.append(weakref.finalize(self, _remove, folder, self._lock, os.getpid()))
        return folder

    def _pinned(self, key: str) -> Path | None:
        self.folder()  # of this process, and not of the one that it was forked from
        with self._changing:
            known = self._copies.get(key)
            if known is None:
                return None
            self._copies.move_to_end(key)
            self._pins[key] += 1
            return known[0]

    def _added(self, key: str, fresh: Path) -> Path:
        with self._changing:
            known = self._copies.get(key)
            if known is None:
                known = self._copies[key] = (fresh, fresh.stat().st_size)
            else:  # another thread was faster
                fresh.unlink()
            self._pins[key] += 1
            self._shrink()
            return known[0]

    def _shrink(self) -> None:
        total = sum(size for _, size in self._copies.values())
        for key, (path, size) in list(self._copies.items()):
            if len(self._copies) <= MOST_FILES and total <= self._most_bytes:
                return
            if not self._pins[key]:
                del self._copies[key], self._pins[key]
                path.unlink(missing_ok=True)
                total -= size


def _remove(folder: Path, lock: FileLock | None, pid: int) -> None:
    if pid == os.getpid():
        shutil.rmtree(folder, ignore_errors=True)
        if lock is not None:
            lock.release()


def _remove_abandoned(base: Path) -> None:
    for folder in base.iterdir():
        with suppress(OSError):  # another process removes it, or has just made it
            lock = try_lock(folder / _LOCK)
            if lock is not None:
                shutil.rmtree(folder, ignore_errors=True)
                lock.release()
