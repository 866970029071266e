"""The decision buttons under an open example, wherever one is open, and everything that was decided about it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import streamlit as st

from diet_explorer.analysis.card import ExampleCard
from diet_explorer.drawing.plain import class_titles, escape
from diet_explorer.errors import DietExplorerError
from diet_explorer.review.annotators import Identity
from diet_explorer.review.decisions import DecidedMeanwhile
from diet_explorer.review.guidelines import SEEN
from diet_explorer.review.notes import LONGEST_NOTE
from diet_explorer.review.replay import REMARKS
from diet_explorer.store.decisions import NOTE, DecisionEvent
from diet_explorer.ui.drawing.markdown import markdown_html
from diet_explorer.ui.examples.decision_words import event_words, history_html
from diet_explorer.ui.examples.keyed_classes import keyed_classes
from diet_explorer.ui.shell.boundary import as_text, show_error
from diet_explorer.ui.shell.person import draw_who_asks, person
from diet_explorer.ui.shell.selection import Selection
from diet_explorer.workspace.dataset import Dataset
from diet_explorer.workspace.run import Run

_OUTCOME = "decision-outcome"
_EVERYBODY = "Everybody who opens the example reads it, and finds it under Notes in the filters."
_ONLY_YOU = "While the review is blind only you and who settles disagreements read it."
_TITLE_CHARACTERS, _LISTED_CHARACTERS = 16, 60
_VERBS = (("keep", "Keep", "Q"), ("accept", "Accept", "W"), ("exclude", "Exclude", "E"), ("unsure", "Unsure", "N"))


@dataclass(frozen=True)
class _Choice:
    """A decision that is to be stored, once however often its button is pressed before the next is drawn."""

    row: int
    action: str
    label: str | None
    expected: int | None
    seen: dict[str, Any]
    note: str | None = None
    uid: str = field(default_factory=lambda: uuid.uuid4().hex)


@dataclass(frozen=True)
class _Outcome:
    """How the last decision ended: in words, or with an error, or with somebody else's that came before."""

    row: int
    words: str = ""
    error: DietExplorerError | None = None
    choice: _Choice | None = None


def draw_decisions(
    selection: Selection, dataset: Dataset, run: Run, checkpoint: float, example: ExampleCard, *, with_keys: bool
) -> None:
    """Draw the buttons; `with_keys` also gives them their keys."""
    who = person()
    if who is None:
        with st.popover("Decide …", icon=":material/gavel:", key="decide-who"):
            draw_who_asks()
        return
    history = dataset.ledger.history(example.row)
    expected = max((event.id for event in history), default=0)
    predicted = _predicted(example, checkpoint, selection.seed)
    guidelines = dataset.guidelines
    seen: dict[str, Any] = {"score": selection.score.name, "checkpoint": checkpoint, "suggestion": predicted}
    seen[SEEN] = None if guidelines is None else guidelines.uid
    values = example.trajectories
    if selection.score.name in values:
        chosen = values.loc[values["checkpoint"] == checkpoint, selection.score.name]
        seen["value"] = round(float(chosen.mean()), 6) if len(chosen) else None
    may = who.may("annotator")

    def button(text: str, key: str, shortcut: str, action: str, label: str | None = None, *, off: bool = False) -> None:
        st.button(
            text,
            key=key,
            shortcut=(shortcut or None) if with_keys else None,
            disabled=off or not may,
            on_click=_decide,
            args=(dataset, run, who, _Choice(example.row, action, label, expected, seen)),
        )

    with st.container(key="decide", horizontal=True, vertical_alignment="center", gap="small"):
        for action, text, shortcut in _VERBS:
            if action == "accept":
                button(text, "decide-accept", shortcut, "relabel", predicted, off=predicted == example.label)
            else:
                button(text, f"decide-{action}", shortcut, action)
        flagged = _is_flagged(history)
        button("Flagged" if flagged else "Flag", "decide-flag", "F", "unflag" if flagged else "flag")
        st.button(
            "Undo",
            key="decide-undo",
            shortcut="Backspace" if with_keys else None,
            disabled=not may,
            on_click=_undo,
            args=(dataset, who, example.row),
        )
    with st.container(key="decide-class", horizontal=True, vertical_alignment="center", gap="small"):
        keyed = keyed_classes(dataset, example, checkpoint, selection.seed, blind=dataset.ledger.rules().blind)
        titles = class_titles(dataset.classes, _TITLE_CHARACTERS)
        for index, name in enumerate(keyed):
            action, label = ("keep", None) if name == example.label else ("relabel", name)
            button(as_text(titles[name]), f"decide-class-{index}", str(index + 1), action, label)
        if len(dataset.classes) > len(keyed):
            with st.popover("Another class", key="decide-other"):
                other = st.selectbox(
                    "Another class",
                    dataset.classes,
                    index=None,
                    key=f"decide-other-{example.row}",
                    format_func=class_titles(dataset.classes, _LISTED_CHARACTERS).__getitem__,
                    placeholder="Type to search",
                    label_visibility="collapsed",
                )
                decision, given = ("keep", None) if other == example.label else ("relabel", other)
                button("Give it this class", "decide-other-class", "", decision, given, off=other is None)
        if guidelines is not None and guidelines.text:
            with st.popover("Guidelines", icon=":material/menu_book:", key="decide-guidelines"):
                st.html(markdown_html(guidelines.text))
        with st.popover("Note", icon=":material/sticky_note_2:", key="decide-note", disabled=not may):
            _draw_note(dataset, run, who, example.row, seen)
    _outcome(dataset, run, who, example.row)


