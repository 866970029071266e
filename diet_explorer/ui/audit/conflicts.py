"""The disagreements tab of the Audit page: conflicts to be settled, and how far annotators agree."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from diet_explorer.drawing import words
from diet_explorer.drawing.colours import OTHERS
from diet_explorer.drawing.plain import escape
from diet_explorer.review.agreement import Agreement, Interval
from diet_explorer.review.annotators import Identity
from diet_explorer.review.guidelines import SEEN
from diet_explorer.review.replay import REMARKS
from diet_explorer.store.decisions import DecisionEvent
from diet_explorer.store.in_words import counted, noun
from diet_explorer.ui.audit import suspects
from diet_explorer.ui.audit.deck import DeckCard, DeckState, Entry, draw_deck
from diet_explorer.ui.drawing.markup import chip
from diet_explorer.ui.examples.decision_words import done_words, history_html, notes_html
from diet_explorer.ui.examples.guidelines import draw_guidelines
from diet_explorer.ui.examples.keyed_classes import keyed_classes
from diet_explorer.ui.shell import questions
from diet_explorer.ui.shell.boundary import error_boundary
from diet_explorer.ui.shell.selection import Selection
from diet_explorer.ui.shell.view import change
from diet_explorer.workspace.dataset import Dataset
from diet_explorer.workspace.run import Run

_STATE = "settling"
_AHEAD = 4
_ABOVE = 326
_COMES_HERE = (
    "Where they differ, the example comes here with what each of them says, and a lead settles it; until then no "
    "decision holds for it."
)
_ONE_OPINION = (
    '<div class="de-empty"><h2>One opinion per example</h2><p>Nobody is handed an example that somebody else has '
    "decided about or has on the screen, so there is nothing to disagree about. Ask for two opinions, and two people "
    f"decide about each example, apart from each other. {_COMES_HERE}</p></div>"
)
_ALL_SETTLED = (
    '<div class="de-empty"><h2>No disagreement is open</h2><p>Examples that two people judge differently come here to '
    "be settled.</p></div>"
)


@dataclass
class Settling:
    """One lead's way through the conflicts of a dataset."""

    dataset_id: str
    deck: DeckState = field(default_factory=DeckState)
    position: int = 0  # which of the open conflicts is on the screen
    guidelines: str | None = None  # uid of the version that is beside it

    def handle(self, entry: Entry, dataset: Dataset, who: Identity) -> str | None:
        """Do what the browser says was done; see `Review.handle`."""
        ledger = dataset.ledger
        if entry.action in ("none", "back", "forward"):
            self.position = max(self.position + {"none": 0, "back": -1, "forward": 1}[entry.action], 0)
            return None
        if entry.action == "undo":
            undone = ledger.undo(who, uid=entry.uid)
            if undone is None:
                return "Nothing to undo"
            positions = np.flatnonzero(ledger.conflicts() == undone.rows[0])
            self.position = int(positions[0]) if len(positions) else self.position
            return "Undone"
        if entry.action in REMARKS:
            ledger.decide([entry.row], entry.action, annotator=who, note=entry.note, uid=entry.uid)
        else:
            ledger.adjudicate(
                entry.row,
                entry.action,
                annotator=who,
                label=entry.label,
                note=entry.note,
                seen={SEEN: self.guidelines},
                uid=entry.uid,
            )
        return "Saved"


def draw_conflicts(selection: Selection, dataset: Dataset, run: Run, checkpoint: float, who: Identity) -> None:
    """Draw the conflicts as a deck, and the agreement beside it."""
    known: Settling | None = st.session_state.get(_STATE)
    if known is None or known.dataset_id != dataset.id:
        known = st.session_state[_STATE] = Settling(dataset.id)
    st.fragment(_deck)(selection, dataset, run, checkpoint, who, known)


def _deck(
    selection: Selection, dataset: Dataset, run: Run, checkpoint: float, who: Identity, settling: Settling
) -> None:
    with error_boundary("conflicts-error"):
        left, right = st.columns([2, 1], gap="medium")
        rows = dataset.ledger.conflicts()
        settling.position = min(settling.position, max(len(rows) - 1, 0))
        with left:
            if len(rows) or settling.deck.acknowledged:  # what was settled last can still be taken back there
                _draw_open(selection, dataset, run, checkpoint, who, settling, rows)
            else:
                _draw_nothing_open(dataset, who)
        with right, st.container(key="agreement", gap="small"):
            settling.guidelines = draw_guidelines(dataset, who)
            overlap = dataset.ledger.rules().overlap
            st.html(
                f'<div class="de-figures de-two"><div><b>{words.whole(len(rows))}</b><span>to be settled</span></div>'
                f"<div><b>{words.whole(overlap)}</b><span>{noun(overlap, 'opinion')} per example</span></div></div>"
            )
            if not who.may("lead"):
                st.html('<p class="de-quiet">Disagreements are settled by a lead; you can read them.</p>')
            st.html(agreement_html(dataset.ledger.agreement()))


