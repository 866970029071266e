"""The parts of the Browse page: toolbar, ranked list, card of one example, what the score means."""

from __future__ import annotations

import streamlit as st

from diet_explorer.analysis.filters import ExampleFilter
from diet_explorer.drawing import words
from diet_explorer.drawing.colours import OKABE_ITO, cividis
from diet_explorer.drawing.plain import escape
from diet_explorer.ui.drawing.csv_download import filtered_csv, filtered_csv_note
from diet_explorer.ui.drawing.markup import chip, help_mark
from diet_explorer.ui.drawing.table import TableState, examples_table, table_head, table_lines
from diet_explorer.ui.examples.filter_bar import draw_filters, draw_search
from diet_explorer.ui.examples.list_pages import draw_list_foot, page_of
from diet_explorer.ui.examples.panel import PAGE_SIZE, score_notes
from diet_explorer.ui.shell import questions
from diet_explorer.ui.shell.selection import Selection
from diet_explorer.ui.shell.view import change
from diet_explorer.workspace.dataset import Dataset
from diet_explorer.workspace.run import Run

_LEGEND = len(OKABE_ITO)


def draw_toolbar(selection: Selection, dataset: Dataset, run: Run, checkpoint: float, *, narrow: bool = False) -> int:
    """Draw search, count and download; `narrow` adds the filters behind a button. Returns the number of matches."""
    total = questions.count(run, checkpoint, selection.seed, selection.where)
    with st.container(key="toolbar", horizontal=True, vertical_alignment="center", gap="small"):
        draw_search(selection.where)
        if narrow:
            with st.popover("Filters", icon=":material/tune:", key="filters-popover"):
                draw_filters(selection, dataset, run, checkpoint)
        st.download_button(
            "CSV" if narrow else "Download CSV",
            data=filtered_csv(run, selection.score.name, checkpoint, selection.seed, selection.where),
            file_name=f"{dataset.id}-{selection.score.name}-checkpoint-{checkpoint:g}.csv",
            mime="text/csv",
            key="download-csv",
            icon=":material/download:",
            on_click="ignore",
            disabled=total == 0,
            help=filtered_csv_note(run, total, "matching"),
        )
    return total


def draw_list(
    selection: Selection, run: Run, checkpoint: float, total: int, *, narrow: bool = False, above: int = 276
) -> None:
    """Draw the ranked table with its count and pages; see `TableState` for `above`."""
    page = page_of(total, PAGE_SIZE, selection.view.page)
    rows = questions.ranked(
        run, selection.score.name, checkpoint, selection.seed, selection.where, PAGE_SIZE, page.offset
    )
    if total == 0:
        with st.container(key="no-match"):
            st.html(
                '<div class="de-empty"><h2>No example matches</h2>'
                "<p>Remove a condition above, or all of them at once.</p></div>"
            )
            st.button("Remove all conditions", key="clear-filter", on_click=_clear_filter, type="primary")
        return
    spread = selection.seed is None and len(selection.seeds) > 1
    listed = f"{run.id} {selection.score.name} {checkpoint} {selection.seed} {page.number} {selection.where.to_query()}"
    examples_table(
        "Ranked examples",
        table_head(selection.score),
        table_lines(rows, selection.score, selection.colours, spread=spread, query=selection.where.text),
        TableState(listed, selection.view.example, above=above),
        lambda row: change(example=row),
        key="ranked-table",
    )
    draw_list_foot(
        page,
        f"{words.whole(len(rows))} of {words.whole(total)}, filtered from {words.whole(run.dataset.rows)}",
        "list",
        lambda number: change(page=number, example=None),
        narrow=narrow,
    )


def draw_explanation(selection: Selection, dataset: Dataset) -> None:
    """Draw what the score means, the classes' colours, and the cautions that apply."""
    score = selection.score
    names = dataset.classes[:_LEGEND]
    legend = "".join(chip(name, selection.colours[name]) for name in names)
    rest = len(dataset.classes) - len(names)
    more = f'<span class="de-quiet">and {rest:,} more in grey</span>' if rest else ""
    ramp = ", ".join(cividis(step / 8) for step in range(9))
    notes = "".join(f"<p>{escape(line)}</p>" for line in score_notes(selection, dataset, selection.checkpoint))
    st.html(
        f'<div class="de-explain"><p><b>{escape(score.title)}</b> {help_mark(score.help)} {escape(score.explanation)} '
        f"{escape(score.direction.capitalize())}.</p>"
        f'<div class="de-ramp" style="background:linear-gradient(90deg,{ramp})" aria-hidden="true"></div>'
        f'{notes}<div class="de-legend">{legend}{more}</div></div>'
    )


def _clear_filter() -> None:
    change(where=ExampleFilter())
