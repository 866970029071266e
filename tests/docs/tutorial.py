"""Runs the blocks of the tutorial one after another, and puts what they print below them.

python -m tests.docs.tutorial    (with a worker; in an empty folder, which gets the files that the tutorial writes)
"""

from __future__ import annotations

import ast
import contextlib
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[2] / "docs" / "tutorial.md"
_BLOCK = re.compile(r"^```python\n(.*?)^```\n(?:\n```text\n.*?^```\n)?", re.MULTILINE | re.DOTALL)


def main() -> None:
    """Run the tutorial and write its page again."""
    import pandas as pd

    pd.set_option("display.width", 110, "display.max_colwidth", 60, "display.max_columns", 12)
    text = PAGE.read_text(encoding="utf-8")
    printed = run(text)
    shown = (f"\n```text\n{output}\n```\n" if output else "" for output in printed)
    PAGE.write_text(_BLOCK.sub(lambda block: f"```python\n{block[1]}```\n{next(shown)}", text), encoding="utf-8")


def run(text: str) -> Iterator[str]:
    """What each block prints, its last expression included; the blocks share their names."""
    names: dict[str, Any] = {"__name__": "tutorial"}
    for block in _BLOCK.findall(text):
        yield _printed(block, names)


def _printed(block: str, names: dict[str, Any]) -> str:
    tree, stream = ast.parse(block), io.StringIO()
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    with contextlib.redirect_stdout(stream):
        exec(compile(tree, PAGE.name, "exec"), names)
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), PAGE.name, "eval"), names)
            if value is not None:
                stream.write(value if isinstance(value, str) else repr(value))
    return "\n".join(line.rstrip() for line in stream.getvalue().rstrip().splitlines())


if __name__ == "__main__":
    main()
