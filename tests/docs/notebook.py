"""The notebook of the docs: run, written again with what its cells print, and as a page of the site.

python -m tests.docs.notebook    (writes docs/guides/notebook.ipynb again; takes Chromium, for the pictures of figures)
"""

from __future__ import annotations

import base64
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

PAGE = Path(__file__).parents[2] / "docs" / "guides" / "notebook.ipynb"
FIGURE = "application/vnd.plotly.v1+json"
_LONGEST_CELL = 300  # seconds
_STYLE = re.compile(r"<style.*?</style>\s*", re.DOTALL)
_SIZE = {"width": 900, "height": 520}


def main() -> None:
    """Run the notebook in an empty folder and write it again, with pictures in the place of figures."""
    with tempfile.TemporaryDirectory() as folder:
        notebook = executed(Path(folder))
    for output in outputs(notebook):
        if FIGURE in output.get("data", {}):
            picture = base64.b64encode(_picture(output["data"][FIGURE])).decode("ascii")
            output["data"] = {"image/png": picture, "text/plain": "Figure"}
    for cell in notebook.cells:
        cell.metadata = {}
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
    notebook.metadata = {"kernelspec": notebook.metadata.kernelspec, "language_info": {"name": "python"}}
    nbformat.write(notebook, PAGE)


def executed(folder: Path) -> Any:
    """The notebook after all its cells have run in a folder; a cell that fails ends it."""
    notebook = nbformat.read(PAGE, as_version=4)
    resources = {"metadata": {"path": str(folder)}}
    return NotebookClient(notebook, timeout=_LONGEST_CELL, kernel_name="python3", resources=resources).execute()


def outputs(notebook: Any) -> Iterator[Any]:
    """What its cells have put out."""
    for cell in notebook.cells:
        yield from cell.get("outputs", [])


def as_page() -> tuple[str, dict[str, bytes]]:
    """The notebook as Markdown, and the pictures that it shows by their names."""
    parts, pictures = [], {}
    for cell in nbformat.read(PAGE, as_version=4).cells:
        if cell.cell_type == "markdown":
            parts.append(cell.source)
            continue
        parts.append(f"```python\n{cell.source}\n```")
        for output in cell.outputs:
            data = output.get("data", {})
            if "image/png" in data:
                name = f"notebook-{len(pictures) + 1}.png"
                pictures[name] = base64.b64decode(data["image/png"])
                parts.append(f"![What the cell draws]({name})")
            elif "text/html" in data:
                # the empty corner of a table is no head of a column
                parts.append(_STYLE.sub("", data["text/html"]).replace("<th></th>", "<td></td>"))
            else:
                text = output.get("text") or data.get("text/plain", "")
                parts.append(f"```text\n{text.rstrip()}\n```")
    return "\n\n".join(parts), pictures


def _picture(figure: dict[str, Any]) -> bytes:
    import plotly.graph_objects as go
    from playwright.sync_api import sync_playwright

    html = go.Figure(figure).to_html(include_plotlyjs=True, default_width="900px")
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--enable-unsafe-swiftshader", "--use-angle=swiftshader"]
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=arguments)
        page = browser.new_page(viewport=_SIZE)
        page.set_default_timeout(_LONGEST_CELL * 1000)
        page.set_content(html)
        page.locator(".main-svg").first.wait_for()
        picture = page.locator(".js-plotly-plot").screenshot()
        browser.close()
    return picture


if __name__ == "__main__":
    main()
