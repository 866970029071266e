"""Fine-tuned models that rankings of suspects are made from, on sets whose true classes are known.

Film snippets that many people rated. *film* has the published labels, wrong where most raters are on the other side;
of these texts `FILM_WRONG` are among those drawn. All other sets are the labels of `simulated_annotators`, on the same
texts. For each set are trained, by the product's own functions and from other first weights each:

- seed 0, 1, 2: on everything, as a run does;
- fold 0 to 3: on all but a fourth, by the parts that the product makes;
- again 0, 1, 2: on the examples whose label is the class that the seeds believe most in, over the ends of epochs
  (self-training on the cleaned set, once);
- pooled 0, 1, 2: on everything, the classifier reading the mean over all tokens.

Logits about all examples are kept at the ends of epochs, and once amid the second. It may be killed at any time and
started again.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from diet_explorer.scoring.metrics import probabilities
from diet_explorer.scoring.scorer import ExampleScorer
from diet_explorer.training.config import steps_of_checkpoints
from diet_explorer.training.folds import assign_folds
from tests.benchmarks.film_trainings import CLASSES, FilmTrainings
from tests.benchmarks.simulated_annotators import ANNOTATORS, simulated

Floats = NDArray[np.float32]
SETS = ("film", *ANNOTATORS)
FILM_WRONG = 0.09
"""Share of the set *film* that the raters contradict: three times as many as in all snippets, so that there are
enough of them to tell rules apart."""
SEEDS, FOLDS = 3, 4
KINDS = ("seed", "fold", "again", "pooled")
AMID = 1.5
"""The checkpoint that is not the end of an epoch."""
NAMES = {kind: [f"{kind} {number}" for number in range(FOLDS if kind == "fold" else SEEDS)] for kind in KINDS}


@dataclass(frozen=True)
class LabelledSet:
    """Examples with a given and a true class."""

    rows: NDArray[np.int64]  # of the snippets, ascending
    given: NDArray[np.int64]  # (N,) codes
    truth: NDArray[np.int64]
    classes: Sequence[str]


@dataclass(frozen=True)
class Model:
    """What a training says of all examples on its way."""

    logits: Floats  # (checkpoints, N, K)
    trained: NDArray[np.bool_]  # (N,) whether it was trained on the example
    points: tuple[float, ...]  # in epochs

    def at(self, point: float) -> Floats:
        """Logits after so many epochs."""
        return self.logits[self.points.index(point)]


class Trainings:
    """The models of all sets, kept in a folder."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._folder: Path = options.folder
        self.ends = [float(epoch) for epoch in range(1, options.epochs + 1)]
        self.points = tuple(sorted({*self.ends, AMID}))

    @cached_property
    def _film(self) -> FilmTrainings:
        return FilmTrainings(self._options, self._options.epochs)

    def carry_out(self) -> None:
        """Train what is missing, each kind for every set before the next kind."""
        path = self._folder / "embeddings.npy"
        if not path.exists():
            np.save(part := path.with_suffix(".part.npy"), self._film.embeddings())
            part.rename(path)
        for kind in self._options.kinds:
            for which in self._options.sets:
                for name in NAMES[kind]:
                    if not self._path(which, name).exists():
                        self._train(which, name)

    def labelled(self, which: str) -> LabelledSet:
        """A set as it was drawn at first."""
        path = self._path(which, "set")
        if not path.exists():
            drawn = self._draw(which)
            _save(path, rows=drawn.rows, given=drawn.given, truth=drawn.truth, classes=np.array(drawn.classes))
        read = np.load(path)
        return LabelledSet(read["rows"], read["given"], read["truth"], read["classes"].tolist())

    def models(self, which: str) -> dict[str, Model]:
        """What has been trained on a set."""
        paths = {name: self._path(which, name) for names in NAMES.values() for name in names}
        read = {name: np.load(path) for name, path in paths.items() if path.exists()}
        return {name: Model(at["logits"], at["trained"], tuple(at["points"].tolist())) for name, at in read.items()}

    def embeddings(self, rows: NDArray[np.int64]) -> Floats | None:
        """What the model, before it is trained, says of texts: the mean over their tokens; None before `carry_out`."""
        path = self._folder / "embeddings.npy"
        if not path.exists():
            return None
        made: Floats = np.load(path)[rows]
        return made

    def _path(self, which: str, name: str) -> Path:
        return self._folder / "models" / f"{which}-{name.replace(' ', '-')}.npz"

    def _draw(self, which: str) -> LabelledSet:
        snippets, size = self._film.snippets, self._options.train
        if which != "film":
            table = simulated(snippets, which, size).sort_index()
            classes = sorted(set(table["truth"]))
            given, truth = (table[name].map(classes.index).to_numpy(dtype=np.int64) for name in ("label", "truth"))
            return LabelledSet(table.index.to_numpy(), given, truth, classes)
        given = snippets["label"].map(CLASSES.index).to_numpy(dtype=np.int64)
        truth = (snippets["raters_positive"] > snippets["raters_negative"]).to_numpy(dtype=np.int64)
        random, wrong = np.random.default_rng(0), given != truth
        few = round(FILM_WRONG * size)
        parts = (np.flatnonzero(wrong), few), (np.flatnonzero(~wrong), size - few)
        rows = np.sort(np.concatenate([random.choice(rows, count, replace=False) for rows, count in parts]))
        return LabelledSet(rows, given[rows], truth[rows], CLASSES)

    def _train(self, which: str, name: str) -> None:
        started, cpu_started = time.perf_counter(), time.process_time()
        drawn = self.labelled(which)
        kind, number = name.split()[0], int(name.split()[1])
        trained = self._trained_on(which, drawn, kind, number)
        codes = np.zeros(len(self._film.snippets), dtype=np.int64)
        codes[drawn.rows] = drawn.given
        encoded = self._film.with_labels(codes)
        seed = {"seed": 0, "fold": 100, "again": 200, "pooled": 300}[kind] + number
        model = self._film.model(drawn.classes, seed, pooled_mean=kind == "pooled")
        scorer = ExampleScorer(encoded, self._film.collator, "off", rows=drawn.rows)
        per_epoch, total = self._film.config.steps(int(trained.sum()))
        listening = _Listening(scorer, steps_of_checkpoints(self.points, per_epoch, total))
        self._film.fit(model, encoded, drawn.rows[trained], seed, callbacks=[listening])
        logits = np.stack([listening.logits[point] for point in self.points])
        _save(self._path(which, name), logits=logits, trained=trained, points=np.array(self.points))
        learned = [f"{(part.argmax(1) == drawn.given)[trained].mean():.3f}" for part in logits]
        took = f"{time.perf_counter() - started:.0f} s, of the processor {time.process_time() - cpu_started:.0f} s"
        print(f"{time.strftime('%H:%M:%S')} {which}, {name}: {took}; learned {' '.join(learned)}", flush=True)

    def _trained_on(self, which: str, drawn: LabelledSet, kind: str, number: int) -> NDArray[np.bool_]:
        everything = np.ones(len(drawn.given), dtype=np.bool_)
        if kind == "fold":
            return assign_folds(drawn.given, np.full(len(drawn.given), -1), FOLDS, 0) != number
        if kind == "again":
            seeds = [model for name, model in self.models(which).items() if name.startswith("seed")]
            believed = sum(probabilities(model.at(point)) for model in seeds for point in self.ends)
            return np.asarray(np.argmax(believed, axis=1) == drawn.given)
        return everything


class _Listening(TrainerCallback):
    """Keeps what a model says at some checkpoints of its training, which goes on as if nothing had been."""

    def __init__(self, scorer: ExampleScorer, after: dict[int, list[float]]) -> None:
        self._scorer, self._after = scorer, after
        self.logits: dict[float, Floats] = {}

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, model: Any = None, **_: Any
    ) -> None:
        """Ask where a checkpoint is."""
        for point in self._after.get(state.global_step, []):
            self.logits[point] = self._scorer.score(model).logits


def _save(path: Path, **arrays: NDArray[Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(part := path.with_suffix(".part.npz"), **arrays)  # type: ignore[arg-type]
    part.rename(path)
