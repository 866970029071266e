"""What is to be proven: policies, kept shares, seeds, and what that will take; or the way to a hold-out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from diet_explorer.data.splits import TEST, VALIDATION
from diet_explorer.drawing import words
from diet_explorer.drawing.plain import escape, visible
from diet_explorer.errors import DietExplorerError
from diet_explorer.pruning.deciding import MOST_SEEDS, PRECISION
from diet_explorer.pruning.policies import KIND_TITLES, Policy, PolicyKind
from diet_explorer.pruning.proof import LEAST_SEEDS
from diet_explorer.training.config import MAX_SEEDS
from diet_explorer.ui.drawing.markup import figures
from diet_explorer.ui.prune.planning import policy_of, scored_rule
from diet_explorer.ui.shell.boundary import error_boundary, show_error
from diet_explorer.ui.shell.person import person
from diet_explorer.ui.shell.selection import Selection
from diet_explorer.ui.shell.view import View, change
from diet_explorer.workspace.dataset import Dataset
from diet_explorer.workspace.proofs import LEAST_HELD_OUT, MOST_HELD_OUT
from diet_explorer.workspace.run import Run

_PLAIN: tuple[PolicyKind, ...] = ("hardest", "easiest", "stratified", "class_balanced")
_SHARES = (90.0, 75.0, 50.0, 30.0, 20.0, 10.0)
_FIRST_SHARES = (75.0, 50.0, 25.0)
_HOLD_OUT = 20
_MOST_DESCRIBED = 3
_ALWAYS = (
    "As many random examples, drawn afresh for each seed, and the full data are always trained along: a policy is "
    "worth something only if it beats chance."
)


@dataclass(frozen=True)
class _Seeds:
    """How many seeds are to be trained, or at most, and with which precision where that is until it is decided."""

    number: int
    until_decided: bool
    precision: float


def can_be_evaluated(dataset: Dataset, run: Run) -> bool:
    """Whether there are examples that no training sees: a test or validation split, or a hold-out."""
    return run.config.own_rows or any(name in dataset.manifest.splits for name in (TEST, VALIDATION))


def draw_proof_form(selection: Selection, run: Run) -> None:
    """Draw the form; its button queues the trainings and opens the proof."""
    options = _options(selection, run)
    with st.container(key="proof-form", gap="small"):
        st.html('<h2 class="de-chart-title">New proof</h2>')
        names = st.multiselect(
            "Policies", list(options), [next(iter(options))], key="proof-policies", format_func=visible
        )
        policies = [options[name] for name in names]
        descriptions = "<br>".join(escape(policy.describe()) for policy in policies[:_MOST_DESCRIBED])
        st.html(f'<p class="de-quiet">{descriptions}</p>')
        shares = st.multiselect(
            "Kept shares, %",
            sorted({*_SHARES, *_FIRST_SHARES}, reverse=True),
            _FIRST_SHARES,
            key="proof-shares",
            format_func=lambda share: f"{share:g}",
            help="Every policy is retrained at every share; policies of a fixed size stand once. Without any share, "
            "each policy is taken as it is.",
        )
        seeds = _draw_seeds()
        st.html(f'<p class="de-quiet">{_ALWAYS}</p>')
        ready = _draw_size(run, policies, shares, seeds)
        if st.button("Start proof", key="start-proof", type="primary", icon=":material/science:", disabled=not ready):
            with error_boundary("proof-start-error"), st.spinner("Choosing the examples of every training…"):
                proof = run.proofs.start(
                    policies,
                    shares,
                    seeds.number,
                    until_decided=seeds.until_decided,
                    precision=seeds.precision,
                    by=person(),
                )
                change(proof=proof.id)
                st.rerun()


def draw_hold_out(run: Run) -> None:
    """Draw what to do where no examples are left to evaluate on."""
    with st.container(key="hold-out", gap="small"):
        st.html(
            '<div class="de-empty"><h2>No examples to test on</h2><p>This dataset has no test split. A part of the '
            "training split can be held out instead: the run is scored once more without it, so that neither scores "
            "nor policies ever see it, and proofs of the new run are evaluated on it.</p></div>"
        )
        share = st.number_input(
            "Hold out, % of the training split",
            LEAST_HELD_OUT,
            MOST_HELD_OUT,
            _HOLD_OUT,
            key="hold-out-share",
            help="Drawn class by class, near-duplicates together.",
        )
        if st.button("Score with a hold-out", key="start-hold-out", type="primary", icon=":material/call_split:"):
            with error_boundary("hold-out-error"):
                held = run.proofs.hold_out(float(share), by=person())
                st.switch_page("pages/score.py", query_params=View(run=held.id).to_query())


def _options(selection: Selection, run: Run) -> dict[str, Policy]:
    """Policies to choose from by name: that of the address, saved ones, and the plain kinds."""
    policy = policy_of(selection)
    options = {f"Chosen: {policy.title}": policy}
    options |= {entry.name: entry.policy for entry in run.pruning.policies() if entry.name not in options}
    for kind in _PLAIN:
        options.setdefault(KIND_TITLES[kind], scored_rule(Policy(kind=kind), selection))
    return options


def _draw_seeds() -> _Seeds:
    """Draw how many seeds are trained: a fixed number, or until it is decided."""
    until_decided = st.toggle(
        "Go on until it decides",
        key="proof-until-decided",
        help="Seed after seed, until every policy is better or worse than random and than full data, or until the "
        "difference is known well enough. What is decided is trained no further.",
    )
    if not until_decided:
        number = st.number_input(
            "Seeds",
            LEAST_SEEDS,
            MAX_SEEDS,
            LEAST_SEEDS,
            key="proof-seeds",
            help="Trainings of each choice; at least three, so that there is an interval.",
        )
        return _Seeds(int(number), False, PRECISION)
    left, right = st.columns(2, gap="small")
    number = left.number_input(
        "Seeds at most",
        LEAST_SEEDS,
        MAX_SEEDS,
        MOST_SEEDS,
        key="proof-most-seeds",
        help="What is not decided by then is called undecided.",
    )
    precision = right.number_input(
        "Precision, ± points",
        0.1,
        50.0,
        PRECISION,
        0.1,
        key="proof-precision",
        help="Of accuracy: once a difference is known so well and may still be none, no difference is decided.",
    )
    return _Seeds(int(number), True, float(precision))


def _draw_size(run: Run, policies: Sequence[Policy], shares: Sequence[float], seeds: _Seeds) -> bool:
    """Draw what the trainings will take; whether they can be started."""
    try:
        size = run.proofs.estimate(
            policies, shares, seeds.number, until_decided=seeds.until_decided, precision=seeds.precision
        )
    except DietExplorerError as error:
        show_error(error, key="proof-refused")
        return False
    entries = [
        (words.whole(size.trainings), "trainings at most; finished ones are used again"),
        (words.duration(size.seconds), "expected with one worker"),
    ]
    if seeds.until_decided:
        entries = [
            (words.whole(size.trainings), f"trainings at most; {words.whole(size.least_trainings)} if all is clear"),
            (words.duration(size.seconds), f"at most with one worker; {words.duration(size.least_seconds)} if so"),
        ]
    st.html(f'{figures(entries)}<p class="de-quiet">{escape(size.basis)}.</p>')
    return True
