"""Suspects: training examples in the order in which their labels deserve a look, with reasons and a proposal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from diet_explorer.analysis.suspects.calibration import doubts
from diet_explorer.analysis.suspects.evidence import Evidence, Floats
from diet_explorer.analysis.suspects.suspicions import of_label, suspicions
from diet_explorer.analysis.suspects.witnesses import COMBINED, witness
from diet_explorer.data.short_names import cut_middle
from diet_explorer.errors import NotFoundError
from diet_explorer.scoring.rank_order import sort_keys
from diet_explorer.store.aside import AsideArray, laid_aside
from diet_explorer.store.scores import PART

KINDS = ("mislabelled?", "hard, maybe right", "ambiguous", "no sign")
"""What the evidence looks like; the code in column `kind` is the position here."""
KIND_RULE = (
    "Mislabelled?: at least half of the seeds never learned the label, and the models (those that never saw the "
    "example, where there are such) are surer of another class. Hard, maybe right: only one of the two, or learned "
    "late or forgotten by half of the seeds. Ambiguous: learned, but the models kept changing their minds. No sign: "
    "none of it."
)
MISLABELLED, HARD, AMBIGUOUS, NO_SIGN = range(4)
MANY_SEEDS = 0.5
UNSTEADY = 0.2
_NAME_CHARACTERS = 60
"""Standard deviation of the given label's probability from which on a model keeps changing its mind."""
WORST_SHARE = 0.05
"""A witness that grades is a reason where the example is among its worst 5 %."""


@dataclass(frozen=True)
class Reason:
    """Why an example is suspected: what a witness says."""

    witness: str
    title: str
    words: str
    percentile: float  # share in percent of the training examples that are less suspicious to the witness


@dataclass(frozen=True)
class Suspect:
    """One training example as the witnesses see it."""

    row: int
    place: int  # by the combination, 1 is the most suspicious, of `total`
    total: int
    suspicion: float  # how far the given label trails another class, in [0, 1], ½ where both are alike
    suggested: str | None  # the class that the models believe in, where they believe in it more than in the given one
    suggested_share: float | None  # mean probability that they give it
    kind: str  # of `KINDS`
    reasons: tuple[Reason, ...]


def suspect_table(evidence: Evidence) -> pa.Table:
    """Everything that the list of suspects and a suspect's reasons need, one row per training example in row order.

    Columns: ``row, label, kind, suggested`` (codes; −1 for no suggestion), ``suggested_share, p_seen, p_unseen`` (mean
    probability of the given label), ``p_near`` (share of the nearest examples with the given label), ``duplicate``, and
    for each witness its value, high = suspicious, and ``place_<witness>``, 1 for the most suspicious; ties go by the
    combination, then by row.
    """
    values = {name: laid_aside([value]) for name, value in suspicions(evidence).items()}
    suggested, share = _suggestions(evidence)
    columns: dict[str, Any] = {
        "row": evidence.rows,
        "label": evidence.labels,
        "kind": _kinds(evidence, suggested >= 0),
        "suggested": suggested,
        "suggested_share": share,
        "p_seen": of_label(evidence.seen.probabilities, evidence.labels),
        "duplicate": evidence.duplicate,
        "variability": evidence.variability,
        "late": evidence.late,
    }
    if evidence.unseen is not None:
        columns["p_unseen"] = of_label(evidence.unseen.probabilities, evidence.labels)
    if evidence.agreement is not None:
        columns["p_near"] = evidence.agreement
    rows = len(evidence.rows)
    by_combination = _order(values[COMBINED], np.arange(rows, dtype=np.int32))
    level = np.empty(rows, dtype=np.int32)  # the place by the combination, which decides where a witness does not
    level[by_combination] = np.arange(rows, dtype=np.int32)
    for name, value in values.items():
        places = np.empty(rows, dtype=np.int32)
        places[by_combination[_order(value, level)]] = np.arange(1, rows + 1, dtype=np.int32)
        columns[name], columns[f"place_{name}"] = value, laid_aside([places])
    return pa.table(columns)


def _order(values: Floats, ties: NDArray[np.int32]) -> NDArray[np.int32]:
    """The ties in the order of the values, highest first."""
    keys = sort_keys(values, ties, "high")
    keys.sort()
    return keys.astype(np.uint32).view(np.int32)  # the lower half is the tie


def doubts_of(table: pa.Table) -> NDArray[np.float64]:
    """How much independent evidence doubts each label of a `suspect_table`: models that were trained on the example,
    models that never saw it and the nearest examples, as far as they are there; see `calibration.doubts`."""
    return doubts([table[name].to_numpy() for name in ("p_seen", "p_unseen", "p_near") if name in table.column_names])


def checked_witness(table: pa.Table, by: str) -> str:
    """The column of a witness' places."""
    entry = witness(by)
    if f"place_{by}" not in table.column_names:
        raise NotFoundError(f"{entry.title} has nothing to go by yet.", entry.remedy)
    return f"place_{by}"


