"""Datasets: add one, and read the report of those that are there."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from diet_explorer.data.columns import ColumnMapping
from diet_explorer.data.validation import preview_votes
from diet_explorer.drawing.colours import class_colours
from diet_explorer.drawing.plain import cut_name, escape, visible
from diet_explorer.errors import ReadingError
from diet_explorer.store.in_words import counted
from diet_explorer.ui.datasets.guidelines import draw_guidelines_page
from diet_explorer.ui.datasets.reading_form import (
    draw_encoding_question,
    draw_header_question,
    draw_names_question,
    draw_reading_options,
    options_for,
    refused_choice,
)
from diet_explorer.ui.datasets.report import (
    draw_charts,
    draw_figures,
    draw_notices,
    draw_set_aside,
    draw_vote_preview,
    draw_votes,
)
from diet_explorer.ui.datasets.source_form import (
    OpenedSource,
    checked,
    draw_location,
    draw_mapping,
    draw_name,
    draw_skipped_labels,
    forget_source,
    import_source,
    opened,
)
from diet_explorer.ui.drawing.csv_download import safe_csv
from diet_explorer.ui.shell.bin import disk_use, draw_menu
from diet_explorer.ui.shell.boundary import as_text, error_boundary, show_error
from diet_explorer.ui.shell.controls import draw_tabs
from diet_explorer.ui.shell.empty_states import empty_state
from diet_explorer.ui.shell.frame import run_page
from diet_explorer.ui.shell.selection import Selection
from diet_explorer.ui.shell.view import View
from diet_explorer.ui.shell.workspace import open_workspace
from diet_explorer.workspace.dataset import Dataset

_TABS = {"list": "Datasets", "guidelines": "Guidelines", "add": "Add a dataset"}
_PREVIEW_SHOWN = 5
_VOTED_ROWS = 6
_CELL_KINDS, _SHEET_KINDS = ("csv", "tsv"), ("xlsx",)
_TEXT_KINDS = (*_CELL_KINDS, "jsonl", "json")


def body(selection: Selection) -> None:
    """Draw one of the page's two tabs."""
    tab = selection.view.tab if selection.view.tab in _TABS else ("list" if selection.datasets else "add")
    draw_tabs("datasets-tabs", _TABS, tab)
    if tab == "add":
        _add()
    elif selection.dataset is None:
        empty_state(
            "No datasets yet",
            "Imported datasets will be listed here, each with its report and the rows that were set aside.",
            page="pages/datasets.py",
            action="Add a dataset",
            view=View(tab="add"),
        )
    elif tab == "guidelines":
        draw_guidelines_page(selection.dataset)
    else:
        _show(selection, selection.dataset)


def _as_written(preview: pd.DataFrame) -> pd.DataFrame:
    shown = preview.map(lambda value: visible(value) if isinstance(value, str) else value)
    return shown.rename(columns=lambda name: visible(str(name)))


def _add() -> None:
    if not open_workspace().context.may("lead"):
        who = open_workspace().context.identity
        way_up = (who and who.way_up) or "Who leads here, the operator says in the setting DIET_EXPLORER_LEADS."
        st.html(
            '<div class="de-empty"><h2>Datasets are added by a lead</h2><p>You see and use those that are there. '
            f"{escape(way_up)}</p></div>"
        )
        return
    left, right = st.columns([2, 1], gap="large")
    entry = mapping = None
    with left, error_boundary("source-error"), st.container(key="source"):
        location = draw_location()
        entry = _opened(location) if location else None
        if location and entry is not None:
            if entry.readings:
                readings = {header: _shown(preview) for header, preview in entry.readings.items()}
                draw_header_question(location, readings, current=entry.source.has_header)
            else:
                with st.container(key="source-preview"):
                    st.dataframe(_as_written(entry.preview.head(_PREVIEW_SHOWN)), hide_index=True)
            mapping = draw_mapping(entry)
            kind = entry.source.kind
            draw_reading_options(
                location, text=kind in _TEXT_KINDS, cells=kind in _CELL_KINDS, sheet=kind in _SHEET_KINDS
            )
    with right:
        if entry is None:
            st.html(
                '<div class="de-empty"><h2>What is needed</h2><p>A table with one example per row: a column with the '
                "text and one with the label. A second text, an id and a split are optional; all other columns are "
                "kept as metadata and never read by a score.</p></div>"
            )
        elif mapping is None:
            st.html(
                '<div class="de-empty"><h2>Which column is which?</h2>'
                "<p>Choose the columns of the text and of the label. Where several people labelled the rows, choose "
                "<b>Labels by several people</b> and their columns.</p></div>"
            )
    if entry is not None and mapping is not None:
        with error_boundary("check-error"):
            report = checked(entry, mapping)
            with right, st.container(key="check-report", gap="small"):
                draw_figures(report)
                if not report.complete:
                    st.caption(f"Checked the first {report.rows_read:,} rows; the import checks all of them.")
                name = draw_name(entry)
                if st.button(
                    "Import dataset",
                    key="import-dataset",
                    type="primary",
                    icon=":material/download_done:",
                    width="stretch",
                    disabled=bool(report.refusals),
                ):
                    with error_boundary("import-error"):
                        _import(entry, mapping, name)
                draw_notices(report)
                draw_skipped_labels(entry, mapping, report)
            with left, st.container(key="check-details"):
                if report.votes is not None:
                    draw_votes(report.votes)
                    draw_vote_preview(preview_votes(entry.source, mapping, _VOTED_ROWS), key="vote-preview")
                draw_charts(report, class_colours(list(report.classes)), key="check")
                draw_set_aside(
                    pd.DataFrame(report.set_aside_rows, columns=["line", "reason", "remedy", "raw", "file"]),
                    report.set_aside,
                    key="check-set-aside",
                )


