"""Prodigy: tasks for its `choice` interface out; what `db-out` writes back.

An example that was ignored is no decision. One that was rejected fits none of the classes and is left out; where one
label was asked about instead of all, rejecting it says the other one of two. See https://prodi.gy/docs/api-interfaces.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from diet_explorer.review.elsewhere.records import Records, listed, part
from diet_explorer.review.elsewhere.work import TEXT, TEXT_PAIR, Answer, Task, Work, chosen

NAME, TITLE, ENDING = "prodigy", "Prodigy", ".jsonl"
_FIRST = "first_text"
_SHORT = {"suspicion": "score", "place": "rank"}  # as Prodigy's own recipes call them


def tasks_of(work: Work) -> Iterator[str]:
    """A task a line, with all classes as options and what is known in its `meta`, which is shown in a corner."""
    options = [{"id": name, "text": name} for name in work.classes]
    for task in work.tasks:
        yield json.dumps(_task(task, options), ensure_ascii=False) + "\n"


def is_from(record: dict[str, Any]) -> bool:
    """Whether an object is a task as Prodigy exports it."""
    return "answer" in record and ("meta" in record or "_input_hash" in record)


def answers_of(records: Records) -> Iterator[Answer]:
    """The answer of every task."""
    for row, record in records:
        yield Answer(
            row,
            **_verdict(record),
            annotator=_person(record),
            at=record.get("_timestamp"),
            facts=part(record, "meta"),
            fields={**record, TEXT: record.get(_FIRST, record.get(TEXT))},
        )


def _task(task: Task, options: list[dict[str, str]]) -> dict[str, Any]:
    meta = {_SHORT.get(name, name): value for name, value in task.facts.items()}
    shown = {TEXT: "\n\n".join(task.fields.values())}  # the interface shows one text
    pair = {} if task.text_pair is None else {_FIRST: task.text, TEXT_PAIR: task.text_pair}
    return {**shown, **pair, "options": options, "meta": meta}


def _verdict(record: dict[str, Any]) -> dict[str, Any]:
    answer, label = record.get("answer"), record.get("label")
    if answer == "accept":
        said = chosen(listed(record.get("accept", label)))
        return {"verdict": "none", "why": "no class was chosen"} if said["verdict"] == "open" else said
    if answer == "reject":
        if label is None or "options" in record:
            return {"verdict": "exclude"}
        return {"verdict": "not", "label": str(label)}
    return {"verdict": "none", "why": "it was ignored" if answer == "ignore" else "it was not answered"}


def _person(record: dict[str, Any]) -> str | None:
    value = record.get("_annotator_id") or record.get("_session_id")
    return None if value is None else str(value)
