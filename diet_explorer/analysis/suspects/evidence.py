"""What the recorded models say about each training example's label: the numbers behind the suspects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from diet_explorer.analysis.neighbours import label_agreement
from diet_explorer.data.example_order import read_example_order
from diet_explorer.data.manifest import DISAGREEMENT, DatasetManifest
from diet_explorer.data.splits import TRAIN
from diet_explorer.errors import NotFoundError
from diet_explorer.scoring import metrics
from diet_explorer.scoring.dynamics import FORGOTTEN, LEARNED_LATE, NEVER_LEARNED, TrainingDynamics
from diet_explorer.store.embeddings import EmbeddingFiles, Representation
from diet_explorer.store.files import Files
from diet_explorer.store.layout import Layout
from diet_explorer.store.rows import RunRows
from diet_explorer.store.scores import ScoreFiles, logits_of

GROUP = "near_duplicate_group"
REPRESENTATIONS: tuple[Representation, ...] = ("initial", "tuned")
FIRST_EPOCH = 1.0
"""Models before the end of the first epoch do not count: they know too little of the task to contradict anybody."""
EPOCH_WEIGHT = 0.5
"""Of a model about an example that it was trained on, beside its own checkpoint an epoch before: it learns wrong labels
by heart, so that each epoch more says less of them, and a training's length must not make the ranking worse."""
_NEAR_END = 0.02
"""So far from a whole number of epochs a checkpoint may be to count as an end: trainings of one's own save by steps."""
UNSEEN_FROM = 0.5
"""Share of the training after which models are asked about examples that they have not seen: they cannot have memorised
those labels, so that knowing the task better is all that matters, and early checkpoints know it least."""

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Opinion:
    """What a number of models say on the average; N examples, K classes."""

    probabilities: Floats  # (N, K); NaN for examples that none of them was asked about
    # (N,) weighted mean of how far the given label trails another class, `metrics.trailing`: in [0, 1], high =
    # contradicted; NaN likewise
    trailing: Floats
    votes: NDArray[np.int32]  # (N,) how many models were asked about each, every checkpoint being one


@dataclass(frozen=True)
class Evidence:
    """All that is known of the training examples' labels; arrays have one entry per example, N in all."""

    rows: NDArray[np.int32]  # ascending
    labels: NDArray[np.int32]  # class codes given
    seen: Opinion  # of the run's own models: every seed at those of its checkpoints that `heard` gives
    seeds: int  # of the run, that `seen` is of
    # Of the models of the folds that were trained on the example, at all of their checkpoints, which are the ends of
    # epochs; None where there are no folds.
    folds_seen: Opinion | None
    # Of the models of the folds that it was held out of, at the checkpoints of the later half of their training; None
    # where there are no folds.
    unseen: Opinion | None
    el2n: Floats  # mean over the seeds at the chosen checkpoint
    grand: Floats | None  # the same of GraNd, where it was recorded
    aum: Floats  # mean margin over seeds and checkpoints after the start; low = suspect
    never_learned: Floats  # share of seeds that were wrong at every checkpoint after the start
    late: Floats  # share of seeds that learned it late or forgot it
    # mean over seeds of the standard deviation of the given label's probability over checkpoints, in [0, ½]
    variability: Floats
    # Share of the nearest examples with the same label; NaN for those without neighbours, None where neighbours were
    # not computed.
    agreement: Floats | None
    duplicate: NDArray[np.int32]  # row of a near-duplicate that has another label; −1 where there is none
    # Share of the people in the source who say another label, NaN where nobody gave one; None where the source has one
    # label per example, or the run has labels of its own.
    disagreement: Floats | None = None


