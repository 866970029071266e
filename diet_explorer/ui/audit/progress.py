"""The progress tab of the Audit page: how far the review is, who does how much of it, who is behind, what is left."""

from __future__ import annotations

from datetime import datetime

import streamlit as st

from diet_explorer.analysis.filters import ExampleFilter
from diet_explorer.drawing import words
from diet_explorer.drawing.plain import escape
from diet_explorer.review.annotators import Identity
from diet_explorer.review.effort import PACE_RULE
from diet_explorer.review.progress import PersonProgress, ReviewProgress
from diet_explorer.store.in_words import counted
from diet_explorer.ui.drawing.markup import bar, figures, help_mark
from diet_explorer.ui.shell.asking import asked
from diet_explorer.ui.shell.selection import Selection
from diet_explorer.workspace.run import Run

_WHOLE_DAYS = 10  # from so many days on, tenths of one say nothing
_FAR_BEHIND = 0.2  # of an equal share
_BEHIND_RULE = "How many examples fewer than an equal share of what all have done."
_AGREEMENT_RULE = "How often others who decided about the same example say the same."
_NOBODY = (
    '<div class="de-empty"><h2>Nobody has decided yet</h2><p>Who does how much of the review, at which pace and how '
    "far people agree will be listed here.</p></div>"
)


@asked()
def _progress(run: Run, checkpoint: float, where: ExampleFilter, day: str) -> ReviewProgress:
    """How far the review of what a filter keeps is, on a day."""
    return run.review.progress(where, checkpoint)


def draw_progress(selection: Selection, run: Run, checkpoint: float, who: Identity) -> None:
    """Draw the team's figures and a line per person; beside them one's own and what the words mean."""
    progress = _progress(run, checkpoint, selection.where, f"{datetime.now():%Y-%m-%d}")
    left, right = st.columns([2, 1], gap="medium")
    with left, st.container(key="team-progress", gap="small"):
        share = progress.decided / progress.examples if progress.examples else 0.0
        st.html(
            figures(
                [
                    (words.percent(share), f"{progress.decided:,} of {counted(progress.examples, 'example')} decided"),
                    (words.whole(progress.left), "decisions left"),
                    (_number(progress.per_hour), "decisions per hour of work"),
                    (_time_left(progress), _time_words(progress)),
                ]
            )
        )
        st.html(_table(progress, who.name) if progress.people else _NOBODY)
    with right, st.container(key="own-progress", gap="small"):
        own = next((person for person in progress.people if person.annotator == who.name), None)
        st.html('<h2 class="de-chart-title">You</h2>' + (_own(own) if own else "<p>You have not decided yet.</p>"))
        st.html(f'<p class="de-quiet">{escape(PACE_RULE)}</p>')


def _table(progress: ReviewProgress, own: str) -> str:
    lines = "".join(_line(person, progress, own) for person in progress.people)
    return (
        '<div class="de-read"><table class="de-list de-team"><thead><tr><th scope="col">Who</th>'
        '<th scope="col">Share of the decisions</th>'
        f'<th scope="col" class="de-whole">Behind {help_mark(_BEHIND_RULE)}</th>'
        '<th scope="col" class="de-whole">Today</th>'
        f'<th scope="col" class="de-whole">Per hour {help_mark(PACE_RULE)}</th>'
        f'<th scope="col" class="de-whole">Agreement {help_mark(_AGREEMENT_RULE)}</th>'
        f'<th scope="col">Last</th></tr></thead><tbody>{lines}</tbody></table></div>'
    )


def _line(person: PersonProgress, progress: ReviewProgress, own: str) -> str:
    name = f"<b>{escape(person.annotator)}</b>" + (" (you)" if person.annotator == own else "")
    equal = progress.given / len(progress.people)
    behind = words.whole(person.behind) if person.behind > _FAR_BEHIND * equal else "–"
    agreement = words.NOT_THERE if person.agreement is None else words.percent(person.agreement)
    last = words.NOT_THERE if person.last is None else escape(words.moment(person.last))
    return (
        f'<tr><th scope="row">{name}</th>'
        f"<td>{bar(person.share)}<span class='de-quiet'>{words.whole(person.examples)} · {words.percent(person.share)}"
        f'</span></td><td class="de-whole">{behind}</td><td class="de-whole">{words.whole(person.today)}</td>'
        f'<td class="de-whole">{_number(person.per_hour)}</td><td class="de-whole">{agreement}</td><td>{last}</td></tr>'
    )


def _own(person: PersonProgress) -> str:
    entries = [
        (words.whole(person.today), "decisions today"),
        (_number(person.per_hour), "per hour of work"),
        (words.whole(person.decisions), f"in {person.hours:.1f} hours in all"),
        (words.whole(person.examples), "examples of this queue"),
    ]
    return figures(entries, two=True)


def _number(value: float | None) -> str:
    return words.NOT_THERE if value is None else words.whole(round(value))


def _time_left(progress: ReviewProgress) -> str:
    if not progress.left:
        return "0"
    days = progress.days_left
    return words.NOT_THERE if days is None else f"{days:,.0f}" if days >= _WHOLE_DAYS else f"{days:,.1f}"


def _time_words(progress: ReviewProgress) -> str:
    hours = "" if progress.hours_left is None else f", {progress.hours_left:,.1f} hours of work"
    return f"days left at the last week’s rate{hours}"