def suspect_of(table: pa.Table, row: int, classes: Sequence[str]) -> Suspect:
    """One training example as the witnesses see it; NotFoundError where the row is no training example."""
    rows = table["row"].to_numpy()
    position = int(np.searchsorted(rows, row))
    if position == len(rows) or rows[position] != row:
        raise NotFoundError(f"Row {row} is no training example.", "Only labels of the training split are questioned.")
    record = table.slice(position, 1).to_pylist()[0]
    suggested = None if record["suggested"] < 0 else classes[record["suggested"]]
    return Suspect(
        row=row,
        place=record["place_combined"],
        total=len(rows),
        suspicion=record[COMBINED],
        suggested=suggested,
        suggested_share=None if suggested is None else record["suggested_share"],
        kind=KINDS[record["kind"]],
        reasons=reasons_of(record, len(rows), classes),
    )


def reasons_of(record: dict[str, Any], total: int, classes: Sequence[str]) -> tuple[Reason, ...]:
    """Why the example of a row of `suspect_table` is suspected, the strongest reason first; `total` counts the training
    examples."""
    label = cut_middle(classes[record["label"]], _NAME_CHARACTERS)
    suggested = record["suggested"]
    other = cut_middle(classes[suggested], _NAME_CHARACTERS) if suggested >= 0 else "another class"
    words = {
        "el2n": f"EL2N is {record['el2n']:.3f} of at most 1.414",
        "grand": f"GraNd is {record.get('grand', 0.0):,.3f}",
        "aum": f"“{label}” {'trailed' if record['aum'] > 0 else 'led'} by {abs(record['aum']):.2f} on the average",
        "never_learned": f"{_share(record['never_learned'])} of the seeds never predicted “{label}”",
        "neighbours": f"{_share(record.get('neighbours', 0.0))} of the nearest examples have another label",
        "duplicate": "A near-duplicate has another label",
        "annotators": f"{_share(record.get('annotators', 0.0))} of the people in the source gave another label",
    }
    if record.get("p_unseen") is not None:
        believed = f"Models that never saw it give “{label}” {_share(record['p_unseen'])}"
        words["oos"] = believed + (
            f" and “{other}” {_share(record['suggested_share'])}" if record["suggested"] >= 0 else ""
        )
        words["confident"] = f"Models that never saw it are surer of “{other}” than they usually are of that class"
    reasons = []
    for name, text in words.items():
        if f"place_{name}" not in record:
            continue
        entry = witness(name)
        place = record[f"place_{name}"]
        counts = record[name] >= MANY_SEEDS if entry.flag else place <= max(1, round(WORST_SHARE * total))
        if counts and record[name] > 0:
            reasons.append(Reason(name, entry.title, text, 100.0 * (total - place) / total))
    return tuple(sorted(reasons, key=lambda reason: -reason.percentile))


def _suggestions(evidence: Evidence) -> tuple[NDArray[np.int32], Floats]:
    """`_suggestion` for all examples, a part of them after another."""
    codes, shares = AsideArray(), AsideArray()
    for start in range(0, max(len(evidence.rows), 1), PART):
        here = slice(start, start + PART)
        suggested, share = _suggestion(_judged(evidence, here), evidence.labels[here])
        codes.add(suggested)
        shares.add(share)
    return codes.array(), shares.array()


def _judged(evidence: Evidence, here: slice) -> Floats:
    """What is said by whom one asks for a better label: the models that never saw the example, else those that did."""
    seen = evidence.seen.probabilities[here]
    if evidence.unseen is None:
        return seen
    missing = np.isnan(evidence.unseen.trailing[here])
    return np.where(missing[:, None], seen, evidence.unseen.probabilities[here])


def _suggestion(probabilities: Floats, labels: NDArray[np.int32]) -> tuple[NDArray[np.int32], Floats]:
    """The class believed in more than the given one, −1 for none, and the probability of the best other class."""
    own = np.arange(len(labels))
    others = probabilities.copy()
    others[own, labels] = -1.0
    best = others.argmax(1).astype(np.int32)
    share: Floats = others[own, best]
    return np.where(share > probabilities[own, labels], best, np.int32(-1)), share


def _kinds(evidence: Evidence, contradicted: NDArray[np.bool_]) -> NDArray[np.int8]:
    never = evidence.never_learned >= MANY_SEEDS
    hard = never | contradicted | (evidence.late >= MANY_SEEDS)
    kinds = np.where(evidence.variability >= UNSTEADY, AMBIGUOUS, NO_SIGN)
    kinds = np.where(hard, HARD, kinds)
    return np.where(never & contradicted, MISLABELLED, kinds).astype(np.int8)


def _share(value: float) -> str:
    return f"{value:.0%}".replace("%", " %")
