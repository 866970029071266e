"""Kill writers, and now and then the app with its worker, at random moments; count the acknowledged decisions lost.

python -m tests.benchmarks.kills [--rounds 200] [--app-every 20]
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from diet_explorer.config import load_settings
from diet_explorer.data.manifest import DatasetManifest
from diet_explorer.review.decisions import Ledger
from diet_explorer.store.database import open_database
from diet_explorer.store.files import Files
from tests.synthetic import write_dataset

ROWS = 500
_WRITER = """
import itertools, os, sys
from diet_explorer.config import load_settings
from diet_explorer.data.manifest import DatasetManifest
from diet_explorer.review.decisions import Ledger
from diet_explorer.store.database import open_database
from diet_explorer.store.files import Files
home = sys.argv[1]
ledger = Ledger(open_database(load_settings(home=home)), DatasetManifest.load(Files(home), "made-up"))
ledger.engine.dispose()  # no connection is carried over a fork
def say(*words):  # in one piece, also of a process that is killed meanwhile and where Python does not buffer
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())
say("ready")
for line in sys.stdin:  # each line is a round: a fresh process that inherits nothing but the code
    if os.fork() == 0:
        say("child", os.getpid())
        for number in itertools.count():
            rows = range(number % 400, number % 400 + 100) if number % 10 == 9 else [number % 500]
            event = ledger.undo("ann") if number % 7 == 6 else ledger.decide(rows, "keep", annotator="ann")
            say("saved", event.id)
    os.wait()
    say("ended")
"""


@contextmanager
def writers(home: str) -> Iterator[subprocess.Popen[str]]:
    """What `kill_writers` takes its writers from."""
    parent = subprocess.Popen(
        [sys.executable, "-c", _WRITER, home],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
        start_new_session=True,
    )
    assert parent.stdin is not None and parent.stdout is not None
    assert parent.stdout.readline() == "ready\n"
    try:
        yield parent
    finally:  # after a fault also the writer that nobody has killed, for which the parent would wait for ever
        os.killpg(parent.pid, signal.SIGKILL)
        parent.wait()
        parent.stdin.close()
        parent.stdout.close()


def kill_writers(parent: subprocess.Popen[str], rounds: int, draw: random.Random) -> set[int]:
    """Kill a writer in every round; returns the decisions that a writer was told were saved."""
    assert parent.stdin is not None and parent.stdout is not None
    acknowledged: set[int] = set()
    for _ in range(rounds):
        parent.stdin.write("go\n")
        child = int(parent.stdout.readline().split()[1])
        first = parent.stdout.readline()
        if not first.startswith("saved"):
            raise RuntimeError(f"A writer ended before it had saved anything: {first!r}")
        time.sleep(draw.uniform(0, 0.1))
        os.kill(child, signal.SIGKILL)
        line = first
        while line != "ended\n":
            acknowledged.add(int(line.split()[1]))  # an IndexError where nobody writes any more
            line = parent.stdout.readline()
    return acknowledged


def missing(home: str, acknowledged: set[int]) -> set[int]:
    """Those of some decisions that are not in the ledger."""
    ledger = Ledger(open_database(load_settings(home=home)), DatasetManifest.load(Files(home), "made-up"))
    ledger.table()  # replays without a fault
    return acknowledged - {event.id for event in ledger.events()}


@contextmanager
def doomed_app(home: str) -> Iterator[subprocess.Popen[str]]:
    """An app that is killed with its server and its worker when the block ends, wherever in its start it is then."""
    command = [sys.executable, "-m", "diet_explorer.cli", "app", "--port", "0", "--workspace", home, "--json"]
    # what it complains of goes on to this process: nobody reads it meanwhile, and a pipe that is full would hold it
    app = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        yield app
    finally:
        _kill_all(app.pid)
        app.communicate()


def wait_until_it_answers(app: subprocess.Popen[str]) -> None:
    """Wait until a starting app says where it is."""
    assert app.stdout is not None
    line = app.stdout.readline()
    if not line:
        raise RuntimeError("The app did not start again.")
    json.loads(line)


def _kill_all(pid: int) -> None:
    import psutil

    family = [*psutil.Process(pid).children(recursive=True), psutil.Process(pid)]
    for process in reversed(family):
        with suppress(psutil.NoSuchProcess):  # they end by themselves when the app has gone
            process.kill()
    psutil.wait_procs(family)


def made_home(folder: str) -> str:
    """A workspace with one dataset."""
    write_dataset(Files(folder), ["a"] * ROWS, [0] * ROWS, ["x"])
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--app-every", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    draw = random.Random(given.seed)
    with tempfile.TemporaryDirectory() as folder, writers(home := made_home(str(Path(folder) / "home"))) as parent:
        acknowledged: set[int] = set()
        starts = 0
        for start in range(0, given.rounds, given.app_every):
            with doomed_app(home) as app:
                acknowledged |= kill_writers(parent, min(given.app_every, given.rounds - start), draw)
                wait_until_it_answers(app)
                time.sleep(draw.uniform(0, 2))
            starts += 1
        gone = missing(home, acknowledged)
        print(f"{given.rounds} writers and {starts} apps with their workers killed:")
        print(f"{len(acknowledged):,} decisions acknowledged, {len(gone)} of them missing;")
        print("the app started again every time")


if __name__ == "__main__":
    main()
