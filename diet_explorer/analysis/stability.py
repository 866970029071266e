"""Cautions about a ranking, in plain words with their numbers: too early, collapsed, class-skewed, incomplete."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from diet_explorer.analysis.statistics import CheckpointStatistics
from diet_explorer.data.splits import TRAIN
from diet_explorer.scoring import catalogue

EARLY_CORRELATION = 0.5
COLLAPSED_ACCURACY = 0.97
SKEW_SHARE = 0.10
SKEW_FACTOR = 2.0
SKEW_EXAMPLES = 20


@dataclass(frozen=True)
class ScoreWarning:
    """A reason to mistrust a ranking, in words with its numbers and what to do."""

    kind: Literal["too early", "collapsed", "class-skewed", "incomplete"]
    words: str


def stability_of(statistics: Sequence[CheckpointStatistics], score: str) -> pd.DataFrame:
    """How far a score ranks the training examples alike at different checkpoints.

    Returns
    -------
    pandas.DataFrame
        ``first, second`` (checkpoints, first < second), ``spearman`` in [-1, 1] and ``top_0.01, top_0.05, top_0.1`` in
        [0, 1]: how much of the worst 1, 5, 10 % is the same.
    """
    parts = [entry.between_checkpoints(score) for entry in statistics]
    known = [part for part in parts if len(part)] or parts[:1]
    return pd.concat(known, ignore_index=True).sort_values(["first", "second"], ignore_index=True)


def warnings_of(
    statistics: CheckpointStatistics,
    following: CheckpointStatistics | None,
    score: str,
    missing: Sequence[float] = (),
) -> list[ScoreWarning]:
    """Reasons to mistrust a score at a checkpoint; `following` belongs to the next checkpoint, where it has landed, and
    `missing` are planned ones up to this that have no scores."""
    warnings = [
        _too_early(statistics, following, score),
        _incomplete(score, missing),
        _collapsed(statistics, score),
    ]
    return [entry for entry in warnings if entry is not None] + _class_skewed(statistics, score)


def _too_early(
    statistics: CheckpointStatistics, following: CheckpointStatistics | None, score: str
) -> ScoreWarning | None:
    reasons = []
    note = catalogue.checkpoint_note(statistics.checkpoint)
    if note is not None:
        reasons.append(note)
    if following is not None:
        pairs = following.between_checkpoints(score)
        correlations = pairs.loc[pairs["first"] == statistics.checkpoint, "spearman"]
        if len(correlations) and correlations.iloc[0] < EARLY_CORRELATION:
            title = catalogue.score(score).title
            reasons.append(
                f"{title} ranks the examples quite differently {catalogue.checkpoint_title(following.checkpoint)} "
                f"(Spearman {correlations.iloc[0]:.2f}, below {EARLY_CORRELATION:g}), so its order has not settled. "
                f"Choose a later checkpoint."
            )
    return ScoreWarning("too early", " ".join(reasons)) if reasons else None


def _incomplete(score: str, missing: Sequence[float]) -> ScoreWarning | None:
    entry = catalogue.score(score)
    if entry.span == "checkpoint" or not missing:
        return None
    titles = ", ".join(map(catalogue.checkpoint_title, missing))
    return ScoreWarning(
        "incomplete", f"{entry.title} is counted without the scores {titles}, which were planned and are missing."
    )


def _collapsed(statistics: CheckpointStatistics, score: str) -> ScoreWarning | None:
    entry = catalogue.score(score)
    figures = statistics.score(score)
    reasons = []
    if entry.span == "checkpoint" and statistics.train_accuracy >= COLLAPSED_ACCURACY:
        reasons.append(
            f"The model gets {statistics.train_accuracy:.1%} of the training examples right (from "
            f"{COLLAPSED_ACCURACY:.0%} on, the scores of the easier half go to one value and its order is noise)."
        )
    spread, noise = figures.easy_spread, figures.easy_seed_spread
    if len(statistics.seeds) > 1 and spread is not None and noise is not None and noise > spread:
        reasons.append(
            f"In the easier half, {entry.title} differs more between seeds (± {noise:.3g}) than between examples "
            f"(± {spread:.3g}), so its order there is noise."
        )
    if not reasons:
        return None
    return ScoreWarning(
        "collapsed", " ".join([*reasons, "Rely on the hard end only, or choose an earlier checkpoint."])
    )


def _class_skewed(statistics: CheckpointStatistics, score: str) -> list[ScoreWarning]:
    title = catalogue.score(score).title
    balance = statistics.score(score).top_balance
    worst = balance[(balance["split"] == TRAIN) & (balance["share"] == SKEW_SHARE)]
    every = statistics.label_counts[statistics.label_counts["split"] == TRAIN]
    size, rows = int(worst["count"].sum()), int(every["count"].sum())
    warnings = []
    for label, total, count in zip(every["label"], every["count"], worst["count"], strict=True):
        if total == 0:
            continue
        here, usual = count / size, total / rows
        enough = max(count, usual * size) >= SKEW_EXAMPLES
        if enough and (here > SKEW_FACTOR * usual or here < usual / SKEW_FACTOR):
            warnings.append(
                ScoreWarning(
                    "class-skewed",
                    f"The class “{label}” makes up {here:.1%} of the worst {SKEW_SHARE:.0%} by {title}, but "
                    f"{usual:.1%} of the training examples. Pruning by this ranking would shift the balance.",
                )
            )
    return warnings
