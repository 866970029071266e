"""How much room a copy of a workspace takes, and how much there is."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine, text

from diet_explorer.config import local_path
from diet_explorer.store.backup.writing import can_be_remade
from diet_explorer.store.database import transaction
from diet_explorer.store.files import Files
from diet_explorer.store.in_words import bytes_in_words
from diet_explorer.store.layout import KEPT


@dataclass(frozen=True)
class Space:
    """Bytes that something takes at a place, and those that are free there; None where that cannot be known."""

    place: str
    needed: int
    free: int | None

    @property
    def is_enough(self) -> bool:
        """Whether it has room, as far as can be known."""
        return self.free is None or self.needed <= self.free

    def describe(self) -> str:
        """Both in words, such as "needs about 2.4 GB at /disk, where 50.0 GB are free"."""
        needed = f"needs about {bytes_in_words(self.needed)} at {self.place}"
        return needed if self.free is None else f"{needed}, where {bytes_in_words(self.free)} are free"


def size_of_workspace(files: Files, engine: Engine) -> int:
    """Bytes of all that a copy of a workspace has; of the tables about as many."""
    size = sum(
        int(facts["size"] or 0)
        for folder in KEPT
        for inside, facts in files.all_below(files.path(folder)).items()
        if not (folder == "datasets" and can_be_remade(inside))
    )
    if engine.dialect.name == "sqlite":
        return size + Path(str(engine.url.database)).stat().st_size
    with transaction(engine) as session:
        return size + int(session.execute(text("SELECT pg_database_size(current_database())")).scalar_one())


def space_at(place: str, needed: int) -> Space:
    """What something takes at a place that need not be there yet."""
    path = local_path(place)
    if path is None:
        return Space(place, needed, None)
    there = next(folder for folder in (path.absolute(), *path.absolute().parents) if folder.exists())
    return Space(place, needed, shutil.disk_usage(there).free)
