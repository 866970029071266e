"""Is it worth reviewing on? How many of the last examples were wrong, and how many errors may be left.

Intervals are exact: Clopper and Pearson's for shares, the inverted hypergeometric test for what is left in a finite
set of which a part was drawn at random.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass

from diet_explorer.store.decisions import DecisionEvent

WRONG_ACTIONS: frozenset[str] = frozenset({"relabel", "exclude"})
ENOUGH_REVIEWED = 50
FEW_WRONG = 0.05
_TAIL = 0.025  # of 95 %, on each side


@dataclass(frozen=True)
class Share:
    """How many of some reviewed examples were wrong, with the exact 95 % interval of the share."""

    reviewed: int
    wrong: int
    low: float
    high: float

    @property
    def share(self) -> float:
        """In [0, 1]; NaN where nothing was reviewed."""
        return self.wrong / self.reviewed if self.reviewed else math.nan


@dataclass(frozen=True)
class ReviewYield:
    """The last examples reviewed in the queue."""

    overall: Share
    witnesses: dict[str, Share]  # for each witness its own last ones: those that it was a reason for


@dataclass(frozen=True)
class ErrorsLeft:
    """Estimate of the wrong labels among the examples that nobody has decided about, with its exact 95 % interval."""

    unreviewed: int
    audited: int  # size of the random sample of them, which are no longer among them
    wrong: int  # of the sample
    estimate: float
    low: int
    high: int


@dataclass(frozen=True)
class StopAdvice:
    """Whether to stop, and why, in words with the numbers."""

    stop: bool
    words: str


def share_wrong(reviewed: int, wrong: int) -> Share:
    """A share with Clopper and Pearson's interval."""
    if not reviewed:
        return Share(0, 0, 0.0, 1.0)
    from scipy.special import betaincinv  # only where a review is looked at: it takes longer to load than the page

    low = float(betaincinv(wrong, reviewed - wrong + 1, _TAIL)) if wrong else 0.0
    high = float(betaincinv(wrong + 1, reviewed - wrong, 1 - _TAIL)) if wrong < reviewed else 1.0
    return Share(reviewed, wrong, low, high)


def yield_of(reviewed: Iterable[DecisionEvent], last: int) -> ReviewYield:
    """The yield of the `last` decisions, which come newest first, overall and per witness (``seen["witnesses"]``)."""
    overall: list[bool] = []
    witnesses: dict[str, list[bool]] = {}
    for event in reviewed:
        named = (event.seen or {}).get("witnesses") or []
        for results in [overall, *(witnesses.setdefault(str(name), []) for name in named)]:
            if len(results) < last:
                results.append(event.action in WRONG_ACTIONS)
    return ReviewYield(_share(overall), {name: _share(results) for name, results in sorted(witnesses.items())})


def errors_left(unreviewed: int, audited: int, wrong: int) -> ErrorsLeft | None:
    """Estimate errors among the unreviewed from a random sample that was drawn from them; None where it is empty.

    The examples left and the sample, of `audited` examples, are the set that it was drawn from.
    """
    if not audited:
        return None
    total = unreviewed + audited

    # the number of errors in all of the set is not refuted as long as a sample so rich, or so poor, is likely enough
    def so_rich(errors: int) -> bool:
        return 1 - _hypergeometric_cdf(wrong - 1, total, errors, audited) > _TAIL

    def too_poor(errors: int) -> bool:
        return _hypergeometric_cdf(wrong, total, errors, audited) <= _TAIL

    most = total - (audited - wrong)
    low = bisect_left(range(total), True, lo=wrong, key=so_rich)
    high = max(bisect_left(range(most + 1), True, lo=wrong, key=too_poor) - 1, low)
    return ErrorsLeft(unreviewed, audited, wrong, unreviewed * wrong / audited, low - wrong, high - wrong)


def stop_advice(review_yield: ReviewYield, left: ErrorsLeft | None) -> StopAdvice:
    """Whether to stop: enough was reviewed, and the queue finds few errors, or hardly more than chance would."""
    last = review_yield.overall
    if last.reviewed < ENOUGH_REVIEWED:
        return StopAdvice(False, f"Too early to say: {last.reviewed} of {ENOUGH_REVIEWED} reviewed so far.")
    words = f"Of the last {last.reviewed} reviewed, {last.wrong} were wrong ({last.share:.1%}, {_span(last)})."
    few = last.share <= FEW_WRONG
    if left is None:
        advice = (
            "You can stop; random examples in the queue would say how many errors are left."
            if few
            else "Going on is worth it."
        )
        return StopAdvice(few, f"{words} {advice}")
    rate = share_wrong(left.audited, left.wrong)
    words += (
        f" Of {left.audited:,} drawn at random, {left.wrong:,} were wrong ({rate.share:.1%}, {_span(rate)}): about "
        f"{left.estimate:,.0f} errors ({left.low:,} to {left.high:,}) are left in {left.unreviewed:,} examples."
    )
    by_chance = last.low <= rate.share
    if few or by_chance:
        reason = "the queue finds hardly more than chance would" if by_chance else "few of the suspects are wrong"
        return StopAdvice(True, f"{words} You can stop: {reason}.")
    return StopAdvice(False, f"{words} Going on is worth it.")


def _share(results: list[bool]) -> Share:
    return share_wrong(len(results), sum(results))


def _span(share: Share) -> str:
    return f"95 % interval {share.low:.1%} to {share.high:.1%}"


def _hypergeometric_cdf(k: int, total: int, errors: int, drawn: int) -> float:
    """Probability of at most `k` errors among `drawn` out of `total` with `errors` in them."""
    least, most = max(0, drawn - (total - errors)), min(k, drawn, errors)
    base = _log_choose(total, drawn)
    logs = (_log_choose(errors, i) + _log_choose(total - errors, drawn - i) - base for i in range(least, most + 1))
    return min(1.0, math.fsum(map(math.exp, logs)))


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
