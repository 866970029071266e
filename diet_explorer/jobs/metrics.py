"""What Prometheus reads of this process (docs/running-for-a-team.md): a scrape costs a few short queries at most."""

from __future__ import annotations

import platform
from collections import Counter as Tally
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, PlatformCollector, ProcessCollector
from prometheus_client.core import GaugeMetricFamily

from diet_explorer import __version__
from diet_explorer.errors import DietExplorerError
from diet_explorer.jobs.health import HealthChecks, JobInSight, SignOfLife
from diet_explorer.store.happenings import listen

MOST_LABELS = 50
"""So many data sets or pages have lines of their own; what comes after them is counted under `OTHER`."""
OTHER = "other"
_NAME = "diet_explorer"
_RERUN_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """All metrics of one process, in a registry of their own.

    Parameters
    ----------
    role : str
        ``app`` or ``worker``.
    health : HealthChecks
    jobs : callable
        The jobs that wait or run.
    signs : callable
        The workers' last signs of life.
    """

    def __init__(
        self,
        role: str,
        health: HealthChecks,
        jobs: Callable[[], list[JobInSight]],
        signs: Callable[[], list[SignOfLife]],
    ) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        build = Info(f"{_NAME}_build", "Version of the program, and what it runs as.", registry=self.registry)
        build.info({"version": __version__, "python": platform.python_version(), "role": role})
        self._counters = self._made_counters()
        self._gauges = self._made_gauges()
        self._reruns = Histogram(
            f"{_NAME}_page_rerun_seconds",
            "Seconds that drawing a page took.",
            ["page"],
            buckets=_RERUN_BUCKETS,
            registry=self.registry,
        )
        self._seen: dict[str, set[str]] = {}
        self.registry.register(_Asked(health, jobs, signs))
        self.close = listen(self._hear)

    def _made_counters(self) -> dict[str, Counter]:
        described = {
            "jobs_ended": ("Jobs that this worker has ended.", ("kind", "outcome")),
            "decisions": ("Decisions about examples that this process has stored.", ("dataset",)),
            "database_errors": ("Failures of a database, as this process met them.", ("database",)),
            "store_errors": ("Failures of the workspace's files, as this process met them.", ()),
            "examples_scored": ("Examples whose scores have landed, counted once per checkpoint and seed.", ()),
            "work_seconds": ("Seconds that this worker spent on training and on scoring.", ("phase",)),
            "checkpoints": ("Checkpoints whose scores have landed.", ()),
        }
        return {
            name: Counter(f"{_NAME}_{name}", words, labels, registry=self.registry)
            for name, (words, labels) in described.items()
        }

    def _made_gauges(self) -> dict[str, Gauge]:
        described = {
            "examples_per_second": "Examples per second of the training in work; 0 where there is none.",
            "last_checkpoint_timestamp_seconds": "When scores landed last in this process, in seconds since 1970.",
        }
        return {name: Gauge(f"{_NAME}_{name}", words, registry=self.registry) for name, words in described.items()}

    def _hear(self, what: str, amount: float, labels: Mapping[str, str]) -> None:
        bounded = {name: self._bounded(name, value) for name, value in labels.items()}
        if what == "page_rerun_seconds":
            self._reruns.labels(**bounded).observe(amount)
        elif what in self._counters:
            counter = self._counters[what]
            (counter.labels(**bounded) if bounded else counter).inc(amount)
        elif what in self._gauges:
            self._gauges[what].set(amount)

    def _bounded(self, name: str, value: str) -> str:
        seen = self._seen.setdefault(name, set())
        if value not in seen and len(seen) >= MOST_LABELS:
            return OTHER
        seen.add(value)
        return value


class _Asked:
    """What is looked up when somebody scrapes; a database that is away leaves out what it would have said."""

    def __init__(
        self, health: HealthChecks, jobs: Callable[[], list[JobInSight]], signs: Callable[[], list[SignOfLife]]
    ) -> None:
        self._health = health
        self._jobs = jobs
        self._signs = signs

    def describe(self) -> list[Any]:
        """Nothing is asked when it is registered."""
        return []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Ask."""
        health = GaugeMetricFamily(
            f"{_NAME}_healthy", "Whether a part can be used, as /healthz says: 1 or 0.", labels=["part"]
        )
        for name, outcome in self._health().checks.items():
            health.add_metric([name], float(outcome.ok))
        yield health
        jobs = GaugeMetricFamily(f"{_NAME}_jobs", "Jobs that wait (queued) or are in work.", labels=["kind", "state"])
        tally = Tally((entry.kind, entry.state) for entry in _answer(self._jobs))
        for labels, count in sorted(tally.items()):
            jobs.add_metric(list(labels), count)
        yield jobs
        seen = GaugeMetricFamily(
            f"{_NAME}_worker_last_seen_timestamp_seconds",
            "A worker's last sign of life, in seconds since 1970.",
            labels=["worker"],
        )
        busy = GaugeMetricFamily(f"{_NAME}_worker_busy", "Whether a worker does a job: 1 or 0.", labels=["worker"])
        for sign in _answer(self._signs)[:MOST_LABELS]:
            seen.add_metric([sign.worker], sign.at)
            busy.add_metric([sign.worker], float(sign.busy))
        yield seen
        yield busy


def _answer(ask: Callable[[], list[Any]]) -> list[Any]:
    try:
        return ask()
    except DietExplorerError:
        return []
