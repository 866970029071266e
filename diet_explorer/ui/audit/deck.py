"""The deck: one example at a time, decided by a key, with the next ones at hand and an outbox that loses nothing.

The browser keeps every decision in its outbox until `DeckState.acknowledged` says that it is stored. Each names the
example that was on the screen and has a uid, by which the ledger knows one that is sent again. So neither a quick
second key nor an interrupted run of the page can lose a decision, store it twice or make it about another example.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import streamlit as st

from diet_explorer.drawing.plain import class_titles, visible
from diet_explorer.errors import DietExplorerError
from diet_explorer.review.decisions import DecidedMeanwhile
from diet_explorer.ui.examples.decision_words import event_words

logger = logging.getLogger(__name__)

_BUTTON_CHARACTERS = 18
_HERE = Path(__file__).parent
_HTML = """<section class="de-deck"><div class="de-deck-notice" role="alert" hidden></div>
<div class="de-deck-card" tabindex="0" aria-live="polite"></div>
<div class="de-deck-actions" role="group" aria-label="Decide"></div>
<div class="de-deck-classes" role="group" aria-label="Give it a class"></div>
<div class="de-deck-foot"><div class="de-deck-moves" role="group" aria-label="Move"></div>
<input class="de-deck-note" maxlength="10000" placeholder="Note"
aria-label="Note, stored with the decision" title="Enter goes back to the keys; Ctrl+Enter stores the note alone">
<button type="button" class="de-deck-leave" title="Stores the note without a decision (Ctrl+Enter)">Leave note</button>
<span class="de-deck-status" role="status"></span></div>
<dialog class="de-deck-help" aria-label="Keys"><h2>Keys</h2><dl></dl>
<form method="dialog"><button>Close</button></form></dialog></section>"""

_mount = st.components.v2.component(
    "diet_explorer.deck",
    html=_HTML,
    css=(_HERE / "deck.css").read_text(encoding="utf-8"),
    js=(_HERE / "deck.js").read_text(encoding="utf-8"),
    isolate_styles=False,
)


@dataclass(frozen=True)
class DeckCard:
    """An example as the deck shows it."""

    row: int
    name: str  # what messages call it
    html: str  # whole, escaped
    label: str  # the given class
    suggestion: str | None  # the class that is suggested
    expected: int  # the last event about it when the card was drawn; see `Ledger.decide`
    decided: dict[str, str | None] | None = None  # what holds of whoever looks: ``action, label``
    flagged: bool = False
    keyed: tuple[str, ...] = ()  # classes of the keys 1 to 9, where these are not the first of all


@dataclass(frozen=True)
class Entry:
    """What somebody did, as the browser sends it."""

    # a decision (``keep, relabel, exclude, unsure``), a remark (``flag, unflag, note``) or a move (``back, forward,
    # undo, none``)
    action: str
    row: int = -1  # the example on the screen; -1 for moves that are about none
    expected: int = -1  # the last event about it then
    label: str | None = None
    note: str | None = None
    uid: str | None = None  # the entry's name, made in the browser; see `Ledger.decide`


@dataclass
class DeckState:
    """What a session's deck has done with the entries of its outbox."""

    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    acknowledged: int = 0  # number of the last entry that is stored
    trouble: dict[str, Any] | None = None  # why the entry after it is not
    saved: str = ""  # what was stored last, and when

    def take(self, outbox: Mapping[str, Any] | None, handle: Callable[[Entry], str | None]) -> None:
        """Store the entries that are new, in order, up to the first that cannot be; what `handle` returns is said to
        whoever decided.

        Nothing here may touch the session state between handling an entry and acknowledging it: Streamlit ends a run
        there when the next key has been pressed, and a move would be made once more.
        """
        if not outbox or outbox.get("deck") != self.id:
            return
        for entry in outbox["entries"]:
            if entry["n"] <= self.acknowledged:
                continue
            self.trouble = self._stored(entry, handle)
            if self.trouble is not None:
                return
            self.acknowledged = int(entry["n"])

    def _stored(self, entry: Mapping[str, Any], handle: Callable[[Entry], str | None]) -> dict[str, Any] | None:
        try:
            what = handle(
                Entry(
                    action=str(entry["action"]),
                    row=int(entry.get("row", -1)),
                    expected=int(entry.get("expected", -1)),
                    label=entry.get("label"),
                    note=entry.get("note"),
                    uid=entry.get("uid"),
                )
            )
        except DecidedMeanwhile as error:
            return {
                "n": entry["n"],
                "kind": "meanwhile",
                "title": "Somebody else has decided about this example meanwhile",
                "text": visible(event_words(error.event)),
                "expected": error.event.id,
            }
        except DietExplorerError as error:
            text = f"{visible(error.message)} {visible(error.remedy)}"
        except Exception:
            reference = uuid.uuid4().hex[:8]
            logger.exception("A decision could not be saved, reference %s", reference)
            text = f"The details are in the app's log, under reference {reference}. Try again."
        else:
            if what:
                self.saved = f"{what} · {datetime.now():%H:%M:%S}"
            return None
        return {"n": entry["n"], "kind": "failed", "title": "This decision could not be saved", "text": text}


def draw_deck(
    state: DeckState,
    cards: Sequence[DeckCard],
    classes: Mapping[str, str],
    handle: Callable[[Entry], str | None],
    *,
    title: str,
    empty: str,
    key: str,
    keep: str,
    whole: bool,
    back: bool,
    undoable: bool,
    may_decide: bool = True,
    above: int = 330,
) -> None:
    """Draw the deck: the card on the screen and those that come next, with class names and colours in the order of the
    keys 1 to 9, unless a card says which classes these stand for.

    `empty` is HTML for when there is nothing left, `keep` names what the browser keeps until it is stored (whose
    decisions about what), `whole` says that no further cards come after these, `back` and `undoable` that there is an
    example before this one and a decision to take back, and `above` how many pixels of the window are left to what is
    around the card.
    """

    titles = class_titles(classes, _BUTTON_CHARACTERS)

    def received() -> None:
        outbox = st.session_state[key].outbox
        state.take(outbox, handle)

    _mount(
        key=key,
        data={
            "deck": state.id,
            "keep": f"{key} {keep}",
            "title": title,
            "ack": state.acknowledged,
            "trouble": state.trouble,
            "saved": state.saved,
            "cards": [vars(card) for card in cards],
            "classes": [
                {"name": name, "shown": visible(name), "title": titles[name], "colour": colour}
                for name, colour in classes.items()
            ],
            "empty": empty,
            "whole": whole,
            "back": back,
            "undoable": undoable,
            "may": may_decide,
            "above": above,
        },
        on_outbox_change=received,
    )
