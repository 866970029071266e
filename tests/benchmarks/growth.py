"""What pages and jobs cost as a set grows: time, memory and bytes on disk at each size, and their growth with it.

    python -m tests.benchmarks.growth --folder FOLDER [--rows 10000 100000 1000000] [--checkpoints 0 1 3] [--jobs]

Workspaces are made once and found again, batch by batch, without a training: texts drawn from a list, logits as of a
made-up training. Every size is measured in a process of its own, so that its peak of memory is its own: `own` is the
most that only this process had, looked at every 20 ms; `peak` has mapped files in it, which the system can take back at
any moment. With ``--jobs`` the steps of background jobs are measured too, at the last checkpoint, which takes longer
than everything else. With ``--linked`` only the files of the last checkpoint are made, and the earlier ones are links
to them: at least as large and as costly to read, and there much sooner.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from diet_explorer import ExampleFilter, Run, Workspace
from diet_explorer.analysis.filters import ScoreRange
from diet_explorer.analysis.neighbours import store_neighbours
from diet_explorer.analysis.projection import MapParameters, store_map
from diet_explorer.data.columns import ColumnMapping
from diet_explorer.data.example_order import read_example_order, write_example_order
from diet_explorer.data.example_rows import ExampleRows
from diet_explorer.data.manifest import DatasetManifest
from diet_explorer.pruning.export.formats import EXPORT_FORMATS, ExportFormat
from diet_explorer.pruning.policies import Policy
from diet_explorer.scoring import metrics
from diet_explorer.scoring.rankings import write_mean_ranking, write_seed_ranking
from diet_explorer.scoring.statistics import write_statistics
from diet_explorer.store.embeddings import EmbeddingFiles
from diet_explorer.store.files import local_size
from diet_explorer.store.layout import Layout
from diet_explorer.store.scores import score_table
from diet_explorer.training.config import RunConfig

CLASSES = ["bad", "good"]
SEEDS, BATCH, PAGE = 3, 500_000, 50
DIMENSIONS = 384
CHECKPOINTS = (0.0, 0.25, 0.5, 1.0, 2.0, 3.0)
DISTINCT_TEXTS = 20_000
WHO = "ann"
Question = Callable[[], object]


def made(folder: Path, rows: int, checkpoints: tuple[float, ...], linked: bool = False) -> Run:
    """The run of a size, in a workspace of its own; what is missing of it is made now."""
    workspace = Workspace(folder / f"growth-{rows}")
    dataset_id = f"growth-{rows}"
    if dataset_id not in [dataset.id for dataset in workspace.datasets()]:
        make_dataset(workspace, dataset_id, rows)
    runs = workspace.runs()
    if runs:
        run = runs[0]
    else:
        config = RunConfig(dataset_id, epochs=3, seeds=SEEDS, checkpoints=checkpoints).validated()
        run = workspace.create_run(config, name="made-up training", origin="job")
    make_scores(run, rows, checkpoints[-1:] if linked else checkpoints)
    if linked:
        link_scores(run, checkpoints)
    workspace.context.records.set_status(run.id, "succeeded")
    return workspace.run(run.id)


def make_dataset(workspace: Workspace, dataset_id: str, rows: int) -> None:
    """A dataset as an import leaves it, written in batches."""
    files, random = workspace.context.files, np.random.default_rng(0)
    paths = Layout(files).dataset(dataset_id)
    words = np.array(["film", "plot", "good", "bad", "dull", "bright", "actor", "scene", "never", "once", "again"])
    texts = pa.array([" ".join(random.choice(words, size=random.integers(8, 30))) for _ in range(DISTINCT_TEXTS)])
    schema = pa.schema(
        {"row": pa.int32(), "id": pa.string(), "text": pa.string(), "label": pa.int32(), "split": pa.string()}
    )
    splits = pa.array(["train", "validation", "test"])
    counts = np.zeros(3, dtype=np.int64)
    with files.atomic_writer(paths.examples) as stream, pq.ParquetWriter(stream, schema, compression="zstd") as writer:
        for start in range(0, rows, BATCH):
            numbers = np.arange(start, min(start + BATCH, rows), dtype=np.int32)
            chosen = random.choice(3, size=len(numbers), p=[0.9, 0.05, 0.05])
            counts += np.bincount(chosen, minlength=3)
            ids = pa.array(np.char.add("e", np.char.zfill((numbers * np.int64(7919) % (10 * rows)).astype(str), 9)))
            columns = [numbers, ids, texts.take(pa.array(random.integers(0, len(texts), len(numbers))))]
            columns += [random.integers(0, 2, len(numbers), dtype=np.int32), splits.take(pa.array(chosen))]
            writer.write_table(pa.table(columns, schema=schema), row_group_size=65_536)
    write_example_order(files, paths)
    manifest = DatasetManifest(
        id=dataset_id,
        name="made-up texts",
        created_at="2026-01-01T00:00:00+00:00",
        source={},
        content_hash="",
        rows=rows,
        classes=CLASSES,
        label_type="string",
        mapping=ColumnMapping(text="text", label="label", id="id", split="split"),
        columns=[{"name": name, "role": name, "type": "string"} for name in ("id", "text", "label", "split")],
        splits=dict(zip(splits.to_pylist(), counts.tolist(), strict=True)),
        report={},
    )
    ExampleRows(files, manifest).make()
    files.write_json(paths.manifest, manifest.to_json())


def make_scores(run: Run, rows: int, checkpoints: tuple[float, ...]) -> None:
    """Score files and rankings of every seed and checkpoint, those that are missing."""
    store, files = run.store, run.context.files
    order = read_example_order(files, run.record.dataset_id)
    with files.open_read(Layout(files).dataset(run.record.dataset_id).examples) as stream:
        labels = pq.read_table(stream, columns=["label"])["label"].to_numpy()
    for point in checkpoints:
        for seed in range(SEEDS):
            if not files.exists(store.paths.ranking(seed, point)):
                table = made_up(seed, point, labels)
                store.write_scores(seed, point, table)
                said = f"{rows:,} rows: ranking seed {seed} at {point:g}"
                _say(said, write_seed_ranking, store, order, seed, point, table)
        if not files.exists(store.paths.ranking(None, point)):
            _say(f"{rows:,} rows: ranking the mean at {point:g}", write_mean_ranking, store, order, point)


def link_scores(run: Run, checkpoints: tuple[float, ...]) -> None:
    """Files of the earlier checkpoints that are missing, as links to those of the last."""
    paths = run.store.paths
    for point in checkpoints[:-1]:
        for seed in (*range(SEEDS), None):
            kinds = [paths.ranking_order, paths.ranking]
            known = [(kind(seed, checkpoints[-1]), kind(seed, point)) for kind in kinds]
            if seed is not None:
                known.append((paths.scores(seed, checkpoints[-1]), paths.scores(seed, point)))
            for last, other in known:
                if not Path(other).exists():
                    os.link(last, other)


def made_up(seed: int, point: float, labels: np.ndarray) -> pa.Table:
    """What a score file of a made-up training holds."""
    shared, own = np.random.default_rng(0), np.random.default_rng([seed + 1, round(100 * point)])
    parts: list[dict[str, np.ndarray]] = []
    for start in range(0, len(labels), BATCH):
        part = labels[start : start + BATCH]
        hardness, wrong = shared.gamma(2.0, 0.5, len(part)), shared.random(len(part)) < 0.03
        learned = 6 * point / (point + hardness) * np.where(wrong, 0.25 * point - 0.8, 1.0)
        logits = own.normal(0, 0.6, (len(part), len(CLASSES))).astype(np.float32)
        logits[np.arange(len(part)), part] += learned.astype(np.float32)
        norms = np.exp(-np.abs(learned) / 3) * own.gamma(20, 1 / 20, len(part))
        more = {"grand": (8 * norms).astype(np.float32), "grand_head": (3 * norms).astype(np.float32)}
        parts.append({"logits": logits, **metrics.scores_of(logits, part), **more})
    columns = {name: np.concatenate([part[name].astype(np.float32) for part in parts]) for name in parts[0]}
    logits = columns.pop("logits")
    return score_table(seed, point, np.arange(len(labels)), labels, logits, columns, 5e-5 * (1 - point / 4))


def pages(run: Run, checkpoint: float) -> dict[str, Question]:
    """What pages ask."""
    ledger, random = run.dataset.ledger, np.random.default_rng(0)
    rows = run.dataset.rows
    middle = float(run.ranked("el2n", checkpoint, limit=1, offset=rows // 4)["el2n"].iloc[0])
    simple, filters = ExampleFilter(), {}
    filters["a class"] = ExampleFilter(labels=("good",))
    filters["given ≠ predicted"] = ExampleFilter(disagree=True)
    filters["a range of the score"] = ExampleFilter(scores=(ScoreRange("el2n", middle / 2, middle),))
    filters["a range of another score"] = ExampleFilter(scores=(ScoreRange("margin", 0.0, 2.0),))
    filters["undecided"] = ExampleFilter(decided=("undecided",))
    filters["every split"] = ExampleFilter(splits=())
    filters["a text search"] = ExampleFilter(text="dull scene")
    queue = run.dataset.queue(run.ranking(checkpoint).ordered("el2n", simple), WHO)

    def page(where: ExampleFilter, share: float = 0.4) -> Question:
        def ask() -> object:
            ranking = run.ranking(checkpoint)
            count = ranking.count(where)
            return ranking.page("el2n", where, PAGE, int(share * count))

        return ask

    def decide_one() -> object:
        row = int(random.integers(rows))
        run.dataset.decide([row], "keep", annotator=WHO)
        return run.ranked("el2n", checkpoint, limit=PAGE), ledger.counts()

    def decide_next() -> object:
        if queue.current is not None:
            queue.decide("keep")
        return queue.progress(), queue.errors_left()

    return {
        "first page": page(simple, 0.0),
        "page 1,000": lambda: run.ranked("el2n", checkpoint, limit=PAGE, offset=min(50_000, rows // 2)),
        "a page, one seed": lambda: run.ranked("loss", checkpoint, seed=1, limit=PAGE, offset=rows // 3),
        **{f"count and page: {name}": page(where) for name, where in filters.items()},
        "histogram": lambda: run.histogram("el2n", checkpoint, bins=40),
        "histogram of a class": lambda: run.histogram("el2n", checkpoint, where=filters["a class"], bins=40),
        "place of an example": lambda: run.position(int(random.integers(rows)), "el2n", checkpoint),
        "card and percentiles": lambda: (run.card(row := int(random.integers(rows))), run.percentiles(row, checkpoint)),
        "data map, 20,000 points": lambda: run.dynamics.data_map(checkpoint=checkpoint),
        "a decision, page and counts": decide_one,
        "undo, page": lambda: (run.dataset.undo(WHO), run.ranked("el2n", checkpoint, limit=PAGE)),
        "queue: decide and next": decide_next,
        "counts of decisions": ledger.counts,
    }


def steps(run: Run, checkpoint: float, scratch: Path) -> dict[str, Question]:
    """Steps of background jobs, and what pages compute once. Each is measured in a process of its own."""
    store, files = run.store, run.context.files
    order = read_example_order(files, run.record.dataset_id)
    policy = Policy(drop_hardest=2, drop_easiest=10, checkpoint=checkpoint)
    embeddings = EmbeddingFiles(files, run.id)

    def export(form: ExportFormat) -> Question:
        def ask() -> object:
            plan = run.pruning.plan(policy)
            return plan.export(scratch / f"export-{form}", format=form)

        return ask

    def landed_and_listed() -> object:
        """From a score file that has just been written to the first page of the mean over the seeds."""
        with files.open_read(store.paths.scores(0, checkpoint)) as stream:
            table = pq.read_table(stream)
        at, used = time.perf_counter(), time.process_time()
        write_seed_ranking(store, order, 0, checkpoint, table)
        write_mean_ranking(store, order, checkpoint, {0: table})
        page = run.ranked("el2n", checkpoint, limit=PAGE)
        print(f"{time.process_time() - used:.1f} s computing, {time.perf_counter() - at:.1f} s", file=sys.stderr)
        return page

    def csv_of_list() -> object:
        from diet_explorer.ui.drawing.csv_download import filtered_csv

        where = ExampleFilter(scores=(ScoreRange("el2n", 0.5, None),))
        return filtered_csv(run, "el2n", checkpoint, None, where)()

    def imported() -> object:
        return Workspace(scratch / "imported").import_dataset(
            source_file(run, scratch), text="text", label="label", id="id", split="split", name="again"
        )

    def rank() -> None:
        with files.open_read(store.paths.scores(0, checkpoint)) as stream:
            write_seed_ranking(store, order, 0, checkpoint, pq.read_table(stream))

    def suspects() -> object:
        shutil.rmtree(Path(store.paths.folder) / "suspects", ignore_errors=True)
        return run.audit.suspects(checkpoint=checkpoint)

    return {
        "import and near-duplicates": imported,
        "ranking of a seed": rank,
        "ranking of the mean": lambda: write_mean_ranking(store, order, checkpoint),
        "checkpoint to first page": landed_and_listed,
        "statistics of a seed": lambda: write_statistics(store, order, 0, checkpoint),
        "statistics of the mean": lambda: write_statistics(store, order, None, checkpoint),
        "evidence and list of suspects": suspects,
        "list of suspects again": lambda: run.audit.suspects(checkpoint=checkpoint),
        "expected errors": lambda: run.audit.expected_errors(checkpoint=checkpoint),
        "review in the order of suspicion": lambda: run.dataset.queue(run.audit.order(checkpoint=checkpoint), WHO),
        "plan and preview of a policy": lambda: run.pruning.plan(policy).preview(),
        **{f"export, {form}": export(form) for form in EXPORT_FORMATS},
        "long table, Parquet": lambda: run.export_scores(scratch / "long.parquet"),
        "long table, CSV": lambda: run.export_scores(scratch / "long.csv"),
        "CSV of a list": csv_of_list,
        f"neighbours, {DIMENSIONS} dimensions": lambda: store_neighbours(embeddings, run.dataset.manifest, "initial"),
        "map": lambda: store_map(embeddings, "initial", MapParameters(), lambda share, words: None),
    }


def source_file(run: Run, scratch: Path) -> Path:
    """The set as somebody would bring it; written before the clock runs."""
    return scratch.parent / f"source-{run.dataset.rows}.parquet"


def make_source(run: Run, folder: Path) -> None:
    """The examples without what the import adds, and the embeddings that a map starts from."""
    path = folder / f"source-{run.dataset.rows}.parquet"
    files = run.context.files
    if not path.exists():
        with files.open_read(Layout(files).dataset(run.dataset.id).examples) as stream:
            reader = pq.ParquetFile(stream)
            columns, writer = ["id", "text", "label", "split"], None
            for batch in reader.iter_batches(65_536, columns=columns):
                writer = writer or pq.ParquetWriter(path, batch.schema, compression="zstd")
                writer.write_batch(batch)
            assert writer is not None
            writer.close()
    embeddings, rows = EmbeddingFiles(files, run.id), run.dataset.rows
    if not embeddings.has_vectors("initial"):
        random = np.random.default_rng(7)
        centres = random.normal(size=(500, DIMENSIONS)).astype(np.float32)
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            shape = (rows, DIMENSIONS)
            vectors = np.memmap(Path(scratch) / "vectors", dtype=np.float16, mode="w+", shape=shape)
            for start in range(0, rows, 20_000):
                size = min(20_000, rows - start)
                noise = random.normal(scale=0.5, size=(size, DIMENSIONS)).astype(np.float32)
                vectors[start : start + size] = centres[random.integers(0, len(centres), size)] + noise
            embeddings.write_vectors("initial", vectors)


def measure(run: Run, questions: dict[str, Question], times: int) -> dict[str, dict[str, float]]:
    """Per question medians and 95th percentiles in milliseconds, and the greatest memory until then, in MB."""
    results = {}
    for name, question in questions.items():
        wall, cpu = [], []
        with own_memory() as most:
            for number in range(times + (times > 1)):
                at, used = time.perf_counter(), time.process_time()
                question()
                if number or times == 1:  # the first finds files that were not read yet
                    wall.append(1000 * (time.perf_counter() - at))
                    cpu.append(1000 * (time.process_time() - used))
        results[name] = {
            "wall50": float(np.median(wall)),
            "wall95": float(np.percentile(wall, 95)),
            "cpu50": float(np.median(cpu)),
            "cpu95": float(np.percentile(cpu, 95)),
            "own": most["own"],
            "peak": memory("VmHWM"),
        }
        print(name, results[name], file=sys.stderr, flush=True)
    return results


@contextmanager
def own_memory() -> Iterator[dict[str, float]]:
    """The most megabytes that only this process has meanwhile, as ``own``; the system keeps no such peak."""
    seen, is_over = {"own": memory("RssAnon")}, threading.Event()

    def look() -> None:
        while not is_over.wait(0.02):
            seen["own"] = max(seen["own"], memory("RssAnon"))

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield seen
    finally:
        is_over.set()
        watcher.join()
        seen["own"] = max(seen["own"], memory("RssAnon"))


def memory(what: str) -> float:
    """Megabytes of a line of the process' status; `ru_maxrss` would begin with the memory of whoever started it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(what)) / 1024


