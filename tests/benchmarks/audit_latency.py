"""Milliseconds from a decision's key to the next example on the screen, and to its being stored, in Chromium.

    python -m tests.benchmarks.audit_latency [--rows 8000] [--decisions 50]

The set is made up, with random scores of two seeds. Each decision is a key of a person who reads: the next key comes
when the last decision is stored. The browser itself takes the times: from the key to the frame that shows the next
example, and to the frame that says "Saved". Frames wait for whatever else computes on the machine; the time until the
next example stands in the document, before it is painted, is given beside them.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path

import numpy as np
from playwright.sync_api import Page, sync_playwright

from diet_explorer import Workspace
from diet_explorer.training.config import RunConfig
from tests.browser.conftest import ARGUMENTS, LiveApp, chromium_path, settled
from tests.synthetic import write_dataset, write_scores

CHECKPOINTS = (0.5, 1.0, 2.0)
KEYS = "qwen12"
READING_MS = 400
WATCH = """key => new Promise(resolve => {
  const card = document.querySelector('.de-deck-card'), status = document.querySelector('.de-deck-status');
  const row = card.dataset.row, begun = performance.now(), found = {};
  const note = name => requestAnimationFrame(() => requestAnimationFrame(() => {
    found[name] ??= performance.now() - begun;
    if (found.next && found.saved) { watch.disconnect(); resolve(found); }
  }));
  let saving = false;
  const watch = new MutationObserver(() => {
    if (card.dataset.row !== row) { found.drawn ??= performance.now() - begun; note('next'); }
    if (status.textContent.startsWith('Saving')) saving = true;
    else if (saving && status.textContent.startsWith('Saved')) note('saved');
  });
  watch.observe(card.parentElement, {subtree: true, childList: true, attributes: true, characterData: true});
  document.dispatchEvent(new KeyboardEvent('keydown', {key, code: 'Key' + key.toUpperCase(), bubbles: true}));
})"""


def workspace_of(home: Path, rows: int) -> str:
    """Fill a workspace; the id of its run."""
    generator = np.random.default_rng(0)
    vocabulary = [f"word{number}" for number in range(4000)]
    texts = [" ".join(generator.choice(vocabulary, size=length)) for length in generator.integers(5, 40, rows)]
    labels = generator.integers(0, 2, rows)
    workspace = Workspace(home)
    manifest = write_dataset(workspace.context.files, texts, labels, ["negative", "positive"])
    config = RunConfig(dataset_id=manifest.id, epochs=2, seeds=2, checkpoints=CHECKPOINTS)
    run = workspace.create_run(config, name="made up", origin="job")
    for seed in range(2):
        for checkpoint in CHECKPOINTS:
            logits = generator.normal(size=(rows, 2))
            logits[np.arange(rows), labels] += checkpoint
            write_scores(workspace.context.files, manifest, run.id, seed, checkpoint, logits)
    workspace.context.records.set_status(run.id, "running")
    workspace.context.records.set_status(run.id, "succeeded")
    return run.id


def measure(page: Page, decisions: int) -> dict[str, list[float]]:
    """Milliseconds of each decision until the next example is in the document, on the screen, and until "Saved"."""
    times: dict[str, list[float]] = {"drawn": [], "next": [], "saved": []}
    for number in range(decisions):
        page.wait_for_timeout(READING_MS)
        found = page.evaluate(WATCH, KEYS[number % len(KEYS)] if number % len(KEYS) != 1 else "q")
        for name, values in times.items():
            values.append(found[name])
    return times


def words(name: str, values: list[float]) -> str:
    tenths = statistics.quantiles(values, n=20)
    return f"| {name} | {statistics.median(values):.0f} | {tenths[18]:.0f} | {max(values):.0f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=8_000)
    parser.add_argument("--decisions", type=int, default=50)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        run_id = workspace_of(Path(folder) / "home", args.rows)
        app = LiveApp(Path(folder) / "home", threads=None).start()
        try:
            browser = playwright.chromium.launch(executable_path=chromium_path(), args=ARGUMENTS)
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            page.set_default_timeout(120_000)
            page.context.add_cookies([{"name": "diet-explorer-name", "value": "Ann", "url": app.url}])
            page.goto(f"{app.url}/audit?run={run_id}")
            page.locator(".de-deck-card").wait_for()
            settled(page)
            measure(page, 3)
            times = measure(page, args.decisions)
            browser.close()
        finally:
            app.stop()
    print(f"{args.decisions} decisions, {args.rows:,} examples\n")
    print("| from the key to | median ms | 95 % ms | most ms |\n|---|---:|---:|---:|")
    print(words("the next example on the screen", times["next"]))
    print(words("“Saved” on the screen", times["saved"]))
    print(words("the next example in the document", times["drawn"]))


if __name__ == "__main__":
    main()
