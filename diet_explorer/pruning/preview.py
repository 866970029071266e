"""What a policy would do, before anything is written."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from diet_explorer.data.example_rows import ExampleRows
from diet_explorer.pruning.plan import Plan
from diet_explorer.pruning.selection import TOO_EASY, TOO_HARD
from diet_explorer.scoring import catalogue
from diet_explorer.store.decisions import DECISION_STATES
from diet_explorer.store.files import Files
from diet_explorer.store.ranking_files import RankingFile

SUSPECT_SHARES = (0.01, 0.05, 0.10)
LEAST_REVIEWED = 20
"""So many reviewed examples are needed before their error rate is taken for that of the others of their kind."""

_ENDS = (("hardest", TOO_HARD), ("easiest", TOO_EASY))
_RIGHT, _WRONG = ("keep",), ("relabel", "exclude")
_LENGTH_BINS = 30


@dataclass(frozen=True)
class Cut:
    """Where a policy cuts the scores: what lies beyond `value` goes.

    Attributes
    ----------
    end : {"hardest", "easiest"}
    value : float
        Score of the last example that goes.
    label : str or None
        The class that it is about, for a window inside each class.
    """

    end: str
    value: float
    label: str | None = None


@dataclass(frozen=True)
class LengthShift:
    """Characters of training examples (both texts of a pair together) before and after.

    Attributes
    ----------
    summary : pandas.DataFrame
        ``figure`` (mean, median, 95th percentile, longest), ``before, after``.
    histogram : pandas.DataFrame
        ``left, right``, and the shares ``before, after`` in [0, 1]; the last bin holds all that is longer.
    """

    summary: pd.DataFrame
    histogram: pd.DataFrame


@dataclass(frozen=True)
class NoiseEstimate:
    """Expected share of wrong labels in the training split, in [0, 1]; a sketch, not a measurement.

    Attributes
    ----------
    before, after : float
        Reviewed examples count as annotators decided. The others count at the error rate of reviewed ones that the
        model contradicts, or agrees with, as they do; without enough of those, as wrong (1) and right (0).
    contradicted_before, contradicted_after : float
        Share of examples whose label is not the class that the model predicts.
    words : str
        What the estimate rests on.
    """

    before: float
    after: float
    contradicted_before: float
    contradicted_after: float
    words: str


@dataclass(frozen=True)
class Preview:
    """What a policy would do.

    Attributes
    ----------
    counts : pandas.DataFrame
        ``split, label, before, dropped, moved_out, moved_in, kept``; see `Plan.counts`.
    reasons : pandas.DataFrame
        ``reason, rows`` over the training split.
    histogram : pandas.DataFrame
        Of the policy's score over the training split: ``left, right, kept, dropped``; empty without scores.
    cuts : tuple of Cut
    lengths : LengthShift
    boundary : pandas.DataFrame
        Examples next to the cuts: ``end`` (hardest or easiest), ``side`` (kept or dropped), ``row, id, text,
        [text_pair,] label, score``, the nearest first.
    decisions : pandas.DataFrame
        Training examples by what annotators decided: ``state, kept, dropped``.
    suspects : pandas.DataFrame
        ``worst`` (share of the most suspicious training examples, in (0, 1]), ``kept, dropped``; empty where nothing
        is known of suspects.
    noise : NoiseEstimate or None
        None where the run has no predictions.
    ignored_decisions : int
        Decisions that would change examples of other splits, which no policy touches.
    """

    counts: pd.DataFrame
    reasons: pd.DataFrame
    histogram: pd.DataFrame
    cuts: tuple[Cut, ...]
    lengths: LengthShift
    boundary: pd.DataFrame
    decisions: pd.DataFrame
    suspects: pd.DataFrame
    noise: NoiseEstimate | None
    ignored_decisions: int


def preview_of(
    plan: Plan, files: Files, suspects: NDArray[np.integer] | None, *, bins: int = 60, examples: int = 5
) -> Preview:
    """Count and look up what a page shows of a plan.

    Parameters
    ----------
    plan : Plan
    files : Files
        The workspace, for texts.
    suspects : int array or None
        Training rows from the most suspicious on.
    bins : int
        Of the histogram.
    examples : int
        How many are shown on each side of each cut.
    """
    rows, material, keep = ExampleRows(files, plan.manifest), plan.material, plan.selection.keep
    train = material.train
    decided = [
        (state, int(np.count_nonzero(having & keep)), int(np.count_nonzero(having & ~keep)))
        for state, having in ((state, train & (material.states == code)) for code, state in enumerate(DECISION_STATES))
    ]
    changing = [DECISION_STATES.index(state) for state in _WRONG]
    return Preview(
        counts=plan.counts(),
        reasons=plan.reasons(),
        histogram=_histogram(plan, bins),
        cuts=tuple(_cuts(plan)),
        lengths=_lengths(rows.lengths(), train, train & keep),
        boundary=_boundary(plan, rows, examples),
        decisions=pd.DataFrame(decided, columns=["state", "kept", "dropped"]),
        suspects=_suspects(suspects, keep),
        noise=None if plan.ranking is None else _noise(plan, plan.ranking),
        ignored_decisions=int(np.count_nonzero(~train & np.isin(material.states, changing))),
    )


def _scores(plan: Plan) -> NDArray[np.floating]:
    """The score as its catalogue has it, from the hardness."""
    hardness = plan.material.hardness
    return hardness if catalogue.score(plan.policy.score).worst == "high" else -hardness


def _histogram(plan: Plan, bins: int) -> pd.DataFrame:
    known = plan.material.train & np.isfinite(plan.material.hardness)
    if not known.any():
        return pd.DataFrame({"left": [], "right": [], "kept": [], "dropped": []})
    values = _scores(plan)[known].astype(np.float64)
    keep = plan.selection.keep[known]
    edges = np.linspace(values.min(), values.max(), bins + 1)
    if edges[0] == edges[-1]:
        edges = np.array([edges[0], edges[0] + 1.0])
    kept, dropped = (np.histogram(values[part], edges)[0] for part in (keep, ~keep))
    return pd.DataFrame({"left": edges[:-1], "right": edges[1:], "kept": kept, "dropped": dropped})


def _cuts(plan: Plan) -> list[Cut]:
    values, selection = _scores(plan), plan.selection
    cuts = []
    for end, code in _ENDS:
        gone = np.flatnonzero(selection.reasons == code)
        if not len(gone):
            continue
        labels = selection.labels[gone]
        groups = np.unique(labels).tolist() if plan.policy.kind == "class_balanced" else [None]
        for label in groups:
            group = gone if label is None else gone[labels == label]
            hardness = plan.material.hardness[group]
            last = group[np.argmin(hardness) if code == TOO_HARD else np.argmax(hardness)]
            cuts.append(Cut(end, float(values[last]), None if label is None else plan.manifest.classes[label]))
    return cuts


def _boundary(plan: Plan, rows: ExampleRows, examples: int) -> pd.DataFrame:
    material, selection = plan.material, plan.selection
    kept = np.flatnonzero(material.train & selection.keep & np.isfinite(material.hardness))
    parts: list[tuple[str, str, NDArray[np.int64]]] = []
    for end, code in _ENDS:
        gone = np.flatnonzero(selection.reasons == code)
        if not len(gone):
            continue
        keys = material.hardness if code == TOO_HARD else -material.hardness
        parts.append((end, "dropped", _least(gone, keys, material.tie_order, examples)))
        parts.append((end, "kept", _least(kept, -keys, material.tie_order, examples)))
    chosen = np.concatenate([part for _, _, part in parts]) if parts else np.empty(0, dtype=np.int64)
    texts = rows.of(chosen).to_pandas()
    classes = np.array(plan.manifest.classes, dtype=object)
    frame = pd.DataFrame(
        {
            "end": [end for end, _, part in parts for _ in part],
            "side": [side for _, side, part in parts for _ in part],
            "row": chosen,
        }
    )
    for name in texts.columns:
        frame[name] = texts[name]
    frame["label"] = classes[selection.labels[chosen]]
    frame["score"] = _scores(plan)[chosen]
    return frame


def _least(
    rows: NDArray[np.int64], keys: NDArray[np.floating], tie_order: NDArray[np.integer], count: int
) -> NDArray[np.int64]:
    """The rows with the smallest keys, in order; ties go by id."""
    if len(rows) > count:
        rows = rows[keys[rows] <= np.partition(keys[rows], count - 1)[count - 1]]
    return rows[np.lexsort((tie_order[rows], keys[rows]))][:count]


def _lengths(lengths: NDArray[np.int32], before: NDArray[np.bool_], after: NDArray[np.bool_]) -> LengthShift:
    parts = {"before": lengths[before], "after": lengths[after]}
    figures = {
        name: [float(part.mean()), float(np.median(part)), float(np.percentile(part, 95)), float(part.max())]
        for name, part in parts.items()
    }
    summary = pd.DataFrame({"figure": ["mean", "median", "95th percentile", "longest"], **figures})
    top = float(np.percentile(parts["before"], 99)) or 1.0
    edges = np.linspace(0.0, top, _LENGTH_BINS + 1)
    histogram = pd.DataFrame({"left": edges[:-1], "right": edges[1:]})
    for name, part in parts.items():
        histogram[name] = np.histogram(np.minimum(part, top), edges)[0] / len(part)
    return LengthShift(summary, histogram)


def _suspects(suspects: NDArray[np.integer] | None, keep: NDArray[np.bool_]) -> pd.DataFrame:
    lines = []
    if suspects is not None and len(suspects):
        for share in SUSPECT_SHARES:
            worst = suspects[: max(round(len(suspects) * share), 1)]
            kept = int(np.count_nonzero(keep[worst]))
            lines.append((share, kept, len(worst) - kept))
    return pd.DataFrame(lines, columns=["worst", "kept", "dropped"])


def _noise(plan: Plan, ranking: RankingFile) -> NoiseEstimate | None:
    material, selection = plan.material, plan.selection
    rows = ranking.rows
    in_train = material.train[rows]
    rows = rows[in_train]
    if not len(rows):
        return None
    contradicts = ranking.column("disagree")[in_train]
    states = material.states[rows]
    right, wrong = (np.isin(states, [DECISION_STATES.index(state) for state in kind]) for kind in (_RIGHT, _WRONG))
    chance, words = np.zeros(len(rows)), []
    for kind, what, otherwise in ((contradicts, "contradicts", 1.0), (~contradicts, "agrees with", 0.0)):
        reviewed, errors = int(np.count_nonzero(kind & (right | wrong))), int(np.count_nonzero(kind & wrong))
        chance[kind] = errors / reviewed if reviewed >= LEAST_REVIEWED else otherwise
        if reviewed >= LEAST_REVIEWED:
            words.append(f"{errors:,} of {reviewed:,} reviewed labels that the model {what} were wrong")
        else:
            taken = "wrong" if otherwise else "right"
            words.append(f"labels that the model {what} count as {taken}: only {reviewed:,} of them are reviewed")
    chance[right], chance[wrong] = 0.0, 1.0
    keep = selection.keep[rows]
    remaining = np.where(wrong & plan.policy.use_decisions, 0.0, chance)[keep]
    given = selection.labels[rows] == material.labels[rows]
    return NoiseEstimate(
        before=float(chance.mean()),
        after=float(remaining.mean()),
        contradicted_before=float(contradicts.mean()),
        contradicted_after=float((contradicts & given)[keep].mean()),
        words="; ".join(words) + ".",
    )
