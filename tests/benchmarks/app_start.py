"""Seconds from the click on "Try the sample" to ranked rows in Chromium, import time, memory of the UI process.

python -m tests.benchmarks.app_start
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
from playwright.sync_api import sync_playwright

from tests.browser.conftest import ARGUMENTS, LiveApp, chromium_path, settled

PAGES = ("", "datasets", "score", "browse")


def import_seconds() -> float:
    """Median over five processes, less a process that imports nothing."""

    def once(code: str) -> float:
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        return time.perf_counter() - started

    bare = statistics.median(once("pass") for _ in range(5))
    return statistics.median(once("import diet_explorer") for _ in range(5)) - bare


def main() -> None:
    print(f"import diet_explorer   {import_seconds():6.2f} s")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        app = LiveApp(Path(folder) / "home", threads=None).start()
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(app.url)
        settled(page)
        page.locator(".st-key-try-sample button").click()
        started = time.perf_counter()
        page.locator("tbody tr").first.wait_for(timeout=600_000)
        print(f"click to ranked rows   {time.perf_counter() - started:6.1f} s")
        (run,) = app.workspace.runs()
        run.wait()
        print(f"click to all scores    {time.perf_counter() - started:6.1f} s")
        for name in PAGES:
            page.goto(f"{app.url}/{name}?run={run.id}&dataset={run.dataset.id}")
            settled(page)
        server = next(process for process in app.processes() if "streamlit" in process.cmdline())
        print(f"memory of UI process   {psutil.Process(server.pid).memory_info().rss / 2**20:6.0f} MB")
        browser.close()
        app.stop()


if __name__ == "__main__":
    main()
