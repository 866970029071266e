"""A review in progress: the queue of whoever decides, and what their deck has done with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from diet_explorer.analysis.suspects.witnesses import COMBINED
from diet_explorer.review.annotators import Identity
from diet_explorer.review.guidelines import SEEN
from diet_explorer.review.queue import ReviewQueue
from diet_explorer.review.replay import REMARKS
from diet_explorer.ui.audit import suspects
from diet_explorer.ui.audit.deck import DeckState, Entry
from diet_explorer.ui.shell.selection import Selection
from diet_explorer.workspace.dataset import Dataset
from diet_explorer.workspace.run import Run

_REVIEW = "review"
_JUMP = "review-jump"


@dataclass
class Review:
    """One person's way through one queue."""

    key: tuple[object, ...]  # what the queue was made for
    queue: ReviewQueue
    who: Identity
    run: Run
    checkpoint: float
    stamp: str  # `suspects.evidence_stamp` when it was made
    guidelines: str | None = None  # uid of the version that is beside the example on the screen
    deck: DeckState = field(default_factory=DeckState)

    def handle(self, entry: Entry) -> str | None:
        """Do what the browser says was done; the words to confirm it with, and DietExplorerError where it could not be
        stored."""
        if entry.action == "none":
            return None
        if entry.action == "back":
            self.queue.back()
            return None
        if entry.action == "undo":
            return "Nothing to undo" if self.queue.undo(uid=entry.uid) is None else "Undone"
        current = self.queue.current
        if current is None or current.row != entry.row:
            current = self.queue.show(entry.row)
        if entry.action == "forward":
            self.queue.forward()
            return None
        expected = None if entry.action in REMARKS else entry.expected
        self.queue.decide(
            entry.action,
            label=entry.label,
            note=entry.note,
            seen=self._seen(entry.row),
            expected=expected,
            uid=entry.uid,
        )
        return "Saved"

    def _seen(self, row: int) -> dict[str, Any]:
        suspect = suspects.suspect(self.run, self.stamp, row, self.checkpoint)
        if suspect is None:
            return {SEEN: self.guidelines, "score": COMBINED, "checkpoint": self.checkpoint}
        return {
            SEEN: self.guidelines,
            "score": COMBINED,
            "value": round(suspect.suspicion, 6),
            "checkpoint": self.checkpoint,
            "suggestion": suspect.suggested,
            "witnesses": [reason.witness for reason in suspect.reasons],
        }


def review(selection: Selection, dataset: Dataset, run: Run, checkpoint: float, who: Identity, by: str) -> Review:
    """The session's review of what is selected; a new one where something else is selected than before."""
    stamp = suspects.evidence_stamp(run)
    key = (run.id, stamp, by, checkpoint, selection.where, who)
    known: Review | None = st.session_state.get(_REVIEW)
    if known is None or known.key != key:
        made = Review(
            key, run.review.queue(who, by, where=selection.where, checkpoint=checkpoint), who, run, checkpoint, stamp
        )
        if known is not None:
            known.queue.release()
        if known is not None and known.run.dataset.id == dataset.id:
            made.deck = known.deck
        known = st.session_state[_REVIEW] = made
    if selection.view.example is not None and selection.view.example in known.queue:
        st.session_state.setdefault(_JUMP, selection.view.example)
    return known


def jump_to(row: int) -> None:
    """Open an example in the review, when it is drawn next."""
    st.session_state[_JUMP] = row


def jump(made: Review) -> None:
    """Open the example that was asked for."""
    row = st.session_state.pop(_JUMP, None)
    current = made.queue.current
    if row is not None and (current is None or current.row != row):
        made.queue.show(row)