def sizes(run: Run) -> dict[str, float]:
    """Megabytes of the run's folder and of its parts."""
    folder = Path(run.store.paths.folder)
    parts = {name: local_size(folder / name) / 1e6 for name in ("scores", "rankings", "statistics")}
    return {"run": local_size(folder) / 1e6, **parts}


def case(
    folder: Path, rows: int, checkpoints: tuple[float, ...], linked: bool, times: int, without: list[str]
) -> dict[str, Any]:
    """What pages cost at one size, at the last checkpoint that is ranked."""
    run = made(folder, rows, checkpoints, linked)
    questions = pages(run, run.store.ranked_checkpoints(None)[-1])
    asked = {name: ask for name, ask in questions.items() if not any(part in name for part in without)}
    results = measure(run, asked, times)
    return {"rows": rows, "load": os.getloadavg()[0], "results": results, **sizes(run)}


def step(folder: Path, rows: int, name: str) -> dict[str, float]:
    """What one step of a job costs at one size: seconds, and the greatest memory of its process."""
    run = Workspace(folder / f"growth-{rows}").runs()[0]
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        question = steps(run, run.store.landed()[0][-1], Path(scratch))[name]
        with own_memory() as most:
            before, at, used = memory("RssAnon"), time.perf_counter(), time.process_time()
            question()
            wall, cpu = time.perf_counter() - at, time.process_time() - used
        return {
            "wall": wall,
            "cpu": cpu,
            "before": before,
            "own": most["own"],
            "peak": memory("VmHWM"),
            "load": os.getloadavg()[0],
        }


