"""One decision about every example that the filter keeps: the exact count on each button, and an undo."""

from __future__ import annotations

import uuid
from datetime import datetime

import streamlit as st

from diet_explorer.drawing import words
from diet_explorer.drawing.plain import visible
from diet_explorer.review.annotators import Identity
from diet_explorer.store.in_words import counted
from diet_explorer.ui.shell.boundary import as_text, error_boundary
from diet_explorer.ui.shell.person import draw_who_asks, person
from diet_explorer.ui.shell.selection import Selection
from diet_explorer.workspace.dataset import Dataset
from diet_explorer.workspace.run import Run

_VERBS = {"keep": "Keep", "exclude": "Exclude", "unsure": "Unsure"}
_DONE = {"keep": "kept", "exclude": "excluded", "unsure": "marked unsure", "relabel": "relabelled"}
_SAVED = "bulk-saved"
_ASKED = "bulk-asked"  # what was asked for and is not known to be saved
_ONLY_LOOKING = "You may look here. To decide, ask the operator to add your verified address to the annotators."
_ACCEPT_HELP = (
    "Gives every example in the list that has a suggestion its own suggested label; the others stay as they are. "
    "Filter by decision first to leave out what is decided already."
)


def draw_bulk(
    selection: Selection, dataset: Dataset, run: Run, checkpoint: float, total: int, *, suggested: int | None = None
) -> None:
    """Draw the buttons, and what was saved last.

    Parameters
    ----------
    total : int
        How many examples the filter keeps.
    suggested : int, optional
        How many of them have a suggested label; without a number none is offered.
    """
    who = person()
    if who is None:
        with st.popover(f"Decide about {words.whole(total)} …", key="bulk-who", disabled=not total):
            draw_who_asks()
        return
    off = not total or not who.may("annotator")
    blind = dataset.ledger.rules().blind
    with st.container(key="bulk", horizontal=True, vertical_alignment="center", gap="small"):
        for action, verb in _VERBS.items():
            if st.button(f"{verb} {words.whole(total)}", key=f"bulk-{action}", disabled=off):
                _decide(selection, run, checkpoint, who, action)
        with st.popover(f"Relabel {words.whole(total)} …", key="bulk-relabel", disabled=off):
            label = st.selectbox("New label", dataset.classes, key="bulk-label", format_func=visible)
            if st.button(
                f"Relabel {counted(total, 'example')} as {as_text(label)}", key="bulk-relabel-do", type="primary"
            ):
                _decide(selection, run, checkpoint, who, "relabel", label)
        if suggested is not None and st.button(
            f"Accept {counted(suggested, 'suggestion')}",
            key="bulk-accept",
            disabled=off or not suggested or blind,
            help="A blind review hides suggestions." if blind else _ACCEPT_HELP,
        ):
            _accept(selection, run, checkpoint, who)
    with st.container(key="bulk-saved", horizontal=True, vertical_alignment="center", gap="small"):
        idle = "Decisions are saved at once." if who.may("annotator") else _ONLY_LOOKING
        saved = st.session_state.get(_SAVED, idle)
        st.html(f'<span class="de-quiet" role="status">{saved}</span>', width="stretch")
        if st.button("Undo", key="bulk-undo", icon=":material/undo:", type="tertiary", disabled=not _can_undo()):
            _undo(dataset, who)


def _decide(
    selection: Selection, run: Run, checkpoint: float, who: Identity, action: str, label: str | None = None
) -> None:
    with error_boundary("bulk-error"):
        event = run.review.decide(
            selection.where,
            action,
            annotator=who,
            label=label,
            checkpoint=checkpoint,
            seed=selection.seed,
            uid=_uid(run, selection, action, label),
        )
        _say(f"{counted(len(event.rows), 'example')} {_DONE[action]}", undoable=True)
        st.rerun()


def _accept(selection: Selection, run: Run, checkpoint: float, who: Identity) -> None:
    with error_boundary("bulk-error"):
        uid = _uid(run, selection, "accept", None)
        event = run.review.accept_suggestions(selection.where, annotator=who, checkpoint=checkpoint, uid=uid)
        _say(f"{counted(len(event.rows), 'example')} relabelled as suggested", undoable=True)
        st.rerun()


def _undo(dataset: Dataset, who: Identity) -> None:
    with error_boundary("bulk-error"):
        undone = dataset.undo(who)
        _say("Nothing left to undo" if undone is None else "Undone: the last decision no longer holds")
        st.rerun()


def _uid(run: Run, selection: Selection, action: str, label: str | None) -> str:
    """The decision's name; pressed again because no answer came, a button sends it again, and it is stored once."""
    about = (run.id, selection.where, action, label)
    asked, uid = st.session_state.get(_ASKED, (None, ""))
    if asked != about:
        uid = uuid.uuid4().hex
        st.session_state[_ASKED] = about, uid
    return str(uid)


def _can_undo() -> bool:
    return bool(st.session_state.get("bulk-undoable"))


def _say(what: str, *, undoable: bool = False) -> None:
    st.session_state[_SAVED] = f"Saved · {datetime.now():%H:%M:%S} · {what}"
    st.session_state["bulk-undoable"] = undoable
    st.session_state.pop(_ASKED, None)
