"""A real app with its worker, and a real Chromium to drive it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from diet_explorer import Workspace
from diet_explorer.config import load_settings
from diet_explorer.jobs.supervisor import server_arguments
from tests.gate import Gate
from tests.ports import own_port
from tests.tiny_runs import save_sentences

# the first has no windows to draw, whose pages took a fifth of the processor time of Chromium
CHROMIUM_NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = ["--no-sandbox", "--disable-quic", "--enable-unsafe-swiftshader", "--use-angle=swiftshader"]
# software OpenGL is for WebGL alone: composing pages with it took twice the processor time of all else in Chromium
ARGUMENTS += ["--disable-gpu-compositing", "--disable-gpu-rasterization"]
CONTEXT: dict[str, Any] = {
    "viewport": {"width": 1280, "height": 800},
    "accept_downloads": True,
    "reduced_motion": "reduce",
}


class LiveApp:
    """`diet-explorer app` on a workspace, in a process group of its own."""

    def __init__(
        self, home: Path, threads: int | None = 1, folder: Path | None = None, gate: Gate | None = None, **settings: str
    ) -> None:
        self.home = home
        self.gate = gate
        self.threads = threads
        self.folder = folder  # where the app is started
        self.settings = settings
        self.workspace = Workspace(home)
        self.log = home.parent / f"{home.name}-app.log"
        self.url = ""
        self._process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        """What is started; it prints the app's address."""
        return [sys.executable, "-m", "diet_explorer.cli", "app", "--port", "0"]

    def start(self) -> LiveApp:
        gate = self.gate.environment if self.gate is not None else {}
        environment = {**os.environ, "DIET_EXPLORER_HOME": str(self.home), **gate, **self.settings}
        if self.threads is not None:
            environment["OMP_NUM_THREADS"] = str(self.threads)
        with self.log.open("wb") as stream:
            self._process = subprocess.Popen(
                self.command(),
                env=environment,
                cwd=self.folder,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        end = time.monotonic() + 90
        while time.monotonic() < end:
            found = re.search(r"http://[\d.]+:\d+", self.log.read_text())
            if found:
                self.url = found[0]
                return self
            assert self._process.poll() is None, self.log.read_text()
            time.sleep(0.1)
        raise AssertionError(f"the app did not start: {self.log.read_text()}")

    def processes(self) -> list[psutil.Process]:
        """The supervisor and all that it started."""
        assert self._process is not None
        supervisor = psutil.Process(self._process.pid)
        return [supervisor, *supervisor.children(recursive=True)]

    def worker(self) -> psutil.Process:
        """The worker process."""
        alive = (process for process in self.processes()[1:] if process.status() != psutil.STATUS_ZOMBIE)
        return next(process for process in alive if "worker" in process.cmdline())

    def job_process(self, kind: str) -> psutil.Process:
        """The process of its own in which the worker does a job that a gate holds."""
        return next(process for process in self.processes() if kind in process.cmdline()[-1:])

    def kill(self, process: psutil.Process) -> None:
        process.send_signal(signal.SIGKILL)

    def kill_supervisor(self) -> list[psutil.Process]:
        """SIGKILL the supervisor; returns the processes that it leaves behind."""
        supervisor, *children = self.processes()
        supervisor.send_signal(signal.SIGKILL)
        self._process.wait()  # type: ignore[union-attr]
        return children

    def kill_all(self) -> None:
        for process in self.processes():
            process.send_signal(signal.SIGKILL)
        self._process.wait()  # type: ignore[union-attr]

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill_all()


class LiveServer(LiveApp):
    """The browser app alone: for tests that look and click, and never need a worker."""

    def command(self) -> list[str]:
        settings = load_settings(home=str(self.home), port=own_port())
        return [sys.executable, "-m", "streamlit", *server_arguments(settings)]


def chromium_path() -> str | None:
    """An installed Chromium; None for Playwright's own."""
    return next((found for name in CHROMIUM_NAMES if (found := shutil.which(name))), None)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def visitor(browser: Browser) -> Iterator[BrowserContext]:
    """One person's browser for all tests, which has the app's scripts compiled already."""
    context = browser.new_context(**CONTEXT)
    yield context
    context.close()


@pytest.fixture
def new_page(browser: Browser, visitor: BrowserContext) -> Iterator[Callable[..., Page]]:
    """Opens a page, each in the browser of another person who is new here; no page may ever show a traceback."""
    pages: list[Page] = []

    def make(url: str, cookies: Sequence[Any] = ()) -> Page:
        context = browser.new_context(**CONTEXT) if pages else visitor
        context.add_cookies(list(cookies))
        page = context.new_page()
        pages.append(page)
        page.goto(url)
        return page

    yield make
    try:
        for page in pages:
            assert page.locator("[data-testid=stException]").count() == 0
            assert "Traceback" not in page.inner_text("body")
    finally:
        for page in pages:
            page.evaluate("localStorage.clear()")
            page.close()
            if page.context is not visitor:
                page.context.close()
        visitor.clear_cookies()


@pytest.fixture(scope="session")
def sentences(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_sentences(tmp_path_factory.mktemp("data") / "sentences.csv", 120)


def known_as(name: str, app: LiveApp) -> list[dict[str, Any]]:
    """The cookies of a browser in which somebody has given their name already."""
    return [{"name": "diet-explorer-name", "value": quote(name), "url": app.url}]


def settled(page: Page) -> Page:
    """Wait until the page's script has run to its end."""
    page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]", timeout=60_000)
    return page


def rows(page: Page) -> list[str]:
    """The texts of the ranked table's rows."""
    return page.locator(".st-key-ranked-table tbody tr td.text").all_inner_texts()
