"""Policies over random sets: sizes as asked, classes and other splits safe, ties and orders without influence."""

from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from diet_explorer.errors import BadInputError, GuardRailError
from diet_explorer.pruning.policies import POLICY_KINDS, Policy
from diet_explorer.pruning.selection import (
    DECIDED,
    DUPLICATE,
    EXCLUDED,
    NOT_DRAWN,
    OTHER_SPLIT,
    REASONS,
    TOO_EASY,
    TOO_HARD,
    Material,
    drawing_order,
    select,
    stratum_budgets,
)
from diet_explorer.store.decisions import DECISION_STATES

CLASSES = ["a", "b", "c"]
KEEP, RELABEL, EXCLUDE = (DECISION_STATES.index(state) for state in ("keep", "relabel", "exclude"))


@st.composite
def materials(draw):
    count = draw(st.integers(1, 60))
    column = lambda values: np.array(draw(st.lists(values, min_size=count, max_size=count)))  # noqa: E731
    states = column(st.sampled_from([0, 0, 0, 0, 0, KEEP, RELABEL, EXCLUDE, 4]))
    new_labels = np.where(states == RELABEL, column(st.integers(0, 2)), -1)
    return Material(
        hardness=column(st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.5, 0.75, 1.0, 1.4, np.nan])).astype(np.float32),
        tie_order=np.array(draw(st.permutations(range(count)))),
        labels=column(st.integers(0, 2)),
        train=column(st.sampled_from([True, True, True, False])),
        states=states,
        new_labels=new_labels,
        groups=column(st.sampled_from([-1, -1, -1, 0, 1, 2])),
    )


@st.composite
def policies(draw):
    kind = draw(st.sampled_from(POLICY_KINDS))
    values = {"use_decisions": draw(st.booleans()) or kind == "decisions", "deduplicate": draw(st.booleans())}
    percent = st.integers(0, 98).map(lambda value: value / 2)
    if kind in ("window", "class_balanced"):
        values |= {"drop_hardest": draw(percent), "drop_easiest": draw(percent)}
        values["minimum_per_class"] = draw(st.integers(1, 4))
    if kind in ("hardest", "easiest", "random", "stratified"):
        values["keep"] = draw(st.integers(1, 100))
    if kind == "stratified":
        values |= {"drop_hardest": draw(percent), "strata": draw(st.integers(1, 8))}
    if kind in ("random", "stratified"):
        values["seed"] = draw(st.integers(0, 3))
    return Policy(kind=kind, **values)


def selected(policy, material):
    try:
        return select(policy, material, CLASSES)
    except GuardRailError:
        return None


def percent_of(count, percent):
    return int(Fraction(count) * Fraction(percent) / 100 + Fraction(1, 2))


def slowly(policy, m):
    """Rows that stay, by an independent implementation with lists and dictionaries."""
    rows = [row for row in range(len(m.train)) if m.train[row]]
    state = {row: int(m.states[row]) if policy.use_decisions else 0 for row in rows}
    label = {row: int(m.new_labels[row] if state[row] == RELABEL else m.labels[row]) for row in rows}
    left = [row for row in rows if state[row] != EXCLUDE]
    fixed = {row for row in left if state[row] in (KEEP, RELABEL)}
    if policy.deduplicate or policy.kind == "duplicates":
        for group in {int(m.groups[row]) for row in left} - {-1}:
            members = [row for row in left if m.groups[row] == group]
            best = min(members, key=lambda row: (row not in fixed, m.tie_order[row]))
            left = [row for row in left if m.groups[row] != group or row == best or row in fixed]
    if policy.kind in ("decisions", "duplicates"):
        return set(left)
    if policy.kind != "random":
        fixed |= {row for row in left if np.isnan(m.hardness[row])}
    fixed &= set(left)
    order = sorted(set(left) - fixed, key=lambda row: (-m.hardness[row], m.tie_order[row]))
    if policy.kind in ("window", "class_balanced"):
        kept = set(fixed)
        for code in range(3) if policy.kind == "class_balanced" else [None]:
            here = [row for row in order if code is None or label[row] == code]
            total = len([row for row in left if code is None or label[row] == code])
            hard, easy = percent_of(total, policy.drop_hardest), percent_of(total, policy.drop_easiest)
            if code is not None:
                while hard + easy > max(total - policy.minimum_per_class, 0):
                    hard, easy = (hard, easy - 1) if easy else (hard - 1, 0)
            kept |= set(here[hard:][: max(len(here) - hard - easy, 0)])
        return kept
    target = max(percent_of(len(left), policy.keep), len(fixed))
    budget = target - len(fixed)
    if policy.kind == "hardest":
        return fixed | set(order[:budget])
    if policy.kind == "easiest":
        return fixed | set(order[len(order) - budget :])
    numbers = {row: int(drawing_order(np.array([m.tie_order[row]]), policy.seed)[0]) for row in left}
    strata = [order]
    if policy.kind == "stratified":
        order = order[min(percent_of(len(left), policy.drop_hardest), len(order) - budget) :]
        low, high = (float(end([m.hardness[row] for row in order], default=0)) for end in (min, max))
        strata = [[] for _ in range(policy.strata)]
        for row in order:
            share = (float(m.hardness[row]) - low) / (high - low) if high > low else 0.0
            strata[min(int(share * policy.strata), policy.strata - 1)].append(row)
    kept, open_strata = set(fixed), sorted(strata, key=len)
    while open_strata:  # the smallest stratum first, an equal part of what is left for each
        stratum, part = open_strata[0], budget // len(open_strata)
        drawn = sorted(stratum, key=numbers.__getitem__)[:part]
        kept |= set(drawn)
        budget, open_strata = budget - len(drawn), open_strata[1:]
    return kept


