"""What `/healthz` and `/metrics` say: of an app and a worker, of parts that are away, and nothing that is secret."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import pytest
from prometheus_client.parser import text_string_to_metric_families

from diet_explorer.errors import BadInputError, WorkspaceError
from diet_explorer.jobs import health
from diet_explorer.jobs.health import HealthChecks, JobInSight, SignOfLife, database_check, store_check
from diet_explorer.jobs.metrics import MOST_LABELS, Metrics
from diet_explorer.jobs.observation import Observation
from diet_explorer.review.decisions import Ledger
from diet_explorer.scoring.progress import CheckpointProgress, RunReports, SeedProgress
from diet_explorer.store.happenings import happened
from diet_explorer.workspace.dataset import Dataset
from diet_explorer.workspace.workspace import Workspace
from tests.ports import own_port


@contextmanager
def observed(
    checks: dict[str, Callable[[], object]] | None = None, jobs: Callable[[], list[JobInSight]] = list
) -> Iterator[str]:
    """Address of a server that answers for these checks."""
    asked = HealthChecks("worker", checks or {"store": lambda: None})
    metrics = Metrics("worker", asked, jobs, lambda: [SignOfLife("host-0", 1.5, True)])
    server = Observation("127.0.0.1", own_port(), asked, metrics, "DIET_EXPLORER_METRICS_PORT")
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.close()


def get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=20) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def samples(url: str) -> dict[tuple[str, ...], float]:
    """Every sample by its name and its labels' values."""
    families = list(text_string_to_metric_families(get(f"{url}/metrics")[1]))
    assert all(family.documentation for family in families)
    return {(one.name, *one.labels.values()): one.value for family in families for one in family.samples}


def test_a_workspace_is_well_and_then_not(workspace: Workspace) -> None:
    context = workspace.context
    checks = {
        "database": database_check(context.database),
        "store": store_check(context.files),
        "jobs": context.jobs.check,
    }
    with mock.patch.object(health, "KEPT_SECONDS", 0.0), observed(checks) as url:
        status, text = get(f"{url}/healthz")
        assert (status, json.loads(text)["status"]) == (200, "ok")
        assert set(json.loads(text)["checks"]) == {"database", "store", "jobs"}
        Path(context.files.path("workspace.json")).unlink()
        status, text = get(f"{url}/healthz")
        assert status == 503
        assert {name: entry["ok"] for name, entry in json.loads(text)["checks"].items()} == {
            "database": True,
            "store": False,
            "jobs": True,
        }
        assert str(workspace.settings.home_folder) not in text
        assert get(f"{url}/healthz/live")[0] == 200
        assert get(f"{url}/other")[0] == 404
        assert samples(url)["diet_explorer_healthy", "store"] == 0


def test_what_hangs_is_told_in_time_and_is_asked_once() -> None:
    release, asked = threading.Event(), []

    def hang() -> None:
        asked.append(1)
        release.wait(30)

    def fail() -> None:
        raise WorkspaceError("The database postgresql://ann:secret-password@db/x cannot be used.", "Look.")

    with (
        mock.patch.object(health, "KEPT_SECONDS", 0.0),
        mock.patch.object(health, "CHECK_SECONDS", 0.05),
        observed({"store": hang, "database": fail}) as url,
    ):
        for _ in range(3):
            status, text = get(f"{url}/healthz")
            found = json.loads(text)["checks"]
            assert status == 503
            assert found["store"]["words"] == "no answer within 0.05 s"
            assert found["database"]["words"] == "it cannot be used"
        assert len(asked) == 1
        release.set()


def test_a_database_that_is_away_is_counted(tmp_path: Path) -> None:
    with observed() as url:
        with pytest.raises(WorkspaceError):
            Workspace(tmp_path / "home", database_url="postgresql://ann:secret-password@127.0.0.1:9/diet")
        assert samples(url)["diet_explorer_database_errors_total", "database"] == 1


def test_decisions_and_trainings_are_counted(workspace: Workspace, dataset: Dataset) -> None:
    with observed(jobs=lambda: [JobInSight("score", "queued")] * 2 + [JobInSight("map", "running")]) as url:
        ledger: Ledger = workspace.context.ledger(dataset.manifest)
        ledger.decide([1], "keep", annotator="ann", uid="a")
        ledger.decide([1], "keep", annotator="ann", uid="a")  # sent again
        ledger.undo("ann")
        progress = SeedProgress(0, state="training", examples_per_second=12.5, scoring_total=60, training_seconds=4.0)
        files = RunReports(workspace.context.database, "run-1")
        files.save(progress)
        progress.training_seconds, progress.state = 6.0, "scoring"
        progress.checkpoints.append(CheckpointProgress(1.0, "", None, None, None, 0.5))
        files.save(progress)
        found = samples(url)
    assert found["diet_explorer_decisions_total", dataset.id] == 2
    assert found["diet_explorer_work_seconds_total", "training"] == 2
    assert found["diet_explorer_work_seconds_total", "scoring"] == 0.5
    assert found["diet_explorer_examples_scored_total",] == 60
    assert found["diet_explorer_last_checkpoint_timestamp_seconds",] > 1e9
    assert found["diet_explorer_jobs", "score", "queued"] == 2
    assert found["diet_explorer_jobs", "map", "running"] == 1
    assert found["diet_explorer_worker_last_seen_timestamp_seconds", "host-0"] == 1.5
    assert found["process_resident_memory_bytes",] > 0
    assert max(found) >= ("diet_explorer_build_info", "worker")


def test_labels_are_bounded_and_nobody_listens_afterwards() -> None:
    with observed() as url:
        for number in range(MOST_LABELS + 5):
            happened("decisions", dataset=f"set-{number}")
        found = {key: value for key, value in samples(url).items() if key[0] == "diet_explorer_decisions_total"}
        assert len(found) == MOST_LABELS + 1
        assert found["diet_explorer_decisions_total", "other"] == 5
    happened("decisions", dataset="one more")


def test_a_port_that_is_taken_is_named() -> None:
    with observed() as url:
        port = int(url.rpartition(":")[2])
        asked = HealthChecks("app", {"store": lambda: None})
        with pytest.raises(BadInputError, match=rf"port {port} .*already in use.*WORKER_METRICS_PORT"):
            Observation(
                "127.0.0.1", port, asked, Metrics("app", asked, list, list), "DIET_EXPLORER_WORKER_METRICS_PORT"
            )
