"""How the dataset is reviewed, for everybody: opinions per example, blind or not, random examples."""

from __future__ import annotations

import streamlit as st

from diet_explorer.review.annotators import Identity
from diet_explorer.review.rules import MAX_OVERLAP, ReviewRules
from diet_explorer.ui.shell.boundary import error_boundary
from diet_explorer.workspace.dataset import Dataset

_SHARES = (0, 5, 10, 20, 30, 50)
_ONE = (
    "With 1, nobody is handed an example that somebody else has decided about or has on the screen, and the latest "
    "decision holds. With 2, every example goes to a second person as well; what they disagree about is settled under "
    "Disagreements."
)
_SEVERAL = (
    "Every example is handed to that many people, who decide apart from each other. Where they differ, nothing holds "
    "until a lead settles it under Disagreements. With 1, nobody is handed what somebody else has decided about."
)


def draw_rules(dataset: Dataset, who: Identity) -> None:
    """Draw the rules behind a button; only a lead changes them."""
    rules = dataset.ledger.rules()
    with st.popover("Rules", icon=":material/rule:", key="rules"):
        with st.form("rules-form", border=False):
            overlap = st.number_input(
                "Opinions per example",
                1,
                MAX_OVERLAP,
                rules.overlap,
                key=f"rules-overlap-{rules.overlap}",
                help="From two on, that many people decide about each example, and a lead settles disagreements.",
            )
            st.html(f'<p class="de-quiet">{_ONE if rules.overlap == 1 else _SEVERAL}</p>')
            blind = st.checkbox(
                "Blind",
                rules.blind,
                key=f"rules-blind-{rules.blind}",
                help="Hides suggestions, scores, further columns and what others have decided.",
            )
            share = st.select_slider(
                "Random examples in the queue",
                sorted({*_SHARES, round(100 * rules.audit_share)}),
                round(100 * rules.audit_share),
                key=f"rules-share-{rules.audit_share}",
                format_func=lambda value: f"{value} %",
                help="Drawn from the whole queue, to estimate how many errors are left. The models' view stays hidden "
                "for them.",
            )
            done = st.form_submit_button(
                "Set for everybody", key="rules-set", type="primary", disabled=not who.may("lead")
            )
        if done:
            with error_boundary("rules-error"):
                chosen = ReviewRules(int(overlap), bool(blind), share / 100)
                dataset.ledger.set_rules(chosen, annotator=who)
                st.rerun()
        if not who.may("lead"):
            st.html('<p class="de-quiet">Only a lead changes the rules.</p>')