@given(policies(), materials())
def test_every_policy_as_the_slow_one_and_nothing_untouchable_is_touched(policy, material):
    found = selected(policy, material)
    expected = slowly(policy, material)
    before = Counter(material.labels[material.train].tolist())
    if found is None:
        labels = np.where(material.states == RELABEL, material.new_labels, material.labels)
        labels = labels if policy.use_decisions else material.labels
        after = Counter(int(labels[row]) for row in expected)
        assert any(after[code] < min(count, policy.minimum_per_class) for code, count in before.items())
        return
    assert set(np.flatnonzero(material.train & found.keep)) == expected
    assert found.keep[~material.train].all() and (found.reasons[~material.train] == OTHER_SPLIT).all()
    assert (found.labels[~material.train] == material.labels[~material.train]).all()
    assert ((found.reasons > OTHER_SPLIT) == ~found.keep).all() and (found.reasons < len(REASONS)).all()
    after = Counter(found.labels[material.train & found.keep].tolist())
    assert all(after[code] >= min(count, policy.minimum_per_class) for code, count in before.items())
    gone = found.reasons == DUPLICATE
    assert (material.groups[found.stays[gone]] == material.groups[gone]).all()
    if policy.use_decisions:
        decided = material.train & np.isin(material.states, [KEEP, RELABEL])
        assert (found.reasons[decided] == DECIDED).all()
        assert (found.reasons[material.train & (material.states == EXCLUDE)] == EXCLUDED).all()


@given(policies(), materials(), st.randoms())
def test_the_order_of_rows_has_no_influence(policy, material, random):
    found = selected(policy, material)
    order = list(range(len(material.train)))
    random.shuffle(order)
    moved = Material(**{name: getattr(material, name)[order] for name in Material.__dataclass_fields__})
    again = selected(policy, moved)
    assert (found is None) == (again is None)
    if found is not None:
        assert (again.keep == found.keep[order]).all() and (again.reasons == found.reasons[order]).all()


def plain(count=400, classes=2, seed=0):
    rng = np.random.default_rng(seed)
    zeros = np.zeros(count, dtype=np.int8)
    return Material(
        hardness=rng.random(count).astype(np.float32),
        tie_order=rng.permutation(count),
        labels=np.arange(count) % classes,
        train=np.ones(count, dtype=bool),
        states=zeros,
        new_labels=np.full(count, -1),
        groups=np.full(count, -1),
    )


@given(st.integers(1, 99), st.integers(0, 1000))
def test_draws_nest_and_sizes_are_exact(keep, seed):
    material = plain()
    small, large = (Policy("random", keep=share, seed=seed) for share in (keep, keep + 1))
    first, second = (selected(policy, material) for policy in (small, large))
    assume(first is not None and second is not None)
    assert first.keep.sum() == percent_of(400, keep) and not (first.keep & ~second.keep).any()
    exact = select(Policy("random", size=123, seed=seed), material, CLASSES)
    assert exact.keep.sum() == 123 and (exact.reasons[~exact.keep] == NOT_DRAWN).all()


def test_draws_are_even():
    """Each row is drawn about as often as any other, over seeds."""
    times = sum((drawing_order(np.arange(200), seed).argsort().argsort() < 50).astype(int) for seed in range(2000))
    assert abs(times.mean() - 500) < 1e-9
    assert np.abs(times - 500).max() < 5 * np.sqrt(2000 * 0.25 * 0.75)


