"""A tour of three steps on the sample: a card on top of the page that each step belongs to, until somebody ends it."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from diet_explorer.drawing.plain import escape
from diet_explorer.ui.datasets.sample import sample_run
from diet_explorer.ui.shell.browser_memory import keep, kept
from diet_explorer.ui.shell.person import acting
from diet_explorer.ui.shell.selection import Selection
from diet_explorer.ui.shell.view import View
from diet_explorer.workspace.sample import SAMPLE_NAME

_COOKIE = "diet-explorer-tour"
_STATE = "tour"
_ON, _OVER = "on", "over"


@dataclass(frozen=True)
class Step:
    """One step of the tour.

    Attributes
    ----------
    page : str
        Title of the page that it belongs to.
    file : str
    title, words : str
    """

    page: str
    file: str
    title: str
    words: str


STEPS = (
    Step(
        "Browse",
        "pages/browse.py",
        "Hard examples first.",
        "On top is what the model finds hardest; wrong, unclear and rare examples gather there. "
        "Click a line to see the whole text and what the model makes of it.",
    ),
    Step(
        "Audit",
        "pages/audit.py",
        "Look at suspects and decide.",
        "One doubtful label after the other, with the reasons. One key decides, Backspace takes it back, "
        "and the data stays as it is.",
    ),
    Step(
        "Prune & export",
        "pages/prune.py",
        "Prune and prove.",
        "Choose on the right what to drop; the left shows what that does. Then Prove it: a model learns from what is "
        "kept, another from random examples of the same number.",
    ),
)
_LOOKS_ONLY = "You may look at all of it; to decide takes an annotator."


def draw_tour(page: str, selection: Selection) -> None:
    """Draw the card of the step that belongs to a page, where the sample is open and the tour is not over."""
    state = _state()
    if _STATE in st.session_state:
        keep(_COOKIE, state)
    number = next((number for number, step in enumerate(STEPS) if step.page == page), None)
    dataset = selection.dataset
    if number is None or state == _OVER or selection.checkpoint is None or dataset is None:
        return
    if dataset.name == SAMPLE_NAME:
        _draw_card(number, selection)


def _draw_card(number: int, selection: Selection) -> None:
    step, following = STEPS[number], STEPS[number + 1 : number + 2]
    who = acting()
    words = step.words if who is None or who.may("annotator") else f"{step.words} {_LOOKS_ONLY}"
    with st.container(key="tour", horizontal=True, vertical_alignment="center", gap="small"):
        st.html(
            f'<p><span class="de-quiet">Tour · {number + 1} of {len(STEPS)}</span> '
            f"<b>{escape(step.title)}</b> {escape(words)}</p>",
            width="stretch",
        )
        for after in following:
            if st.button(f"Next: {after.page}", key="tour-next", icon=":material/arrow_forward:"):
                st.switch_page(after.file, query_params=_place(selection).to_query())
        st.button("Dismiss" if following else "Finish", key="tour-end", type="tertiary", on_click=_end)


def draw_tour_start() -> None:
    """Draw the way to begin the tour, again where it is over."""
    run = sample_run()
    st.header("The tour", anchor=False)
    st.markdown("Three steps on the sample: hard examples first, look at suspects and decide, prune and prove.")
    if st.button("Start the tour", key="tour-start", icon=":material/tour:"):
        st.session_state[_STATE] = _ON
        if run is None:
            st.switch_page("pages/home.py")
        st.switch_page(STEPS[0].file, query_params=View(dataset=run.record.dataset_id, run=run.id).to_query())
    if run is None:
        st.html('<p class="de-quiet">It begins when the sample has been opened on Home.</p>')


def _place(selection: Selection) -> View:
    assert selection.dataset is not None
    assert selection.run is not None
    return View(dataset=selection.dataset.id, run=selection.run.id)


def _state() -> str:
    state: str = st.session_state.get(_STATE) or kept(_COOKIE) or _ON
    return state


def _end() -> None:
    st.session_state[_STATE] = _OVER