def show(cases: list[dict[str, Any]]) -> None:
    """The table, with how far the median of computing grows from the size before."""
    heads = [f"{entry['rows']:,}" for entry in cases]
    print("\nmilliseconds of computing p50 / p95 (by the clock p95), ×growth of the p50 from size to size\n")
    print(f"| rows | {' | '.join(heads)} |\n|---|{'---:|' * len(heads)}")
    for name in cases[-1]["results"]:
        cells, before = [], None
        for entry in cases:
            took = entry["results"].get(name)
            if took is None:
                cells.append("–")
                continue
            growth = "" if before is None else f" ×{took['cpu50'] / max(before, 0.1):.1f}"
            cells.append(f"{took['cpu50']:,.1f} / {took['cpu95']:,.1f} ({took['wall95']:,.0f}){growth}")
            before = took["cpu50"]
        print(f"| {name} | {' | '.join(cells)} |")
    for what in ("own", "peak"):
        most = [max(took[what] for took in entry["results"].values()) for entry in cases]
        print(f"| memory, MB: {what} | {' | '.join(f'{value:,.0f}' for value in most)} |")
    for part in ("run", "scores", "rankings", "statistics"):
        values = [entry[part] for entry in cases]
        print(f"| bytes on disk, MB: {part} | {' | '.join(f'{value:,.1f}' for value in values)} |")
    loads = [entry["load"] for entry in cases]
    print(f"| load of the machine | {' | '.join(f'{load:.1f}' for load in loads)} |")