def test_the_number_of_a_row_is_that_of_splitmix64():
    """The published generator, started at 1234567, gives 6457827717110365317 first."""
    assert int(_splitmix(1234567)) == 6457827717110365317
    golden, mask = 0x9E3779B97F4A7C15, (1 << 64) - 1
    start = _mix((7 + golden) & mask)
    expected = [_mix((start + (place + 1) * golden) & mask) for place in range(5)]
    assert drawing_order(np.arange(5), 7).tolist() == expected


def _splitmix(seed):
    return _mix((seed + 0x9E3779B97F4A7C15) & ((1 << 64) - 1))


def _mix(z):
    mask = (1 << 64) - 1
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
    return z ^ (z >> 31)


@given(st.lists(st.integers(0, 30), min_size=1, max_size=12), st.data())
def test_budgets_of_strata_are_spent_and_never_unfair(sizes, data):
    budget = data.draw(st.integers(0, sum(sizes)))
    found = stratum_budgets(np.array(sizes), budget)
    assert found.sum() == budget and (found <= sizes).all()
    cut = [int(part) for part, size in zip(found, sizes, strict=True) if part < size]
    assert not cut or max(found) - min(cut) <= 1  # who gives some up has as many as anybody, give or take one


def test_both_ends_of_a_window_with_its_reasons():
    material = plain(100)
    found = select(Policy(drop_hardest=3, drop_easiest=10), material, CLASSES)
    order = np.argsort(-material.hardness)
    assert set(order[:3]) == set(np.flatnonzero(found.reasons == TOO_HARD))
    assert set(order[-10:]) == set(np.flatnonzero(found.reasons == TOO_EASY))


def test_a_guard_rail_tells_the_numbers():
    material = plain(100)
    hard_class = np.where(material.labels == 1, material.hardness + 2, material.hardness)
    skewed = Material(**{**material.__dict__, "hardness": hard_class})
    with pytest.raises(GuardRailError, match="0 of 50 of class 'a'"):
        select(Policy("hardest", keep=40), skewed, CLASSES)
    with pytest.raises(GuardRailError, match=r"10 of 50 of class 'a'.*at least 20"):
        select(Policy("hardest", keep=60, minimum_per_class=20), skewed, CLASSES)
    balanced = select(Policy("class_balanced", drop_easiest=90, minimum_per_class=20), skewed, CLASSES)
    assert Counter(skewed.labels[balanced.keep].tolist()) == {0: 20, 1: 20}


def test_more_than_there_is_is_refused():
    with pytest.raises(BadInputError, match="500 training examples, but only 400"):
        select(Policy("random", size=500), plain(), CLASSES)
    with pytest.raises(BadInputError, match="fewer than the 400"):
        decided = Material(**{**plain().__dict__, "states": np.full(400, KEEP, dtype=np.int8)})
        select(Policy("random", size=5), decided, CLASSES)


@given(policies())
def test_a_policy_survives_links_and_files(policy):
    assert Policy.from_query(policy.to_query()) == policy
    assert Policy.from_json(policy.to_json()) == policy and Policy.from_json(policy.to_json()).key() == policy.key()
    assert policy.describe().endswith(".")


@pytest.mark.parametrize(
    "values",
    [
        {"kind": "worst"},
        {"drop_hardest": 60, "drop_easiest": 40},
        {"drop_hardest": -1},
        {"drop_easiest": float("nan")},
        {"kind": "random", "keep": 0},
        {"kind": "random", "drop_hardest": 5},
        {"kind": "window", "keep": 50},
        {"kind": "decisions", "use_decisions": False},
        {"kind": "stratified", "strata": 0},
        {"score": "beauty"},
        {"minimum_per_class": 0},
        {"checkpoint": "last"},
        {"kind": "random", "keep": "half"},
    ],
)
def test_settings_that_mean_nothing_are_refused(values):
    with pytest.raises(BadInputError):
        Policy(**values)


def test_another_share_of_the_same_policy():
    assert Policy(drop_hardest=2.5).at_fraction(70) == Policy(drop_hardest=2.5, drop_easiest=27.5)
    assert Policy("hardest", keep=10).at_fraction(30) == Policy("hardest", keep=30)
    for refused in (Policy(drop_hardest=40), Policy("decisions")):
        with pytest.raises(BadInputError):
            refused.at_fraction(70)
