"""Which examples are before whom at the moment, so that two people are not handed the same one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta

from sqlalchemy import Engine, delete, func, or_, select

from diet_explorer.store.database import database_now, time_of, transaction, writing
from diet_explorer.store.tables import ClaimRow, DecisionRow


class ReviewClaims:
    """The claims on the examples of one dataset; one that is not renewed ends after some seconds."""

    def __init__(self, engine: Engine, dataset_id: str, seconds: float) -> None:
        self._engine = engine
        self._dataset_id = dataset_id
        self._here = ClaimRow.dataset_id == dataset_id
        self._lasts = timedelta(seconds=seconds)

    def others(self, annotator: str) -> dict[int, int]:
        """Rows that others have before them, with how many others those are."""
        query = (
            select(ClaimRow.row, func.count())
            .where(self._here, ClaimRow.annotator != annotator, ClaimRow.until > database_now())
            .group_by(ClaimRow.row)
        )
        with transaction(self._engine) as session:
            return {int(row): int(count) for row, count in session.execute(query)}

    def take(self, annotator: str, wanted: Mapping[int, int], keep: Iterable[int], position: int) -> list[int] | None:
        """Claim the rows of `wanted`, renew the claims on those of `keep`, and give back all further ones.

        `wanted` says how many others may have each row before them at the same time. Those that nobody was faster with
        are returned, in their order; or None where a decision about one of them, or about many examples, has come since
        the event `position`, so that they have to be chosen anew.
        """
        with writing(self._engine, self._dataset_id) as session:
            now = time_of(session)
            came = select(DecisionRow.id).where(
                DecisionRow.dataset_id == self._dataset_id,
                DecisionRow.id > position,
                or_(DecisionRow.row.in_(list(wanted)), DecisionRow.row.is_(None)),
            )
            if wanted and session.execute(came.limit(1)).first() is not None:
                return None
            session.execute(
                delete(ClaimRow).where(self._here, or_(ClaimRow.until <= now, ClaimRow.annotator == annotator))
            )
            claims = select(ClaimRow.row, func.count()).where(self._here, ClaimRow.row.in_(list(wanted)))
            holders = {int(row): int(count) for row, count in session.execute(claims.group_by(ClaimRow.row))}
            granted = [row for row, room in wanted.items() if holders.get(row, 0) <= room]
            until = now + self._lasts
            session.add_all(
                ClaimRow(dataset_id=self._dataset_id, row=row, annotator=annotator, until=until)
                for row in dict.fromkeys([*keep, *granted])
            )
            return granted

    def release(self, annotator: str) -> None:
        """Give back all claims of an annotator."""
        with writing(self._engine, self._dataset_id) as session:
            session.execute(delete(ClaimRow).where(self._here, ClaimRow.annotator == annotator))
