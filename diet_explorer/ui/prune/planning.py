"""The policy that the address names, and what it would do."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

from diet_explorer.pruning.policies import Policy, PolicyKind
from diet_explorer.pruning.preview import Preview
from diet_explorer.ui.shell.asking import asked
from diet_explorer.ui.shell.selection import Selection
from diet_explorer.ui.shell.view import View, change, read_view
from diet_explorer.workspace.run import Run

DEFAULT_RULE = Policy(drop_hardest=10.0)
_FIRST_KEEP = 75.0
_OF_THE_VIEW = ("score", "checkpoint", "run_seed")


@dataclass(frozen=True)
class Planned:
    """What a policy would do to the training split.

    Attributes
    ----------
    policy : Policy
        With its checkpoint.
    preview : Preview
    before, kept : int
        Training examples.
    """

    policy: Policy
    preview: Preview
    before: int
    kept: int


def rule_of(view: View) -> Policy:
    """The policy of an address without its score, checkpoint and seed, which are the view's own."""
    return view.policy or DEFAULT_RULE


def policy_of(selection: Selection) -> Policy:
    """The policy of the address, about the score, checkpoint and seed that are selected."""
    rule = rule_of(selection.view)
    return scored_rule(rule, selection) if rule.needs_scores else rule


def scored_rule(rule: Policy, selection: Selection) -> Policy:
    """A policy about the score, checkpoint and seed that are selected."""
    return replace(rule, score=selection.score.name, checkpoint=selection.checkpoint, run_seed=selection.seed)


def change_rule(**changes: Any) -> None:
    """Write a changed policy into the address; for callbacks of controls."""
    change(policy=replace(rule_of(read_view()), **changes), export=None)


def change_kind(kind: PolicyKind) -> None:
    """Write a policy of another kind into the address; what both kinds use stays."""
    rule, new = rule_of(read_view()), Policy(kind=kind)
    kept = {entry.name for entry in fields(Policy) if new.uses(entry.name)} - {"kind", *_OF_THE_VIEW}
    settings = {name: getattr(rule, name) for name in kept}
    if kind == "decisions":
        settings["use_decisions"] = True
    if new.uses("keep") and not rule.uses("keep"):
        settings["keep"] = _FIRST_KEEP
    if new.uses("drop_easiest") and not rule.uses("drop_hardest"):
        settings["drop_hardest"] = DEFAULT_RULE.drop_hardest
    change(policy=Policy(kind=kind, **settings), export=None)


def open_policy(policy: Policy) -> None:
    """Show a policy: its settings, and its score, checkpoint and seed as those of the view."""
    rule = replace(policy, score=DEFAULT_RULE.score, checkpoint=None, run_seed=None)
    shown: dict[str, Any] = {"policy": rule, "export": None}
    if policy.needs_scores:
        shown |= {"score": policy.score, "checkpoint": policy.checkpoint, "seed": policy.run_seed}
    change(**shown)


@asked(entries=64)
def planned(run: Run, policy: Policy) -> Planned:
    """What a policy would do.

    Raises
    ------
    GuardRailError
        It would leave too little of a class; the message has the numbers.
    """
    plan = run.pruning.plan(policy)
    return Planned(plan.policy, plan.preview(), int(plan.material.train.sum()), len(plan.rows))
