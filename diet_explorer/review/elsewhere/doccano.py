"""doccano: JSON Lines of a text classification project out; its export JSONL, or the ZIP file of it, back.

Texts go out without a label, as doccano does not tell a label that somebody chose from one that came with the text;
what the models suggest is among the metadata, which is shown beside the text. The export of a project in which
everybody labels alone is a ZIP file with one file for each person, by their name.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from diet_explorer.review.elsewhere.records import Records, listed
from diet_explorer.review.elsewhere.work import TEXT, TEXT_PAIR, Answer, Task, Work, chosen

NAME, TITLE, ENDING = "doccano", "doccano", ".jsonl"
SETUP_TITLE, SETUP_FILE = "labels", "labels.json"
_FIRST = "first_text"
_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#999999")
_KEYS = "123456789"


def tasks_of(work: Work) -> Iterator[str]:
    """A text a line; everything beside text and label is metadata to doccano."""
    for task in work.tasks:
        # ASCII: doccano guesses a file's encoding; every line has the same names, as it reads them as a table
        yield json.dumps(_line(task)) + "\n"


def setup_of(work: Work) -> str:
    """The classes, for the page Labels of the project."""
    labels = [
        {
            "text": name,
            "suffixKey": _KEYS[number] if number < len(_KEYS) else None,
            "backgroundColor": _COLOURS[number % len(_COLOURS)],
            "textColor": "#ffffff",
        }
        for number, name in enumerate(work.classes)
    ]
    return json.dumps(labels, indent=1) + "\n"


def is_from(record: dict[str, Any]) -> bool:
    """Whether an object is a text as doccano exports it."""
    return "label" in record and ("text" in record or "data" in record) and "answer" not in record


def answers_of(records: Records) -> Iterator[Answer]:
    """The label of every text; those without one are open."""
    for row, record in records:
        comments = listed(record.get("Comments"))
        yield Answer(
            row,
            **chosen(listed(record.get("label"))),
            annotator=record.get("annotator"),
            note="\n".join(map(str, comments)) or None,
            facts=record,
            fields={**record, TEXT: record.get(_FIRST, record.get(TEXT, record.get("data")))},
        )


def _line(task: Task) -> dict[str, Any]:
    pair = {} if task.text_pair is None else {_FIRST: task.text, TEXT_PAIR: task.text_pair}
    facts = {"suggested_label": "", "suggested_share": "", "suspicion": "", "reason": "", **task.facts}
    return {TEXT: "\n\n".join(task.fields.values()), "label": [], **pair, **facts}
