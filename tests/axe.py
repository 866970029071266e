"""axe-core on a page in Chromium: what is wrong there for people who see or move otherwise, and is ours."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

_STANDARDS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa")
_LIGHTER = ("heading-order", "empty-table-header")
_ASKED = """async ([known, options, lighter, exclude]) => {
  // what it would fetch again, the style sheets, is for the one rule about turned screens
  const all = {resultTypes: ["violations"], elementRef: true, preload: false, ...options};
  const result = await axe.run(exclude.length ? {exclude} : document, all);
  const ours = [], met = new Set();
  for (const violation of result.violations) {
    for (const node of violation.nodes) {
      if (!lighter.includes(violation.id) && !["serious", "critical"].includes(node.impact)) continue;
      const number = known.findIndex(([rule, where]) => rule === violation.id && node.element.closest(where));
      if (number >= 0) met.add(number);
      else ours.push(`${violation.id}: ${node.html.slice(0, 300)}: ${node.failureSummary.replace(/\\s+/g, " ")}`);
    }
  }
  return [ours, [...met]];
}"""


@dataclass(frozen=True)
class Known:
    """What others make and we do not mend.

    Attributes
    ----------
    rule : str
        Of axe-core.
    where : str
        Selector of the elements, or of what they stand in.
    reason : str
    """

    rule: str
    where: str
    reason: str


NAVIGATION = (
    Known("list", "[data-testid=stSidebarNavItems]", "Streamlit puts the groups of the navigation into its list"),
    Known("listitem", "[data-testid=stSidebarNavItems]", "Streamlit puts the groups of the navigation into its list"),
)
"""On every page of the app."""


class Axe:
    """Asks axe-core about one page after the other.

    Attributes
    ----------
    ours : list of str
        What is serious or critical, a heading that skips a level or a table's empty head, and not known.
    """

    def __init__(self, known: Sequence[Known]) -> None:
        self._known = known
        self._met: set[int] = set()
        self.ours: list[str] = []

    def ask(self, page: Page, name: str, *rules: str, without: Sequence[str] = ()) -> None:
        """Ask about what a page shows now, by all rules of the standards or some of them.

        Parameters
        ----------
        page : Page
        name : str
            What it is called in `ours`.
        *rules : str
            Only these.
        without : sequence of str
            Selectors of what is not looked at.
        """
        if not page.evaluate("'axe' in window"):
            page.evaluate(AXE_SCRIPT)
        known = [[entry.rule, entry.where] for entry in self._known]
        only = {"type": "rule", "values": rules} if rules else {"type": "tag", "values": _STANDARDS}
        options = {"runOnly": only, "rules": {} if rules else {rule: {"enabled": True} for rule in _LIGHTER}}
        ours, met = page.evaluate(_ASKED, [known, options, _LIGHTER, [[selector] for selector in without]])
        self.ours += [f"{name}: {words}" for words in ours]
        self._met.update(met)

    def gone(self) -> list[str]:
        """What is known and was met on no page."""
        return [json.dumps(vars(entry)) for number, entry in enumerate(self._known) if number not in self._met]
