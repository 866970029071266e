"""The review tab of the Audit page: one suspect after the other, decided by keys."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from diet_explorer.review.annotators import Identity
from diet_explorer.review.replay import FLAGS, REMARKS
from diet_explorer.review.rules import ReviewRules
from diet_explorer.store.decisions import UNDO, DecisionEvent
from diet_explorer.ui.audit import suspects
from diet_explorer.ui.audit.deck import DeckCard, draw_deck
from diet_explorer.ui.audit.session import Review, jump, review
from diet_explorer.ui.audit.side import draw_side
from diet_explorer.ui.examples.decision_words import history_html, notes_html
from diet_explorer.ui.examples.guidelines import draw_guidelines
from diet_explorer.ui.examples.keyed_classes import KEYS, keyed_classes
from diet_explorer.ui.shell import questions
from diet_explorer.ui.shell.boundary import error_boundary
from diet_explorer.ui.shell.selection import Selection
from diet_explorer.workspace.dataset import Dataset
from diet_explorer.workspace.run import Run

_AHEAD = 3  # cards that are ready before they are needed; the queue claims as many at least while there are any
_ABOVE = 326
_MORE_KEYS = 64  # pixels of the rows of keys, where there are more classes than keys
_EMPTY = (
    '<div class="de-empty"><h2>Nothing left to decide here</h2><p>Every example of this queue is decided, or somebody '
    "else is at it. Change the order or the filter, or read what was decided under History.</p></div>"
)


def draw_review(selection: Selection, dataset: Dataset, run: Run, checkpoint: float, who: Identity, by: str) -> None:
    """Draw the deck, and beside it what the review has come to; a decision runs nothing but this."""
    made = review(selection, dataset, run, checkpoint, who, by)
    st.fragment(_deck)(selection, dataset, run, checkpoint, made)


def _deck(selection: Selection, dataset: Dataset, run: Run, checkpoint: float, made: Review) -> None:
    with error_boundary("review-error"):
        left, right = st.columns([2, 1], gap="medium")
        rules = dataset.ledger.rules()
        with left, st.container(key="deck"):
            with error_boundary("jump-error"):
                jump(made)
            current = made.queue.current
            rows = [] if current is None else [current.row, *made.queue.coming(_AHEAD)]
            draw_deck(
                made.deck,
                [_card(selection, dataset, run, checkpoint, made, rules, row) for row in rows],
                selection.colours,
                made.handle,
                title="Suspects to review",
                empty=_EMPTY,
                key="review-deck",
                keep=f"{dataset.id} {made.who.name}",
                whole=len(rows) <= _AHEAD,
                back=True,
                undoable=True,
                may_decide=made.who.may("annotator"),
                above=_ABOVE + (_MORE_KEYS if len(dataset.classes) > KEYS else 0),
            )
        with right, st.container(key="review-side", gap="small"):
            made.guidelines = draw_guidelines(dataset, made.who)
            draw_side(dataset, run, made, rules)


def _card(
    selection: Selection, dataset: Dataset, run: Run, checkpoint: float, made: Review, rules: ReviewRules, row: int
) -> DeckCard:
    ledger = dataset.ledger
    history = ledger.history(row)
    own = [event for event in history if event.annotator == made.who.name]
    hidden = rules.blind or made.queue.is_random(row)
    suspect = None if hidden else suspects.suspect(run, made.stamp, row, checkpoint)
    example = questions.card(run, row, checkpoint, selection.seed)[0]
    shown = own if rules.blind else history
    head = suspects.suspect_card(
        run,
        made.stamp,
        row,
        checkpoint,
        selection.seed,
        selection.where.text,
        hidden=hidden,
        notes=notes_html(shown, example.label),
    )
    return DeckCard(
        row=row,
        name=f"example {example.id}",
        html=head + history_html(shown, example.label),
        label=example.label,
        suggestion=None if suspect is None else suspect.suggested,
        expected=max((event.id for event in history), default=0),
        decided=_standing(own),
        flagged=_flagged(history),
        keyed=keyed_classes(dataset, example, checkpoint, selection.seed, blind=hidden),
    )


def _standing(own: Sequence[DecisionEvent]) -> dict[str, str | None] | None:
    """The annotator's decision that still holds."""
    undone = {event.undoes for event in own}
    states = [event for event in own if event.id not in undone and event.action not in (UNDO, *REMARKS)]
    return {"action": states[-1].action, "label": states[-1].label} if states else None


def _flagged(history: Sequence[DecisionEvent]) -> bool:
    undone = {event.undoes for event in history}
    flags = [event.action for event in history if event.action in FLAGS and event.id not in undone]
    return bool(flags) and flags[-1] == "flag"
