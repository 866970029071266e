"""The list tab of the Audit page: the same queue as a table, with one decision about all that the filter keeps."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import streamlit as st

from diet_explorer.analysis.filters import TRAIN_ONLY
from diet_explorer.drawing import words
from diet_explorer.drawing.colours import OTHERS
from diet_explorer.drawing.plain import visible
from diet_explorer.ui.audit import suspects
from diet_explorer.ui.audit.elsewhere import draw_elsewhere
from diet_explorer.ui.audit.session import jump_to
from diet_explorer.ui.drawing.table import TableState, example_cells, examples_table, text_columns
from diet_explorer.ui.examples.bulk import draw_bulk
from diet_explorer.ui.examples.filter_bar import draw_filters, draw_search
from diet_explorer.ui.examples.list_pages import draw_list_foot, page_of
from diet_explorer.ui.shell import questions
from diet_explorer.ui.shell.person import person
from diet_explorer.ui.shell.selection import Selection
from diet_explorer.ui.shell.view import change
from diet_explorer.workspace.dataset import Dataset
from diet_explorer.workspace.run import Run

_PAGE = 50
_ABOVE = 450
_HEAD = (
    ("rank", "#", "Place by the chosen witness; 1 is the most suspicious."),
    ("text", "Text", ""),
    ("labels", "Labels", "Above the given label, below the suggested one."),
    ("why", "Why", "What the evidence looks like, and the strongest reason."),
)
_BLIND_HEAD = (
    ("rank", "#", "Place in the queue."),
    ("text", "Text", ""),
    ("labels", "Label", "The given label. What the models think is hidden: the review is blind."),
)


def draw_suspect_list(selection: Selection, dataset: Dataset, run: Run, checkpoint: float, by: str) -> None:
    """Draw filters and bulk decisions over the table."""
    with st.container(key="toolbar", horizontal=True, vertical_alignment="center", gap="small"):
        draw_search(selection.where)
        with st.popover("Filters", icon=":material/tune:", key="filters-popover"):
            draw_filters(selection, dataset, run, checkpoint)
        where = replace(selection.where, splits=TRAIN_ONLY)  # only these labels are questioned
        total = questions.count(run, checkpoint, selection.seed, where)
        who = person()
        if who is not None:
            draw_elsewhere(run, where, checkpoint, by, total, who)
    selection = replace(selection, where=where)
    suggested = suspects.suggestion_count(run, where, checkpoint)
    draw_bulk(selection, dataset, run, checkpoint, total, suggested=suggested)
    page = page_of(total, _PAGE, selection.view.page)
    rows = suspects.page(run, by, where, checkpoint, _PAGE, page.offset)
    if rows.empty:
        st.html('<div class="de-empty"><h2>No suspect matches</h2><p>Remove a condition above.</p></div>')
        return
    blind = dataset.ledger.rules().blind
    examples_table(
        "Suspects",
        _BLIND_HEAD if blind else _HEAD,
        _lines(rows, selection, blind=blind),
        TableState(
            f"{run.id} {by} {checkpoint} {page.number} {where.to_query()}", selection.view.example, above=_ABOVE
        ),
        _open,
        key="suspect-table",
    )
    st.html(f'<p class="de-quiet" role="note">{suspects.expected_errors(run, by, where, checkpoint).words}</p>')
    draw_list_foot(
        page,
        f"{words.whole(len(rows))} of {words.whole(total)}, filtered from {words.whole(dataset.rows)}",
        "suspect",
        lambda number: change(page=number),
    )


def _open(row: int) -> None:
    who = person()
    if who is None or who.may("annotator"):
        jump_to(row)
        change(example=row, tab="review")
    else:
        change(example=row)


def _lines(rows: pd.DataFrame, selection: Selection, *, blind: bool) -> list[dict[str, object]]:
    texts = text_columns(rows)
    lines = []
    for entry in rows.to_dict("records"):
        cells = {
            **example_cells(entry, texts, selection.colours, selection.where.text),
            "rank": words.whole(entry["place"]),
        }
        suggested, reasons = entry["suggested"], entry["reasons"]
        if not blind:
            cells["why"] = suspects.KIND_TITLES[entry["kind"]] + (f" · {visible(reasons[0])}" if reasons else "")
        if suggested is not None and not blind:
            colour = selection.colours.get(suggested, OTHERS)
            cells |= {"predicted": visible(suggested), "predicted_colour": colour, "differs": True}
        lines.append(cells)
    return lines
