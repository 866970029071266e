"""The stage of the fault tests: two hosts, their services, and a client that nothing happens to."""

from __future__ import annotations

import contextlib
import csv
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from unittest import mock

from diet_explorer.errors import DietExplorerError
from diet_explorer.workspace.run import Run
from diet_explorer.workspace.workspace import Workspace
from tests import tiny_runs
from tests.faults.hosts import Host
from tests.faults.namespaces import Namespace
from tests.faults.network import Line, Network
from tests.faults.services import Postgres, Store, store
from tests.forked import ForkedWorker
from tests.waiting import until

T = TypeVar("T")
_PAUSE = 0.2
HOSTS = ("north", "south")
SETTINGS: dict[str, Any] = {**tiny_runs.LONG, "batch_size": 8, "seeds": 2}
EARLY = 1.0
"""The checkpoint, in epochs, after which things happen: a part of a seed's training is done, and kept."""


@dataclass(frozen=True)
class Scale:
    """How long everything lasts, in seconds; the short form shrinks it all alike."""

    lease: float
    step: float  # that a training's step takes longer than the tiny model does
    freeze: float
    silence: float
    restart: float
    refused: float
    hanging: float
    patience: float = 600.0  # so long after a fault's end a run may need, which a busy machine can be slow to do
    epochs: int = 4
    review_rows: int = 20_000


LONG = Scale(lease=30, step=1.2, freeze=75, silence=60, restart=30, refused=60, hanging=30)
SHORT = Scale(lease=2, step=0.15, freeze=5, silence=4, restart=2, refused=3, hanging=3, epochs=2)


@dataclass(frozen=True)
class Step:
    """A step that a training made."""

    time: float  # seconds by the machine's monotonic clock
    host: str
    process: int
    seed: int
    step: int


