"""What an export is to hold and where it goes; starts the job that writes it."""

from __future__ import annotations

from typing import Literal, cast

import streamlit as st

from diet_explorer.drawing.plain import escape
from diet_explorer.pruning.export.formats import ExportFormat
from diet_explorer.pruning.policies import Policy
from diet_explorer.ui.shell.boundary import error_boundary
from diet_explorer.ui.shell.person import person
from diet_explorer.ui.shell.view import change
from diet_explorer.workspace.run import Run

_FORMATS: dict[ExportFormat, str] = {
    "csv": "CSV",
    "jsonl": "JSON Lines",
    "parquet": "Parquet",
    "datasets": "Hugging Face datasets folder",
}
_ROWS: dict[str, str] = {"kept": "Rows that stay", "all": "All rows, marked"}
_NEUTRAL = (
    "Spreadsheets run texts that begin with =, +, - or @ as formulas. With this on, such texts get an apostrophe in "
    "front, so they are no longer exactly as imported."
)
Rows = Literal["kept", "all"]


def format_title(name: str) -> str:
    """A format as people call it."""
    return _FORMATS[cast(ExportFormat, name)]


def draw_export_form(run: Run, policy: Policy) -> None:
    """Draw the form; its button queues the export and opens it."""
    with st.container(key="export-form", gap="small"):
        st.html(
            f'<h2 class="de-chart-title">New export</h2><p class="de-quiet">{escape(policy.describe())} '
            "Validation and test rows are written as they are.</p>"
        )
        chosen = st.selectbox("Format", list(_FORMATS), format_func=format_title, key="export-format")
        rows = st.segmented_control(
            "Rows",
            list(_ROWS),
            default="kept",
            format_func=_ROWS.__getitem__,
            required=True,
            key="export-rows",
            help="All rows: each with whether it stays, why, its original label, the notes on it and its scores.",
        )
        is_csv = chosen == "csv"
        neutral = st.checkbox(
            "Make formulas harmless", True, key="export-neutralise", disabled=not is_csv, help=_NEUTRAL
        )
        if is_csv:
            state = (
                "Texts that begin with =, +, - or @ get an apostrophe."
                if neutral
                else ("Texts are written exactly as imported; a spreadsheet may run some as formulas.")
            )
            st.html(f'<p class="de-quiet">{state}</p>')
        folder = st.text_input(
            "Folder",
            key="export-folder",
            placeholder="in the workspace",
            help="A new or empty folder on the machine that runs the program.",
        )
        if st.button("Start export", key="start-export", type="primary", icon=":material/save:"):
            with error_boundary("export-error"):
                export = run.pruning.plan(policy).submit_export(
                    folder.strip() or None,
                    format=chosen,
                    all_rows=rows == "all",
                    neutralise_formulas=is_csv and neutral,
                    by=person(),
                )
                change(export=export.id)
                st.rerun()
