"""Who came in, was refused, took data away or deleted something: lines that are added and read, never changed."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

from sqlalchemy import Engine, select

from diet_explorer.errors import BadInputError, cut
from diet_explorer.redaction import redacted
from diet_explorer.store.database import database_now, in_utc, inserting, time_of, transaction, writing
from diet_explorer.store.tables import AuditRow

AuditKind = Literal["sign-in", "refusal", "export", "push", "deletion", "restore", "backup", "upgrade", "move"]
KINDS: tuple[AuditKind, ...] = get_args(AuditKind)


@dataclass(frozen=True)
class AuditEntry:
    """One line of the audit log.

    Attributes
    ----------
    id : int
        Grows with every line.
    at : datetime
        In UTC.
    kind : str
        One of `KINDS`.
    who : str
        Name of whoever did it, or tried to.
    role : str or None
        What they were at that time; None where nobody had asked.
    what : str
        In words.
    about : str or None
        Kind and id of the thing, such as ``export:export-20260101-120000-ab12``.
    """

    id: int
    at: datetime
    kind: str
    who: str
    role: str | None
    what: str
    about: str | None = None


class AuditLog:
    """The audit log of a workspace; the database itself refuses to change or delete its lines."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(
        self, kind: AuditKind, who: str, what: str, *, role: str | None = None, about: str | None = None, once: str = ""
    ) -> None:
        """Add a line; it is on disk when this returns. Call it before the deed, so that nothing is done without it.

        Of lines with the same `once` only the first is kept.
        """
        uid = hashlib.sha256(once.encode()).hexdigest() if once else uuid.uuid4().hex
        line = {"kind": kind, "who": _storable(who), "role": role, "what": _storable(what)}
        with transaction(self._engine) as session:
            if once and session.scalar(select(AuditRow.id).where(AuditRow.uid == uid)) is not None:
                return
        line |= {"about": None if about is None else _storable(about), "uid": uid}
        insert = inserting(self._engine, AuditRow.__table__, {**line, "at": database_now()})
        with writing(self._engine, "audit-log") as session:
            session.execute(insert.on_conflict_do_nothing(index_elements=["uid"]))

    def refuse(self, who: str, what: str, role: str) -> None:
        """Add a refusal; one that is repeated is kept once a minute, so that nobody fills the disk with them."""
        with transaction(self._engine) as session:
            minute = f"{time_of(session):%Y-%m-%dT%H:%M}"
        self.add("refusal", who, what, role=role, once="\n".join(("refusal", minute, who, role, what)))

    def entries(self, *, kind: str | None = None, who: str | None = None, limit: int = 200) -> list[AuditEntry]:
        """The latest lines, newest first; BadInputError for a kind that there is not."""
        if kind is not None and kind not in KINDS:
            raise BadInputError(f"There is no kind {kind!r} in the audit log.", f"Choose one of: {', '.join(KINDS)}.")
        query = select(AuditRow).order_by(AuditRow.id.desc()).limit(limit)
        if kind is not None:
            query = query.where(AuditRow.kind == kind)
        if who is not None:
            query = query.where(AuditRow.who == who)
        with transaction(self._engine) as session:
            return [_entry(row) for row in session.scalars(query)]


def _storable(text: str) -> str:
    """A text of any source as every database takes it."""
    return cut(redacted(text).encode(errors="replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}"))


def _entry(row: AuditRow) -> AuditEntry:
    values = {name: getattr(row, name) for name in AuditEntry.__dataclass_fields__}
    return AuditEntry(**{**values, "at": in_utc(row.at)})
