"""The front end's side of the jobs: submit and cancel, without running anything.

Opening the queue imports the job library, which takes a second; that waits until the first use, so that commands
which only read stay quick.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from diet_explorer.config import Settings
from diet_explorer.jobs.health import JobInSight
from diet_explorer.jobs.protocol import (
    JOB_FORMAT,
    Route,
    application_name,
    checked_jobs_url,
    jobs_database_errors,
    keep_dbos_off_the_console,
)

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

    def submit(self, route: Route, job: str, *arguments: str) -> None:
        """Put a job of a new id at the end of its queue; WorkspaceError where the jobs database cannot be written."""
        with jobs_database_errors(self._settings):
            self._client.enqueue(
                {
                    "workflow_name": route.workflow,
                    "queue_name": route.queue(self._settings),
                    "workflow_id": job,
                    "app_version": JOB_FORMAT,
                },
                *arguments,
            )

    def cancel(self, workflow_id: str) -> None:
        """Take a job out of the queue, or make its worker stop at the next batch.

        Nothing happens to a job that has ended, been cancelled, or never been there.
        """
        with jobs_database_errors(self._settings):
            self._client.cancel_workflow(workflow_id)

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
                self._open_client = DBOSClient(
                    system_database_url=url,
                    serializer=DBOSPortableJSONSerializer(),
                    application_name=application_name(self._settings),
                    retry_connection_errors=False,
                )
        return self._open_client
