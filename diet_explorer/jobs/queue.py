"""The front end's side of the jobs: submit, cancel, resume and look, without running anything.

Opening the queue imports the job library, which takes a second; that waits until the first use, so that commands
which only read stay quick.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Literal

from diet_explorer.config import Settings
from diet_explorer.errors import BadInputError, NotFoundError
from diet_explorer.jobs.protocol import (
    JOB_FORMAT,
    SCORE_WORKFLOW,
    application_name,
    checked_jobs_url,
    jobs_database_errors,
    keep_dbos_off_the_console,
)

if TYPE_CHECKING:
    from dbos import DBOSClient
    from dbos._sys_db import WorkflowStatus

JobStatus = Literal["queued", "running", "succeeded", "failed", "cancelled"]

_STATUSES: dict[str, JobStatus] = {
    "ENQUEUED": "queued",
    "DELAYED": "queued",
    "PENDING": "running",
    "SUCCESS": "succeeded",
    "ERROR": "failed",
    "MAX_RECOVERY_ATTEMPTS_EXCEEDED": "failed",
    "CANCELLED": "cancelled",
}


class JobQueue:
    """The queue of a workspace's jobs.

    The run's own record (status queued, running, …) belongs to the explorer database; whoever cancels a run sets
    that status first, so that a worker which looks at either place stops.

    Parameters
    ----------
    settings : Settings
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._open_client: DBOSClient | None = None

    def submit_score(self, run_id: str) -> str:
        """Put a run at the end of the queue and return the id of its job.

        Raises
        ------
        WorkspaceError
            The jobs database cannot be reached or written.
        """
        workflow_id = f"score-{run_id}-{uuid.uuid4().hex[:8]}"
        with jobs_database_errors(self._settings):
            self._client.enqueue(
                {
                    "workflow_name": SCORE_WORKFLOW,
                    "queue_name": application_name(self._settings),
                    "workflow_id": workflow_id,
                    "app_version": JOB_FORMAT,
                },
                run_id,
            )
        return workflow_id

    def cancel(self, workflow_id: str) -> None:
        """Take a job out of the queue, or make its worker stop at the next batch.

        Nothing happens to a job that has ended, been cancelled, or never been there.
        """
        with jobs_database_errors(self._settings):
            self._client.cancel_workflow(workflow_id)

    def resume(self, workflow_id: str) -> str:
        """Queue the work of a cancelled or failed job again and return the id of the new job.

        The new job goes on from the last complete checkpoint of its run. It is a job of its own, since the old one
        has its failure or cancellation recorded for good.

        Raises
        ------
        NotFoundError
            There is no such job.
        BadInputError
            The job is queued, running, or ended well.
        """
        job = self._find(workflow_id)
        if job is None:
            raise NotFoundError(f"There is no job {workflow_id!r}.", "Start the run again.")
        status = _STATUSES[job.status]
        if status not in ("cancelled", "failed"):
            raise BadInputError(
                f"The job cannot be resumed: it is {status}.", "Only a cancelled or failed run can be resumed."
            )
        return self.submit_score(str(job.input["args"][0]) if job.input else "")

    def status(self, workflow_id: str) -> JobStatus | None:
        """Where a job stands; None where there is no such job."""
        job = self._find(workflow_id)
        return None if job is None else _STATUSES[job.status]

    def position(self, workflow_id: str) -> int | None:
        """Place in the queue, 1 for the job that is next; None for a job that does not wait."""
        with jobs_database_errors(self._settings):
            waiting = self._client.list_workflows(
                queue_name=application_name(self._settings), status="ENQUEUED", load_input=False, load_output=False
            )
        order = [job.workflow_id for job in waiting]
        return order.index(workflow_id) + 1 if workflow_id in order else None

    def close(self) -> None:
        """Drop the connections."""
        if self._open_client is not None:
            self._open_client.destroy()
            self._open_client = None

    def _find(self, workflow_id: str) -> WorkflowStatus | None:
        with jobs_database_errors(self._settings):
            found = self._client.list_workflows(workflow_ids=[workflow_id], load_output=False)
        return found[0] if found else None

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
