"""Agreement against hand-computed values and another implementation; yield and errors left against slow enumeration."""

from __future__ import annotations

import math
from collections.abc import Callable

import krippendorff
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import cohen_kappa_score

from diet_explorer.review.agreement import agreement
from diet_explorer.review.decisions import Ledger
from diet_explorer.review.stopping import errors_left, share_wrong

votes = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 2), st.integers(0, 2)), unique_by=lambda vote: vote[:2])


@given(votes=votes)
def test_agreement_is_that_of_other_implementations(votes: list[tuple[int, int, int]]) -> None:
    rows, people, verdicts = (np.array([vote[part] for vote in sorted(votes)], dtype=int) for part in range(3))
    result = agreement(rows, people, verdicts, ["ann", "bob", "eve"], samples=20)
    table = np.full((3, 9), np.nan)
    table[people, rows] = verdicts
    several = (~np.isnan(table)).sum(axis=0) >= 2
    assert result.rows == several.sum()
    kinds = np.unique(table[:, several][~np.isnan(table[:, several])])
    if len(kinds) < 2:
        assert result.alpha is None
    else:
        assert result.alpha is not None
        expected = krippendorff.alpha(table, value_domain=[0, 1, 2], level_of_measurement="nominal")
        assert result.alpha.value == pytest.approx(expected)
        assert -1 <= result.alpha.low <= result.alpha.high <= 1
    for pair in result.pairs:
        first, second = (table[["ann", "bob", "eve"].index(name)] for name in (pair.first, pair.second))
        both = ~np.isnan(first) & ~np.isnan(second)
        assert pair.rows == both.sum()
        assert pair.raw.value == pytest.approx((first[both] == second[both]).mean())
        if pair.kappa is not None:
            assert pair.kappa.value == pytest.approx(cohen_kappa_score(first[both], second[both]))


def test_agreement_by_hand() -> None:
    # 45 times both yes, 15 yes-no, 25 no-yes, 15 both no: po = 0.6, pe = 0.6·0.7 + 0.4·0.3 = 0.54
    first = np.repeat([1, 1, 0, 0], [45, 15, 25, 15])
    second = np.repeat([1, 0, 1, 0], [45, 15, 25, 15])
    verdicts = np.stack([first, second], axis=1).ravel()
    result = agreement(np.repeat(np.arange(100), 2), np.tile([0, 1], 100), verdicts, ["a", "b"])
    (pair,) = result.pairs
    assert pair.kappa is not None and pair.kappa.value == pytest.approx(0.06 / 0.46)
    assert pair.raw.value == pytest.approx(0.6) and result.raw is not None and result.raw.value == pytest.approx(0.6)
    assert pair.raw.low == pytest.approx(0.5, abs=0.02) and pair.raw.high == pytest.approx(0.7, abs=0.02)


@given(st.integers(1, 80).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))))
def test_shares_have_clopper_and_pearsons_interval(case: tuple[int, int]) -> None:
    reviewed, wrong = case
    expected = stats.binomtest(wrong, reviewed).proportion_ci(method="exact")
    share = share_wrong(reviewed, wrong)
    assert (share.low, share.high) == pytest.approx((expected.low, expected.high), abs=1e-9)


@given(unreviewed=st.integers(0, 60), audited=st.integers(1, 25), data=st.data())
def test_errors_left_are_those_that_the_sample_does_not_refute(
    unreviewed: int, audited: int, data: st.DataObject
) -> None:
    wrong = data.draw(st.integers(0, audited))
    total = unreviewed + audited
    possible = range(wrong, total - (audited - wrong) + 1)
    laws = (stats.hypergeom(total, errors, audited) for errors in possible)
    tails = [(law.sf(wrong - 1), law.cdf(wrong)) for law in laws]
    rich, poor = ([float(chance) for chance in chances] for chances in zip(*tails, strict=True))
    assume(all(abs(chance - 0.025) > 1e-9 for chance in rich + poor))  # there the last digit decides
    fitting = [e for e, *chances in zip(possible, rich, poor, strict=True) if min(chances) > 0.025]
    left = errors_left(unreviewed, audited, wrong)
    assert left is not None
    assert (left.low + wrong, left.high + wrong) == (min(fitting), max(fitting))
    assert left.low <= left.estimate <= left.high or math.isclose(left.estimate, left.low, abs_tol=1)


def test_yield_counts_the_queue_and_the_estimate_the_random_sample(open_ledger: Callable[[], Ledger]) -> None:
    ledger = open_ledger()
    order = np.arange(30)

    def reviewed(row: int, action: str, **seen: object) -> None:
        ledger.decide([row], action, annotator="ann", seen={"place": row + 1, "audit": False, **seen})

    for row in range(5):
        reviewed(row, "exclude" if row < 3 else "keep", witnesses=["aum"] if row % 2 else ["aum", "el2n"])
    assert ledger.errors_left(order) is None
    for row, action in ((2, "keep"), (20, "keep"), (25, "exclude"), (28, "unsure")):
        reviewed(row, action, audit=True)  # the first was reached by the queue anyway, the last gives no answer
    ledger.decide([10, 11], "exclude", annotator="ann")
    reviewed(12, "exclude")
    ledger.undo("ann")
    gained = ledger.review_yield()
    assert (gained.overall.reviewed, gained.overall.wrong) == (4, 2), "the random second look at row 2 took its place"
    assert {name: (share.reviewed, share.wrong) for name, share in gained.witnesses.items()} == {
        "aum": (4, 2),
        "el2n": (2, 1),
    }
    assert ledger.review_yield(last=2).overall.wrong == 0
    left = ledger.errors_left(order)
    assert left is not None and (left.unreviewed, left.audited, left.wrong) == (20, 2, 1)
    assert left.estimate == 10 and left.low < 10 < left.high
    advice = ledger.advice(order)
    assert not advice.stop and "4 of 50" in advice.words
