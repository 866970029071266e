"""The screenshots of README and docs, from the running app: scores the sample and opens its pages.

python -m tests.browser.make_screenshots
"""

from __future__ import annotations

import io
import tempfile
import time
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

from diet_explorer import ExampleFilter
from diet_explorer.analysis.region import Region
from tests.browser.conftest import ARGUMENTS, LiveApp, chromium_path, settled

FOLDER = Path(__file__).parents[2] / "docs" / "images"
DRAWN_MS = 2500  # plots are drawn after the page's script has ended


def main() -> None:
    """Write one picture per page, some of them in the dark theme."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        app = LiveApp(Path(folder) / "home", threads=None).start()
        dataset = app.workspace.import_sample()
        run = app.workspace.score(dataset, epochs=2, checkpoints=(0.25, 1, 2), max_length=64).wait()
        run.maps.draw("tuned")
        while run.maps.progress("tuned").state in ("queued", "running"):
            time.sleep(1)
        worst = int(run.ranked(where=ExampleFilter(disagree=True))["row"].iloc[0])
        address = f"?dataset={dataset.id}&run={run.id}"
        hard = Region("data", ((0.0, 0.0), (1.0, 0.0), (1.0, 0.45), (0.0, 0.45))).to_text()
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=ARGUMENTS)
        for name, path, scheme, plots in (
            ("browse", f"browse{address}&example={worst}", "light", False),
            ("browse-dark", f"browse{address}", "dark", True),
            ("distributions-dark", f"distributions{address}", "dark", True),
            ("stability", f"distributions{address}&tab=stability", "light", True),
            ("data-map", f"data_map{address}&checkpoint=2&region={hard}", "light", True),
            ("embedding-map-dark", f"embedding_map{address}&example={worst}", "dark", True),
            ("score", f"score{address}", "light", True),
            ("datasets", f"datasets{address}", "light", True),
            ("audit", f"audit{address}", "light", False),
            ("audit-dark", f"audit{address}", "dark", False),
            ("prune", f"prune{address}", "light", True),
            ("prune-dark", f"prune{address}", "dark", True),
        ):
            context = browser.new_context(viewport={"width": 1280, "height": 800}, color_scheme=scheme)
            known = {"diet-explorer-name": "Ann", "diet-explorer-tour": "over"}
            context.add_cookies([{"name": cookie, "value": value, "url": app.url} for cookie, value in known.items()])
            page = context.new_page()
            page.goto(f"{app.url}/{path}")
            settled(page)
            if plots:
                page.locator(".main-svg, .de-bars svg").first.wait_for()
            page.wait_for_timeout(DRAWN_MS)
            _save(page.screenshot(), FOLDER / f"{name}.png")
            context.close()
        browser.close()
        app.stop()


def _save(png: bytes, path: Path) -> None:
    """Keep a picture in 256 colours, a third of its size."""
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    picture.quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)


if __name__ == "__main__":
    main()
