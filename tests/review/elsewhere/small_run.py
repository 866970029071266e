"""A finished run over ten sentences that are awkward for other programs, made in a moment; always the same."""

from __future__ import annotations

import csv
from pathlib import Path

from diet_explorer.workspace.run import Run
from diet_explorer.workspace.workspace import Workspace
from tests.rich_workspace import finished

SENTENCES = {
    "007": "=1+1 is what it says",
    "k1": "a “quoted” film, with 'apostrophes'; and a semicolon",
    "k2": "two\nlines and a\ttab",
    "k3": "größter Film 漢字 😀",
    "-5": "<b>bold</b> & <script>alert(1)</script>",
    "k5": "'=already defused",
    "k6": "dull, dull, dull",
    "k7": "lovely \\n \\u0041 {$text}",
    "1e5": "a line separator\u2028in the middle",
    "k9": "warm",
}
GOOD, BAD = 'good & "warm", <3', "bad, =cold"


def small_run(home: Path) -> Run:
    """Import the sentences, every other one good, and make up scores."""
    source = home / "sentences.csv"
    with source.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["key", "sentence", "mood"])
        writer.writerows((name, text, (GOOD, BAD)[n % 2]) for n, (name, text) in enumerate(SENTENCES.items()))
    workspace = Workspace(home / "workspace")
    dataset = workspace.import_dataset(source, text="sentence", label="mood", id="key", name="awkward")
    return finished(workspace, dataset.id, "made up")
