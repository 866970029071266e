"""Records of what was deleted: a mark that hides a thing, and all that belongs to it, until its files are removed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Engine, delete, select, tuple_, update
from sqlalchemy.orm import Session

from diet_explorer.errors import DeletedError
from diet_explorer.store.database import in_utc, transaction, writing
from diet_explorer.store.names import checked_id
from diet_explorer.store.tables import BinRow

Key = tuple[str, str]
"""Kind and id of a thing."""


@dataclass(frozen=True)
class BinEntry:
    """One thing in the bin."""

    kind: str
    id: str
    name: str  # what people called it
    by: str  # who deleted it
    at: datetime  # when, in UTC
    size: int  # bytes of its files, and of those of what went with it
    content: dict[str, Any] | None = None  # of something that is kept here and has no file any more
    removing: bool = False  # whether its files are being removed, so that it cannot come back

    @property
    def key(self) -> Key:
        """Kind and id."""
        return self.kind, self.id

    def error(self) -> DeletedError:
        """What is said to whoever asks for it."""
        return DeletedError(self.kind, self.id, self.name, self.by, self.at)


class BinRecords:
    """Create, read and remove the marks; every call is one short transaction."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, entry: BinEntry) -> None:
        """Mark something as deleted; DeletedError where somebody was faster."""
        checked_key(entry.key)
        with writing(self._engine, "bin") as session:
            earlier = session.get(BinRow, entry.key)
            if earlier is not None:
                raise _entry(earlier).error()
            session.add(BinRow(**vars(entry)))

    def get(self, kind: str, id: str) -> BinEntry | None:
        """The mark of a thing itself."""
        return self.first([(kind, id)])

    def first(self, keys: Iterable[Key]) -> BinEntry | None:
        """The mark of the first of some things that has one."""
        wanted = list(keys)
        with transaction(self._engine) as session:
            marks = marks_of(session, wanted)
        return next((marks[key] for key in wanted if key in marks), None)

    def check(self, *keys: Key) -> None:
        """Raise a DeletedError where one of some things is marked."""
        entry = self.first(keys)
        if entry is not None:
            raise entry.error()

    def list(self) -> list[BinEntry]:
        """All marks, newest first."""
        with transaction(self._engine) as session:
            statement = select(BinRow).order_by(BinRow.at.desc(), BinRow.kind, BinRow.id)
            return [_entry(row) for row in session.scalars(statement)]

    def keys(self) -> set[Key]:
        """Kinds and ids of all that is marked."""
        with transaction(self._engine) as session:
            return {(kind, id) for kind, id in session.execute(select(BinRow.kind, BinRow.id))}

    def take_out(self, kind: str, id: str) -> BinEntry | None:
        """Remove a mark unless its files are being removed, and give what it was."""
        with writing(self._engine, "bin") as session:
            row = session.get(BinRow, (kind, id))
            if row is None or row.removing:
                return None
            entry = _entry(row)
            session.delete(row)
            return entry

    def begin_removal(self, kind: str, id: str) -> bool:
        """Say that the files of something marked are being removed, and whether it is marked at all."""
        statement = update(BinRow).where(BinRow.kind == kind, BinRow.id == id).values(removing=True)
        with writing(self._engine, "bin") as session:
            return bool(cast(Any, session.execute(statement)).rowcount)

    def forget(self, keys: Iterable[Key]) -> None:
        """Remove the marks of things whose files are gone."""
        with writing(self._engine, "bin") as session:
            for kind, id in keys:
                session.execute(delete(BinRow).where(BinRow.kind == kind, BinRow.id == id))


def checked_key(key: Key) -> Key:
    """A kind and an id that can be one: of a map and a policy, that of a run, with the map's or the policy's name.

    NotFoundError where it can be none.
    """
    kind, id = key
    run, _, name = id.partition("/") if kind in ("map", "policy") else (id, "", "")
    checked_id(kind, run)
    if kind == "map":
        checked_id(kind, name)
    return key


def marks_of(session: Session, keys: Iterable[Key]) -> dict[Key, BinEntry]:
    """Those of some things that are marked."""
    statement = select(BinRow).where(tuple_(BinRow.kind, BinRow.id).in_(list(keys)))
    return {(row.kind, row.id): _entry(row) for row in session.scalars(statement)}


def _entry(row: BinRow) -> BinEntry:
    values = {name: getattr(row, name) for name in BinEntry.__dataclass_fields__}
    return BinEntry(**{**values, "at": in_utc(row.at)})
