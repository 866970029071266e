"""A worker's own health and metrics, on the port that the settings give it."""

from __future__ import annotations

from dbos import DBOS
from sqlalchemy import Engine

from diet_explorer.config import Settings
from diet_explorer.jobs.health import HealthChecks, JobInSight, SignOfLife, database_check, store_check
from diet_explorer.jobs.protocol import application_name, jobs_database_errors
from diet_explorer.jobs.queue import LOOK, seen
from diet_explorer.jobs.slots import all_workers
from diet_explorer.store.files import Files


def watch_worker(settings: Settings, database: Engine, files: Files, slot: int) -> None:
    """Serve them from now on, where there is a port; BadInputError where it is taken."""
    if settings.worker_metrics_port is None:
        return
    from diet_explorer.jobs.metrics import Metrics
    from diet_explorer.jobs.observation import Observation

    def jobs() -> list[JobInSight]:
        with jobs_database_errors(settings):
            return [seen(job) for job in DBOS.list_workflows(**LOOK, application_name=application_name(settings))]

    health = HealthChecks("worker", {"database": database_check(database), "store": store_check(files), "jobs": jobs})
    metrics = Metrics("worker", health, jobs, lambda: signs_of_life(settings))
    port = settings.worker_metrics_port + slot
    Observation(settings.metrics_host, port, health, metrics, "DIET_EXPLORER_WORKER_METRICS_PORT")


def signs_of_life(settings: Settings) -> list[SignOfLife]:
    """When each worker last gave one, by the database's clock; silent ones too, until others declare them gone."""
    return [SignOfLife(info.id, info.seen_at.timestamp(), bool(info.tasks)) for info in all_workers(settings)[0]]
