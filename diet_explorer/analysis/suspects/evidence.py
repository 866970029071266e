"""What the recorded models say about each training example's label: the numbers behind the suspects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
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
from diet_explorer.store.aside import AsideArray, zeros_aside
from diet_explorer.store.embeddings import EmbeddingFiles, Representation
from diet_explorer.store.files import Files
from diet_explorer.store.layout import Layout
from diet_explorer.store.rows import RunRows
from diet_explorer.store.scores import PART, ROW_GROUP, ScoreFiles, logits_of

GROUP = "near_duplicate_group"
REPRESENTATIONS: tuple[Representation, ...] = ("initial", "tuned")
FIRST_EPOCH = 1.0
"""Models before the end of the first epoch do not count: they know too little of the task to contradict anybody."""
EPOCH_WEIGHT = 0.5
"""Of a model about an example that it was trained on, beside its own checkpoint an epoch before: it learns wrong labels
by heart, so that each epoch more says less of them, and a training's length must not make the ranking worse."""
_SINGLE = ("el2n", "grand")
"""Scores of the chosen checkpoint alone."""
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
    it counts. NotFoundError where no checkpoint after the start has landed, or the run has no training example."""
    landed = {seed: points for seed, points in store.landed().items() if checkpoint in points and points[-1] > 0}
    if not landed:
        raise NotFoundError(
            f"Nothing has been learned by checkpoint {checkpoint:g} yet, so no label can be doubted.",
            "Wait until a later checkpoint has landed, best the end of epoch 1.",
        )
    first = store.read_scores(next(iter(landed)), checkpoint, ["row", "label"])
    train = read_example_order(files, manifest.id).in_split(TRAIN)[first["row"].to_numpy()]
    if not train.any():
        raise NotFoundError(
            "The run has scores of no training example, and only their labels are questioned.",
            "Record outputs of the training split too; rank examples of other splits by a score.",
        )
    rows, labels = first["row"].to_numpy()[train], first["label"].to_numpy()[train]
    seen, means = _own_models(store, landed, checkpoint, train, labels, len(manifest.classes))
    del first, train
    examples = read_columns(files, manifest, ["label", GROUP, DISAGREEMENT])
    given = examples["label"].to_numpy().copy()
    given[rows] = labels  # a run may have labels of its own
    folds_seen, unseen = (None, None) if folds is None else _of_folds(folds, rows, labels, len(manifest.classes))
    return Evidence(
        rows=rows,
        labels=labels,
        seen=seen,
        seeds=len(landed),
        folds_seen=folds_seen,
        unseen=unseen,
        grand=means.pop("grand", None),
        **means,
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


def _own_models(
    store: ScoreFiles,
    landed: Mapping[int, list[float]],
    checkpoint: float,
    train: NDArray[np.bool_],
    labels: NDArray[np.int32],
    classes: int,
) -> tuple[Opinion, dict[str, Floats]]:
    """What the run's own models say of its training examples, and means over the seeds by their names in `Evidence`.

    A part of the examples is followed through all seeds and checkpoints before the next one: the files together are
    many times what is made of them. What is made waits on the disk.
    """
    streams = {
        (seed, point): store.read_in_parts(seed, point, columns, PART)
        for seed, points in landed.items()
        for point in points
        if (columns := _columns(point, heard(points), checkpoint))
    }
    opinions: dict[str, AsideArray] = {}
    means: dict[str, AsideArray] = {}
    start, done = 0, 0
    for tables in zip(*streams.values(), strict=True):
        here = train[start : start + len(tables[0])]
        own = labels[done : done + int(np.count_nonzero(here))]
        start, done = start + len(here), done + len(own)
        opinion, mean = _part_of_own_models(
            dict(zip(streams, tables, strict=True)), landed, checkpoint, here, own, classes
        )
        for entry in fields(Opinion):
            opinions.setdefault(entry.name, AsideArray()).add(getattr(opinion, entry.name))
        for name, values in mean.items():
            means.setdefault(name, AsideArray()).add(values)
    seen = Opinion(**{name: column.array() for name, column in opinions.items()})
    return seen, {name: column.array() for name, column in means.items()}


def _columns(point: float, counting: Sequence[float], checkpoint: float) -> list[str]:
    over = ["p_label", "margin", "predicted"] if point > 0 else []
    return [*over, *(["logits"] if point in counting else []), *(_SINGLE if point == checkpoint else [])]


def _part_of_own_models(
    tables: Mapping[tuple[int, float], pa.Table],
    landed: Mapping[int, list[float]],
    checkpoint: float,
    here: NDArray[np.bool_],
    labels: NDArray[np.int32],
    classes: int,
) -> tuple[Opinion, dict[str, Floats]]:
    means: dict[str, _Mean] = {}
    seen, own = _Votes(len(labels), classes), np.arange(len(labels))
    for seed, points in landed.items():
        course, counting = TrainingDynamics(len(labels)), heard(points)
        for point in points:
            if point in counting:
                logits = logits_of(tables[seed, point])[here]
                seen.add(own, logits, labels, EPOCH_WEIGHT ** counting.index(point))
            if point > 0:
                p_label, margin, predicted = (
                    tables[seed, point][name].to_numpy()[here] for name in ("p_label", "margin", "predicted")
                )
                course.add(point, p_label, margin, predicted == labels)
        single = tables[seed, checkpoint]
        values = {name: single[name].to_numpy()[here] for name in _SINGLE if name in single.column_names}
        for name, value in (values | _over_training(course)).items():
            means.setdefault(name, _Mean(len(labels))).add(value)
    return seen.opinion(), {name: mean.values() for name, mean in means.items()}


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
        self._probabilities = zeros_aside((rows, classes), np.float32)
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
            np.divide(self._probabilities, votes[:, None], out=self._probabilities)
            return Opinion(self._probabilities, trailing, self._votes)


def _of_folds(
    folds: ScoreFiles, rows: NDArray[np.int32], labels: NDArray[np.int32], classes: int
) -> tuple[Opinion, Opinion]:
    """What the folds' models say of examples that they were trained on, and of those that they were not; folds that are
    not complete do not count."""
    seen, unseen = _Votes(len(rows), classes), _Votes(len(rows), classes)
    lists = RunRows(folds.files, folds.run_id)
    landed = folds.landed()
    last = max((points[-1] for points in landed.values() if points), default=0.0)
    for seed, points in landed.items():
        if not points or points[-1] < last:
            continue
        trained = np.isin(rows, lists.read_training(seed)[0], assume_unique=True)
        for place, point in enumerate(points):
            for part in folds.read_in_parts(seed, point, ["row", "logits"], PART):
                own = part["row"].to_numpy()
                at = np.minimum(np.searchsorted(rows, own), len(rows) - 1)
                there = rows[at] == own
                at, logits = at[there], logits_of(part)[there]
                known = trained[at]
                seen.add(at[known], logits[known], labels[at[known]], EPOCH_WEIGHT**place)
                if point >= UNSEEN_FROM * last:
                    unseen.add(at[~known], logits[~known], labels[at[~known]])
    return seen.opinion(), unseen.opinion()


def _over_training(course: TrainingDynamics) -> dict[str, NDArray[np.floating]]:
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
            shares, start = AsideArray(), 0
            with embeddings.files.open_read(embeddings.paths.neighbours(which)) as stream:
                reader = pq.ParquetFile(stream, pre_buffer=False)
                for batch in reader.iter_batches(ROW_GROUP, columns=["neighbours"]):
                    near = batch["neighbours"].flatten().to_numpy().reshape(batch.num_rows, -1)
                    shares.add(label_agreement(near, given, train, start))
                    start += batch.num_rows
            agreement: Floats = shares.array()[rows]
            return agreement
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
    groups = groups[members]
    first = np.full(int(groups.max(initial=-1)) + 1, -1, dtype=np.int32)
    second = first.copy()  # the first whose label is not that of the first of all
    first[groups[::-1]] = members[::-1]  # of several the last one counts
    differs = given[members] != given[first[groups]]
    second[groups[differs][::-1]] = members[differs][::-1]
    contradicting[members] = np.where(differs, first[groups], second[groups])
    return contradicting


def read_columns(files: Files, manifest: DatasetManifest, columns: list[str]) -> pa.Table:
    """Columns of a dataset's examples, those of them that there are."""
    with files.open_read(Layout(files).dataset(manifest.id).examples) as stream:
        reader = pq.ParquetFile(stream)
        return reader.read([name for name in columns if name in reader.schema_arrow.names])
