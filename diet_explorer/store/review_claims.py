"""Which examples are before whom at the moment, so that two people are not handed the same one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, and_, delete, func, or_, select
from sqlalchemy.orm import Session

from diet_explorer.store.database import database_errors, writing
from diet_explorer.store.tables import ClaimRow, DecisionRow


class ReviewClaims:
    """The claims on the examples of one dataset; one that is not renewed ends by itself.

    Parameters
    ----------
    engine : sqlalchemy.Engine
    dataset_id : str
    seconds : float
        How long a claim lasts.
    """

    def __init__(self, engine: Engine, dataset_id: str, seconds: float) -> None:
        self._engine = engine
        self._dataset_id = dataset_id
        self._lasts = timedelta(seconds=seconds)

    def others(self, annotator: str) -> dict[int, int]:
        """Rows that others have before them, with how many others those are."""
        query = (
            select(ClaimRow.row, func.count())
            .where(
                ClaimRow.dataset_id == self._dataset_id,
                ClaimRow.annotator != annotator,
                ClaimRow.until > datetime.now(UTC),
            )
            .group_by(ClaimRow.row)
        )
        with database_errors(self._engine), Session(self._engine) as session:
            return {int(row): int(count) for row, count in session.execute(query)}

    def take(self, annotator: str, wanted: Mapping[int, int], keep: Iterable[int], position: int) -> list[int] | None:
        """Claim some examples, renew the claims on others, and give back all further ones, in one transaction.

        Parameters
        ----------
        annotator : str
        wanted : mapping of int to int
            Rows, with how many others may have each before them at the same time.
        keep : iterable of int
            Rows that the annotator has already.
        position : int
            The last event that was known when the rows were chosen.

        Returns
        -------
        list of int or None
            Those of `wanted` that nobody was faster with, in their order; None where a decision about one of them, or
            about many examples, has come since `position`, so that it has to be chosen anew.
        """
        now = datetime.now(UTC)
        here = ClaimRow.dataset_id == self._dataset_id
        with writing(self._engine, self._dataset_id) as session:
            came = select(DecisionRow.id).where(
                DecisionRow.dataset_id == self._dataset_id,
                DecisionRow.id > position,
                or_(DecisionRow.row.in_(list(wanted)), DecisionRow.row.is_(None)),
            )
            if wanted and session.execute(came.limit(1)).first() is not None:
                return None
            session.execute(delete(ClaimRow).where(here, or_(ClaimRow.until <= now, ClaimRow.annotator == annotator)))
            taken = (
                select(ClaimRow.row, func.count()).where(here, ClaimRow.row.in_(list(wanted))).group_by(ClaimRow.row)
            )
            holders = {int(row): int(count) for row, count in session.execute(taken)}
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
            session.execute(
                delete(ClaimRow).where(and_(ClaimRow.dataset_id == self._dataset_id, ClaimRow.annotator == annotator))
            )