def show_steps(sizes: list[int], results: dict[str, list[dict[str, float] | None]]) -> None:
    """Seconds of computing (by the clock), the peak of the process' memory and both one's growth."""
    print("\nseconds of computing (by the clock); own memory, with mapped files, in MB; ×growth of the seconds\n")
    print(f"| step | {' | '.join(f'{rows:,}' for rows in sizes)} |\n|---|{'---:|' * len(sizes)}")
    for name, entries in results.items():
        cells, before = [], None
        for entry in entries:
            if entry is None:
                cells.append("–")
                continue
            growth = "" if before is None else f" ×{entry['cpu'] / max(before, 0.01):.1f}"
            took = f"{entry['cpu']:,.2f} ({entry['wall']:,.2f})"
            cells.append(f"{took}; {entry['own']:,.0f}, {entry['peak']:,.0f}{growth}")
            before = entry["cpu"]
        print(f"| {name} | {' | '.join(cells)} |")


def show_jobs(folder: Path, sizes: list[int], only: list[str]) -> None:
    """Measure every step at every size, each in a process of its own, and print the table."""
    results: dict[str, list[dict[str, float] | None]] = {}
    for rows in sizes:
        run = Workspace(folder / f"growth-{rows}").runs()[0]
        make_source(run, folder)
        for name in steps(run, 1.0, folder):
            if only and not any(part in name for part in only):
                continue
            command = [sys.executable, "-m", "tests.benchmarks.growth", "--step", name, "--folder", str(folder)]
            done = subprocess.run([*command, "--rows", str(rows)], stdout=subprocess.PIPE)
            entry = json.loads(done.stdout) if done.returncode == 0 else None
            results.setdefault(name, [None] * len(sizes))[sizes.index(rows)] = entry
            print(rows, name, entry, file=sys.stderr, flush=True)
    show_steps(sizes, results)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "diet-explorer-benchmark")
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--checkpoints", type=float, nargs="+", default=list(CHECKPOINTS))
    parser.add_argument("--linked", action="store_true", help="make the last checkpoint, link the earlier ones to it")
    parser.add_argument("--times", type=int, default=15)
    parser.add_argument("--jobs", action="store_true", help="measure the steps of jobs, too")
    parser.add_argument("--only", nargs="+", default=[], help="steps whose names contain one of these, no pages")
    parser.add_argument("--without", nargs="+", default=[], help="pages whose names contain one of these are left out")
    parser.add_argument("--only-make", action="store_true")
    parser.add_argument("--step", help="what a child process does for one step of a job")
    parser.add_argument("--case", action="store_true", help="what a child process does")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    points = tuple(options.checkpoints)
    if options.only_make:
        for rows in options.rows:
            made(options.folder, rows, points, options.linked)
    elif options.case:
        print(json.dumps(case(options.folder, options.rows[0], points, options.linked, options.times, options.without)))
    elif options.step:
        print(json.dumps(step(options.folder, options.rows[0], options.step)))
    else:
        cases = []
        for rows in options.rows if not options.only else []:
            command = [sys.executable, "-m", "tests.benchmarks.growth", "--case", "--folder", str(options.folder)]
            command += ["--rows", str(rows), "--times", str(options.times), "--checkpoints", *map(str, points)]
            command += ["--linked"] if options.linked else []
            command += ["--without", *options.without] if options.without else []
            cases.append(json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout))
        if cases:
            show(cases)
        if options.jobs or options.only:
            show_jobs(options.folder, options.rows, options.only)


def _say(what: str, work: Callable[..., object], *arguments: Any) -> None:
    started, used = time.perf_counter(), time.process_time()
    work(*arguments)
    spent = time.process_time() - used
    print(f"{what}: {spent:,.1f} s of computing, {time.perf_counter() - started:,.1f} s", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
