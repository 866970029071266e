"""How long the questions of Browse and of the maps take on a run of a million rows: p50, p95, maximum, and
computing alone.

Usage: ``python -m tests.benchmarks.browse_queries [--folder FOLDER] [--rows 1000000] [--queries 40]``. The folder is
that of `million_rows`, made where it is missing. Each query opens its ranking anew, as a page does, and draws score,
checkpoint, seed, page and filter at random. Nothing is cached but the files by the operating system: they are read once
before, after one page of each ranking was asked of them as they were found.
"""

from __future__ import annotations

import argparse
import random
import resource
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from diet_explorer import ExampleFilter, Run
from diet_explorer.analysis.filters import LengthRange, MetadataRange, MetadataValue, ScoreRange
from diet_explorer.analysis.region import Region
from tests.benchmarks.million_rows import CHECKPOINTS, FOLDER, SEEDS, million_rows

PAGE = 50
POINTS = 20_000
GOAL_MS = 50
FRESH_SEARCH_GOAL_MS = 300
Question = Callable[[], object]


class Took(NamedTuple):
    """Milliseconds by the clock, and of computing in this process, which others on the machine do not lengthen."""

    wall: float
    cpu: float


class Asker:
    """Draws random questions about one run."""

    def __init__(self, run: Run, seed: int) -> None:
        self._run = run
        self._random = random.Random(seed)
        self._rows = run.dataset.rows
        examples = run.dataset.examples(self._random.sample(range(self._rows), 400))
        self._ids = examples["id"].tolist()
        self._words = sorted({word for text in examples["text"] for word in text.split() if word.isalpha()})

    def place(self) -> tuple[float, int | None]:
        """A checkpoint after training began, and one seed or the mean."""
        return self._random.choice(CHECKPOINTS[1:]), self._random.choice([None, None, *range(SEEDS)])

    def score(self, point: float, seed: int | None) -> str:
        """One of the scores that are there."""
        return self._random.choice(self._run.score_names(point, seed))

    def word(self) -> str:
        """A search that has hardly been asked before."""
        first, second = self._random.sample(self._words, 2)
        return self._random.choice([first, f"{first} {second}", f"{first[:3]}*", f"{first} -{second}"])

    def filters(self) -> dict[str, Callable[[], ExampleFilter]]:
        """Kinds of filters, each drawn anew when it is called."""
        draw, classes = self._random, self._run.dataset.classes

        def some_range() -> tuple[ScoreRange, ...]:
            low = draw.uniform(0, 0.8)
            return (ScoreRange("el2n", low, low + draw.uniform(0.05, 0.6)),)

        def polygon() -> Region:
            angles = np.sort(np.random.default_rng(draw.randrange(10**6)).uniform(0, 2 * np.pi, 40))
            wide, high = draw.uniform(0.05, 0.2), draw.uniform(0.1, 0.4)
            points = [(0.2 + wide * np.cos(angle), 0.5 + high * np.sin(angle)) for angle in angles]
            return Region.simplified("data", points)

        def all_of_it() -> ExampleFilter:
            where = ExampleFilter(labels=(draw.choice(classes),), disagree=draw.choice([True, False, None]))
            return replace(where, scores=some_range(), trajectories=("learned late", "forgotten"), region=polygon())

        return {
            "none": ExampleFilter,
            "every split": lambda: ExampleFilter(splits=()),
            "class, disagreement": lambda: ExampleFilter(labels=(draw.choice(classes),), disagree=True),
            "score range": lambda: ExampleFilter(scores=some_range()),
            "trajectory": lambda: ExampleFilter(trajectories=(draw.choice(["learned early", "never learned"]),)),
            "undecided": lambda: ExampleFilter(decided=("undecided",)),
            "lasso of 40 corners": lambda: ExampleFilter(region=polygon()),
            "five of these at once": all_of_it,
            "length": lambda: ExampleFilter(length=LengthRange(draw.randrange(20, 100), draw.randrange(100, 200))),
            "20 ids": lambda: ExampleFilter(ids=tuple(draw.sample(self._ids, 20))),
            "further column, range": lambda: ExampleFilter(metadata=(MetadataRange("rating", draw.uniform(-2, 2)),)),
            "further column, value": lambda: ExampleFilter(
                values=(MetadataValue("source", f"site-{draw.randrange(40)}"),)
            ),
        }


