"""Search over a million texts: the index's time and size, and fresh queries of every kind.

Usage: ``python -m tests.benchmarks.text_search --folder FOLDER [--rows 1000000]``, with the folder of
`tests.benchmarks.million_rows`. No query is asked twice, so nothing comes from a cache of results; each is timed alone
(all matching rows) and as a page of Browse needs it (searched and counted).
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from diet_explorer import ExampleFilter
from diet_explorer.analysis.search.index import TextSearch
from diet_explorer.analysis.search.language import search_words
from diet_explorer.store.files import Files
from diet_explorer.store.layout import Layout
from tests.benchmarks.million_rows import million_rows

EACH = 20
SAMPLE = 20_000
SEED = 5


def queries(texts: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Kinds of queries, and distinct ones of each, made of the words of some texts."""
    rng = np.random.default_rng(SEED)
    words = [search_words(text) for text in texts]
    ordered = [word for word, _ in Counter(word for line in words for word in line).most_common()]
    rare = ordered[len(ordered) // 2 :]
    common = ordered[:EACH]
    middling = ordered[100 : 100 + EACH]
    pairs = {
        f'"{line[at]} {line[at + 1]}"'
        for line in words[: 10 * EACH]
        if len(line) > 2
        for at in [int(rng.integers(len(line) - 1))]
    }
    yield "commonest words", common
    yield "middling words", middling
    yield "rare words", [str(word) for word in rng.choice(rare, EACH, replace=False)]
    yield "common phrases", [f'"{first} {second}"' for first, second in pairwise(common)]
    yield "phrases of the texts", sorted(pairs)[:EACH]
    yield "beginnings of two letters", sorted({f"{word[:2]}*" for word in ordered[:200]})[:EACH]
    yield (
        "two common words, not a third",
        [f"{first} {second} -{third}" for first, second, third in zip(common, common[1:], common[2:], strict=False)],
    )
    yield "everything but a word", [f"-{word}" for word in ordered[: 10 * EACH : 10]]


def main() -> None:
    """Print seconds, megabytes and percentiles."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=1_000_000)
    options = parser.parse_args()
    workspace, run_id = million_rows(options.folder, options.rows)
    run = workspace.run(run_id)
    path = Layout(workspace.context.files).dataset(run.dataset.id).examples
    texts = pq.read_table(path, columns=["text"])["text"].slice(0, SAMPLE).to_pylist()
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "datasets" / run.dataset.id
        copy.mkdir(parents=True)
        (copy / "examples.parquet").symlink_to(path)
        started = time.perf_counter()
        TextSearch(Files(folder), run.dataset.manifest, Path(folder)).build()
        seconds = time.perf_counter() - started
        size = sum(file.stat().st_size for file in (copy / "search").iterdir())
    print(f"index of {run.dataset.rows:,} texts: {seconds:.1f} s, {size / 1e6:.0f} MB")
    search = TextSearch(workspace.context.files, run.dataset.manifest, workspace.settings.scratch_folder)
    search.rows("warm up")
    run.count(ExampleFilter(text="warm up"))
    every: list[float] = []
    print(
        f"{'fresh queries, ms':32} {'rows, mean':>12} {'search p50':>11} {'p95':>7} {'with count p50':>15} {'p95':>7}"
    )
    for kind, asked in queries(texts):
        alone, counted, sizes = [], [], []
        for query in asked:
            started = time.perf_counter()
            sizes.append(len(search.rows(query)))
            alone.append(1000 * (time.perf_counter() - started))
            started = time.perf_counter()
            run.count(ExampleFilter(text=query))  # searches anew: a dataset keeps results of its own
            counted.append(1000 * (time.perf_counter() - started))
        every += counted
        (p50, p95), (both_p50, both_p95) = (np.percentile(values, (50, 95)) for values in (alone, counted))
        print(f"{kind:32} {np.mean(sizes):12,.0f} {p50:11.1f} {p95:7.1f} {both_p50:15.1f} {both_p95:7.1f}")
    print(f"{'all, searched and counted':32} {'':36} {np.percentile(every, 95):24.1f}")


if __name__ == "__main__":
    main()
