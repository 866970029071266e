"""Two runs of one dataset compared: how far they agree, and which examples moved most in the ranking."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd
import streamlit as st

from diet_explorer.analysis.comparison import ComparisonSummary
from diet_explorer.analysis.filters import ExampleFilter
from diet_explorer.drawing import words
from diet_explorer.scoring import catalogue
from diet_explorer.store.in_words import counted
from diet_explorer.ui.drawing.csv_download import SAFETY_NOTE, noted, safe_csv
from diet_explorer.ui.drawing.markup import figures
from diet_explorer.ui.drawing.table import TableState, example_cells, examples_table, text_columns
from diet_explorer.ui.examples.list_pages import draw_list_foot, page_of
from diet_explorer.ui.examples.panel import PAGE_SIZE, draw_card
from diet_explorer.ui.shell import questions
from diet_explorer.ui.shell.asking import asked
from diet_explorer.ui.shell.controls import mirrored, when_shown
from diet_explorer.ui.shell.empty_states import empty_state
from diet_explorer.ui.shell.picker import run_title
from diet_explorer.ui.shell.selection import Selection
from diet_explorer.ui.shell.view import View, change
from diet_explorer.workspace.dataset import Dataset
from diet_explorer.workspace.run import Run

_ABOVE = 330  # pixels of the window that are not the table


class _Pair(NamedTuple):
    """A score in two runs of one dataset, each at a checkpoint of its own."""

    run: Run
    other: Run
    score: str
    checkpoint: float
    other_checkpoint: float
    seed: int | None


@asked(entries=16)
def _compared(pair: _Pair, where: ExampleFilter, limit: int | None, offset: int) -> pd.DataFrame:
    return pair.run.dynamics.compare(
        pair.other,
        pair.score,
        pair.checkpoint,
        other_checkpoint=pair.other_checkpoint,
        seed=pair.seed,
        where=where,
        limit=limit,
        offset=offset,
    )


@asked()
def _summary(pair: _Pair) -> ComparisonSummary:
    return pair.run.dynamics.compare_summary(
        pair.other, pair.score, pair.checkpoint, other_checkpoint=pair.other_checkpoint, seed=pair.seed
    )


def draw_comparison(selection: Selection, dataset: Dataset, run: Run, checkpoint: float) -> None:
    """Draw what the other run says of the same examples."""
    others = [entry for entry in selection.runs if entry.id != run.id and entry.checkpoints()]
    if not others:
        empty_state(
            "One run so far",
            "Score the dataset again, with another model, seed or setting, to see which examples change their place.",
            page="pages/score.py",
            action="Set up another run",
            view=View(dataset=dataset.id, tab="new"),
        )
        return
    left, right = st.columns([2, 1], gap="medium")
    with left:
        other = _choose(selection, others)
        there = _same_moment(other, checkpoint)
        if selection.score.name not in questions.score_names(other, there):
            st.html(
                f'<div class="de-empty"><h2>The other run has no {selection.score.title}</h2>'
                "<p>Choose another score in the sidebar.</p></div>"
            )
            return
        seed = selection.seed if selection.seed in other.landed() else None
        pair = _Pair(run, other, selection.score.name, checkpoint, there, seed)
        _draw_table(selection, run, pair)
    with right:
        if selection.view.example is not None:
            total = questions.count(run, checkpoint, selection.seed, selection.where)
            draw_card(selection, dataset, run, checkpoint, total, narrow=True)
        else:
            _draw_summary(selection, run, pair, _summary(pair))


def _choose(selection: Selection, others: list[Run]) -> Run:
    titles = {entry.id: run_title(entry) for entry in others}
    shown = selection.view.other if selection.view.other in titles else others[0].id
    with mirrored("compare-with", shown, width=320) as (key, default):
        st.selectbox(
            "Compared with",
            list(titles),
            index=list(titles).index(default),
            key=key,
            format_func=lambda name: f"Compared with run {titles[name]}",
            label_visibility="collapsed",
            on_change=when_shown(key, lambda name: change(other=name)),
        )
    return next(entry for entry in others if entry.id == shown)


def _same_moment(other: Run, checkpoint: float) -> float:
    """The other run's checkpoint that is nearest to the chosen one."""
    return min(other.checkpoints(), key=lambda point: (abs(point - checkpoint), point))


def _draw_table(selection: Selection, run: Run, pair: _Pair) -> None:
    total = questions.count(run, pair.checkpoint, selection.seed, selection.where)
    page = page_of(total, PAGE_SIZE, selection.view.page)
    rows = _compared(pair, selection.where, PAGE_SIZE, page.offset)
    listed = f"{run.id} {pair.other.id} {pair[2:]} {page.number} {selection.where}"
    examples_table(
        "Examples that moved most",
        _head(selection.score),
        _lines(rows, selection),
        TableState(listed, selection.view.example, above=_ABOVE),
        lambda row: change(example=row),
        key="moved-table",
    )
    draw_list_foot(
        page,
        f"{words.whole(len(rows))} of {words.whole(total)}, those that moved most first",
        "moved",
        lambda number: change(page=number),
    )


def _head(score: catalogue.Score) -> list[tuple[str, str, str]]:
    share = f"Share of the split that is less suspicious by {score.title}, in percent"
    return [
        ("moved", "Moved", "Percentile in the other run minus percentile in this one; above 0: more suspicious there."),
        ("text", "Text", ""),
        ("labels", "Given", "The label in the dataset."),
        ("this", "This run", f"{share}; below it the score, in this run."),
        ("other", "Other run", f"{share}; below it the score, in the other run."),
    ]


def _lines(rows: pd.DataFrame, selection: Selection) -> list[dict[str, object]]:
    texts = text_columns(rows)
    return [
        {
            **example_cells(entry, texts, selection.colours, selection.where.text),
            "moved": words.signed(entry["moved"], 1),
            "this": f"{entry['percentile_here']:.1f} %\n{words.three(entry['here'])}",
            "other": f"{entry['percentile_there']:.1f} %\n{words.three(entry['there'])}",
        }
        for entry in rows.to_dict("records")
    ]


def _draw_summary(selection: Selection, run: Run, pair: _Pair, summary: ComparisonSummary) -> None:
    here, there = catalogue.checkpoint_title(pair.checkpoint), catalogue.checkpoint_title(pair.other_checkpoint)
    entries = [(words.NOT_THERE if summary.spearman is None else f"{summary.spearman:.2f}", "rank correlation")]
    entries += [
        (words.percent(overlap), f"of the worst {words.round_percent(share)} in common")
        for share, overlap in sorted(summary.overlap.items(), reverse=True)
    ]
    st.html(
        f'<h2 class="de-chart-title">Do the two runs name the same examples?</h2>'
        f"{figures(entries, two=True)}"
        f'<div class="de-read"><p class="de-quiet">{counted(summary.examples, "training example")}; this run '
        f"{here}, the other {there}.</p>"
        "<p><b>How to read it.</b> “Moved” compares the places in the two rankings: +40 means that the other run finds "
        "the example more suspicious than 40 % more of its split. An example that is among the worst in every run is "
        "worth a look first; one that jumps about says more about chance than about its label.</p></div>"
    )
    with st.container(key="compare-actions", horizontal=True, gap="small"):
        st.download_button(
            "CSV",
            data=noted(run, "a comparison", lambda: safe_csv(_compared(pair, selection.where, None, 0))),
            file_name=f"{run.id}-compared-{pair.score}.csv",
            mime="text/csv",
            key="compare-csv",
            icon=":material/download:",
            on_click="ignore",
            help=f"All matching examples, those that moved most first. {SAFETY_NOTE}",
        )