def read_evidence(
    files: Files, manifest: DatasetManifest, store: ScoreFiles, checkpoint: float, folds: ScoreFiles | None
) -> Evidence:
    """Gather what a run and its folds have recorded; single scores are read at `checkpoint`, where every seed that has
    it counts. NotFoundError where no checkpoint after the start has landed."""
    landed = {seed: points for seed, points in store.landed().items() if checkpoint in points and points[-1] > 0}
    if not landed:
        raise NotFoundError(
            f"Nothing has been learned by checkpoint {checkpoint:g} yet, so no label can be doubted.",
            "Wait until a later checkpoint has landed, best the end of epoch 1.",
        )
    first = store.read_scores(next(iter(landed)), checkpoint, ["row", "label"])
    train = read_example_order(files, manifest.id).in_split(TRAIN)[first["row"].to_numpy()]
    rows, labels = first["row"].to_numpy()[train], first["label"].to_numpy()[train]
    seen, folds_seen, unseen = (_Votes(len(rows), len(manifest.classes)) for _ in range(3))
    single = {name: _Mean(len(rows)) for name in ("el2n", "grand")}
    over = {name: _Mean(len(rows)) for name in ("aum", "never_learned", "late", "variability")}
    for seed, points in landed.items():
        course = TrainingDynamics(len(rows))
        counting = heard(points)
        for point in points:
            table = store.read_scores(seed, point, ["logits", "p_label", "margin", "predicted"])
            logits = logits_of(table)[train]
            if point in counting:
                seen.add(np.arange(len(rows)), logits, labels, EPOCH_WEIGHT ** counting.index(point))
            if point > 0:
                p_label, margin, predicted = (
                    table[name].to_numpy()[train] for name in ("p_label", "margin", "predicted")
                )
                course.add(point, p_label, margin, predicted == labels)
        for name, values in _over_training(course, points).items():
            over[name].add(values)
        table = store.read_scores(seed, checkpoint, list(single))
        for name in table.column_names:
            single[name].add(table[name].to_numpy()[train])
    examples = read_columns(files, manifest, ["label", GROUP, DISAGREEMENT])
    given = examples["label"].to_numpy().copy()
    given[rows] = labels  # a run may have labels of its own
    if folds is not None:
        _add_folds(folds, rows, labels, folds_seen, unseen)
    return Evidence(
        rows=rows,
        labels=labels,
        seen=seen.opinion(),
        seeds=len(landed),
        folds_seen=folds_seen.opinion() if folds is not None else None,
        unseen=unseen.opinion() if folds is not None else None,
        el2n=single["el2n"].values(),
        grand=single["grand"].values() if single["grand"].count else None,
        **{name: mean.values() for name, mean in over.items()},
        agreement=_agreement(EmbeddingFiles(files, store.run_id), given, rows),
        duplicate=_contradicting_duplicates(examples, given)[rows],
        disagreement=_disagreement(examples, given, rows),
    )


def heard(points: Sequence[float]) -> list[float]:
    """Which of a seed's checkpoints have a vote about the labels that it was trained on: the ends of epochs; without
    one, those after the first epoch; without one, the last.

    Amid an epoch a part of the examples has been trained on once more than the others, and is contradicted less for
    that alone.
    """
    late = [point for point in points if point >= FIRST_EPOCH - _NEAR_END]
    ends = [point for point in late if abs(point - round(point)) <= _NEAR_END]
    return ends or late or list(points[-1:])


class _Mean:
    """A running mean of arrays (N,)."""

    def __init__(self, rows: int) -> None:
        self._total = np.zeros(rows)
        self.count = 0

    def add(self, values: NDArray[np.floating]) -> None:
        self._total += values
        self.count += 1

    def values(self) -> Floats:
        return (self._total / self.count).astype(np.float32)


class _Votes:
    """A running mean of what models say of examples, each of which may have been asked of a different number; `weight`
    is of the suspicion alone."""

    def __init__(self, rows: int, classes: int) -> None:
        self._probabilities = np.zeros((rows, classes), dtype=np.float32)
        self._trailing, self._weights = np.zeros(rows), np.zeros(rows)
        self._votes = np.zeros(rows, dtype=np.int32)

    def add(
        self, positions: NDArray[np.integer], logits: Floats, labels: NDArray[np.int32], weight: float = 1.0
    ) -> None:
        """What one model says of the examples at some positions among the training examples."""
        self._probabilities[positions] += metrics.probabilities(logits)
        self._votes[positions] += 1
        self._trailing[positions] += weight * metrics.trailing(logits, labels)
        self._weights[positions] += weight

    def opinion(self) -> Opinion:
        with np.errstate(invalid="ignore"):
            votes = self._votes.astype(np.float32)
            trailing = (self._trailing / self._weights).astype(np.float32)
            return Opinion(self._probabilities / votes[:, None], trailing, self._votes)


