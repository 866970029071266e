"""Every page of the documentation by axe-core: nothing serious is of our own making."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.axe import Axe, Known
from tests.browser.conftest import CONTEXT
from tests.docs.test_site import pages, site  # noqa: F401  a fixture

pytestmark = pytest.mark.browser
KNOWN = (
    Known(
        "scrollable-region-focusable",
        ".md-typeset__scrollwrap",
        "the theme puts wide tables into a box that scrolls; browsers let keys scroll it",
    ),
)
ALIKE = (
    "tbody tr:nth-child(n+4)",
    ".doc-class ~ .doc-class ~ .doc-class",
    ".doc-function ~ .doc-function ~ .doc-function",
)
"""Of many that look alike the first few are looked at: the reference alone has thousands of cells and names."""
FRAME = (".md-header", ".md-tabs", ".md-sidebar", ".md-footer")
"""What is around the text, on all pages the same."""
DARKENED = ("index.html", "scores.html", "python.html")
WITHOUT_STYLE = "404.html"  # it names its style by the server's root, and no server is here


@pytest.mark.timeout(900)
def test_axe_finds_nothing_serious_of_our_own_making(site: Path, browser: Browser) -> None:  # noqa: F811
    axe, context = Axe(KNOWN), browser.new_context(**CONTEXT)
    page = context.new_page()
    for path, _ in pages(site):
        if path.name == WITHOUT_STYLE:
            continue
        page.goto(path.as_uri())
        frame = () if path == site / "index.html" else FRAME
        axe.ask(page, str(path.relative_to(site)), without=(*ALIKE, *frame))
        if path.name in DARKENED:
            page.evaluate("document.body.dataset.mdColorScheme = 'slate'")
            axe.ask(page, f"{path.relative_to(site)}, dark", "color-contrast", without=(*ALIKE, *frame))
    context.close()
    assert not axe.ours, "\n".join(axe.ours)
    assert axe.gone() == [], "the table of what is known has what does not occur any more"
