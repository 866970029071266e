"""What the two ends of the job queue agree on: names, version, encoding, database."""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from diet_explorer.config import Settings
from diet_explorer.errors import WorkspaceError
from diet_explorer.jobs.sqlite_clock import lend_clock
from diet_explorer.store.belonging import workspace_id
from diet_explorer.store.database import database_address, errors_of_database, silence_limits
from diet_explorer.store.files import Files, explained
from diet_explorer.store.private import make_private_file, make_private_folder
from diet_explorer.store.workers import SEEDS

JOB_FORMAT = "1"
"""Version of the jobs' steps. Changes only when old jobs could not go on under new code: no upgrade strands a run."""

FORMAT = "format"
"""Under this name a worker says in the database which version of the steps it does."""

QUEUE_POLL_SECONDS = 0.5


def application_name(settings: Settings) -> str:
    """Name of the application and of its queue in the jobs database.

    A jobs database of the workspace's own needs no distinction. One that the setting names may serve several
    workspaces; a workspace's id, which is the same however its location is spelt, keeps their queues apart.
    """
    return "diet-explorer" if settings.jobs_url is None else f"diet-explorer-{_workspace(settings.home)}"


def application_version(settings: Settings) -> str:
    """What the jobs database calls the version of the steps; no two workspaces in it may have one of the same name."""
    return JOB_FORMAT if settings.jobs_url is None else f"{JOB_FORMAT}-{_workspace(settings.home)}"


@lru_cache(maxsize=8)
def _workspace(home: str) -> str:
    """The id of a workspace; WorkspaceError where nobody has opened it before."""
    files = Files(home)
    known = workspace_id(files)
    if known is None:
        raise WorkspaceError(f"There is no workspace {home}.", "Check the address; opening a workspace makes it.")
    return known


@dataclass(frozen=True)
class Route:
    """Where a kind of job waits for a worker."""

    workflow: str  # name of what a worker does for it
    line: str = ""  # kinds of jobs in different lines do not wait for each other

    def queue(self, settings: Settings) -> str:
        """Name of the queue in the jobs database."""
        name = application_name(settings)
        return f"{name}-{self.line}" if self.line else name


SCORE = Route("score_seed", SEEDS)
"""One seed of a run, which trains: a worker does one at a time. Its arguments are the run, the job of `RUN` that it
belongs to, and whether it is the run's first, second, … seed."""
RUN = Route("score_seeds", "runs")
"""A run as a whole, which waits for its seeds and needs no more of a worker than that. Its arguments are the run and
the number of its seeds."""
EARLIER = Route("score_run")
"""A run as earlier versions queued it, to be trained by one worker; a worker of today hands it on as `RUN`."""
RUNS_AT_ONCE = 16
"""So many runs a worker waits for at once. Seeds do not wait for their run to be waited for."""


def seed_job(job: str, number: int) -> str:
    """Id of the job of a run's first, second, … seed."""
    return f"{job}-{number}"


def jobs_of_run(job: str, seeds: int) -> list[str]:
    """Ids of all jobs of a run: of the whole and of its seeds."""
    return [job, *(seed_job(job, number) for number in range(seeds))]


def checked_jobs_url(settings: Settings) -> str:
    """Address of the jobs database, ready to be connected to; BadInputError where it is not SQLite or PostgreSQL."""
    url = database_address(settings.dbos_url, "DIET_EXPLORER_JOBS_URL")
    with explained("create", str(settings.home_folder)):
        make_private_folder(settings.home_folder)
        if url.get_backend_name() == "sqlite" and url.database:
            make_private_folder(Path(url.database).parent)
            make_private_file(Path(url.database))
    lend_clock(url)
    if url.get_backend_name() == "postgresql":  # the library takes them from the address alone
        url = url.update_query_dict({name: str(value) for name, value in silence_limits(url).items()})
    return url.render_as_string(hide_password=False)


def jobs_database_errors(settings: Settings) -> AbstractContextManager[None]:
    """Turn failures of the jobs database in the block into a WorkspaceError that says where and what to do."""
    url = database_address(settings.dbos_url, "DIET_EXPLORER_JOBS_URL")
    return errors_of_database(url, "jobs database", "DIET_EXPLORER_JOBS_URL")


def keep_dbos_off_the_console(handler: logging.Handler | None = None) -> None:
    """Send the job library's own messages to `handler` (nowhere by default); the library adds a console handler
    only where it finds none."""
    logger = logging.getLogger("dbos")
    logger.propagate = False
    logger.setLevel(logging.WARNING)
    if handler is not None:
        logger.handlers = [handler]
    elif not logger.handlers:
        logger.addHandler(logging.NullHandler())
