"""The tables that stand in the pages: the scores by the catalogue, the settings by their models.

python -m tests.docs.tables
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel

from diet_explorer.config import Settings
from diet_explorer.data.limits import Limits
from diet_explorer.scoring.catalogue import SCORES, Score

DOCS = Path(__file__).parents[2] / "docs"


def scores() -> str:
    """A section for each score."""
    return "\n\n".join(_of_score(score) for score in SCORES)


def _of_score(score: Score) -> str:
    over = "" if score.span == "checkpoint" else " Over the training up to a checkpoint."
    return (
        f"## {score.title}\n\n$$\n{score.latex}\n$$\n\n{score.explanation}{over} In words: {score.formula}; range "
        f"{score.range_text}; **{score.direction}**. In tables and commands: `{score.name}`.\n\n*{score.source}.*"
    )


def settings() -> str:
    """A row for each variable that an operator may set."""
    head = "| variable | meaning | default |\n|---|---|---|\n"
    return head + "\n".join(_rows(Settings, "DIET_EXPLORER_"))


def limits() -> str:
    """A row for each limit on what is imported."""
    head = "| variable | at most so many | default |\n|---|---|---:|\n"
    return head + "\n".join(_rows(Limits, "DIET_EXPLORER_MAX_"))


def _rows(model: type[BaseModel], prefix: str) -> list[str]:
    return [
        f"| `{prefix}{name.upper()}` | {field.description} | {_default(field.default)} |"
        for name, field in model.model_fields.items()
    ]


def _default(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if value in (None, ""):
        return "–"
    return f"{value:,}" if isinstance(value, int) and value > 9999 else f"`{value}`"


TABLES = {
    ("scores.md", "the scores"): scores,
    ("reference/settings.md", "the settings"): settings,
    ("reference/settings.md", "the limits"): limits,
}
"""By page and the name of the marks that a table stands between."""


def main() -> None:
    """Write all tables into their pages."""
    for (name, marks), make in TABLES.items():
        page = DOCS / name
        page.write_text(filled(page.read_text(encoding="utf-8"), marks, make()), encoding="utf-8")


def filled(text: str, marks: str, table: str) -> str:
    """A page's text with a table between its marks."""
    before, opening, rest = text.partition(f"<!-- {marks} -->\n")
    _, closing, after = rest.partition(f"<!-- end of {marks} -->")
    if not opening or not closing:
        raise SystemExit(f"There is no place for {marks!r}.")
    return f"{before}{opening}\n{table}\n\n{closing}{after}"


if __name__ == "__main__":
    main()