def shown_history(dataset: Dataset, row: int) -> list[DecisionEvent]:
    """Everything that was decided or noted about an example; in a blind review only one's own."""
    history = dataset.ledger.history(row)
    if dataset.ledger.rules().blind:
        who = person()
        history = [event for event in history if who is not None and event.annotator == who.name]
    return history


def draw_decision_history(history: list[DecisionEvent], example: ExampleCard) -> None:
    """Draw everything that was decided about the example."""
    st.html(f'<div class="de-card">{history_html(history, example.label)}</div>')


def _draw_note(dataset: Dataset, run: Run, who: Identity, row: int, seen: dict[str, Any]) -> None:
    """Draw the form for a note, which decides nothing."""
    with st.form(f"note-form-{row}", clear_on_submit=True, border=False):
        text = st.text_area(
            "Note on this example",
            key=f"note-text-{row}",
            max_chars=LONGEST_NOTE,
            placeholder=_ONLY_YOU if dataset.ledger.rules().blind else _EVERYBODY,
        )
        left = st.form_submit_button("Leave note", key=f"note-leave-{row}", type="primary")
    if left:
        _decide(dataset, run, who, _Choice(row, NOTE, None, None, seen, text))
        st.rerun()


def _predicted(example: ExampleCard, checkpoint: float, seed: int | None) -> str:
    probabilities = example.probabilities(checkpoint, seed)
    return max(probabilities, key=lambda name: probabilities[name])


def _is_flagged(history: list[DecisionEvent]) -> bool:
    undone = {event.undoes for event in history}
    flags = [event.action for event in history if event.action in ("flag", "unflag") and event.id not in undone]
    return bool(flags) and flags[-1] == "flag"


def _decide(dataset: Dataset, run: Run, who: Identity, choice: _Choice) -> None:
    expected = None if choice.action in REMARKS else choice.expected
    try:
        dataset.ledger.decide(
            [choice.row],
            choice.action,
            annotator=who,
            label=choice.label,
            note=choice.note,
            run_id=run.id,
            seen=choice.seen,
            expected=expected,
            uid=choice.uid,
        )
    except DecidedMeanwhile as error:
        _keep(_Outcome(choice.row, event_words(error.event), choice=replace(choice, expected=error.event.id)))
    except DietExplorerError as error:
        _keep(_Outcome(choice.row, error=error, choice=choice))
    else:
        _keep(_Outcome(choice.row, f"Saved · {datetime.now():%H:%M:%S}"))


def _undo(dataset: Dataset, who: Identity, row: int) -> None:
    try:
        undone = dataset.ledger.undo(who)
    except DietExplorerError as error:
        _keep(_Outcome(row, error=error))
        return
    said = "Nothing to undo"
    if undone is not None:
        said = f"Undone · {datetime.now():%H:%M:%S}" + ("" if row in undone.rows else ", about another example")
    _keep(_Outcome(row, said))


def _keep(outcome: _Outcome) -> None:
    st.session_state[_OUTCOME] = outcome


def _outcome(dataset: Dataset, run: Run, who: Identity, row: int) -> None:
    outcome: _Outcome | None = st.session_state.get(_OUTCOME)
    if outcome is None or outcome.row != row:
        return
    if outcome.error is not None:
        show_error(outcome.error, key="decide-error")
        if outcome.choice is not None:
            st.button("Try again", key="decide-again", on_click=_decide, args=(dataset, run, who, outcome.choice))
    elif outcome.choice is not None:
        st.warning(f"Somebody has decided meanwhile: {as_text(outcome.words)}", icon=":material/group:")
        with st.container(key="decide-both", horizontal=True, gap="small"):
            st.button("Save mine too", key="decide-mine", on_click=_decide, args=(dataset, run, who, outcome.choice))
            st.button("Keep theirs", key="decide-theirs", on_click=_keep, args=(_Outcome(row, "Kept as it is"),))
    else:
        st.html(f'<span class="de-quiet" role="status">{escape(outcome.words)}</span>')
