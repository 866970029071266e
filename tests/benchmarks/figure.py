"""A bar chart of the gradient-norm benchmark's first table, as PNG.

python -m tests.benchmarks.gradient_norms | tee table.md
python -m tests.benchmarks.figure table.md docs/images/gradient_norms.png
"""

from __future__ import annotations

import sys
from pathlib import Path

import plotly.graph_objects as go
from playwright.sync_api import sync_playwright

from tests.browser.conftest import ARGUMENTS, chromium_path

SIZE = {"width": 900, "height": 330}


def first_table(text: str) -> dict[str, float]:
    """Method to its time in units of a plain forward and backward pass."""
    found: dict[str, float] = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| method"):
            if found:
                break
        elif line.startswith("|") and not line.startswith("|--"):
            found[cells[0]] = float(cells[2])
    return found


def draw(ratios: dict[str, float]) -> go.Figure:
    """Bars on one axis; ours in the accent colour, the training step's arithmetic as a line."""
    names = sorted(ratios, key=lambda name: -ratios[name])
    colours = ["#0072B2" if name == "this pass" else "#B8BEC6" for name in names]
    texts = [f"{ratios[name]:.2f} ×" for name in names]
    bars = go.Bar(x=[ratios[name] for name in names], y=names, orientation="h", text=texts, textposition="outside")
    figure = go.Figure(bars.update(marker={"color": colours}, cliponaxis=False))
    figure.add_vline(x=1, line={"color": "#444", "dash": "dash", "width": 1})
    figure.update_layout(
        title="Exact GraNd over all parameters costs less than a training step",
        template="plotly_white",
        font={"family": "DejaVu Sans, sans-serif", "size": 14},
        margin={"l": 10, "r": 60, "t": 50, "b": 50},
    )
    title = "time, in units of forward + backward over the same batches (MiniLM-L6, 512 snippets, 2 cores)"
    figure.update_xaxes(title={"text": title, "font": {"size": 12}})
    figure.update_yaxes(automargin=True)
    return figure


def save_png(figure: go.Figure, target: Path, size: dict[str, int]) -> None:
    """Draw a figure in Chromium and save what it looks like; `size` has width and height in pixels."""
    figure.update_layout(**size)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=ARGUMENTS)
        page = browser.new_page(viewport=size)
        page.set_default_timeout(600_000)  # the machine may be busy with the benchmark
        page.set_content(figure.to_html(include_plotlyjs=True))
        page.wait_for_selector(".main-svg")
        page.screenshot(path=str(target))
        browser.close()


def main() -> None:
    source, target = map(Path, sys.argv[1:3])
    save_png(draw(first_table(source.read_text(encoding="utf-8"))), target, SIZE)


if __name__ == "__main__":
    main()
