"""Rows per second of validation and import, and the memory they take.

Usage: ``python tests/benchmarks/import_rows.py [ROWS]`` (default 1,000,000). Each measurement runs in a process of its
own, so that its peak memory is its own; the text is made of words drawn by their real frequencies in the sample.
"""

from __future__ import annotations

import csv
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SAMPLE = Path(__file__).parents[2] / "sample_data" / "movie_snippets.csv"
SEED = 7
DUPLICATE_SHARE = 0.01
FORMATS = ("csv", "jsonl", "parquet")


def generate(path: Path, rows: int) -> None:
    """Write rows of made-up text; one in a hundred repeats an earlier text with one word changed."""
    with SAMPLE.open(encoding="utf-8", newline="") as file:
        vocabulary = [word for row in csv.DictReader(file) for word in row["text"].split()]
    rng = random.Random(SEED)
    recent: list[list[str]] = []
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "text", "label", "rating", "source", "split"])
        for number in range(rows):
            if recent and rng.random() < DUPLICATE_SHARE:
                words = list(rng.choice(recent))
                words[rng.randrange(len(words))] = rng.choice(vocabulary)
            else:
                words = rng.choices(vocabulary, k=rng.randint(6, 34))
                recent = [*recent[-999:], words]
            split = "test" if number % 10 == 0 else "train"
            label = ("negative", "positive")[rng.randrange(2)]
            writer.writerow(
                [f"r{number}", " ".join(words), label, round(rng.uniform(-4, 4), 3), f"site-{number % 40}", split]
            )


def convert(source: Path, ending: str) -> Path:
    """Write the CSV file in another format."""
    import pyarrow.csv
    import pyarrow.parquet

    target = source.with_suffix(f".{ending}")
    table = pyarrow.csv.read_csv(source)
    if ending == "parquet":
        pyarrow.parquet.write_table(table, target)
    else:
        with target.open("w", encoding="utf-8") as file:
            for batch in table.to_batches(max_chunksize=10_000):
                file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in batch.to_pylist())
    return target


def measure(what: str, path: Path) -> None:
    """Validate or import one file and print the figures as JSON; run in a process of its own."""
    from diet_explorer.data.columns import ColumnMapping
    from diet_explorer.data.importing import import_examples
    from diet_explorer.data.readers.opening import open_source
    from diet_explorer.data.validation import validate
    from diet_explorer.store.files import Files

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    mapping = ColumnMapping(text="text", label="label", id="id", split="split")
    wall, cpu = time.perf_counter(), time.process_time()
    source = open_source(path)
    if what == "validate":
        report = validate(source, mapping).to_json()
    else:
        with tempfile.TemporaryDirectory(dir=path.parent) as workspace:
            report = import_examples(source, mapping, Files(workspace)).report
    figures = {
        "rows": report["rows_read"],
        "kept": report["rows_kept"],
        "near_duplicates": report["near_duplicates"],
        "wall_s": time.perf_counter() - wall,
        "cpu_s": time.process_time() - cpu,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "before_mb": before / 1024,
    }
    print(json.dumps(figures))


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with tempfile.TemporaryDirectory() as folder:
        csv_path = Path(folder) / "rows.csv"
        generate(csv_path, rows)
        print(f"{'what':10} {'format':8} {'rows':>10} {'MB':>6} {'s':>7} {'cpu s':>7} {'rows/s':>10} {'peak MB':>8}")
        for ending in FORMATS:
            path = csv_path if ending == "csv" else convert(csv_path, ending)
            for what in ("validate", "import"):
                command = [sys.executable, __file__, "--measure", what, str(path)]
                result = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
                figures = json.loads(result.stdout.splitlines()[-1])
                rate = figures["rows"] / figures["wall_s"]
                print(
                    f"{what:10} {ending:8} {figures['rows']:>10,} {path.stat().st_size / 1e6:>6.0f} "
                    f"{figures['wall_s']:>7.2f} {figures['cpu_s']:>7.2f} {rate:>10,.0f} {figures['peak_mb']:>8.0f}",
                    flush=True,
                )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        measure(sys.argv[2], Path(sys.argv[3]))
    else:
        main()
