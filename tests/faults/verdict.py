"""What must hold after a situation, looked at from outside."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from diet_explorer.workspace.run import Run
from tests.faults.annotators import Annotator, handed_out_twice
from tests.faults.situations import Situation
from tests.faults.stage import Stage, Step

_PROGRESS = ("progress/", "log/", "log.jsonl", "config.json")
"""Files of a run that say when things happened or what the run is called."""
_MACHINE = ("workers/", "logs/", "scratch/", "trainings/", "cache/")
"""Folders of a local workspace that are of the machine, not of what is worked on."""


@dataclass(frozen=True)
class Undisturbed:
    """A run to which nothing happened."""

    seconds: float
    files: dict[str, str]  # by their place in the run's folder, with a digest of their bytes
    around: set[str]  # files of the workspace that are of no run
    scores: Any  # the long table without the run's own id


@dataclass
class Verdict:
    """How a situation ended; `faults` is empty where all is as it must be."""

    situation: Situation
    seconds: float = 0.0  # from the queueing of the run to its end
    lost: float = 0.0  # as compared with the undisturbed run
    outage: float = 0.0
    doubled: float = 0.0  # seconds in which two processes trained the same seed
    repeated: int = 0  # steps that were made a second time
    decisions: int = 0
    faults: list[str] = field(default_factory=list)


def undisturbed(stage: Stage) -> Undisturbed:
    """Let a run end to which nothing happens."""
    stage.mark()
    begun = time.monotonic()
    run = stage.start_run()
    status = stage.ended(run)
    seconds = time.monotonic() - begun
    assert status == "succeeded", f"{run.error} {run.remedy}"
    return Undisturbed(seconds, *_sorted_out(stage, run), _long_table(run))


def play(stage: Stage, situation: Situation, expected: Undisturbed) -> Verdict:
    """Let something go wrong, and judge how it ended."""
    verdict = Verdict(situation)
    second = stage.hosts[1]
    if situation.clock_ahead:
        second.kill_worker()
        second.start_worker_ahead(situation.clock_ahead)
    stage.start_workers()
    stage.mark()
    clocks = (0, situation.clock_ahead)
    people = [
        Annotator(host, stage.reviewed.id, f"{situation.name}-{host.name}", clock)
        for host, clock in zip(stage.hosts, clocks, strict=True)
    ]
    try:
        stage.until(lambda: all(person.written() for person in people), "people review")
        begun = time.monotonic()
        run = stage.start_run()
        verdict.outage = situation.happen(stage, run)
        verdict.faults += _end(stage, run, expected)
        verdict.seconds = time.monotonic() - begun
        verdict.lost = verdict.seconds - expected.seconds
        lines = {person.name: person.stop() for person in people}
    finally:
        for person in people:
            person.kill()
    verdict.decisions = sum("event" in line for entries in lines.values() for line in entries)
    verdict.faults += _review_faults(stage, lines)
    steps = stage.steps()
    verdict.doubled, verdict.repeated = doubled(steps), repeated(steps)
    if verdict.doubled > stage.scale.lease:
        verdict.faults.append(f"a seed was trained twice for {verdict.doubled:.1f} s")
    if situation.clock_ahead:
        second.kill_worker()
    return verdict


def _end(stage: Stage, run: Run, expected: Undisturbed) -> list[str]:
    try:
        status = stage.ended(run)
    except AssertionError as error:
        return [f"{error} (it is {run.status})"]
    if status != "succeeded":
        return [f"the run {status}: {run.error} {run.remedy}"]
    faults = []
    files, around = _sorted_out(stage, run)
    for path in sorted(files.keys() | expected.files.keys()):
        if path not in files or path not in expected.files:
            faults.append(f"{path} is {'missing' if path not in files else 'left over'}")
        elif files[path] != expected.files[path]:
            faults.append(f"{path} has other bytes")
    if not _long_table(run).equals(expected.scores):
        faults.append("scores differ")
    faults += [f"{path} is left over" for path in sorted(around - expected.around)]
    faults += [
        f"{path} is left on {host.name}"
        for host in stage.hosts
        if host.worker is not None
        for path in host.scratch.rglob("checkpoint-*")
    ]
    return faults


def _review_faults(stage: Stage, lines: dict[str, list[dict[str, Any]]]) -> list[str]:
    faults = [f"row {row} was handed out twice" for row in handed_out_twice(lines)[:5]]
    saved = [line["event"] for entries in lines.values() for line in entries if "event" in line]
    kept = {event.id for event in stage.reviewed.ledger.events()}
    if len(saved) != len(set(saved)):
        faults.append("a decision was saved twice")
    if not set(saved) <= kept:
        faults.append(f"{len(set(saved) - kept)} decisions are lost")
    return faults


def _sorted_out(stage: Stage, run: Run) -> tuple[dict[str, str], set[str]]:
    """A run's files that are the same whenever it is made, by their place in it, and what is of no run at all."""
    own = f"runs/{run.id}/"
    contents = stage.place.contents()
    files = {path.removeprefix(own): digest for path, digest in contents.items() if path.startswith(own)}
    files = {name: digest for name, digest in files.items() if not name.startswith(_PROGRESS)}
    return files, {path for path in contents if not path.startswith(("runs/", *_MACHINE))}


def _long_table(run: Run) -> Any:
    table = run.scores()
    return table.drop(columns=[name for name in table.columns if name == "run"])


def doubled(steps: Iterable[Step]) -> float:
    """For how long at most two processes trained the same seed at once, in seconds."""
    spans: dict[int, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for step in steps:
        spans[step.seed][step.process].append(step.time)
    longest = 0.0
    for processes in spans.values():
        ordered = sorted((times[0], times[-1]) for times in processes.values())
        for number, (first, last) in enumerate(ordered):
            for other_first, other_last in ordered[number + 1 :]:
                longest = max(longest, min(last, other_last) - max(first, other_first))
    return longest


def repeated(steps: Iterable[Step]) -> int:
    """How many steps were made that had been made before."""
    made = [(step.seed, step.step) for step in steps]
    return len(made) - len(set(made))
