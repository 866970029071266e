"""Argilla 2: records with suggestions out; what `records.to_json` or `records.to_datasets` writes back.

Beside the classes there are two answers more: leave the example out, and unsure. A response that was discarded, or is a
draft yet, is no decision. `to_json` says of no response whether it was submitted; `to_datasets` does. See
https://docs.argilla.io/latest/how_to_guides/record/.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from diet_explorer.review.elsewhere.records import Records, listed, part
from diet_explorer.review.elsewhere.work import TEXT, TEXT_PAIR, Answer, Task, Work, chosen

NAME, TITLE, ENDING = "argilla", "Argilla", ".json"
SETUP_TITLE, SETUP_FILE = "settings", "settings.json"
_CLASS, _NOTE, _REASON = "label", "note", "reason"
_VERDICTS = {  # called as no class is
    "diet-explorer:exclude": ("exclude", "Leave it out"),
    "diet-explorer:unsure": ("unsure", "Unsure"),
}
_NUMBERS = {"suspicion": "float", "suggested_share": "float", "place": "integer"}
_WHY_NOT = {"discarded": "it was discarded", "draft": "it is a draft", "pending": "it was not answered"}


def tasks_of(work: Work) -> Iterator[str]:
    """A JSON list of records, as `Record.from_dict` takes them."""
    for number, task in enumerate(work.tasks):
        yield ("[\n" if number == 0 else ",\n") + json.dumps(_record(task, work.run))  # it reads no certain encoding
    yield "\n]\n" if work.tasks else "[]\n"


def setup_of(work: Work) -> str:
    """The dataset's settings, as `Settings.from_json` takes them."""
    texts = [(TEXT, "Text", True), *([(TEXT_PAIR, "Second text", True)] if work.has_pairs else [])]
    fields = [
        {"name": name, "title": title, "required": needed, "type": "text", "settings": {"type": "text"}}
        for name, title, needed in (*texts, (_REASON, "Why it is here", False))
    ]
    options = [{"value": name, "text": name} for name in work.classes]
    options += [{"value": name, "text": title} for name, (_, title) in _VERDICTS.items()]
    questions = [
        {
            "name": _CLASS,
            "title": "Label",
            "required": True,
            "type": "label_selection",
            "settings": {"type": "label_selection", "options": options, "visible_options": max(3, len(options))},
        },
        {"name": _NOTE, "title": "Note", "required": False, "type": "text", "settings": {"type": "text"}},
    ]
    metadata = [
        {"name": name, "title": name.replace("_", " ").capitalize(), "settings": {"type": kind}}
        for name, kind in {**_NUMBERS, "given_label": "terms", "suggested_label": "terms"}.items()
    ]
    settings = {
        "guidelines": "Choose the class that is right for the text.",
        "fields": fields,
        "questions": questions,
        "metadata": metadata,
        "vectors": [],
        "allow_extra_metadata": True,
        "distribution": {"strategy": "overlap", "min_submitted": 1},
    }
    return json.dumps(settings, indent=1) + "\n"


def is_from(record: dict[str, Any]) -> bool:
    """Whether an object is a record as Argilla exports it, nested or flat."""
    nested = "fields" in record and ("responses" in record or "_server_id" in record)
    return nested or "_server_id" in record or f"{_CLASS}.responses" in record


def answers_of(records: Records) -> Iterator[Answer]:
    """Every response to every record."""
    for row, record in records:
        nested = isinstance(record.get("fields"), dict)
        facts = part(record, "metadata") if nested else record
        facts = facts if "example_id" in facts else {**facts, "example_id": record.get("id")}
        fields = part(record, "fields") if nested else record
        people = _nested(part(record, "responses")) if nested else _flat(record)
        if not people:
            yield Answer(row, "open", facts=facts, fields=fields)
        for person, said in people.items():
            yield Answer(row, **_verdict(said), annotator=person, note=_text(said), facts=facts, fields=fields)


def _record(task: Task, run: str) -> dict[str, Any]:
    facts = task.facts
    reason = facts.pop(_REASON, None)  # a field, so that it is read beside the text
    suggestion = {"value": task.suggested, "score": task.suggested_share, "agent": run}
    return {
        "id": task.id,
        "fields": {**task.fields, **({} if reason is None else {_REASON: reason})},
        "metadata": facts,
        "suggestions": {} if task.suggested is None else {_CLASS: suggestion},
        "responses": {},
        "vectors": {},
    }


def _nested(responses: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What each person answered to each question."""
    people: dict[str, dict[str, Any]] = defaultdict(dict)
    for question, entries in responses.items():
        for entry in listed(entries):
            if isinstance(entry, dict):
                people[str(entry.get("user_id"))][question] = entry
    return people


def _flat(record: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The same of a line of `to_datasets`."""
    people: dict[str, dict[str, Any]] = defaultdict(dict)
    for question in (_CLASS, _NOTE):
        values, users, states = (listed(record.get(f"{question}.responses{end}")) for end in ("", ".users", ".status"))
        for number, user in enumerate(users):
            state = states[number] if number < len(states) else None
            value = values[number] if number < len(values) else None
            people[str(user)][question] = {"value": value, "status": state}
    return people


def _verdict(said: dict[str, Any]) -> dict[str, Any]:
    answer = said.get(_CLASS, {})
    states = [entry["status"] for entry in said.values() if entry.get("status")]
    why = next((_WHY_NOT[state] for state in states if state in _WHY_NOT), None)
    if why is not None:
        return {"verdict": "none", "why": why}
    value = answer.get("value")
    if isinstance(value, str) and value in _VERDICTS:
        return {"verdict": _VERDICTS[value][0]}
    told = chosen(listed(value))
    return {"verdict": "none", "why": "no class was chosen"} if told["verdict"] == "open" else told


def _text(said: dict[str, Any]) -> str | None:
    value = said.get(_NOTE, {}).get("value")
    return str(value) if value else None
