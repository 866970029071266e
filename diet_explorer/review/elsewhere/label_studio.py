"""Label Studio: tasks with predictions out; its exports JSON and JSON_MIN back.

A second control takes what is no class: leave the example out, or unsure. Skipped tasks are no decisions. See
https://labelstud.io/guide/predictions and https://labelstud.io/guide/export.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from xml.sax.saxutils import quoteattr

from diet_explorer.review.elsewhere.records import Records, listed, part
from diet_explorer.review.elsewhere.work import TEXT, TEXT_PAIR, Answer, Task, Work, chosen

NAME, TITLE, ENDING = "label-studio", "Label Studio", ".json"
SETUP_TITLE, SETUP_FILE = "labelling interface", "interface.xml"
_CLASS, _OTHERWISE, _NOTE = "label", "instead", "note"
_VERDICTS = {"Leave it out": "exclude", "Unsure": "unsure"}


def tasks_of(work: Work) -> Iterator[str]:
    """A JSON list of tasks; what the models suggest is a prediction of each."""
    for number, task in enumerate(work.tasks):
        yield ("[\n" if number == 0 else ",\n") + json.dumps(_task(task, work.run), ensure_ascii=False)
    yield "\n]\n" if work.tasks else "[]\n"


def setup_of(work: Work) -> str:
    """The labelling interface for the classes, in Label Studio's XML."""
    texts = [TEXT, TEXT_PAIR] if work.has_pairs else [TEXT]
    lines = ["<View>", '  <Header value="$reason" size="5"/>']
    lines += [f'  <Text name="{name}" value="${name}"/>' for name in texts]
    lines += [f'  <Choices name="{_CLASS}" toName="{TEXT}" choice="single" showInLine="true">']
    lines += [f"    <Choice value={quoteattr(name)}/>" for name in work.classes]
    lines += ["  </Choices>", f'  <Choices name="{_OTHERWISE}" toName="{TEXT}" choice="single" showInLine="true">']
    lines += [f"    <Choice value={quoteattr(title)}/>" for title in _VERDICTS]
    lines += ["  </Choices>", f'  <TextArea name="{_NOTE}" toName="{TEXT}" rows="1" placeholder="Why"/>', "</View>"]
    return "\n".join(lines) + "\n"


def is_from(record: dict[str, Any]) -> bool:
    """Whether an object is a task as Label Studio exports it."""
    return ("annotations" in record and "data" in record) or "annotation_id" in record


def answers_of(records: Records) -> Iterator[Answer]:
    """Every annotation of every task."""
    for row, record in records:
        if "data" not in record:
            yield _short(row, record)
            continue
        facts = part(record, "data")
        annotations = [entry for entry in listed(record.get("annotations")) if isinstance(entry, dict)]
        if not annotations:
            yield Answer(row, "open", facts=facts, fields=facts)
        for annotation in annotations:
            yield Answer(
                row,
                **_verdict(annotation),
                annotator=_person(annotation.get("completed_by")),
                at=annotation.get("updated_at") or annotation.get("created_at"),
                note=_joined(_values(annotation, _NOTE, "text")),
                facts=facts,
                fields=facts,
                name=_name(annotation.get("id")),
            )


def _task(task: Task, run: str) -> dict[str, Any]:
    facts = {"reason": "", **task.facts}  # the interface shows it
    return {
        "data": {**task.fields, **facts},
        "meta": facts,
        "predictions": [{"model_version": run, "score": task.suspicion or 0.0, "result": _suggestion(task)}],
    }


def _suggestion(task: Task) -> list[dict[str, Any]]:
    if task.suggested is None:
        return []
    return [
        {
            "id": "suggestion",
            "from_name": _CLASS,
            "to_name": TEXT,
            "type": "choices",
            "score": task.suggested_share,
            "value": {"choices": [task.suggested]},
            "meta": {"text": [task.reason]},
        }
    ]


def _verdict(annotation: dict[str, Any]) -> dict[str, Any]:
    if annotation.get("was_cancelled"):
        return {"verdict": "none", "why": "it was skipped"}
    otherwise = _values(annotation, _OTHERWISE, "choices")
    if otherwise:
        return _instead(otherwise)
    choices = [
        choice
        for result in listed(annotation.get("result"))
        if isinstance(result, dict) and result.get("type") == "choices" and result.get("from_name") != _OTHERWISE
        for choice in listed(part(result, "value").get("choices"))
    ]
    return chosen(choices) if choices else {"verdict": "none", "why": "no class was chosen"}


def _values(annotation: dict[str, Any], control: str, kind: str) -> list[Any]:
    return [
        value
        for result in listed(annotation.get("result"))
        if isinstance(result, dict) and result.get("from_name") == control
        for value in listed(part(result, "value").get(kind))
    ]


def _short(row: int, record: dict[str, Any]) -> Answer:
    """A line of JSON_MIN: data, and the controls by their names."""
    otherwise = _choices(record.get(_OTHERWISE))
    choices = _choices(record.get(_CLASS))
    said = _instead(otherwise) if otherwise else chosen(choices)
    if said["verdict"] == "open" and record.get("annotation_id") is not None:
        said = {"verdict": "none", "why": "no class was chosen"}
    return Answer(
        row,
        **said,
        annotator=_person(record.get("annotator")),
        at=record.get("updated_at") or record.get("created_at"),
        note=_joined(listed(record.get(_NOTE))),
        facts=record,
        fields=record,
        name=_name(record.get("annotation_id")),
    )


def _choices(value: Any) -> list[Any]:
    return listed(value.get("choices")) if isinstance(value, dict) else listed(value)


def _instead(titles: list[Any]) -> dict[str, Any]:
    verdicts = {_VERDICTS.get(str(title)) for title in titles}
    if len(verdicts) == 1 and None not in verdicts:
        return {"verdict": verdicts.pop()}
    return {"verdict": "none", "why": f"{', '.join(map(str, titles))} is none of: {', '.join(_VERDICTS)}"}


def _person(value: Any) -> str | None:
    if isinstance(value, dict):
        names = (value.get("email"), value.get("username"), value.get("id"))
        value = next((name for name in names if name not in (None, "")), None)
    return None if value in (None, "") else str(value)


def _name(number: Any) -> str | None:
    return None if number is None else str(number)


def _joined(texts: list[Any]) -> str | None:
    return "\n".join(map(str, texts)) or None