def _draw_open(
    selection: Selection,
    dataset: Dataset,
    run: Run,
    checkpoint: float,
    who: Identity,
    settling: Settling,
    rows: NDArray[np.int32],
) -> None:
    shown = rows[settling.position : settling.position + 1 + _AHEAD].tolist()
    stamp = suspects.evidence_stamp(run)
    with st.container(key="deck"):
        draw_deck(
            settling.deck,
            [_card(selection, dataset, run, stamp, checkpoint, row) for row in shown],
            selection.colours,
            lambda entry: settling.handle(entry, dataset, who),
            title="Disagreements to settle",
            empty=_ALL_SETTLED,
            key="conflict-deck",
            keep=f"{dataset.id} {who.name}",
            whole=settling.position + len(shown) >= len(rows),
            back=settling.position > 0,
            undoable=True,
            may_decide=who.may("lead"),
            above=_ABOVE,
        )


def _draw_nothing_open(dataset: Dataset, who: Identity) -> None:
    """Draw what will be here and the one button that leads there."""
    rules = dataset.ledger.rules()
    with st.container(key="no-conflicts", gap="small"):
        if rules.overlap < 2:
            st.html(_ONE_OPINION)
            if st.button(
                "Ask for two opinions",
                key="ask-second",
                type="primary",
                icon=":material/group_add:",
                disabled=not who.may("lead"),
            ):
                with error_boundary("ask-second-error"):
                    dataset.ledger.set_rules(replace(rules, overlap=2), annotator=who)
                    st.rerun()
        else:
            st.html(
                f'<div class="de-empty"><h2>No disagreement is open</h2><p>{_people(rules.overlap)} decide about each '
                f"example, apart from each other. {_COMES_HERE}</p></div>"
            )
            if st.button("Go on reviewing", key="to-review", type="primary", icon=":material/arrow_forward:"):
                change(tab="review")
                st.rerun()


def _people(number: int) -> str:
    return "Two people" if number == 2 else f"{number} people"


def agreement_html(agreement: Agreement) -> str:
    """Agreement in figures, with what they mean."""
    if not agreement.rows:
        return (
            '<div class="de-read"><p><b>No example has two opinions yet.</b></p><p>Agreement tells how clear the '
            "labels are to people: what they disagree about, no model can be blamed for. It takes two opinions per "
            "example, which a lead asks for under Rules.</p></div>"
        )
    pairs = "".join(
        f"<tr><td>{escape(pair.first)} and {escape(pair.second)}</td><td>{words.whole(pair.rows)}</td>"
        f"<td>{_percent(pair.raw)}</td><td>{_figure(pair.kappa)}</td></tr>"
        for pair in agreement.pairs
    )
    return (
        '<div class="de-read"><h2 class="de-chart-title">How far do people agree?</h2>'
        f"<p>{counted(agreement.rows, 'example')} with two opinions or more, "
        f"of {agreement.annotators} people.</p>"
        f"<p><b>Same verdict</b> {_percent(agreement.raw)}<br><b>Krippendorff’s α</b> {_figure(agreement.alpha)} "
        "<span class='de-quiet'>1 = always, 0 = as by chance</span></p>"
        '<table class="de-list"><thead><tr><th>Pair</th><th class="de-whole">Both</th><th>Same</th><th>Cohen’s κ</th>'
        "</tr></thead>"
        f"<tbody>{pairs}</tbody></table>"
        '<p class="de-quiet">In brackets: 95 % intervals from the examples drawn again.</p></div>'
    )


def _figure(interval: Interval | None) -> str:
    return words.NOT_THERE if interval is None else f"{interval.value:.2f} ({interval.low:.2f} to {interval.high:.2f})"


def _percent(interval: Interval | None) -> str:
    if interval is None:
        return words.NOT_THERE
    return f"{words.percent(interval.value)} ({words.percent(interval.low)} to {words.percent(interval.high)})"


def _card(selection: Selection, dataset: Dataset, run: Run, stamp: str, checkpoint: float, row: int) -> DeckCard:
    history = dataset.ledger.history(row)
    example = questions.card(run, row, checkpoint, selection.seed)[0]
    suspect = suspects.suspect(run, stamp, row, checkpoint)
    notes = notes_html(history, example.label)
    head = suspects.suspect_card(
        run, stamp, row, checkpoint, selection.seed, selection.where.text, hidden=False, notes=notes
    )
    standing = dataset.ledger.standing(row)
    votes = _votes(standing, example.label, selection.colours)
    wanted = [event.label for event in standing if event.label in dataset.classes]
    return DeckCard(
        row=row,
        name=f"example {example.id}",
        html=votes + head + history_html(history, example.label),
        label=example.label,
        suggestion=None if suspect is None else suspect.suggested,
        expected=max((event.id for event in history), default=0),
        keyed=keyed_classes(dataset, example, checkpoint, selection.seed, wanted=wanted),
    )


def _votes(standing: list[DecisionEvent], given: str, colours: dict[str, str]) -> str:
    lines = "".join(
        f"<li><b>{escape(event.annotator)}</b> {_verdict(event, given, colours)}"
        f"{f' “{escape(event.note)}”' if event.note else ''} "
        f'<span class="de-quiet">{escape(words.moment(event.at))}</span></li>'
        for event in standing
    )
    return f'<div class="de-card"><h2>What people say</h2><ul class="de-votes">{lines}</ul></div>'


def _verdict(event: DecisionEvent, given: str, colours: dict[str, str]) -> str:
    if event.action in ("keep", "relabel"):
        name = event.label or given
        return f"{'keeps' if event.action == 'keep' else 'wants'} {chip(name, colours.get(name, OTHERS))}"
    return escape(done_words(event, given))
