"""The port of their own on which an app and a worker answer ``/metrics``, ``/healthz`` and ``/healthz/live``."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import make_wsgi_app

from diet_explorer.errors import BadInputError
from diet_explorer.jobs.health import HealthChecks, answer
from diet_explorer.jobs.metrics import Metrics

logger = logging.getLogger("diet_explorer.observation")
StartResponse = Callable[[str, list[tuple[str, str]]], Any]


class Observation:
    """A server in a thread, which ends with the process or by `close`.

    BadInputError where the port is taken.
    """

    def __init__(self, host: str, port: int, health: HealthChecks, metrics: Metrics, setting: str) -> None:
        self._health = health
        self._metrics = metrics
        self._scrape = make_wsgi_app(metrics.registry)
        try:
            self._server = make_server(host, port, self._answer, _Server, _Quiet)
        except (OSError, OverflowError) as error:
            reason = (getattr(error, "strerror", None) or str(error)).lower()
            raise BadInputError(
                f"The metrics cannot be served on port {port} of {host}: {reason}.",
                f"Choose another port ({setting}), or another address (DIET_EXPLORER_METRICS_HOST).",
            ) from error
        self.port = int(self._server.server_port)
        threading.Thread(target=self._server.serve_forever, name="observation", daemon=True).start()
        logger.info("metrics and health are served on port %d of %s", self.port, host)

    def close(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()
        self._metrics.close()

    def _answer(self, environment: dict[str, Any], start: StartResponse) -> Iterable[bytes]:
        path = environment.get("PATH_INFO", "")
        if path == "/metrics":
            return self._scrape(environment, start)  # type: ignore[no-any-return]
        status, body = answer(path, self._health)
        start(f"{status} {_REASONS[status]}", [("Content-Type", "application/json"), ("Cache-Control", "no-store")])
        return [body]


_REASONS = {200: "OK", 404: "Not Found", 503: "Service Unavailable"}


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    block_on_close = False


class _Quiet(WSGIRequestHandler):
    timeout = 10  # who says nothing does not keep a thread

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: who asks every few seconds would fill the log."""
