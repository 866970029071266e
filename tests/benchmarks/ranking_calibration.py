"""What is said of the first suspects beside what is true, on the models of `ranking_trainings`: how many are wrong, and
how many suggested labels are right, before anybody has decided and after people decided rightly about the first few."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from diet_explorer.analysis.neighbours import label_agreement
from diet_explorer.analysis.suspects.calibration import ERRORS, SUGGESTIONS, Expected, expected
from diet_explorer.analysis.suspects.evidence import EPOCH_WEIGHT, UNSEEN_FROM, Evidence, Opinion
from diet_explorer.analysis.suspects.table import doubts_of, suspect_table
from diet_explorer.scoring import metrics
from diet_explorer.scoring.metrics import probabilities
from tests.benchmarks.ranking_trainings import SEEDS, LabelledSet, Model

Floats = NDArray[np.floating]
FIRST, DECIDED, NEIGHBOURS = (50, 100, 200), (0, 10, 30, 60), 10
SHOWN = 100
"""Of the first so many the table tells."""


@dataclass(frozen=True)
class Said:
    """An estimate beside the truth."""

    kind: str  # errors or suggestions
    first: int
    decided: int
    found: Expected
    truth: int

    @property
    def holds(self) -> bool:
        """Whether the truth lies in the interval."""
        return self.found.low <= self.truth <= self.found.high


def calibration(sets: Mapping[str, tuple[dict[str, Model], LabelledSet, Floats | None]]) -> list[str]:
    """In Markdown, for each set with its models and embeddings; the last lines count the intervals that hold."""
    said = {which: list(_said(*made)) for which, made in sets.items()}
    lines = [
        "| set | wrong | " + " | ".join(f"{decided} decided" for decided in DECIDED) + " |",
        "|---|---|" + "---|" * len(DECIDED),
    ]
    for which, all_said in said.items():
        shown = [one for one in all_said if one.kind == "errors" and one.first == SHOWN]
        lines.append(f"| {which} | {shown[0].truth} | " + " | ".join(map(_cell, shown)) + " |")
    lines += ["", f"Intervals that hold, over the sets and the first {', '.join(map(str, FIRST))} suspects:", ""]
    lines += [
        "| of | " + " | ".join(f"{decided} decided" for decided in DECIDED) + " |",
        "|---|" + "---|" * len(DECIDED),
    ]
    for kind, words in (("errors", "wrong labels"), ("suggestions", "right suggestions")):
        cells = []
        for decided in DECIDED:
            all_of = [one for many in said.values() for one in many if (one.kind, one.decided) == (kind, decided)]
            cells.append(f"{sum(one.holds for one in all_of)} of {len(all_of)}")
        lines.append(f"| {words} | " + " | ".join(cells) + " |")
    return lines


def _said(models: dict[str, Model], drawn: LabelledSet, embeddings: Floats | None) -> Iterator[Said]:
    table = suspect_table(evidence_of(models, drawn, embeddings))
    doubt, place = doubts_of(table), table["place_combined"].to_numpy()
    suggested = table["suggested"].to_numpy()
    wrong = drawn.given != drawn.truth
    right = np.where(suggested >= 0, suggested == drawn.truth, np.nan)
    for first in FIRST:
        listed = place <= first
        for decided in DECIDED:
            known = place <= decided
            errors = expected(doubt, np.where(known, wrong, np.nan), listed, ERRORS)
            yield Said("errors", first, decided, errors, int(wrong[listed].sum()))
            chosen = listed & (suggested >= 0)
            suggestions = expected(doubt, np.where(known, right, np.nan), chosen, SUGGESTIONS)
            yield Said("suggestions", first, decided, suggestions, int((right[chosen] == 1).sum()))


def evidence_of(models: dict[str, Model], drawn: LabelledSet, embeddings: Floats | None) -> Evidence:
    """What the product would have read of these models, as far as ranking and estimates take it."""
    labels, ends = drawn.given.astype(np.int32), (1.0, 2.0, 3.0)
    nothing = np.zeros(len(labels), dtype=np.float32)
    seeds = [models[f"seed {seed}"] for seed in range(SEEDS)]
    folds = [model for name, model in models.items() if name.startswith("fold")]
    everything = np.ones(len(labels), dtype=bool)
    late = [point for point in ends if point >= UNSEEN_FROM * ends[-1]]
    return Evidence(
        rows=np.arange(len(labels), dtype=np.int32),
        labels=labels,
        seen=_opinion([(m, everything, p, EPOCH_WEIGHT**at) for m in seeds for at, p in enumerate(ends)], labels),
        seeds=len(seeds),
        folds_seen=_opinion([(m, m.trained, p, EPOCH_WEIGHT**at) for m in folds for at, p in enumerate(ends)], labels),
        unseen=_opinion([(m, ~m.trained, p, 1.0) for m in folds for p in late], labels),
        el2n=nothing, grand=None, aum=nothing, never_learned=nothing, late=nothing, variability=nothing,
        agreement=None if embeddings is None else label_agreement(_nearest(embeddings), labels, everything),
        duplicate=np.full(len(labels), -1, dtype=np.int32),
    )  # fmt: skip


def _opinion(asked: list[tuple[Model, NDArray[np.bool_], float, float]], labels: NDArray[np.int32]) -> Opinion:
    """By models, the examples each is asked about, its checkpoint and that one's weight."""
    classes = asked[0][0].logits.shape[2]
    total, votes = np.zeros((len(labels), classes)), np.zeros(len(labels), dtype=np.int32)
    trailing, weights = np.zeros(len(labels)), np.zeros(len(labels))
    for model, about, point, weight in asked:
        logits = model.at(point)[about]
        total[about] += probabilities(logits)
        votes[about] += 1
        trailing[about] += weight * metrics.trailing(logits, labels[about])
        weights[about] += weight
    mean, behind = total / votes[:, None], trailing / weights
    return Opinion(mean.astype(np.float32), behind.astype(np.float32), votes)


def _nearest(embeddings: Floats) -> NDArray[np.int32]:
    """The nearest by cosine, without the example itself."""
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    alike = unit @ unit.T
    np.fill_diagonal(alike, -np.inf)
    return np.argpartition(-alike, NEIGHBOURS, axis=1)[:, :NEIGHBOURS].astype(np.int32)


def _cell(said: Said) -> str:
    found = said.found
    return f"{found.estimate:.0f} ({found.low} to {found.high}){'' if said.holds else ' ✗'}"
