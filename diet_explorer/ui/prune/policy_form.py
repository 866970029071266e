"""The policy builder: a kind, the settings that mean something to it, and those that all kinds share."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from diet_explorer.drawing.plain import escape
from diet_explorer.pruning.policies import KIND_NOTES, KIND_TITLES, MOST_STRATA, POLICY_KINDS, Policy
from diet_explorer.ui.prune.planning import change_kind, change_rule
from diet_explorer.ui.shell.controls import mirrored, when_shown
from diet_explorer.workspace.dataset import Dataset

_STEP = 5.0
_MOST_DROPPED = 99.0
_SIZES = {"share": "Share", "number": "Number"}


def draw_policy_form(dataset: Dataset, rule: Policy) -> None:
    """Draw the controls; each writes the policy into the address.

    Parameters
    ----------
    rule : Policy
        What the address says, without score, checkpoint and seed.
    """
    with st.container(key="policy-form", gap="small"):
        with mirrored("policy-kind", rule.kind) as (key, default):
            st.selectbox(
                "What to drop",
                POLICY_KINDS,
                index=POLICY_KINDS.index(default),
                key=key,
                format_func=KIND_TITLES.__getitem__,
                on_change=when_shown(key, change_kind),
            )
        st.html(f'<p class="de-quiet">{escape(KIND_NOTES[rule.kind])}</p>')
        _own_settings(dataset, rule)
        _toggle(
            "use_decisions",
            "Decisions first: excluded examples go, new labels hold",
            rule,
            disabled=rule.kind == "decisions",
            help="What annotators decided comes before everything else; kept and relabelled examples always stay.",
        )
        _toggle(
            "deduplicate",
            "One example of each group of near-duplicates",
            rule,
            disabled=rule.kind == "duplicates",
            shown=rule.drops_duplicates,
        )


def _own_settings(dataset: Dataset, rule: Policy) -> None:
    settings: list[Callable[[], None]] = []
    of = " of each class" if rule.kind == "class_balanced" else ""
    if rule.uses("drop_hardest"):
        settings.append(lambda: _share("drop_hardest", f"Drop hardest{of}, %", rule, _MOST_DROPPED - rule.drop_easiest))
    if rule.uses("drop_easiest"):
        settings.append(lambda: _share("drop_easiest", f"Drop easiest{of}, %", rule, _MOST_DROPPED - rule.drop_hardest))
    if rule.uses("keep"):
        settings.append(lambda: _keep(dataset, rule))
    if rule.uses("strata"):
        settings.append(
            lambda: _whole(
                "strata", "Ranges of scores", rule, 1, MOST_STRATA, "Each gives the same number of examples."
            )
        )
    if rule.uses("seed"):
        settings.append(
            lambda: _whole("seed", "Seed of the draw", rule, 0, 1_000_000, "The same seed draws the same examples.")
        )
    settings.append(
        lambda: _whole(
            "minimum_per_class",
            "Least per class",
            rule,
            1,
            dataset.manifest.splits.get("train", 1),
            "A policy that would leave fewer training examples of a class is refused.",
        )
    )
    for first in range(0, len(settings), 2):
        for column, draw in zip(st.columns(2, gap="small"), settings[first : first + 2], strict=False):
            with column:
                draw()


def _keep(dataset: Dataset, rule: Policy) -> None:
    train = dataset.manifest.splits.get("train", 1)
    unit = "share" if rule.size is None else "number"

    def switch(unit: str) -> None:
        change_rule(size=max(round(train * rule.keep / 100), 1) if unit == "number" else None)

    with mirrored("policy-unit", unit) as (key, default):
        st.segmented_control(
            "Keep",
            list(_SIZES),
            default=default,
            key=key,
            format_func=_SIZES.__getitem__,
            required=True,
            label_visibility="collapsed",
            on_change=when_shown(key, switch),
        )
    if rule.size is None:
        _share("keep", "Keep, %", rule, 100.0, least=1.0)
    else:
        _whole("size", "Keep, examples", rule, 1, train, "Exactly so many training examples stay.")


def _share(name: str, title: str, rule: Policy, most: float, least: float = 0.0) -> None:
    with mirrored(f"policy-{name}", float(getattr(rule, name))) as (key, default):
        st.number_input(
            title, min(least, default), max(most, default), default, _STEP, "%g", key=key, on_change=_change(name, key)
        )


def _whole(name: str, title: str, rule: Policy, least: int, most: int, help: str) -> None:
    with mirrored(f"policy-{name}", int(getattr(rule, name))) as (key, default):
        st.number_input(title, least, max(most, default), default, key=key, help=help, on_change=_change(name, key))


def _toggle(
    name: str, title: str, rule: Policy, *, disabled: bool, shown: bool | None = None, help: str | None = None
) -> None:
    with mirrored(f"policy-{name}", bool(getattr(rule, name)) if shown is None else shown) as (key, default):
        st.checkbox(title, default, key=key, disabled=disabled, help=help, on_change=_change(name, key))


def _change(name: str, key: str) -> Callable[[], None]:
    return when_shown(key, lambda value: change_rule(**{name: value}))
