"""Trainings on the film snippets for the benchmarks of pruning and of the diet, by the product's own functions.

Texts are encoded, models loaded, fine-tuned and scored exactly as a run does; around it is only what makes thousands of
trainings bearable: everything is read once, results are lines of one CSV, and a training that is in it is not done
again. Test labels are what the majority of the human raters says; texts without a majority are left out.
"""

from __future__ import annotations

import argparse
import csv
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from diet_explorer import Workspace
from diet_explorer.pruning.proof import evaluate
from diet_explorer.scoring.scorer import ExampleScorer
from diet_explorer.training.backbone import load_classifier, load_tokenizer
from diet_explorer.training.batches import PaddingCollator, length_sorted_batches
from diet_explorer.training.checkpoints import TrainingCheckpoints
from diet_explorer.training.config import BUNDLED, GradientMode, RunConfig
from diet_explorer.training.encoding import EncodedExamples, encode_examples
from diet_explorer.training.finetune import fine_tune
from diet_explorer.training.models import locate_model
from tests.benchmarks.proof_claims import Labels
from tests.benchmarks.upper_layers import by_place, keep_upper_layers, lower_outputs

TEXTS = "../shared/data/movie_snippets_human.csv.gz"
CLASSES = ("negative", "positive")
FLIPPED: Mapping[Labels, int] = {"clean": 0, "flipped 10 %": 10, "flipped 20 %": 20}
"""Per cent of the raters' labels that are flipped, uniformly; published labels are wrong as they are."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The size of the trainings; by default the one of the docs."""
    parser.add_argument("--folder", required=True, type=Path, help="keeps what is done; may be used again at any time")
    parser.add_argument("--texts", default=TEXTS)
    parser.add_argument("--model", default=BUNDLED)
    parser.add_argument("--upper-layers", type=int, default=1, help="layers that are trained; 0: the whole model")
    parser.add_argument("--train", type=int, default=2500)
    parser.add_argument("--test", type=int, help="by default all others")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--learning-rate", type=float, default=5e-4)
    parser.add_argument("--max-length", type=int, default=48)


@dataclass(frozen=True)
class Draw:
    """What a seed trains and tests on: rows of the snippets, the same for every training of the seed."""

    train: NDArray[np.int64]
    test: NDArray[np.int64]


@dataclass(frozen=True)
class Result:
    """What came of one training."""

    accuracy: float
    steps: int
    cpu_seconds: float
    seconds: float


