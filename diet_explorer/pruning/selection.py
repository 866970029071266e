"""Carrying out a policy: which rows stay, why the others go, and which labels hold. Pure functions of arrays.

Ties go by id and draws are made in the order of ids, so that a selection does not depend on the order of rows, and is
the same on every machine and with every version of the libraries.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor

import numpy as np
from numpy.typing import NDArray

from diet_explorer.errors import BadInputError, GuardRailError
from diet_explorer.pruning.policies import Policy
from diet_explorer.store.decisions import DECISION_STATES

Mask = NDArray[np.bool_]
REASONS: tuple[str, ...] = (
    "kept",
    "kept: an annotator decided it",
    "kept: no score",
    "kept: not a training example",
    "excluded by an annotator",
    "near-duplicate",
    "too hard",
    "too easy",
    "not drawn",
)
"""Why a row stays or goes; a reason's code is its position."""

KEPT, DECIDED, UNSCORED, OTHER_SPLIT, EXCLUDED, DUPLICATE, TOO_HARD, TOO_EASY, NOT_DRAWN = range(len(REASONS))
NO_LABEL = NO_GROUP = -1
_KEEP, _RELABEL, _EXCLUDE = (DECISION_STATES.index(state) for state in ("keep", "relabel", "exclude"))
_NAMED_CLASSES = 5


@dataclass(frozen=True)
class Material:
    """What a policy is applied to: arrays with one entry per row of the dataset (N,).

    Attributes
    ----------
    hardness : float array
        Higher is harder, whatever the score's direction; NaN where there is no score.
    tie_order : int array
        Position of each row when sorted by id.
    labels : int array
        Codes of the given classes.
    train : bool array
        Whether the row is in the training split; the others are never touched.
    states : int array
        What annotators decided: positions in `DECISION_STATES`.
    new_labels : int array
        Codes of the new classes of relabelled rows, `NO_LABEL` elsewhere.
    groups : int array
        Number of the group of near-duplicates, `NO_GROUP` for rows that are alone.
    """

    hardness: NDArray[np.floating]
    tie_order: NDArray[np.integer]
    labels: NDArray[np.integer]
    train: Mask
    states: NDArray[np.integer]
    new_labels: NDArray[np.integer]
    groups: NDArray[np.integer]


@dataclass(frozen=True)
class Selection:
    """What a policy does to each row of the dataset (N,).

    Attributes
    ----------
    keep : bool array
        Rows of other splits than the training split are always kept.
    reasons : int8 array
        Positions in `REASONS`.
    labels : int32 array
        Codes of the classes that hold: the annotators' for relabelled rows, else the given ones.
    stays : int32 array
        For near-duplicates that go, the row of their group that stays; -1 elsewhere.
    """

    keep: Mask
    reasons: NDArray[np.int8]
    labels: NDArray[np.int32]
    stays: NDArray[np.int32]


def select(policy: Policy, material: Material, classes: Sequence[str]) -> Selection:
    """Apply a policy: decisions first, then near-duplicates, then its rule on what is left.

    Parameters
    ----------
    policy : Policy
    material : Material
    classes : sequence of str
        Names of the classes, for messages.

    Raises
    ------
    GuardRailError
        A class would be emptied or go below the minimum.
    BadInputError
        The policy asks for more examples than there are, or for fewer than must not be dropped.
    """
    train, count = material.train, len(material.train)
    labels = material.labels.astype(np.int32)
    reasons = np.where(train, KEPT, OTHER_SPLIT).astype(np.int8)
    stays = np.full(count, -1, dtype=np.int32)
    decided = np.zeros(count, dtype=bool)
    if policy.use_decisions:
        relabelled = train & (material.states == _RELABEL)
        labels[relabelled] = material.new_labels[relabelled]
        decided = relabelled | (train & (material.states == _KEEP))
        reasons[decided] = DECIDED
        reasons[train & (material.states == _EXCLUDE)] = EXCLUDED
    if policy.drops_duplicates:
        _drop_duplicates(material, train & (reasons != EXCLUDED), decided, reasons, stays)
    left = train & (reasons <= OTHER_SPLIT)
    free = left & ~decided
    if policy.needs_scores:
        scored = np.isfinite(material.hardness)
        reasons[free & ~scored] = UNSCORED
        free &= scored
    _apply_rule(policy, material, labels, left, free, reasons)
    keep = reasons <= OTHER_SPLIT
    _check_classes(policy, material.labels[train], labels[train & keep], classes)
    return Selection(keep, reasons, labels, stays)


