"""Seconds until every page can be used, bytes sent to the browser and memory of the UI process, at many and few rows.

    python -m tests.benchmarks.pages --folder FOLDER [--rows 1000000] [--few 20000] [--visits 3]

The workspaces are those of `million_rows`, made when they are not there. Each page is opened in three ways, after one
visit that fills the server's caches as anybody's first visit of the day would:

* *first*: by its address in a browser that has never been here and has nothing cached;
* *again*: by its address in a browser that was here before, as after a reload or from a link;
* *within*: by a click in the navigation of the open app, which is how people move about.

*usable* is the moment when what people work with is there and answers: the rows of the table, the card, the fields of
the form, the map to draw on; the script has then ended. *drawn* is the moment when every chart is there as well. Both
are seconds of the browser's clock from the click or the request, medians over the visits.
"""

from __future__ import annotations

import argparse
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from diet_explorer.jobs.slots import living_workers
from tests.benchmarks.million_rows import million_rows
from tests.browser.conftest import ARGUMENTS, LiveApp, chromium_path, settled

CHART = ".js-plotly-plot .main-svg, .de-bars svg"


@dataclass(frozen=True)
class Target:
    """One page.

    Attributes
    ----------
    path : str
    ready : str
        What people work with, as a selector.
    charts : int
        How many charts it draws.
    link : str
        In the navigation; empty for a face that is reached in another way.
    """

    path: str
    ready: str
    charts: int = 0
    link: str = ""


PAGES = {
    "Home": Target("", ".st-key-try-sample button, .st-key-recent-runs, h1", link="Home"),
    "Datasets": Target("datasets", ".st-key-score-dataset button", 2, "Datasets"),
    "Score": Target("score", ".st-key-run-actions button", 0, "Score"),
    "Browse": Target("browse", "tr[data-row]", 1, "Browse"),
    "Browse, an example": Target("browse?example=7", ".st-key-card"),
    "Browse, a search": Target("browse?q=good+-bad", "tr[data-row]", 1),
    "Distributions": Target("distributions", CHART, 2, "Distributions"),
    "Data map": Target("data_map", CHART, 1, "Data map"),
    "Embedding map": Target("embedding_map", "h1", 0, "Embedding map"),
    "Audit": Target("audit", ".de-deck-card", 0, "Audit"),
    "Prune & export": Target("prune", ".st-key-preview .de-figures", 0, "Prune & export"),
    "Proof": Target("proof", ".st-key-start-proof button, .st-key-hold-out button", 0, "Proof"),
}
Times = tuple[float, float]


def arrived(page: Page, target: Target, title: str, begun: float) -> Times:
    """Seconds until the page can be used, and until all of its charts are drawn."""
    page.locator("h1", has_text=title).wait_for()
    settled(page)
    page.locator(target.ready).first.wait_for(timeout=60_000)
    usable = time.perf_counter() - begun
    if target.charts:
        page.locator(CHART).nth(target.charts - 1).wait_for(timeout=60_000)
    return usable, time.perf_counter() - begun


def opened(context: BrowserContext, url: str, target: Target, title: str) -> tuple[Times, int]:
    """The times of a page that is opened by its address, and the bytes that came through its socket."""
    page = context.new_page()
    received = [0]
    session = context.new_cdp_session(page)
    session.send("Network.enable")

    def frame(event: dict) -> None:
        received[0] += len(event["response"]["payloadData"])

    session.on("Network.webSocketFrameReceived", frame)
    begun = time.perf_counter()
    page.goto(url, wait_until="commit")
    found = arrived(page, target, title, begun)
    page.close()
    return found, received[0]


def clicked(page: Page, target: Target, title: str) -> Times:
    """The times of a page that is opened from the navigation of another one."""
    begun = time.perf_counter()
    page.get_by_test_id("stSidebarNavLink").filter(has=page.get_by_text(target.link, exact=True)).click()
    return arrived(page, target, title, begun)


def middle(times: list[Times]) -> Times:
    """Medians of both moments."""
    return statistics.median(entry[0] for entry in times), statistics.median(entry[1] for entry in times)


def new_context(browser: Browser, app: LiveApp) -> BrowserContext:
    """A browser of somebody who has told the app a name and nothing else."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.add_cookies([{"name": "diet-explorer-name", "value": "Ann", "url": app.url}])
    return context


def measure(browser: Browser, folder: Path, rows: int, visits: int) -> tuple[dict[str, list[Times]], dict[str, int]]:
    """Per page the times first, again and within, and the bytes of a visit; prints the memory of the UI process."""
    workspace, run_id = million_rows(folder, rows)
    app = LiveApp(Path(workspace.context.files.root), threads=None).start()
    while not living_workers(workspace.settings):
        time.sleep(0.5)
    time.sleep(10)  # the worker is still loading its libraries
    run = f"run={run_id}&dataset={workspace.run(run_id).dataset.id}"
    found: dict[str, list[Times]] = {}
    received: dict[str, int] = {}
    try:
        for name, target in PAGES.items():
            title = name.split(",")[0]
            url = f"{app.url}/{target.path}{'&' if '?' in target.path else '?'}{run}"
            context = new_context(browser, app)
            _, received[name] = opened(context, url, target, title)  # fills the server's caches
            context.close()
            first = []
            for _ in range(visits):
                context = new_context(browser, app)
                first.append(opened(context, url, target, title)[0])
                if len(first) < visits:
                    context.close()
            opened(context, url, target, title)  # the browser keeps compiled scripts from the second visit on
            again = [opened(context, url, target, title)[0] for _ in range(visits)]
            context.close()
            found[name] = [middle(first), middle(again)]
            print(f"{rows:>9,} {name:<20} {found[name]} {received[name]:,} bytes", flush=True)
        context = new_context(browser, app)
        page = context.new_page()
        page.goto(f"{app.url}/?{run}")
        settled(page)
        within: dict[str, list[Times]] = {name: [] for name, target in PAGES.items() if target.link}
        for _ in range(visits + 1):
            for name in [*list(within)[1:], next(iter(within))]:
                within[name].append(clicked(page, PAGES[name], name))
        for name, times in within.items():
            found[name].append(middle(times[1:]))  # the first click of all loads what charts need
        context.close()
        server = next(process for process in app.processes() if "streamlit" in process.cmdline())
        memory = psutil.Process(server.pid).memory_full_info()
        own, resident = memory.uss / 2**20, memory.rss / 2**20
        print(f"{rows:>9,} UI process: {own:,.0f} MB of its own, {resident:,.0f} MB resident", flush=True)
    finally:
        app.stop()
    return found, received


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--few", type=int, default=20_000)
    parser.add_argument("--visits", type=int, default=3)
    args = parser.parse_args()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=ARGUMENTS)
        found, received = measure(browser, args.folder, args.rows, args.visits)
        few = measure(browser, args.folder, args.few, args.visits)[1] if args.few else {}
        browser.close()
    print("\nSeconds until usable / until all charts are drawn\n")
    print("| page | first | again | within the app | bytes |\n|---|---:|---:|---:|---:|")
    for name, times in found.items():
        cells = " | ".join(f"{usable:.2f} / {drawn:.2f}" for usable, drawn in times)
        cells += "" if len(times) == 3 else " |"
        print(f"| {name} | {cells} | {received[name]:,}{f' / {few[name]:,}' if few else ''} |")


if __name__ == "__main__":
    main()