def browse(run: Run, asker: Asker, where: ExampleFilter) -> dict[str, Question]:
    """The questions of one page of Browse."""
    point, seed = asker.place()
    by = asker.score(point, seed)
    count = run.count(where, point, seed=seed)
    offset = random.Random(count).randrange(max(count - PAGE, 1)) // PAGE * PAGE
    return {
        "page": lambda: run.ranked(by, point, seed=seed, where=where, limit=PAGE, offset=offset),
        "count": lambda: run.count(where, point, seed=seed),
        "histogram": lambda: run.histogram(by, point, seed=seed, where=where, bins=40),
    }


def others(run: Run, asker: Asker, where: ExampleFilter) -> dict[str, Question]:
    """The questions of the card, the maps and the other pages."""
    point, seed = asker.place()
    ranking = run.ranking(point, seed)
    row = int(ranking.page("el2n", where, 1)["row"][0])
    columns = ["label", "predicted", "disagree", "trajectory", "text"]
    return {
        "card of an example": lambda: run.card(row),
        "percentiles of an example": lambda: run.percentiles(row, point, seed=seed),
        f"{POINTS:,} points": lambda: run.ranking(point, seed).points(
            "variability", "confidence", columns, where, POINTS
        ),
        "density of all": lambda: run.ranking(point, seed).density("variability", "confidence", where),
        "statistics": lambda: run.dynamics.statistics(point, seed).score("el2n").counts,
        "stability": lambda: run.dynamics.stability("el2n", seed),
        "warnings": lambda: run.dynamics.warnings(point, seed),
        "two checkpoints compared": lambda: run.dynamics.compare(
            run, "el2n", point, CHECKPOINTS[-1], seed=seed, limit=PAGE
        ),
    }


def timed(question: Question) -> Took:
    """How long one question takes."""
    wall, cpu = time.perf_counter(), time.process_time()
    question()
    return Took(1000 * (time.perf_counter() - wall), 1000 * (time.process_time() - cpu))


def show(title: str, found: list[Took]) -> None:
    p50, p95 = np.percentile([took.wall for took in found], [50, 95])
    cpu = np.percentile([took.cpu for took in found], 95)
    worst = max(took.wall for took in found)
    print(f"{title:44} {len(found):>6} {p50:>9.1f} {p95:>9.1f} {worst:>9.1f} {cpu:>9.1f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=FOLDER)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--queries", type=int, default=40, help="of each kind")
    options = parser.parse_args()
    workspace, run_id = million_rows(options.folder, options.rows)
    run = workspace.run(run_id)
    asker = Asker(run, seed=1)
    print(f"{run.dataset.rows:,} rows × {len(CHECKPOINTS)} checkpoints × {SEEDS} seeds; milliseconds")
    print(f"{'':44} {'asked':>6} {'p50':>9} {'p95':>9} {'max':>9} {'CPU p95':>9}")
    places = [(point, seed) for point in CHECKPOINTS[1:] for seed in (None, *range(SEEDS))]
    first = [timed(lambda at=at: run.ranked("el2n", at[0], seed=at[1])) for at in places]
    show("a page of files not read before", first)
    for point, seed in places:
        Path(run.store.paths.ranking(seed, point)).read_bytes()
    everything: dict[str, list[Took]] = {}
    for kind, draw in asker.filters().items():
        times: list[Took] = []
        for _ in range(options.queries):
            for name, question in browse(run, asker, draw()).items():
                took = timed(question)
                everything.setdefault(name, []).append(took)
                times += [took] if name == "page" else []
        show(f"a page, filter: {kind}", times)
    for name, times in everything.items():
        show(f"any filter: {name}", times)
    elsewhere: dict[str, list[Took]] = {}
    for _ in range(options.queries):
        for name, question in others(run, asker, ExampleFilter()).items():
            elsewhere.setdefault(name, []).append(timed(question))
    for name, times in elsewhere.items():
        show(name, times)
    run.dataset.search("warm")  # makes the index where it is missing
    fresh: list[Took] = []
    again: list[Took] = []
    for _ in range(options.queries):
        where = ExampleFilter(text=asker.word())
        fresh.append(timed(lambda where=where: run.count(where)))
        again.append(timed(lambda where=where: run.ranked(where=where)))
    show("a fresh text search, count", fresh)
    show("a page of its hits", again)
    print(f"goals: a page p95 ≤ {GOAL_MS} ms, a fresh search p95 ≤ {FRESH_SEARCH_GOAL_MS} ms")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory of this process {peak:,.0f} MB, mapped files included")


if __name__ == "__main__":
    main()
