"""The browser app's health and metrics: a route beside the pages, and a port of their own where a setting gives it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from diet_explorer.config import load_settings
from diet_explorer.jobs.health import HealthChecks, NotWellError, answer, database_check, store_check
from diet_explorer.jobs.slots import living_workers
from diet_explorer.jobs.watching import signs_of_life
from diet_explorer.ui.shell.workspace import shared_workspace


@cache
def app_health() -> HealthChecks:
    """The checks of this process; the workspace is opened when they are asked first."""

    def worker() -> None:
        if not living_workers(load_settings()):
            raise NotWellError("no worker is running", "Start one: diet-explorer worker")

    return HealthChecks(
        "app",
        {
            "database": lambda: database_check(shared_workspace().context.database)(),
            "store": lambda: store_check(shared_workspace().context.files)(),
            "jobs": lambda: shared_workspace().context.jobs.check(),
            "worker": worker,
        },
    )


async def _answered(request: Request) -> Response:
    status, body = await run_in_threadpool(answer, request.url.path, app_health())
    return Response(body, status, media_type="application/json", headers={"Cache-Control": "no-store"})


ROUTES = [Route("/healthz", _answered), Route("/healthz/live", _answered)]
"""As `st.App` takes them."""


@asynccontextmanager
async def observed(_app: Any) -> AsyncIterator[dict[str, Any]]:
    """While the server lives: the port for metrics, where there is one."""
    settings = load_settings()
    if settings.metrics_port is None:
        yield {}
        return
    from diet_explorer.jobs.metrics import Metrics
    from diet_explorer.jobs.observation import Observation

    metrics = Metrics(
        "app", app_health(), lambda: shared_workspace().context.jobs.in_sight(), lambda: signs_of_life(settings)
    )
    port, host = settings.metrics_port, settings.metrics_host
    observation = Observation(host, port, app_health(), metrics, "DIET_EXPLORER_METRICS_PORT")
    try:
        yield {}
    finally:
        observation.close()