class FilmTrainings:
    """The snippets, encoded once, and trainings on them."""

    def __init__(self, options: argparse.Namespace, epochs: int) -> None:
        self._options = options
        self._folder: Path = options.folder
        self._folder.mkdir(parents=True, exist_ok=True)
        self.config = RunConfig(
            "film snippets",
            model=options.model,
            epochs=epochs,
            checkpoints=(float(epochs),),
            batch_size=options.batch_size,
            max_length=options.max_length,
            learning_rate=options.learning_rate,
        )
        frame = pd.read_csv(options.texts)
        self.snippets = frame[frame["raters_positive"] != frame["raters_negative"]].reset_index(drop=True)
        self._source = locate_model(options.model)
        self._tokenizer = load_tokenizer(self._source)
        self._texts, self._truth, self._published = self._read()
        self.collator = PaddingCollator.of(self._tokenizer)
        self._table: torch.Tensor | None = None
        if options.upper_layers:
            plain, self._table = self._texts, torch.from_numpy(self._lower_outputs())
            self._texts = by_place(plain)
            self.collator = PaddingCollator(len(self._table) - 1)

    def draw(self, seed: int) -> Draw:
        """Other texts for training and testing with each seed."""
        order = np.random.default_rng((seed, 0)).permutation(len(self._truth))
        train, test = order[: self._options.train], order[self._options.train :]
        return Draw(np.sort(train), np.sort(test[: self._options.test]))

    def labelled(self, labels: Labels, draw: Draw, seed: int) -> EncodedExamples:
        """The snippets with these labels for training; all others have the raters'."""
        learned = self._truth.copy()
        if labels == "published":
            learned[draw.train] = self._published[draw.train]
        else:
            count = round(len(draw.train) * FLIPPED[labels] / 100)
            flipped = np.random.default_rng((seed, 1)).permutation(draw.train)[:count]
            learned[flipped] = 1 - learned[flipped]
        return self.with_labels(learned)

    def train(
        self,
        encoded: EncodedExamples,
        rows: NDArray[np.int64],
        test: NDArray[np.int64],
        seed: int,
        *,
        steps: int | None = None,
        callbacks: Sequence[TrainerCallback] = (),
    ) -> Result:
        """Fine-tune on some rows, in so many steps or in whole epochs, and test on others."""
        model, counter = self.model(CLASSES, seed), _Steps()
        started, cpu_started = time.perf_counter(), time.process_time()
        self.fit(model, encoded, rows, seed, steps=steps, callbacks=[*callbacks, counter])
        seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu_started
        tested = ExampleScorer(encoded, self.collator, "off", rows=test).score(model)
        found = evaluate(encoded.labels[test], tested.predicted, tested.columns["loss"])
        return Result(found.accuracy, counter.taken, cpu_seconds, seconds)

    def model(self, classes: Sequence[str], seed: int, *, pooled_mean: bool = False) -> Any:
        """A model that has not been trained, of which the upper layers will be; it reads the first token, or the mean
        of all."""
        model = load_classifier(self._source, classes, seed, self._tokenizer.pad_token_id)
        if self._table is not None:
            model = keep_upper_layers(model, self._table, self._options.upper_layers, pooled_mean=pooled_mean)
        return model

    def embeddings(self) -> NDArray[np.float32]:
        """The mean over each text's tokens, by a model that has not been trained."""
        model = self.model(CLASSES, 0, pooled_mean=True).eval()
        found = np.zeros((len(self._truth), model.config.hidden_size), dtype=np.float32)
        with torch.no_grad():
            for rows in length_sorted_batches(self._texts.lengths, 64, 8_192):
                batch = self.collator([self._texts.tokens(int(row)) for row in rows])
                found[rows] = model.bert(**batch).pooler_output.numpy()
        return found

    def fit(
        self,
        model: Any,
        encoded: EncodedExamples,
        rows: NDArray[np.int64],
        seed: int,
        *,
        steps: int | None = None,
        callbacks: Sequence[TrainerCallback] = (),
    ) -> None:
        """Fine-tune a model in place, in so many steps or in whole epochs."""
        scratch = self._folder / "scratch"
        config = replace(self.config, max_steps=steps)
        fine_tune(model, encoded, rows, self.collator, config, seed, TrainingCheckpoints(scratch), callbacks)
        shutil.rmtree(scratch, ignore_errors=True)

    def with_labels(self, labels: NDArray[np.int64]) -> EncodedExamples:
        """The snippets with other labels, one for each."""
        return replace(self._texts, labels=labels)

    def _read(self) -> tuple[EncodedExamples, NDArray[np.int64], NDArray[np.int64]]:
        """Encoded texts, the raters' labels, the published labels."""
        frame = self.snippets
        workspace = Workspace(self._folder / "workspace")
        known = workspace.datasets()
        if not known:
            path = self._folder / "texts.csv"
            frame[["id", "text", "label"]].to_csv(path, index=False)
            known = [workspace.import_dataset(path, text="text", label="label", id="id")]
        encoded = encode_examples(workspace.context.files, known[0].manifest, self._tokenizer, self._options.max_length)
        codes = frame["label"].map(CLASSES.index).to_numpy(dtype=np.int64)
        truth = (frame["raters_positive"] > frame["raters_negative"]).to_numpy(dtype=np.int64)
        return encoded, truth, codes

    def _lower_outputs(self) -> NDArray[np.float32]:
        path = self._folder / "lower_outputs.npy"
        if not path.exists():
            model = load_classifier(self._source, CLASSES, 0, self._tokenizer.pad_token_id)
            made = lower_outputs(model, self._texts, self.collator, self._options.upper_layers)
            np.save(part := path.with_suffix(".part.npy"), made)
            part.rename(path)
        table: NDArray[np.float32] = np.load(path)
        return table


class _Steps(TrainerCallback):
    """Counts the steps that are taken."""

    def __init__(self) -> None:
        self.taken = 0

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **keywords: Any
    ) -> None:
        self.taken += 1


class ScoresOnTheWay(TrainerCallback):
    """Scores some rows at some checkpoints of a training, which goes on as if nothing had been."""

    def __init__(
        self,
        trainings: FilmTrainings,
        encoded: EncodedExamples,
        rows: NDArray[np.int64],
        checkpoints: Mapping[float, GradientMode],
    ) -> None:
        self._scorers = {
            point: ExampleScorer(encoded, trainings.collator, grand, rows=rows) for point, grand in checkpoints.items()
        }
        config = replace(trainings.config, checkpoints=tuple(checkpoints))
        self._after = config.checkpoint_steps(len(rows))
        self.scores: dict[str, NDArray[np.float32]] = {}

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, model: Any = None, **keywords: Any
    ) -> None:
        """Score where a checkpoint is."""
        for point in self._after.get(state.global_step, []):
            columns = self._scorers[point].score(model).columns
            for name in ("el2n", "grand_head", "grand"):
                if name in columns:
                    self.scores[f"{name} {point:g}"] = columns[name]


class ResultsFile:
    """Lines of results in a CSV, each written at once; a line that a kill cut off is dropped."""

    def __init__(self, path: Path, columns: Sequence[str], keys: Sequence[str]) -> None:
        self._path, self._columns, self._keys = path, list(columns), list(keys)
        if path.exists() and not path.read_text().endswith("\n"):
            path.write_text(path.read_text().rpartition("\n")[0] + "\n")
        if not path.exists():
            path.write_text(",".join(self._columns) + "\n")
        self._done = {tuple(map(str, key)) for key in self.frame()[self._keys].itertuples(index=False)}

    def frame(self) -> pd.DataFrame:
        """All lines."""
        return pd.read_csv(self._path)

    def has(self, *key: object) -> bool:
        """Whether there is a line with this key."""
        return tuple(map(str, key)) in self._done

    def add(self, line: Mapping[str, object]) -> None:
        """Write a line."""
        with self._path.open("a", newline="") as stream:
            csv.writer(stream, lineterminator="\n").writerow([line[name] for name in self._columns])
        self._done.add(tuple(str(line[name]) for name in self._keys))
