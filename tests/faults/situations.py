"""What goes wrong: each situation does it to a stage on which a run is under way, once its first checkpoint landed.

They wait for what is to be seen from outside; only how long a fault lasts is measured by the clock.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from diet_explorer.workspace.run import Run
from tests.faults.network import Mode
from tests.faults.stage import Stage

CLOCK_AHEAD = 600


@dataclass(frozen=True)
class Situation:
    """Something that goes wrong."""

    name: str
    title: str
    happen: Callable[[Stage, Run], float]  # does it, and gives the seconds for which it lasted
    needs: Literal["nothing", "store", "compiler"] = "nothing"
    clock_ahead: int = 0  # of the second host, all the while


def _kill(stage: Stage, run: Run) -> float:
    stage.victim(run).kill_worker()
    return 0.0


def _remove(stage: Stage, run: Run) -> float:
    stage.victim(run).lose_disk()
    return 0.0


def _freeze(stage: Stage, run: Run) -> float:
    host = stage.victim(run)
    host.freeze()
    time.sleep(stage.scale.freeze)
    host.thaw()
    return stage.scale.freeze


def _cut_one(mode: Mode, *services: str) -> Callable[[Stage, Run], float]:
    def happen(stage: Stage, run: Run) -> float:
        host = stage.victim(run)
        host.cut(mode, *services)
        time.sleep(stage.scale.silence)
        host.cut("open")
        return stage.scale.silence

    return happen


def _cut_all(mode: Mode, service: str, lasts: Callable[[Stage], float]) -> Callable[[Stage, Run], float]:
    def happen(stage: Stage, run: Run) -> float:
        stage.victim(run)
        for host in stage.hosts:
            host.cut(mode, service)
        time.sleep(lasts(stage))
        for host in stage.hosts:
            host.cut("open")
        return lasts(stage)

    return happen


def _restart_database(stage: Stage, run: Run) -> float:
    stage.victim(run)
    stage.database.stop()
    time.sleep(stage.scale.restart)
    stage.database.start()
    return stage.scale.restart


def _both_away(stage: Stage, run: Run) -> float:
    begun = time.monotonic()
    stage.victim(run)
    for host in stage.hosts:
        host.cut("refused", "store")  # so that the run cannot end before the database is away too
    stage.database.stop()
    time.sleep(stage.scale.restart)
    stage.database.start()
    time.sleep(stage.scale.refused)
    for host in stage.hosts:
        host.cut("open")
    return time.monotonic() - begun


def _cancel_and_resume(stage: Stage, run: Run) -> float:
    begun = time.monotonic()
    host = stage.victim(run)
    host.cut("silent")
    run.cancel()
    run.resume()
    time.sleep(max(0.0, begun + stage.scale.silence - time.monotonic()))
    host.cut("open")
    return time.monotonic() - begun


def _nothing(stage: Stage, run: Run) -> float:
    return 0.0


SITUATIONS = (
    Situation("kill", "worker killed (kill -9)", _kill),
    Situation("freeze", "worker frozen, then thawed", _freeze),
    Situation("database-silent", "packets to the database lost", _cut_one("silent", "database")),
    Situation("store-silent", "packets to the store lost", _cut_one("silent", "store"), "store"),
    Situation("database-restart", "database restarted", _restart_database),
    Situation(
        "store-refused", "store refuses all", _cut_all("refused", "store", lambda stage: stage.scale.refused), "store"
    ),
    Situation(
        "store-hanging",
        "store does not answer",
        _cut_all("hanging", "store", lambda stage: stage.scale.hanging),
        "store",
    ),
    Situation("clock", "one host's clock 10 minutes ahead", _nothing, "compiler", CLOCK_AHEAD),
    Situation("partition", "host cut off; cancelled and resumed meanwhile", _cancel_and_resume),
    Situation("removed", "worker and its disk gone for good", _remove),
)
BOTH_AWAY = Situation("both-away", "database restarted while the store refuses all", _both_away, "store")
"""Two of them in one run, which spares the short form a run."""
