"""Events of the ledger in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from diet_explorer.drawing import words
from diet_explorer.drawing.plain import escape
from diet_explorer.review.notes import standing_notes
from diet_explorer.scoring import catalogue
from diet_explorer.store.decisions import NOTE, DecisionEvent
from diet_explorer.store.in_words import counted

_DONE = {
    "keep": "kept the label",
    "exclude": "excluded it",
    "unsure": "was unsure",
    "undecided": "left it open",
    "flag": "flagged it",
    "unflag": "took the flag away",
    "note": "left a note",
    "undo": "took a decision back",
}


def done_words(event: DecisionEvent, given: str | None = None) -> str:
    """What was done, with the label from which and to which, where the example's given one is known."""
    if event.action == "relabel":
        if event.labels is not None:
            done = "chose a label for each"
        else:
            done = f"changed {given} → {event.label}" if given else f"chose the label {event.label}"
    else:
        done = _DONE.get(event.action, event.action)
    if event.adjudicates:
        done = f"settled it: {done}"
    return f"{done} ({counted(len(event.rows), 'example')} at once)" if event.is_bulk else done


def event_words(event: DecisionEvent) -> str:
    """Who did what and when, as one sentence."""
    return f"{event.annotator} {done_words(event)}, {words.moment(event.at)}."


def history_html(events: Sequence[DecisionEvent], given: str, *, title: str = "History of this example") -> str:
    """Everything that was ever decided or noted about an example, the latest first; undone ones are struck through."""
    if not events:
        return ""
    undone = {event.undoes for event in events if event.undoes is not None}
    lines = []
    for event in reversed(events):
        mark = "s" if event.id in undone else "span"
        note = f" “{escape(event.note)}”" if event.note else ""
        seen = _seen_words(event.seen)
        when = escape(words.moment(event.at)) + (f" · saw {escape(seen)}" if seen else "")
        lines.append(
            f"<li><{mark}><b>{escape(event.annotator)}</b> {escape(done_words(event, given))}</{mark}>{note} "
            f'<span class="de-quiet">{when}</span></li>'
        )
    return f'<h2>{escape(title)}</h2><ul class="de-votes">{"".join(lines)}</ul>'


def notes_html(events: Sequence[DecisionEvent], given: str) -> str:
    """Notes on an example that were not taken back, the latest first: who, what, when, and with which decision."""
    lines = [
        f"<li><b>{escape(event.annotator)}</b> <span class='de-quiet'>{escape(_occasion(event, given))}</span>"
        f"<p>{escape(event.note or '')}</p></li>"
        for event in reversed(standing_notes(events))
    ]
    if not lines:
        return ""
    return f'<div class="de-notes"><h2>{counted(len(lines), "note")}</h2><ul>{"".join(lines)}</ul></div>'


def _occasion(event: DecisionEvent, given: str) -> str:
    when = words.moment(event.at)
    if event.action != NOTE:
        return f"{done_words(event, given)} · {when}"
    return f"on {counted(len(event.rows), 'example')} · {when}" if event.is_bulk else when


def _seen_words(seen: Mapping[str, Any] | None) -> str:
    """The score, checkpoint and suggestion that were on the screen."""
    if not seen or "score" not in seen:
        return ""
    known = catalogue.SCORE_NAMES
    name = catalogue.score(seen["score"]).title if seen["score"] in known else "suspicion"
    parts = [f"{name} {words.three(seen.get('value'))}"]
    if seen.get("checkpoint") is not None:
        parts.append(catalogue.checkpoint_title(float(seen["checkpoint"])))
    if seen.get("suggestion"):
        parts.append(f"suggested {seen['suggestion']}")
    return ", ".join(parts)