def _add_folds(
    folds: ScoreFiles, rows: NDArray[np.int32], labels: NDArray[np.int32], seen: _Votes, unseen: _Votes
) -> None:
    """Each fold's model has seen what it was trained on, and not the rest; folds that are not complete do not count."""
    lists = RunRows(folds.files, folds.run_id)
    landed = folds.landed()
    last = max((points[-1] for points in landed.values() if points), default=0.0)
    for seed, points in landed.items():
        if not points or points[-1] < last:
            continue
        trained = lists.read_training(seed)[0]
        for place, point in enumerate(points):
            table = folds.read_scores(seed, point, ["row", "logits"])
            own, positions, at = np.intersect1d(table["row"].to_numpy(), rows, assume_unique=True, return_indices=True)
            logits = logits_of(table)[positions]
            known = np.isin(own, trained, assume_unique=True)
            seen.add(at[known], logits[known], labels[at[known]], EPOCH_WEIGHT**place)
            if point >= UNSEEN_FROM * last:
                unseen.add(at[~known], logits[~known], labels[at[~known]])


def _over_training(course: TrainingDynamics, points: list[float]) -> dict[str, NDArray[np.floating]]:
    """What one seed's checkpoints after the start say of each example."""
    scores, kinds = course.scores(), course.trajectory()
    return {
        "aum": scores["aum"],
        "variability": scores["variability"],
        "never_learned": (kinds == NEVER_LEARNED).astype(np.float32),
        "late": np.isin(kinds, (LEARNED_LATE, FORGOTTEN)).astype(np.float32),
    }


def _agreement(embeddings: EmbeddingFiles, given: NDArray[np.int32], rows: NDArray[np.int32]) -> Floats | None:
    """By the initial representation where it is there: the tuned one was trained to put equal labels together."""
    train = np.zeros(len(given), dtype=bool)
    train[rows] = True
    for which in REPRESENTATIONS:
        if embeddings.has_neighbours(which):
            with embeddings.files.open_read(embeddings.paths.neighbours(which)) as stream:
                flat = pq.read_table(stream, columns=["neighbours"])["neighbours"].combine_chunks().flatten().to_numpy()
            return label_agreement(flat.reshape(len(given), -1), given, train)[rows]
    return None


def _disagreement(examples: pa.Table, given: NDArray[np.int32], rows: NDArray[np.int32]) -> Floats | None:
    if DISAGREEMENT not in examples.column_names or not np.array_equal(given, examples["label"].to_numpy()):
        return None
    shares: Floats = examples[DISAGREEMENT].to_numpy()[rows].astype(np.float32)
    return shares


def _contradicting_duplicates(examples: pa.Table, given: NDArray[np.int32]) -> NDArray[np.int32]:
    """For each example the first row of its group of near-duplicates that has another label, −1 for none."""
    contradicting = np.full(len(given), -1, dtype=np.int32)
    if GROUP not in examples.column_names:
        return contradicting
    groups = examples[GROUP].fill_null(-1).to_numpy()
    members = np.flatnonzero(groups >= 0)
    frame = pd.DataFrame({"row": members, "group": groups[members], "label": given[members]})
    firsts = frame.groupby(["group", "label"], as_index=False)["row"].min()
    pairs = frame.merge(firsts, on="group", suffixes=("", "_other"))
    others = pairs[pairs["label"] != pairs["label_other"]].groupby("row")["row_other"].min()
    contradicting[others.index.to_numpy()] = others.to_numpy()
    return contradicting


def read_columns(files: Files, manifest: DatasetManifest, columns: list[str]) -> pa.Table:
    """Columns of a dataset's examples, those of them that there are."""
    with files.open_read(Layout(files).dataset(manifest.id).examples) as stream:
        reader = pq.ParquetFile(stream)
        return reader.read([name for name in columns if name in reader.schema_arrow.names])
