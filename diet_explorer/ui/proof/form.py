"""What is to be proven: policies, kept shares, seeds, and what that will take; or the way to a hold-out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import streamlit as st

from diet_explorer.data.splits import TEST, VALIDATION
from diet_explorer.errors import DietExplorerError
from diet_explorer.pruning.policies import KIND_TITLES, Policy, PolicyKind
from diet_explorer.pruning.proof import LEAST_SEEDS, choices_of
from diet_explorer.training.config import MAX_SEEDS
from diet_explorer.ui.drawing import words
from diet_explorer.ui.drawing.markup import figures
from diet_explorer.ui.drawing.plain import escape, visible
from diet_explorer.ui.prune.planning import policy_of, scored_rule
from diet_explorer.ui.shell.boundary import error_boundary, show_error
from diet_explorer.ui.shell.person import person
from diet_explorer.ui.shell.selection import Selection
from diet_explorer.ui.shell.view import View, change
from diet_explorer.ui.shell.workspace import open_workspace
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
class _Size:
    """How many trainings a proof takes at most, and how long they take one after the other."""

    trainings: int
    seconds: float
    basis: str


def can_be_evaluated(dataset: Dataset, run: Run) -> bool:
    """Whether there are examples that no training sees: a test or validation split, or a hold-out."""
    return run.config.own_rows or any(name in dataset.manifest.splits for name in (TEST, VALIDATION))


def draw_proof_form(selection: Selection, dataset: Dataset, run: Run) -> None:
    """Draw the form; its button queues the trainings and opens the proof."""
    options = _options(selection, run)
    with st.container(key="proof-form", gap="small"):
        st.html('<h4 class="de-chart-title">New proof</h4>')
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
        seeds = st.number_input(
            "Seeds",
            LEAST_SEEDS,
            MAX_SEEDS,
            LEAST_SEEDS,
            key="proof-seeds",
            help="Trainings of each choice; at least three, so that there is an interval.",
        )
        st.html(f'<p class="de-quiet">{_ALWAYS}</p>')
        ready = _draw_size(dataset, run, policies, shares, int(seeds))
        if st.button("Start proof", key="start-proof", type="primary", icon=":material/science:", disabled=not ready):
            with error_boundary("proof-start-error"), st.spinner("Choosing the examples of every training…"):
                proof = run.proofs.start(policies, shares, int(seeds), by=person())
                change(proof=proof.id)
                st.rerun()


def draw_hold_out(run: Run) -> None:
    """Draw what to do where no examples are left to evaluate on."""
    with st.container(key="hold-out", gap="small"):
        st.html(
            '<div class="de-empty"><h3>No examples to test on</h3><p>This dataset has no test split. A part of the '
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


def _draw_size(dataset: Dataset, run: Run, policies: Sequence[Policy], shares: Sequence[float], seeds: int) -> bool:
    """Draw what the trainings will take; whether they can be started."""
    try:
        size = _size(dataset, run, policies, shares, seeds)
    except DietExplorerError as error:
        show_error(error, key="proof-refused")
        return False
    entries = [
        (words.whole(size.trainings), "trainings at most; finished ones are used again"),
        (words.duration(size.seconds), "expected with one worker"),
    ]
    st.html(f'{figures(entries)}<p class="de-quiet">{escape(size.basis)}.</p>')
    return True


def _size(dataset: Dataset, run: Run, policies: Sequence[Policy], shares: Sequence[float], seeds: int) -> _Size:
    choices = choices_of(policies, shares)
    chosen = sum(policy.kind != "random" for policy, _ in choices)
    drawn = len({share if share is not None else policy.key() for policy, share in choices})
    trainings = (1 + chosen + drawn) * seeds
    each = replace(run.config, seeds=1, grand="off", diet=1.0, checkpoints=(float(run.config.epochs),))
    cost = open_workspace().estimate(dataset, each)
    splits = dataset.manifest.splits
    evaluated = splits.get(TEST, splits.get(VALIDATION, 0)) / max(dataset.rows, 1)
    seconds = trainings * (cost.seconds_training + cost.seconds_scoring * evaluated)
    return _Size(trainings, seconds, cost.basis if cost.measured else f"An estimate {cost.basis}")