def share_of(count: int, percent: float) -> int:
    """So many per cent of a count, rounded, a half upwards."""
    return floor(count * percent / 100 + 0.5)


def hardest_first(hardness: NDArray[np.floating], tie_order: NDArray[np.integer], rows: Mask) -> NDArray[np.int64]:
    """Positions of some rows from the hardest on; ties go by id."""
    chosen = np.flatnonzero(rows)
    return chosen[np.lexsort((tie_order[chosen], -hardness[chosen]))]


def drawing_order(tie_order: NDArray[np.integer], seed: int) -> NDArray[np.uint64]:
    """A pseudo-random number for each row from its position by id and a seed (SplitMix64, Steele et al. 2014)."""
    golden = np.uint64(0x9E3779B97F4A7C15)
    start = _mixed(np.array([seed], dtype=np.uint64) + golden)
    return _mixed(start + (tie_order.astype(np.uint64) + np.uint64(1)) * golden)


def stratum_budgets(sizes: NDArray[np.int64], budget: int) -> NDArray[np.int64]:
    """How many of each stratum are kept: from the smallest on, each gets an equal part of what is left of the budget.

    Algorithm 1 of Zheng et al. 2023, Coverage-centric Coreset Selection, arXiv 2210.15809.
    """
    budgets = np.zeros(len(sizes), dtype=np.int64)
    left = budget
    for done, stratum in enumerate(np.argsort(sizes, kind="stable")):
        budgets[stratum] = min(int(sizes[stratum]), left // (len(sizes) - done))
        left -= int(budgets[stratum])
    return budgets


def _drop_duplicates(
    material: Material, candidates: Mask, decided: Mask, reasons: NDArray[np.int8], stays: NDArray[np.int32]
) -> None:
    """Mark all but one of each group; one that an annotator decided stays before others, then the first by id."""
    rows = np.flatnonzero(candidates & (material.groups != NO_GROUP))
    rows = rows[np.lexsort((material.tie_order[rows], ~decided[rows], material.groups[rows]))]
    groups = material.groups[rows]
    first = np.r_[True, groups[1:] != groups[:-1]] if len(rows) else np.empty(0, dtype=bool)
    heads = rows[first][np.cumsum(first) - 1]
    gone = ~first & ~decided[rows]
    reasons[rows[gone]] = DUPLICATE
    stays[rows[gone]] = heads[gone]


def _apply_rule(
    policy: Policy,
    material: Material,
    labels: NDArray[np.int32],
    left: Mask,
    free: Mask,
    reasons: NDArray[np.int8],
) -> None:
    """Mark what the policy's own rule drops among the free rows; percentages are of all that is left."""
    total = int(np.count_nonzero(left))
    if policy.kind in ("decisions", "duplicates"):
        return
    if policy.kind in ("window", "class_balanced"):
        balanced = policy.kind == "class_balanced"
        groups = labels if balanced else np.zeros(len(labels), dtype=np.int32)
        totals = np.bincount(groups[left])
        hard = np.array([share_of(int(size), policy.drop_hardest) for size in totals], dtype=np.int64)
        easy = np.array([share_of(int(size), policy.drop_easiest) for size in totals], dtype=np.int64)
        if balanced:
            spare = np.maximum(totals - policy.minimum_per_class, 0)
            hard = np.minimum(hard, spare)
            easy = np.minimum(easy, spare - hard)
        _drop_ends(material, groups, free, hard, easy, reasons)
        return
    target = _target(policy, total, int(np.count_nonzero(free)))
    if policy.kind in ("hardest", "easiest"):
        groups = np.zeros(len(labels), dtype=np.int32)
        surplus, none = np.array([total - target], dtype=np.int64), np.zeros(1, dtype=np.int64)
        hard, easy = (none, surplus) if policy.kind == "hardest" else (surplus, none)
        _drop_ends(material, groups, free, hard, easy, reasons)
        return
    strata = np.zeros(len(labels), dtype=np.int64)
    budget = max(target - (total - int(np.count_nonzero(free))), 0)
    budgets = np.array([budget], dtype=np.int64)
    if policy.kind == "stratified":
        order = hardest_first(material.hardness, material.tie_order, free)
        hardest = min(share_of(total, policy.drop_hardest), max(len(order) - budget, 0))
        reasons[order[:hardest]] = TOO_HARD
        free = free & (reasons != TOO_HARD)
        strata[free] = _strata(material.hardness[free].astype(np.float64), policy.strata)
        budgets = stratum_budgets(np.bincount(strata[free], minlength=policy.strata), budget)
    rows = np.flatnonzero(free)
    numbers = drawing_order(material.tie_order[rows], policy.seed)
    rows = rows[np.lexsort((material.tie_order[rows], numbers, strata[rows]))]
    reasons[rows[_positions(strata[rows]) >= budgets[strata[rows]]]] = NOT_DRAWN


def _drop_ends(
    material: Material,
    groups: NDArray[np.int32],
    free: Mask,
    hard: NDArray[np.int64],
    easy: NDArray[np.int64],
    reasons: NDArray[np.int8],
) -> None:
    """Mark so many of each group's free rows from the hard end, then from the easy end."""
    rows = np.flatnonzero(free)
    rows = rows[np.lexsort((material.tie_order[rows], -material.hardness[rows], groups[rows]))]
    own = groups[rows]
    sizes = np.bincount(own, minlength=len(hard))
    positions = _positions(own)
    reasons[rows[positions >= (sizes - easy)[own]]] = TOO_EASY
    reasons[rows[positions < hard[own]]] = TOO_HARD


def _positions(groups: NDArray[np.integer]) -> NDArray[np.int64]:
    """Each entry's position in its run of equal ones."""
    first = np.r_[True, groups[1:] != groups[:-1]] if len(groups) else np.empty(0, dtype=bool)
    starts = np.flatnonzero(first)
    return np.asarray(np.arange(len(groups)) - starts[np.cumsum(first) - 1], dtype=np.int64)


def _target(policy: Policy, total: int, free: int) -> int:
    """How many of the rows that are left the policy keeps."""
    fixed = total - free
    if policy.size is None:
        return max(share_of(total, policy.keep), fixed)
    if policy.size > total:
        raise BadInputError(
            f"The policy keeps {policy.size:,} training examples, but only {total:,} are left to choose from.",
            f"Keep {total:,} at most.",
        )
    if policy.size < fixed:
        raise BadInputError(
            f"The policy keeps {policy.size:,} training examples, fewer than the {fixed:,} that it must not drop.",
            "Keep more, or leave the annotators' decisions out.",
        )
    return policy.size


def _strata(values: NDArray[np.float64], count: int) -> NDArray[np.int64]:
    """Which of so many ranges of equal width each value lies in."""
    if not len(values) or values.min() == values.max():
        return np.zeros(len(values), dtype=np.int64)
    low, high = float(values.min()), float(values.max())
    return np.minimum(((values - low) / (high - low) * count).astype(np.int64), count - 1)


def _mixed(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return numbers ^ (numbers >> np.uint64(31))


def _check_classes(
    policy: Policy, given: NDArray[np.integer], kept: NDArray[np.integer], classes: Sequence[str]
) -> None:
    before = np.bincount(given, minlength=len(classes))
    after = np.bincount(kept, minlength=len(classes))
    short = np.flatnonzero(after < np.minimum(before, policy.minimum_per_class))
    if not len(short):
        return
    named = [f"{after[code]:,} of {before[code]:,} of class {classes[code]!r}" for code in short[:_NAMED_CLASSES]]
    more = f" and of {len(short) - _NAMED_CLASSES} other classes" if len(short) > _NAMED_CLASSES else ""
    raise GuardRailError(
        f"The policy would keep only {', '.join(named)}{more}, where at least {policy.minimum_per_class:,} must stay "
        "of every class that has as many.",
        "Drop less, choose the window inside each class, or lower the minimum per class.",
    )
