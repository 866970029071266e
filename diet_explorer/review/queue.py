"""One annotator's way through an order of examples: what comes next, going back, and never what another has."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diet_explorer.errors import BadInputError
from diet_explorer.review.annotators import Identity
from diet_explorer.review.decisions import Ledger, errors_left_of
from diet_explorer.review.order import Seen, shared_order
from diet_explorer.review.replay import REMARKS
from diet_explorer.review.stopping import ErrorsLeft
from diet_explorer.store.decisions import DecisionEvent
from diet_explorer.store.review_claims import ReviewClaims

LEASE_SECONDS = 300.0
_CLAIMED_AHEAD, _LEAST_AHEAD = 6, 3
_ATTEMPTS = 20


@dataclass(frozen=True)
class QueueItem:
    """An example as it comes before an annotator."""

    row: int
    position: int  # in the order, 1 is first
    audit: bool  # whether it was drawn at random from all of the order, to estimate the errors left
    expected: int  # the last event about it, for `Ledger.decide`
    decided: DecisionEvent | None  # the annotator's own decision about it that counts


@dataclass(frozen=True)
class QueueProgress:
    """How far the review of an order is: examples in all, decided ones, the annotator's own, and those still open."""

    total: int
    decided: int
    mine: int
    open: int


class ReviewQueue:
    """The examples of an order, what to review first in front, that an annotator still has to decide about.

    An example is handed to as many people as the rules ask for and to nobody twice; one that was passed over comes
    back when nothing else is left. What is shown is claimed for five minutes, and again with every step.
    """

    def __init__(
        self,
        ledger: Ledger,
        order: NDArray[np.integer],
        annotator: Identity | str,
        *,
        run_id: str | None = None,
        lease_seconds: float = LEASE_SECONDS,
    ) -> None:
        self._ledger = ledger
        self._identity = ledger.who(annotator)
        self._shared = shared_order(ledger.manifest.id, ledger.manifest.rows, order)
        self.order, self._positions = self._shared.rows, self._shared.positions
        self._run_id = run_id
        self._claims = ReviewClaims(ledger.engine, ledger.manifest.id, lease_seconds)
        self._seen = Seen(self._shared, self._identity.name)
        self._lease_seconds = lease_seconds
        self._claimed_at = 0.0
        self._way: list[int] = []  # rows in the order in which they are shown
        self._met = 0  # how many of them have been shown
        self._at = 0
        self._audits: set[int] = set()
        self._arrived: tuple[int, int] | None = None  # what is shown, and the last event about it on arrival

    @property
    def current(self) -> QueueItem | None:
        """What is before the annotator; None where nothing is left for them, or others have all of the rest."""
        self._look_ahead()
        if self._at >= len(self._way):
            return None
        row = self._way[self._at]
        self._met = max(self._met, self._at + 1)
        with self._ledger.replay() as replay:
            vote = replay.vote(row, self._identity.name)
        if self._arrived is None or self._arrived[0] != row:
            self._arrived = row, self._ledger.last_event(row)
        return QueueItem(
            row=row,
            position=int(self._positions[row]) + 1,
            audit=row in self._audits,
            expected=self._arrived[1],
            decided=None if vote is None else self._ledger.event(vote).seen_from(row, self._ledger.manifest.classes),
        )

    def coming(self, count: int = _LEAST_AHEAD) -> list[int]:
        """Rows that come next, so that their cards can be made ready."""
        return self._way[self._at + 1 : self._at + 1 + count]

    def is_random(self, row: int) -> bool:
        """Whether an example that is shown or coming was drawn at random, for the estimate of the errors left."""
        return row in self._audits

    def forward(self) -> QueueItem | None:
        """The next example; an undecided one that is left this way comes again when nothing else is left."""
        return self._go(self._at + 1)

    def back(self) -> QueueItem | None:
        """The example before."""
        return self._go(self._at - 1)

    def show(self, row: int) -> QueueItem | None:
        """A certain example, whether decided or not, or BadInputError; the queue goes on behind it."""
        if row not in self:
            raise BadInputError(f"The row {row} is not in this queue.", "Choose another filter or another order.")
        if row not in self._way:
            self._way.insert(self._at, row)
            self._met += 1
        return self._go(self._way.index(row))

    def decide(
        self,
        action: str,
        *,
        label: str | None = None,
        note: str | None = None,
        seen: dict[str, Any] | None = None,
        expected: int | None = None,
        uid: str | None = None,
    ) -> DecisionEvent:
        """Decide about what is shown and go on to the next; a flag and a note do not move.

        Parameters
        ----------
        action, label, note, seen
            As for `Ledger.decide`; ``place`` and ``audit`` are added to `seen`.
        expected : int, optional
            The event of a `DecidedMeanwhile` that the annotator has been shown and decides against.
        uid : str, optional
            As for `Ledger.decide`; a decision that is sent again leads on to the next all the same.

        Raises
        ------
        DecidedMeanwhile
            Somebody has decided since it was shown; nothing is stored, and it stays on screen.
        BadInputError
            Nothing is left to decide about, or the decision cannot be made.
        """
        if self._arrived is None:
            raise BadInputError("No example is shown that could be decided about.", "Choose another order or filter.")
        row, known = self._arrived
        event = self._ledger.decide(
            [row],
            action,
            annotator=self._identity,
            label=label,
            note=note,
            run_id=self._run_id,
            seen={**(seen or {}), "place": int(self._positions[row]) + 1, "audit": row in self._audits},
            expected=known if expected is None else expected,
            uid=uid,
        )
        if action not in REMARKS:
            self._go(self._at + 1)
        return event

    def undo(self, *, uid: str | None = None) -> DecisionEvent | None:
        """Take back the annotator's latest decision and show its example, if it is in this order; see `Ledger.undo`."""
        undone = self._ledger.undo(self._identity, uid=uid)
        if undone is not None and len(undone.rows) == 1 and self._positions[undone.rows[0]] >= 0:
            self.show(int(undone.rows[0]))
        return undone

    def __contains__(self, row: int) -> bool:
        return 0 <= row < len(self._positions) and bool(self._positions[row] >= 0)

    def progress(self) -> QueueProgress:
        """How far the review of this order is."""
        with self._ledger.replay() as replay:
            self._seen.follow(replay)
        decided, mine, closed = self._seen.totals.tolist()
        return QueueProgress(len(self.order), decided, mine, len(self.order) - closed)

    def errors_left(self) -> ErrorsLeft | None:
        """As `Ledger.errors_left` of this order, at the same cost whatever its length."""
        with self._ledger.replay() as replay:
            self._seen.follow(replay)
            undecided = len(self.order) - int(self._seen.totals[0])
            drawn = replay.audited()
            rest = drawn[self._positions[drawn] >= (self._seen.first_undecided() if undecided else len(self.order))]
            return errors_left_of(undecided, replay.state[rest])

    def release(self) -> None:
        """Give back what is claimed but not decided."""
        self._way = self._way[: self._met]
        self._claims.release(self._identity.name)

    def _go(self, position: int) -> QueueItem | None:
        self._at = min(max(position, 0), len(self._way))
        self._arrived = None
        return self.current

    def _look_ahead(self) -> None:
        """See to it that the next few examples are still open, and claimed."""
        waited = time.monotonic() - self._claimed_at
        if waited > self._lease_seconds:
            self._way = self._way[: self._met]  # others may have been handed what was claimed for us
        for _ in range(_ATTEMPTS):
            others = self._claims.others(self._identity.name)
            with self._ledger.replay() as replay:
                self._seen.follow(replay)
                position, overlap, share = replay.position, replay.rules.overlap, replay.rules.audit_share
                votes = replay.votes
            ahead = [row for row in self._way[self._met :] if self._seen.is_open(row)]
            self._way[self._met :] = ahead
            enough = len(self._way) - self._at > _LEAST_AHEAD
            if enough and waited <= self._lease_seconds / 3:
                return
            if not enough and self._at >= len(self._way):
                self._forget_passed_over(others, overlap, votes)
            chosen = {} if enough else self._next(others, overlap, votes, share)
            held = {row for row in self._way[self._at :] if self._seen.is_open(row)}
            if not chosen and not held and self._claimed_at:
                self._claims.release(self._identity.name)  # others may still have to decide about what we have decided
                self._claimed_at = 0.0
            if not chosen and (not held or waited <= self._lease_seconds / 3):
                return
            wanted = {row: overlap - int(votes[row]) - 1 for row in chosen}
            granted = self._claims.take(self._identity.name, wanted, held, position)
            if granted is not None:
                self._claimed_at, waited = time.monotonic(), 0.0
                self._way += granted
                self._audits |= {row for row in granted if chosen[row]}
                if granted or not chosen:
                    return

    def _next(self, others: dict[int, int], overlap: int, votes: NDArray[np.int16], share: float) -> dict[int, bool]:
        """The next rows to claim, each with whether it is drawn at random."""
        chosen: dict[int, bool] = {}
        sources = {random: self._free(random, others, overlap, votes) for random in (False, True)}
        while len(self._way) + len(chosen) - self._at < _CLAIMED_AHEAD:
            position = len(self._way) + len(chosen)
            random = int((position + 1) * share) > int(position * share)
            row = next((row for row in sources[random] if row not in chosen), None)
            if row is None:
                return chosen
            chosen[row] = random
        return chosen

    def _free(self, random: bool, others: dict[int, int], overlap: int, votes: NDArray[np.int16]) -> Iterator[int]:
        """Rows that are open, not yet on the way, and not before as many others as may have them."""
        met = set(self._way)
        for row in self._seen.open_rows(random):
            if row not in met and others.get(row, 0) < overlap - votes[row]:
                yield row

    def _forget_passed_over(self, others: dict[int, int], overlap: int, votes: NDArray[np.int16]) -> None:
        """Let examples that were passed over come again, if nothing else is left."""
        if next(self._free(False, others, overlap, votes), None) is None:
            self._way = [row for row in self._way if not self._seen.is_open(row)]
            self._at = self._met = len(self._way)
