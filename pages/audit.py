"""Audit: find the wrong labels, decide quickly, lose nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import streamlit as st

from diet_explorer.analysis.suspects.witnesses import COMBINED, witness
from diet_explorer.review.annotators import Identity
from diet_explorer.ui.audit.conflicts import draw_conflicts
from diet_explorer.ui.audit.evidence import draw_evidence
from diet_explorer.ui.audit.history import draw_history
from diet_explorer.ui.audit.progress import draw_progress
from diet_explorer.ui.audit.review import draw_review
from diet_explorer.ui.audit.rules import draw_rules
from diet_explorer.ui.audit.suspect_list import draw_suspect_list
from diet_explorer.ui.examples.filter_bar import draw_filters
from diet_explorer.ui.shell.controls import draw_tabs, mirrored_select
from diet_explorer.ui.shell.frame import run_scored_page
from diet_explorer.ui.shell.person import draw_who_asks, person
from diet_explorer.ui.shell.selection import Selection
from diet_explorer.workspace.dataset import Dataset
from diet_explorer.workspace.run import Run

_TABS = {
    "review": "Review",
    "list": "List",
    "conflicts": "Disagreements",
    "history": "History",
    "progress": "Progress",
    "evidence": "Evidence",
}


def body(selection: Selection, dataset: Dataset, run: Run, checkpoint: float) -> None:
    """Draw one of the page's tabs."""
    selection = replace(selection, seed=None)  # witnesses hear every seed
    who = person()
    if who is None:
        draw_who_asks()
        return
    tabs = _TABS if who.may("annotator") else {name: title for name, title in _TABS.items() if name != "review"}
    tab = selection.view.tab if selection.view.tab in tabs else next(iter(tabs))
    by = _bar(selection, dataset, run, checkpoint, who, tabs, tab)
    if tab == "list":
        draw_suspect_list(selection, dataset, run, checkpoint, by)
    elif tab == "conflicts":
        draw_conflicts(selection, dataset, run, checkpoint, who)
    elif tab == "history":
        draw_history(dataset, run, who)
    elif tab == "progress":
        draw_progress(selection, run, checkpoint, who)
    elif tab == "evidence":
        draw_evidence(run, checkpoint, who)
    else:
        draw_review(selection, dataset, run, checkpoint, who, by)


def _bar(
    selection: Selection,
    dataset: Dataset,
    run: Run,
    checkpoint: float,
    who: Identity,
    tabs: Mapping[str, str],
    tab: str,
) -> str:
    """Draw the tabs, the order of the queue, its filter and its rules; the witness that orders it."""
    names = [entry.name for entry in run.audit.witnesses(checkpoint) if entry.available]
    by = selection.view.by or COMBINED
    with st.container(key="audit-bar", horizontal=True, vertical_alignment="center", gap="small"):
        draw_tabs("audit-tabs", tabs, tab)
        if tab in ("review", "list"):
            mirrored_select(
                "Order",
                names if by in names else [by, *names],
                by,
                "by",
                lambda name: f"By {witness(name).title}",
                label_visibility="collapsed",
            )
        if tab == "review":
            with st.popover("Filters", icon=":material/tune:", key="filters-popover"):
                draw_filters(selection, dataset, run, checkpoint)
        if tab in ("review", "conflicts"):
            draw_rules(dataset, who)
    return by


run_scored_page(
    "Audit", "Find the wrong labels, decide quickly, lose nothing.", body, "Examples whose labels may be wrong"
)
