"""Beside the review: how far it is, what it yields, how many errors may be left, the last decisions."""

from __future__ import annotations

import streamlit as st

from diet_explorer.analysis.suspects.witnesses import WITNESSES
from diet_explorer.drawing import words
from diet_explorer.drawing.plain import cut_name, escape
from diet_explorer.review.effort import PACE_RULE
from diet_explorer.review.rules import ReviewRules
from diet_explorer.review.stopping import ErrorsLeft, ReviewYield, stop_advice
from diet_explorer.store.decisions import DecisionEvent
from diet_explorer.store.in_words import counted
from diet_explorer.ui.audit import suspects
from diet_explorer.ui.audit.session import Review, jump_to
from diet_explorer.ui.drawing.markup import bar
from diet_explorer.ui.drawing.table import TableState, examples_table
from diet_explorer.workspace.dataset import Dataset
from diet_explorer.workspace.run import Run

_LAST = 10
_CHARACTERS = 60
_WITNESS_TITLES = {entry.name: entry.title for entry in WITNESSES}
_HEAD = (("when", "When", ""), ("text", "Example", ""), ("what", "Decision", ""))
_LABEL_CHARACTERS = 12
_SHORT = {"relabel": "→", "keep": "keep", "exclude": "exclude", "unsure": "unsure", "undo": "undone", "note": "note"}


def draw_side(dataset: Dataset, run: Run, made: Review, rules: ReviewRules) -> None:
    """Draw the column beside the deck."""
    ledger = dataset.ledger
    progress = made.queue.progress()
    share = progress.decided / progress.total if progress.total else 0.0
    pace = ledger.pace(made.who.name)
    per_hour = "" if pace.per_hour is None else f", {words.whole(round(pace.per_hour))} per hour"
    st.html(
        f'<div class="de-job"><p><span><b>{words.whole(progress.decided)}</b> of {words.whole(progress.total)} '
        f"decided</span><b>{words.percent(share)}</b></p>{bar(share)}"
        f'<p><span class="de-quiet">{words.whole(progress.mine)} by you, {words.whole(progress.open)} open</span>'
        f'<span class="de-quiet" title="{escape(PACE_RULE)}">{words.whole(pace.today)} today{per_hour}</span></p>'
        "</div>"
    )
    gained = ledger.review_yield()
    left = made.queue.errors_left()
    advice = stop_advice(gained, left)
    st.html(f'{_figures(gained, left)}<p class="de-advice" role="note">{escape(advice.words)}</p>{_witnesses(gained)}')
    st.html('<h2 class="de-chart-title">Last decisions</h2>')
    events = ledger.events(made.who.name if rules.blind else None, limit=_LAST)
    if not events:
        st.html('<p class="de-quiet">What you decide is listed here, and can be opened again.</p>')
        return
    examples_table(
        "Last decisions",
        _HEAD,
        _lines(events, run),
        TableState("last-decisions", short=True, dense=True),
        jump_to,
        key="last-decisions",
    )


def _figures(gained: ReviewYield, left: ErrorsLeft | None) -> str:
    overall = gained.overall
    cells = [
        f"<div><b>{words.whole(overall.wrong)}</b><span>wrong of the last {words.whole(overall.reviewed)} reviewed"
        "</span></div>"
    ]
    if left is None:
        cells.append("<div><b>–</b><span>errors left: not sampled yet</span></div>")
    else:
        cells.append(
            f"<div><b>~{words.whole(left.estimate)}</b><span>errors left ({words.whole(left.low)} to "
            f"{words.whole(left.high)}), from {words.whole(left.audited)} at random</span></div>"
        )
    return f'<div class="de-figures de-two">{"".join(cells)}</div>'


def _witnesses(gained: ReviewYield) -> str:
    if not gained.witnesses:
        return ""
    ordered = sorted(gained.witnesses.items(), key=lambda pair: -pair[1].share)
    lines = "".join(
        f"<div><dt>{escape(_WITNESS_TITLES.get(name, name))}</dt>"
        f"<dd>{words.whole(share.wrong)} of {words.whole(share.reviewed)}</dd></div>"
        for name, share in ordered
    )
    return f'<details class="de-more"><summary>Yield by witness</summary><dl class="de-training">{lines}</dl></details>'


def _lines(events: list[DecisionEvent], run: Run) -> list[dict[str, object]]:
    texts = suspects.short_texts(run, [int(event.rows[0]) for event in events], _CHARACTERS)
    return [
        {
            "row": int(event.rows[0]),
            "when": f"{event.at.astimezone():%H:%M:%S}",
            "texts": [[counted(len(event.rows), "example") if event.is_bulk else text]],
            "what": _what(event),
        }
        for event, text in zip(events, texts, strict=True)
    ]


def _what(event: DecisionEvent) -> str:
    if event.action == "relabel":
        return "→ one each" if event.labels is not None else f"→ {cut_name(str(event.label), _LABEL_CHARACTERS)}"
    return _SHORT.get(event.action, event.action)
