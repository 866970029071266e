"""A short measurement of what training and scoring cost, on this machine and on the user's own examples.

Run as a program it prints the measured rates as one JSON document, so that a process without torch can ask for them.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import Any, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from diet_explorer.config import load_settings
from diet_explorer.data.manifest import DatasetManifest
from diet_explorer.errors import DietExplorerError
from diet_explorer.scoring.scorer import ExampleScorer
from diet_explorer.store.files import Files
from diet_explorer.training.backbone import load_for_run
from diet_explorer.training.batches import PaddingCollator, length_sorted_batches
from diet_explorer.training.config import GradientMode, RunConfig
from diet_explorer.training.cost import MeasuredRates
from diet_explorer.training.encoding import EncodedExamples, encode_examples

SAMPLE_ROWS = 160
"""A first batch that warms up, and two that are timed."""


def measure_rates(files: Files, manifest: DatasetManifest, config: RunConfig) -> MeasuredRates:
    """Time training steps and scoring passes over the first examples of a dataset, all batches but the first."""
    tokenizer, model, collator = load_for_run(config, manifest, 0)
    if torch.cuda.is_available():
        model.cuda()
    encoded = encode_examples(files, manifest, tokenizer, config.max_length, limit=SAMPLE_ROWS)
    order = np.sort(encoded.lengths)[::-1]  # the order in which every pass below takes the examples
    modes: tuple[GradientMode, ...] = get_args(GradientMode)
    scoring = {
        mode: _seconds_per_token(partial(ExampleScorer(encoded, collator, mode).score, model), order) for mode in modes
    }
    training = _seconds_per_token(partial(_train, model, encoded, collator, config), order)
    return MeasuredRates(tokens_per_example=float(order.mean()), training=training, **scoring)


def _train(
    model: Any, encoded: EncodedExamples, collator: PaddingCollator, config: RunConfig, on_batch: Callable[[int], None]
) -> None:
    device = next(model.parameters()).device
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.0)
    model.train()
    done = 0
    for rows in length_sorted_batches(encoded.lengths, config.batch_size, sys.maxsize):
        batch = collator([{**encoded.tokens(int(row)), "labels": int(encoded.labels[row])} for row in rows])
        model(**{name: values.to(device) for name, values in batch.items()}).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        done += len(rows)
        on_batch(done)


def _seconds_per_token(work: Callable[[Callable[[int], None]], object], order: NDArray[np.integer]) -> float:
    """Time from the end of the first batch to the end of the last; a single batch is timed whole."""
    marks = [(0, time.perf_counter())]

    def note(done: int) -> None:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        marks.append((done, time.perf_counter()))

    work(note)
    first, last = marks[1] if len(marks) > 2 else marks[0], marks[-1]
    return (last[1] - first[1]) / max(1, int(order[first[0] : last[0]].sum()))


def main() -> int:
    """Read ``{"home", "dataset_id", "config"}`` from standard input and print the rates or the error as JSON."""
    request = json.load(sys.stdin)
    try:
        files = Files.of(load_settings(home=request["home"]))
        manifest = DatasetManifest.load(files, request["dataset_id"])
        answer: dict[str, Any] = asdict(measure_rates(files, manifest, RunConfig.from_json(request["config"])))
    except DietExplorerError as error:
        answer = {"error": error.message, "remedy": error.remedy}
    sys.stdout.write(json.dumps(answer) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
