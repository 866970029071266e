"""The front end's side of the jobs: submit and cancel, without running anything.

Opening the queue imports the job library, which takes a second; that waits until the first use, so that commands
which only read stay quick.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from diet_explorer.config import Settings
from diet_explorer.jobs.copied import check_no_copy
from diet_explorer.jobs.health import JobInSight
from diet_explorer.jobs.protocol import (
    RUN,
    SCORE,
    Route,
    application_name,
    application_version,
    checked_jobs_url,
    jobs_database_errors,
    jobs_of_run,
    keep_dbos_off_the_console,
    seed_job,
)
from diet_explorer.store.database import CONNECTIONS

if TYPE_CHECKING:
    from dbos import DBOSClient

MOST_IN_SIGHT = 1000
LOOK: dict[str, Any] = {
    "status": ["ENQUEUED", "DELAYED", "PENDING"],
    "limit": MOST_IN_SIGHT,
    "load_input": False,
    "load_output": False,
}
"""How to ask the job library for what waits or is in work."""


def seen(job: Any) -> JobInSight:
    """What is told of one of the job library's jobs."""
    kind = str(job.name).removesuffix("_run").removeprefix("write_").removeprefix("draw_")
    return JobInSight(kind, "running" if job.status == "PENDING" else "queued")


class JobQueue:
    """The queue of a workspace's jobs.

    The run's own record (status queued, running, …) belongs to the explorer database; whoever cancels a run sets
    that status first, so that a worker which looks at either of the two stops. To resume a run is to submit it again:
    the new job goes on from the run's last complete checkpoint, while the old one keeps its failure or cancellation.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._open_client: DBOSClient | None = None

    def submit(self, route: Route, job: str, *arguments: str | int) -> None:
        """Put a job of a new id at the end of its queue; WorkspaceError where the jobs database cannot be written."""
        with jobs_database_errors(self._settings):
            self._client.enqueue(
                {
                    "workflow_name": route.workflow,
                    "queue_name": route.queue(self._settings),
                    "workflow_id": job,
                    "app_version": application_version(self._settings),
                },
                *arguments,
            )

    def submit_run(self, job: str, run_id: str, seeds: int) -> None:
        """Put a run at the end of the queue: the job that waits for its seeds, and one job per seed.

        The seeds are queued here, so that workers take them in the order in which runs were asked for; the job of the
        run queues what is missing where this is cut off.
        """
        self.submit(RUN, job, run_id, seeds)
        for number in range(seeds):
            self.submit(SCORE, seed_job(job, number), run_id, job, number)

    def cancel(self, job: str, seeds: int) -> None:
        """Take a run's jobs out of the queue, and make workers that train its seeds stop at the next batch.

        Nothing happens to a job that has ended, been cancelled, or never been there.
        """
        with jobs_database_errors(self._settings):
            self._client.cancel_workflows(jobs_of_run(job, seeds))

    def check(self) -> None:
        """WorkspaceError where the jobs database cannot be used."""
        with jobs_database_errors(self._settings):
            self._client.check_connection()

    def in_sight(self) -> list[JobInSight]:
        """The workspace's jobs that wait or are in work, by one query."""
        with jobs_database_errors(self._settings):
            name = application_name(self._settings)
            return [seen(job) for job in self._client.list_workflows(**LOOK, application_name=name)]

    def close(self) -> None:
        """Drop the connections."""
        if self._open_client is not None:
            self._open_client.destroy()
            self._open_client = None

    @property
    def _client(self) -> DBOSClient:
        if self._open_client is None:
            keep_dbos_off_the_console()
            url = checked_jobs_url(self._settings)
            from dbos import DBOS, DBOSClient, DBOSPortableJSONSerializer

            with jobs_database_errors(self._settings):
                DBOS.migrate(url)  # 3 ms when it is up to date; a job may be queued before the first worker starts
                check_no_copy(self._settings, url)
                self._open_client = DBOSClient(
                    system_database_url=url,
                    serializer=DBOSPortableJSONSerializer(),
                    application_name=application_name(self._settings),
                    retry_connection_errors=False,
                    system_database_pool_size=CONNECTIONS,
                )
        return self._open_client