def _opened(location: str) -> OpenedSource | None:
    """What is at a location; where a choice of how to read it is missing, the message with the choice below it."""
    refused = refused_choice()
    if refused is not None:
        show_error(refused, key="reading-error")
    try:
        return opened(location, options_for(location))
    except ReadingError as error:
        show_error(error, key="source-error")
        if error.setting == "encoding":
            draw_encoding_question(location, error.readings)
        else:
            draw_names_question(location)
        return None


def _shown(preview: pd.DataFrame | str) -> pd.DataFrame | str:
    return preview if isinstance(preview, str) else _as_written(preview)


def _import(entry: OpenedSource, mapping: ColumnMapping, name: str | None) -> None:
    bar = st.progress(0.0, text="Importing …")

    def report(share: float, step: str) -> None:
        bar.progress(min(max(share, 0.0), 1.0), text=step)

    dataset = import_source(entry, mapping, name, report)
    forget_source()
    st.toast(f"Imported {dataset.rows:,} examples", icon=":material/check:")
    st.switch_page("pages/datasets.py", query_params=View(dataset=dataset.id, tab="list").to_query())


def _show(selection: Selection, dataset: Dataset) -> None:
    left, right = st.columns([2, 1], gap="large")
    report = dataset.report
    with left, st.container(key="dataset-report"):
        draw_figures(report)
        draw_charts(report, class_colours(dataset.classes), key="report")
        if report.votes is not None:
            with st.container(key="dataset-votes", gap="small"):
                draw_votes(report.votes)
        if report.rows_read > report.rows_kept:
            rows = dataset.set_aside()
            draw_set_aside(rows, report.set_aside, key="set-aside")
            st.download_button(
                "Download rows set aside",
                data=lambda: safe_csv(rows),
                file_name=f"{dataset.id}-set-aside.csv",
                mime="text/csv",
                key="download-set-aside",
                icon=":material/download:",
                on_click="ignore",
            )
    with right:
        roles = [f"{role.replace('_', ' ')} = {column}" for role, column in dataset.manifest.mapping.roles()]
        people = dataset.manifest.mapping.annotators
        mapping = ", ".join([*roles, *([f"labels by {' · '.join(people)}"] if people else [])])
        st.html(f'<p><b>{escape(dataset.name)}</b><br><span class="de-quiet">{escape(mapping)}</span></p>')
        with st.container(key="dataset-actions", horizontal=True, gap="small"):
            if st.button("Score this dataset", key="score-dataset", type="primary", icon=":material/model_training:"):
                st.switch_page("pages/score.py", query_params=View(dataset=dataset.id, tab="new").to_query())
            st.page_link(
                "pages/browse.py",
                label="Browse",
                icon=":material/format_list_numbered:",
                query_params=View(dataset=dataset.id).to_query(),
                disabled=not selection.runs,
            )
        draw_notices(report, is_imported=True)
        st.header("All datasets", anchor=False)
        for entry in selection.datasets:
            _line(entry, chosen=entry.id == dataset.id)


def _line(entry: Dataset, *, chosen: bool) -> None:
    what = f"dataset:{entry.id}"
    with st.container(key=f"dataset-{entry.id}", horizontal=True, vertical_alignment="top", gap="xsmall"):
        with st.container(width="stretch"):
            st.page_link(
                "pages/datasets.py",
                label=f"{'● ' if chosen else ''}{as_text(cut_name(entry.name))}",
                query_params=View(dataset=entry.id, tab="list").to_query(),
            )
            st.html(
                f'<p class="de-quiet de-under">{counted(entry.rows, "example")}, '
                f"{counted(len(entry.classes), 'class', 'classes')} · {entry.manifest.created_at[:10]} · "
                f"{disk_use(what, '')}</p>"
            )
        draw_menu(what, entry.name, key=f"dataset-{entry.id}")


run_page("Datasets", "Bring in labelled texts, see what is wrong with them, and pick what to score.", body)