class Stage:
    """Two hosts with a worker each, and a client; see `stage`."""

    def __init__(
        self,
        scale: Scale,
        folder: Path,
        network: Network,
        database: Postgres,
        place: Store,
        workspace: Workspace,
        spaces: ExitStack | None,
    ) -> None:
        self.scale = scale
        self._spaces = spaces
        self.database = database
        self.place = place
        self.workspace = workspace
        self.hosts = [self._host(name, folder, network, place) for name in HOSTS]
        self.model = folder / "model"
        made = ForkedWorker(
            [str(self.model)], self.hosts[0].environment, folder / "model.log", "tests.faults.tiny_model"
        )
        assert made.wait() == 0, (folder / "model.log").read_text(encoding="utf-8")
        sentences = tiny_runs.save_sentences(folder / "sentences.csv")
        self.dataset = workspace.import_dataset(sentences, text="sentence", label="mood", id="key")
        reviewed = _save_numbers(folder / "reviewed.csv", scale.review_rows)
        self.reviewed = workspace.import_dataset(reviewed, text="text", label="label")
        self._steps = folder / "steps"

    def _host(self, name: str, folder: Path, network: Network, place: Store) -> Host:
        space = None if self._spaces is None else Namespace(HOSTS.index(name))
        if self._spaces is not None and space is not None:
            self._spaces.callback(space.close)

        def line(upstream: str | tuple[str, int]) -> Line:
            if space is None:
                return network.line(upstream)
            address = space.address()
            return network.line(upstream, address, lambda lost: space.lose(address, lost=lost))

        lines = {"database": line(self.database.socket)}
        if place.address is not None:
            lines["store"] = line(place.address)
        variables = {
            **self.database.variables(lines["database"]),
            **place.variables(lines.get("store")),
            "DIET_EXPLORER_LEASE_SECONDS": str(self.scale.lease),
            "TEST_STEP_SECONDS": str(self.scale.step),
            "TEST_STEPS": str(folder / "steps"),
        }
        if space is not None:
            variables["TEST_NETWORK"] = space.name
        return Host(name, folder / name, lines, variables)

    def start_workers(self) -> None:
        """See to it that both hosts have a worker and all of their lines."""
        for host in self.hosts:
            host.cut("open")
            host.start_worker()
        self.until(lambda: all("waiting for runs" in self.said(host) for host in self.hosts), "the workers are there")

    def said(self, host: Host) -> str:
        """What a host's workers printed."""
        return host.log.read_text(encoding="utf-8") if host.log.exists() else ""

    def start_run(self) -> Run:
        """Queue a run; all are alike."""
        points = tuple(point for point in SETTINGS["checkpoints"] if point <= self.scale.epochs)
        settings = {**SETTINGS, "epochs": self.scale.epochs, "checkpoints": points}
        return tiny_runs.queue(self.workspace, self.dataset.id, self.model, settings)

    def victim(self, run: Run) -> Host:
        """A host that trains a seed of a run whose early checkpoint has landed, once there is one."""

        def busy() -> Host | None:
            steps = self.steps()
            landed = {seed for seed, points in run.landed().items() if EARLY in points} if steps else set()
            last = next((step for step in reversed(steps) if step.seed in landed), None)
            return None if last is None else self.host(last.host)

        return self.until(busy, "a checkpoint landed")

    def host(self, name: str) -> Host:
        """The host of that name."""
        return next(host for host in self.hosts if host.name == name)

    def other(self, host: Host) -> Host:
        """The other host."""
        return next(other for other in self.hosts if other is not host)

    def mark(self) -> None:
        """Count steps from here."""
        self._steps.unlink(missing_ok=True)

    def steps(self) -> list[Step]:
        """The steps that were made since the last `mark`."""
        lines = self._steps.read_text(encoding="ascii").splitlines() if self._steps.exists() else []
        return [
            Step(float(time), host, int(process), int(seed), int(step))
            for time, host, process, seed, step in map(str.split, lines)
        ]

    def ended(self, run: Run) -> str:
        """A run's status, once it has ended."""
        self.until(lambda: run.refresh().status not in ("queued", "running"), f"{run.id} ended")
        return run.status

    def until(self, condition: Callable[[], T | None], what: str) -> T:
        """Wait for something, also where the database is away in the meantime."""

        def tried() -> T | None:
            time.sleep(_PAUSE)  # what is asked here is asked of servers, which share the cores with the hosts
            with contextlib.suppress(DietExplorerError):
                return condition()
            return None

        return until(tried, what, self.scale.patience)

    def close(self) -> None:
        """Leave no process behind."""
        for host in self.hosts:
            host.kill_worker()


@contextmanager
def stage(scale: Scale, kind: str, folder: Path, *, namespaces: bool = False) -> Iterator[Stage]:
    """A stage whose workspace lies in a ``folder`` that the hosts share, or in ``s3``.

    With `namespaces` each host has a network of its own, for which rights of root are needed.
    """
    with ExitStack() as stack:
        (folder / "postgres").mkdir(parents=True)
        spaces = stack.enter_context(ExitStack())
        database = Postgres(folder / "postgres" / "data")
        stack.callback(database.close)
        network = Network()
        stack.callback(network.close)
        place = stack.enter_context(store(kind, folder))
        variables = {
            **database.variables(),
            **place.variables(),
            "DIET_EXPLORER_SCRATCH": str(folder / "client"),
            "DIET_EXPLORER_LEASE_SECONDS": str(scale.lease),
        }
        stack.enter_context(mock.patch.dict(os.environ, variables))
        workspace = Workspace()
        made = Stage(scale, folder, network, database, place, workspace, spaces if namespaces else None)
        stack.callback(made.close)
        yield made


def _save_numbers(path: Path, rows: int) -> Path:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["text", "label"])
        writer.writerows([f"example {number}", "ab"[number % 2]] for number in range(rows))
    return path


def has_compiler() -> bool:
    """Whether clocks can be put ahead here."""
    return shutil.which("gcc") is not None
