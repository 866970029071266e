"""The history tab of the Audit page: every event of the ledger, by person and time; export and import."""

from __future__ import annotations

import io
from datetime import UTC, datetime, time, timedelta

import streamlit as st

from diet_explorer.drawing import words
from diet_explorer.drawing.plain import visible
from diet_explorer.review.annotators import Identity
from diet_explorer.store.decisions import DecisionEvent
from diet_explorer.store.in_words import counted
from diet_explorer.ui.audit import suspects
from diet_explorer.ui.audit.session import jump_to
from diet_explorer.ui.drawing.markup import figures
from diet_explorer.ui.drawing.table import TableState, examples_table
from diet_explorer.ui.examples.decision_words import done_words
from diet_explorer.ui.shell.boundary import error_boundary
from diet_explorer.ui.shell.uploaders import allow_upload
from diet_explorer.ui.shell.view import change
from diet_explorer.workspace.dataset import Dataset
from diet_explorer.workspace.run import Run

_SHOWN = 200
_CHARACTERS = 120
_ABOVE = 330
_ALL = "Everybody"
_HEAD = (("when", "When", ""), ("who", "Who", ""), ("why", "What", ""), ("text", "Example", ""))
_LOADED = "ledger-loaded"


def draw_history(dataset: Dataset, run: Run, who: Identity) -> None:
    """Draw the events with their filter; beside them the ways in and out."""
    left, right = st.columns([2, 1], gap="medium")
    ledger = dataset.ledger
    with left:
        with st.container(key="history-bar", horizontal=True, vertical_alignment="bottom", gap="small"):
            hidden = ledger.rules().blind and not who.may("lead")
            people = [who.name] if hidden else [_ALL, *ledger.annotators()]
            name = st.selectbox("Decided by", people, key="history-who", format_func=visible, width=210)
            days = st.date_input("From and to", value=[], key="history-days", width=240)
        annotator = None if name == _ALL else name
        since, until = _span(days)
        events = [event for event in ledger.events(annotator, since, until, _SHOWN) if len(event.rows)]
        if not events:
            st.html('<div class="de-empty"><h2>No decision yet</h2><p>Every decision will be listed here.</p></div>')
        else:
            shown = f"{dataset.id} {annotator} {since} {until}"
            examples_table(
                "Decisions", _HEAD, _lines(events, run), TableState(shown, above=_ABOVE), _open, key="history-table"
            )
            most = f", the last {_SHOWN}" if len(events) == _SHOWN else ""
            st.html(f'<span class="de-quiet" role="status">{counted(len(events), "event")}{most}</span>')
    with right, st.container(key="history-side", gap="small"):
        _figures(dataset)
        st.html(
            '<p class="de-quiet">Nothing is ever overwritten: a changed mind and an undo are further lines. The file '
            "has one event per line with who, when, what and what was on the screen.</p>"
        )
        st.download_button(
            "Download JSON Lines",
            data=lambda: _exported(dataset, annotator, since, until, who),
            file_name=f"{dataset.id}-decisions.jsonl",
            mime="application/jsonl",
            key="history-export",
            icon=":material/download:",
            on_click="ignore",
            disabled=not who.may("lead"),
        )
        _load(dataset, who)


def _figures(dataset: Dataset) -> None:
    counts = dataset.ledger.counts()
    titles = {"keep": "kept", "relabel": "relabelled", "exclude": "excluded", "unsure": "unsure"}
    st.html(figures([(words.whole(counts[name]), title) for name, title in titles.items()], two=True))


def _span(days: object) -> tuple[datetime | None, datetime | None]:
    """Begin and end of the chosen days in the server's time; open ends are None."""
    chosen = list(days) if isinstance(days, tuple | list) else []
    if not chosen:
        return None, None
    begin = datetime.combine(chosen[0], time.min).astimezone(UTC)
    if len(chosen) < 2:
        return begin, None
    return begin, datetime.combine(chosen[1] + timedelta(days=1), time.min).astimezone(UTC)


def _lines(events: list[DecisionEvent], run: Run) -> list[dict[str, object]]:
    texts = suspects.short_texts(run, [int(event.rows[0]) for event in events], _CHARACTERS)
    return [
        {
            "row": int(event.rows[0]),
            "when": f"{event.at.astimezone():%Y-%m-%d\n%H:%M:%S}",
            "who": visible(event.annotator),
            "why": visible(done_words(event) + (f" “{event.note}”" if event.note else "")),
            "texts": [[counted(len(event.rows), "example") if event.is_bulk else text]],
        }
        for event, text in zip(events, texts, strict=True)
    ]


def _open(row: int) -> None:
    jump_to(row)
    change(example=row, tab="review")


def _exported(
    dataset: Dataset, annotator: str | None, since: datetime | None, until: datetime | None, who: Identity
) -> bytes:
    stream = io.StringIO()
    dataset.export_decisions(stream, annotator=annotator, since=since, until=until, by=who)
    return stream.getvalue().encode()


def _load(dataset: Dataset, who: Identity) -> None:
    with st.popover("Import JSON Lines", icon=":material/upload:", key="history-import", disabled=not who.may("lead")):
        if who.may("lead"):
            allow_upload()
        file = st.file_uploader("Events of this dataset", type=["jsonl"], key="history-file")
        if st.button("Import", key="history-load", type="primary", disabled=file is None) and file is not None:
            with error_boundary("history-load-error"):
                count = dataset.import_decisions(io.TextIOWrapper(file, encoding="utf-8"), by=who)
                st.session_state[_LOADED] = f"{counted(count.added, 'event')} added, {count.known:,} known already."
                st.rerun()
    if _LOADED in st.session_state:
        st.html(f'<p role="status">{st.session_state[_LOADED]}</p>')
