"""Prune & export: choose what to drop, see what that does, write it out and push it."""

from __future__ import annotations

import streamlit as st

from diet_explorer.drawing.plain import escape
from diet_explorer.errors import DietExplorerError
from diet_explorer.pruning.policies import Policy
from diet_explorer.ui.prune.export_form import draw_export_form
from diet_explorer.ui.prune.export_list import draw_exports
from diet_explorer.ui.prune.planning import planned, policy_of, rule_of
from diet_explorer.ui.prune.policy_form import draw_policy_form
from diet_explorer.ui.prune.policy_shelf import draw_policy_shelf, saved_words
from diet_explorer.ui.prune.preview import draw_boundary, draw_effect, draw_figures
from diet_explorer.ui.shell.boundary import show_error
from diet_explorer.ui.shell.controls import draw_tabs
from diet_explorer.ui.shell.frame import run_scored_page
from diet_explorer.ui.shell.selection import Selection
from diet_explorer.ui.shell.view import change
from diet_explorer.workspace.dataset import Dataset
from diet_explorer.workspace.run import Run

_TABS = {"effect": "What it does", "cut": "At the cut", "export": "Exports"}


def body(selection: Selection, dataset: Dataset, run: Run, _: float) -> None:
    """Draw one of the page's tabs, and the policy or the export's form beside it."""
    tab = selection.view.tab if selection.view.tab in _TABS else "effect"
    policy = policy_of(selection)
    left, right = st.columns([2, 1], gap="medium")
    with left:
        with st.container(key="prune-bar", horizontal=True, vertical_alignment="center", gap="small"):
            draw_tabs("prune-tabs", _TABS, tab)
            if tab != "export":
                draw_policy_shelf(run, policy)
        if tab == "export":
            draw_exports(run, selection.view.export)
        else:
            _draw_preview(selection, run, policy, tab)
    with right:
        if tab == "export":
            draw_export_form(run, policy)
        else:
            _draw_builder(selection, dataset, run, policy)


def _draw_preview(selection: Selection, run: Run, policy: Policy, tab: str) -> None:
    try:
        plan = planned(run, policy)
    except DietExplorerError as error:
        with st.container(key="refused"):
            show_error(error, key="policy-refused")
            st.html(
                '<p class="de-quiet">Nothing was dropped. Change the policy on the right; what it does is shown '
                "here as soon as it can be carried out.</p>"
            )
        return
    with st.container(key="preview", gap="small"):
        draw_figures(plan)
        if tab == "cut":
            draw_boundary(selection, plan)
        else:
            draw_effect(selection, plan)


def _draw_builder(selection: Selection, dataset: Dataset, run: Run, policy: Policy) -> None:
    draw_policy_form(dataset, rule_of(selection.view))
    saved = saved_words(run, policy)
    st.html(
        f'<p class="de-advice" role="status"><b>{escape(policy.describe())}</b>'
        f'<span class="de-quiet">{escape(saved)}</span></p>'
    )
    with st.container(key="policy-next", horizontal=True, gap="small"):
        st.button(
            "Export …",
            key="go-export",
            type="primary",
            icon=":material/save:",
            on_click=change,
            kwargs={"tab": "export"},
        )
        if st.button("Prove it …", key="go-proof", icon=":material/science:"):
            st.switch_page("pages/proof.py", query_params=selection.view.changed(tab=None).to_query())


run_scored_page(
    "Prune & export",
    "Choose what to drop, see what that does before anything is written, and ship it.",
    body,
    "What a policy keeps and drops",
)
