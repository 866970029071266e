"""Proof: is the smaller set worth it? Retrain, and compare with random and with all of it."""

from __future__ import annotations

import streamlit as st

from diet_explorer.drawing import words
from diet_explorer.drawing.plain import escape
from diet_explorer.store.in_words import counted
from diet_explorer.ui.proof.form import can_be_evaluated, draw_hold_out, draw_proof_form
from diet_explorer.ui.proof.progress import draw_proof_line, draw_trainings
from diet_explorer.ui.proof.results import draw_results, draw_table, evaluated_words
from diet_explorer.ui.shell.bin import draw_menu
from diet_explorer.ui.shell.controls import draw_tabs, mirrored_select
from diet_explorer.ui.shell.empty_states import empty_state
from diet_explorer.ui.shell.frame import run_scored_page
from diet_explorer.ui.shell.selection import Selection
from diet_explorer.ui.shell.view import View
from diet_explorer.ui.shell.workspace import open_workspace
from diet_explorer.workspace.dataset import Dataset
from diet_explorer.workspace.proof import Proof
from diet_explorer.workspace.run import Run

_TABS = {"results": "Results", "numbers": "Numbers", "trainings": "Trainings"}


def body(selection: Selection, dataset: Dataset, run: Run, _: float) -> None:
    """Draw a proof, and the form for the next beside it."""
    proofs = run.proofs.list()
    chosen = selection.view.proof
    if chosen and chosen not in {proof.id for proof in proofs}:
        proofs = [open_workspace().proof(chosen), *proofs]
    left, right = st.columns([2, 1], gap="medium")
    with left:
        if proofs:
            _draw_proof(selection, proofs)
        else:
            st.html(
                '<div class="de-empty"><h2>Nothing has been proven yet</h2><p>Here accuracy will be drawn against '
                "the share of examples that is kept: for your policies, for as many random examples, and for the full "
                "data, each with its 95 % interval, and with a sentence that says what to make of it.</p></div>"
            )
    with right:
        if run.record.origin != "job":
            empty_state(
                "This run was imported",
                "A proof repeats a run's training on fewer examples, which needs a training of this program.",
                page="pages/score.py",
                action="Score this dataset",
                view=View(dataset=dataset.id),
            )
        elif can_be_evaluated(dataset, run):
            draw_proof_form(selection, run)
        else:
            draw_hold_out(run)


def _draw_proof(selection: Selection, proofs: list[Proof]) -> None:
    by_id = {proof.id: proof for proof in proofs}
    proof = by_id.get(selection.view.proof or "", proofs[0])
    tab = selection.view.tab if selection.view.tab in _TABS else "results"
    with st.container(key="proof-bar", horizontal=True, vertical_alignment="center", gap="small"):
        draw_tabs("proof-tabs", _TABS, tab)
        if len(proofs) > 1:
            mirrored_select(
                "Proof", list(by_id), proof.id, "proof", lambda name: _title(by_id[name]), label_visibility="collapsed"
            )
        draw_menu(f"proof:{proof.id}", _title(proof), key="proof")
    progress = proof.progress()
    st.html(
        f'<p class="de-quiet">{escape(_title(proof))} · evaluated on {escape(evaluated_words(proof))} · every training '
        f"takes {words.whole(proof.steps)} steps</p>"
    )
    draw_proof_line(proof, progress)
    if tab == "trainings":
        draw_trainings(proof)
    elif tab == "numbers":
        draw_table(proof, proof.table())
    else:
        draw_results(proof, proof.table())


def _title(proof: Proof) -> str:
    policies = sum(variant.kind == "policy" for variant in proof.variants)
    number = counted(policies, "choice")
    when = proof.given_name or f"{proof.created_at.astimezone():%Y-%m-%d %H:%M:%S}"
    until = "" if proof.until_decided is None else "until decided, at most "
    return f"{when} · {number} × {until}{proof.seeds} seeds"


run_scored_page(
    "Proof",
    "Retrain on what a policy keeps, and see whether it beats chance and the full data.",
    body,
    "What pruning does to accuracy",
)
