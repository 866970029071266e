"""What was cut off while it was written into a store elsewhere: there is no folder of a temporary name there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from diet_explorer.pruning.export.folder import is_remote
from diet_explorer.store.cut_off import HalfSent, half_sent, last_written, store_time, take_back
from diet_explorer.store.files import Files
from diet_explorer.store.layout import MANIFEST_NAME, Layout
from diet_explorer.workspace.bin.leftover import Leftover
from diet_explorer.workspace.exports import Export

_AGE = timedelta(days=1)
"""What was written to within this time may be in use: an import of many files holds no lease."""


class StoreLeftovers:
    """Finds what killed writers left in a store, by the store's clock, and takes half-sent files back.

    Parameters
    ----------
    files : Files
        The workspace; of one on this machine there is nothing to be found.
    exports : sequence of Export
        All exports that are known.
    held : set of str
        What somebody works on, as leases name it.
    """

    def __init__(self, files: Files, exports: Sequence[Export], held: set[str]) -> None:
        self._files = files
        self._exports = exports
        self._held = held
        self._time: datetime | None = None

    def find(self) -> Iterator[Leftover]:
        """Datasets and exports without the manifest, which comes last, and half-sent files."""
        if self._files.is_local:
            return
        yield from self._datasets()
        yield from self._unfinished_exports()
        for sending in half_sent(self._files):
            if self._is_old(sending.begun):
                why = "whose sending was cut off"
                yield Leftover("unfinished", sending.path, sending.size, why, is_local=False, sending=sending.id)

    def take_back(self, leftover: Leftover) -> None:
        """Remove what was sent of a file."""
        take_back(self._files, HalfSent(leftover.path, leftover.sending, datetime.min, leftover.size))

    def _datasets(self) -> Iterator[Leftover]:
        layout = Layout(self._files)
        for name in layout.ids(layout.datasets):
            paths = layout.dataset(name)
            if not self._files.exists(paths.manifest):
                yield from self._quiet_folder(paths.folder, "of an import that was cut off")

    def _unfinished_exports(self) -> Iterator[Leftover]:
        for export in self._exports:
            folder, busy = export.folder, f"export/{export.id}" in self._held or export.progress().is_active
            inside = is_remote(folder) and self._files.at(folder) is self._files
            if inside and not busy and not self._files.exists(f"{folder}/{MANIFEST_NAME}"):
                yield from self._quiet_folder(folder, "of an export that was cut off")

    def _quiet_folder(self, folder: str, why: str) -> Iterator[Leftover]:
        facts = self._files.all_below(folder).values()
        if facts and self._is_old(last_written(facts)):
            yield Leftover("unfinished", folder, self._files.size(folder), why, is_local=False)

    def _is_old(self, written: datetime | None) -> bool:
        if written is None:
            return False
        if self._time is None:
            self._time = store_time(self._files)
        return self._time - written > _AGE
