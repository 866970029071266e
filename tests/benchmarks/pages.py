"""Seconds until every page can be used, bytes sent to the browser and memory of the UI process, at many and few rows.

    python -m tests.benchmarks.pages --folder FOLDER [--rows 1000000] [--few 20000]

The workspaces are those of `million_rows`, made when they are not there. A page counts as usable when its script has
ended and what it is for is drawn: the table, the chart, the form. Every page is opened twice more, each time in a new
browser context, after one first visit that fills the server's caches as anybody's first visit of the day would.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import psutil
from playwright.sync_api import Browser, CDPSession, sync_playwright

from tests.benchmarks.million_rows import million_rows
from tests.browser.conftest import ARGUMENTS, LiveApp, chromium_path, settled

CHART = ".js-plotly-plot .main-svg"
PAGES = {
    "Home": ("", "h1"),
    "Datasets": ("datasets", CHART),
    "Score": ("score", "h1"),
    "Browse": ("browse", "tr[data-row]"),
    "Browse, an example": ("browse?example=7", ".st-key-card"),
    "Browse, a search": ("browse?q=good+-bad", "tr[data-row]"),
    "Distributions": ("distributions", CHART),
    "Data map": ("data_map", CHART),
    "Embedding map": ("embedding_map", "h1"),
}
VISITS = 2


def visit(browser: Browser, url: str, ready: str) -> tuple[float, int]:
    """Seconds until the page can be used, and bytes that came through its socket and its requests."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    session: CDPSession = context.new_cdp_session(page)
    session.send("Network.enable")
    received = [0]

    def frame(event: dict) -> None:
        received[0] += len(event["response"]["payloadData"])

    session.on("Network.webSocketFrameReceived", frame)
    started = time.perf_counter()
    page.goto(url)
    settled(page)
    page.locator(ready).first.wait_for(timeout=30_000)
    seconds = time.perf_counter() - started
    context.close()
    return seconds, received[0]


def measure(browser: Browser, folder: Path, rows: int) -> tuple[dict[str, tuple[float, float, int]], float]:
    """Per page: first visit, median of the later ones, bytes; and the UI process's memory in MB after all of them."""
    workspace, run_id = million_rows(folder, rows)
    app = LiveApp(Path(workspace.files.root), threads=None).start()
    found = {}
    try:
        for name, (path, ready) in PAGES.items():
            url = (
                f"{app.url}/{path}{'&' if '?' in path else '?'}run={run_id}&dataset={workspace.run(run_id).dataset.id}"
            )
            first, received = visit(browser, url, ready)
            later = [visit(browser, url, ready) for _ in range(VISITS)]
            found[name] = first, statistics.median(seconds for seconds, _ in later), received
            print(
                f"{rows:>9,} {name:<20} {first:6.2f} s, again {found[name][1]:6.2f} s, {received:>9,} bytes", flush=True
            )
        server = next(process for process in app.processes() if "streamlit" in process.cmdline())
        memory = psutil.Process(server.pid).memory_full_info()
        print(
            f"{rows:>9,} UI process: {memory.uss / 2**20:,.0f} MB of its own, {memory.rss / 2**20:,.0f} MB resident",
            flush=True,
        )
    finally:
        app.stop()
    return found, memory.uss / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--few", type=int, default=20_000)
    args = parser.parse_args()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=ARGUMENTS)
        few, _ = measure(browser, args.folder, args.few)
        many, memory = measure(browser, args.folder, args.rows)
        browser.close()
    print(
        f"\n| page | first visit s | again s | bytes, {args.rows:,} against {args.few:,} rows |\n|---|---:|---:|---:|"
    )
    for name, (first, again, received) in many.items():
        print(f"| {name} | {first:.2f} | {again:.2f} | {received:,} / {few[name][2]:,} |")
    print(f"\nUI process after all pages: {memory:,.0f} MB")


if __name__ == "__main__":
    main()
