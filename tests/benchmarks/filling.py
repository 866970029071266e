"""Writing a benchmark's tables into the pages that show them, so that no figure is copied by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

DOCS, EVIDENCE = Path("docs/does-pruning-help.md"), Path("docs/evidence/index.md")
WRONG_LABELS = Path("docs/evidence/wrong-labels.md")


def show(tables: Mapping[str, Sequence[str]], *, page: Path | None) -> None:
    """Print tables by their names, and put them into a page too."""
    for name, lines in tables.items():
        print("\n".join([f"\n{name}\n", *lines]))
        if page:
            fill(page, name, lines)


def fill(page: Path, name: str, lines: Sequence[str]) -> None:
    """Replace what stands between the comments ``<!-- name -->`` and ``<!-- end of name -->`` of a page."""
    text = page.read_text(encoding="utf-8")
    before, opening, rest = text.partition(f"<!-- {name} -->\n")
    _, closing, after = rest.partition(f"<!-- end of {name} -->")
    if not opening or not closing:
        raise SystemExit(f"{page} has no place for {name!r}.")
    table = "\n".join(lines)
    page.write_text(f"{before}{opening}\n{table}\n\n{closing}{after}", encoding="utf-8")
