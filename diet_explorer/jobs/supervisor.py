"""``diet-explorer app``: one worker and the browser app, kept alive together."""

from __future__ import annotations

import http.client
import json
import logging
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from diet_explorer.config import Settings
from diet_explorer.data.packaged import packaged
from diet_explorer.errors import BadInputError, WorkspaceError
from diet_explorer.jobs.logs import STREAMLIT_FORM, guard_output, log_handler
from diet_explorer.jobs.processes import Child, listen_for_the_end, worker_child
from diet_explorer.review.access import Access, access_of, is_loopback, remember_sign_in
from diet_explorer.review.sign_in import secrets_files
from diet_explorer.store.files import Files, explained
from diet_explorer.store.locks import try_lock
from diet_explorer.store.private import make_private_folder

TICK_SECONDS = 0.25
MAX_DEATHS_AT_START = 2
_ANY = ("0.0.0.0", "::", "")

logger = logging.getLogger("diet_explorer.app")


def run_app(
    settings: Settings,
    *,
    announce: Callable[[list[str], str], None],
    meanwhile: Callable[[], None] | None = None,
    with_worker: bool = True,
) -> None:
    """Run the browser app and a worker until somebody asks this process to end; `meanwhile` is done while they start.

    `announce` is called as soon as the app answers, with its addresses and with a caution, empty where there is nothing
    to warn of. WorkspaceError where another app serves this workspace, its folder cannot be written or the app does not
    start; BadInputError where the port is taken, and where it must not open: see `access_of`.
    """
    access = access_of(settings, secrets_files(settings, app_script().parent))
    with _only_app(settings) as publish:
        remember_sign_in(settings, access)
        settings = settings.model_copy(update={"port": _usable_port(settings)})
        ending = listen_for_the_end()
        _set_up_logs(settings)
        server = Child("streamlit", "streamlit", server_arguments(settings), settings)
        children = [server, *([worker_child(settings)] if with_worker else [])]
        url = f"http://{_reachable(settings.host)}:{settings.port}"
        publish(url)
        try:
            for child in children:
                child.start()
            if meanwhile is not None:
                meanwhile()
            _wait_until_it_answers(settings, children, ending)
            if not ending.is_set():
                announce(addresses_of(settings), caution_of(settings, access))
            while not ending.wait(TICK_SECONDS):
                for child in children:
                    child.keep_alive()
        finally:
            for child in children[1:]:
                child.ask_to_end()  # it hands back what it works on while the server ends
            for child in children:
                child.stop()
            logger.info("stopped")


def app_script() -> Path:
    """The Streamlit script."""
    return packaged("app.py")


@contextmanager
def _only_app(settings: Settings) -> Iterator[Callable[[str], None]]:
    """Hold the workspace's app lock; the value publishes the address of this app."""
    folder = settings.home_folder
    note = folder / "app.json"
    with explained("write", str(folder)):
        make_private_folder(folder)
        lock = try_lock(folder / "app.lock")
    if lock is None:
        address = json.loads(note.read_text(encoding="utf-8"))["url"] if note.exists() else "another address"
        raise WorkspaceError(
            f"This workspace is already open at {address}.",
            "Use that one, stop it first, or choose another workspace with --workspace.",
        )

    try:
        yield lambda url: Files(folder).write_json(str(note), {"url": url, "pid": os.getpid()})
    finally:
        note.unlink(missing_ok=True)
        lock.release()


def _usable_port(settings: Settings) -> int:
    try:
        family = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0][0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((settings.host, settings.port))
            return int(probe.getsockname()[1])
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise BadInputError(
            f"The app cannot listen on port {settings.port} of {settings.host}: {reason}.",
            "Choose another port with --port, or --port 0 for any free one.",
        ) from error


def server_arguments(settings: Settings) -> list[str]:
    """What ``python -m streamlit`` is called with to serve the browser app."""
    options = {
        "server.address": settings.host,
        "server.port": str(settings.port),
        "server.headless": "true",
        "server.fileWatcherType": "none",
        "server.maxUploadSize": str(settings.upload_limit_mb),
        "browser.gatherUsageStats": "false",
        "client.showErrorDetails": "none",
        "server.enableCORS": "true",
        "server.enableXsrfProtection": "true",
    }
    if settings.log == "json":
        options["logger.messageFormat"] = STREAMLIT_FORM
    if settings.secrets is not None:
        options["secrets.files"] = settings.secrets
    return ["run", str(app_script()), *(f"--{name}={value}" for name, value in options.items())]


def addresses_of(settings: Settings) -> list[str]:
    """Where people find the app: at the public address, else at the addresses of this machine that it listens on."""
    if settings.public_url is not None:
        return [settings.public_url]
    hosts = [settings.host]
    if settings.host in _ANY:
        hosts = [_reachable(settings.host), *_own_addresses(only_ipv4=settings.host == "0.0.0.0")]
    return [f"http://{f'[{host}]' if ':' in host else host}:{settings.port}" for host in hosts]


def caution_of(settings: Settings, access: Access) -> str:
    """What the operator is warned of; empty where there is nothing."""
    if access.way != "guests":
        return ""
    leads = (
        "leads are those who give the join code" if settings.join_code else "nobody leads there: no join code is set"
    )
    return (
        "Warning: no sign-in. Everybody who can reach this address can read all of this workspace, "
        f"and is {'an annotator' if settings.guests == 'annotator' else 'a viewer'}; {leads}."
    )


def _own_addresses(*, only_ipv4: bool) -> list[str]:
    """The addresses of this machine beside its loopback ones."""
    found: list[str] = []
    for family, far in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((far, 9))  # sends nothing: it only says which of its addresses the system would use
            found.append(str(probe.getsockname()[0]))
    with suppress(OSError):
        found += [str(entry[4][0]) for entry in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)]
    usable = (address for address in dict.fromkeys(found) if not is_loopback(address))
    return [address for address in usable if not (only_ipv4 and ":" in address)]


def _wait_until_it_answers(settings: Settings, children: list[Child], ending: threading.Event) -> None:
    server = children[0]
    while not ending.wait(TICK_SECONDS):
        if server.pid is not None and _answers(settings):
            return
        for child in children:
            child.keep_alive()
        if server.deaths >= MAX_DEATHS_AT_START:
            words = server.last_words(1) or "it gives no reason"
            raise WorkspaceError(
                f"The browser app does not start: {words}.",
                f"See {server.log_path}." if settings.log_to == "files" else "See its lines above.",
            )


def _answers(settings: Settings) -> bool:
    connection = http.client.HTTPConnection(_reachable(settings.host), settings.port, timeout=2)
    try:
        connection.request("GET", "/_stcore/health")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _reachable(host: str) -> str:
    return "127.0.0.1" if host in _ANY else host


def _set_up_logs(settings: Settings) -> None:
    if settings.log_to == "stdout":
        guard_output(settings, "app")
    logger.addHandler(log_handler(settings, "app"))
    logger.setLevel(logging.INFO)
    logger.propagate = False
