"""Every page has one heading of level 1 and, below it, headings of level 2: nobody's screen reader skips a level."""

from __future__ import annotations

import re

from tests.ui.conftest import ROOT


def test_pages_skip_no_level_of_headings():
    sources = [*(ROOT / "diet_explorer" / "ui").rglob("*.py"), *(ROOT / "pages").glob("*.py")]
    deeper = re.compile(r"<h[3-6]\b|\bst\.subheader\(")
    assert [path.name for path in sources if deeper.search(path.read_text(encoding="utf-8"))] == []
