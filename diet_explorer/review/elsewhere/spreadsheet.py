"""A CSV file for spreadsheets: decision, new label and note are filled in there.

Cells that a spreadsheet would run as formulas get an apostrophe in front, which is taken away again. Ids stand a second
time behind a word, since spreadsheets make ``007`` a number. What may have become of the file is read: semicolons or
tabs between the cells, UTF-16, a byte order mark, columns in another order or added.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

from diet_explorer.data.formulas import defuse, restore
from diet_explorer.errors import BadInputError
from diet_explorer.review.elsewhere.records import Records, decoded
from diet_explorer.review.elsewhere.work import EXAMPLE, HASH, TEXT, TEXT_PAIR, Answer, Task, Work

NAME, TITLE, ENDING = "csv", "a spreadsheet", ".csv"
_KEY, _BEFORE_ID = "key", "id:"
_DECISION, _LABEL, _NOTE, _WHO = "decision", "new_label", "note", "annotator"
_DECISIONS = {"keep": "keep", "exclude": "exclude", "unsure": "unsure"}
_FACTS = ("given_label", "suggested_label", "suggested_share", "suspicion", "place", "reason")
_LARGEST_CELL = 2**31 - 1
_SEPARATORS = ",;\t"


def tasks_of(work: Work) -> Iterator[str]:
    """A header and a line for each example; with a byte order mark, by which spreadsheets know UTF-8."""
    texts = [TEXT, TEXT_PAIR] if work.has_pairs else [TEXT]
    columns = [EXAMPLE, *texts, *_FACTS, _DECISION, _LABEL, _NOTE, _WHO, _KEY, HASH]
    yield "\ufeff" + _line(columns)
    for task in work.tasks:
        yield _line([_cell(task, name) for name in columns])


def is_from(record: dict[str, Any]) -> bool:
    """Whether an object is a line of such a file."""
    return _DECISION in record and (_KEY in record or EXAMPLE in record)


def lines_of(content: bytes) -> Records:
    """The lines of an edited file by the names of its columns, numbered as a spreadsheet does: the header is 1."""
    text = decoded(content)
    head = text.split("\n", 1)[0]
    separator = max(_SEPARATORS, key=head.count)
    csv.field_size_limit(_LARGEST_CELL)  # the module's own limit is below that of an example's text
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        rows = list(reader)
    except csv.Error as error:
        raise BadInputError(
            f"Line {reader.line_num} of the file is not CSV: {error}.", "Save the sheet as CSV."
        ) from error
    names = [name.strip() for name in rows[0]] if rows else []
    missing = [name for name in (_DECISION, _LABEL) if name not in names]
    if missing:
        raise BadInputError(
            f"The file has no column {' and '.join(missing)}.",
            "Keep the first line as it was sent, and fill in below; of a labelling tool take the export as JSON.",
        )
    return [
        (number, {name: restore(cell) for name, cell in zip(names, cells, strict=False)})
        for number, cells in enumerate(rows[1:], 2)
        if any(cell.strip() for cell in cells)
    ]


def answers_of(records: Records) -> Iterator[Answer]:
    """What each line says; one with neither decision, new label nor note is open."""
    for row, line in records:
        key = line.get(_KEY, "").strip()
        facts = dict(line)
        if key.startswith(_BEFORE_ID):
            facts[EXAMPLE] = key.removeprefix(_BEFORE_ID)
        said, note = _verdict(line.get(_DECISION, "").strip(), line.get(_LABEL, "")), line.get(_NOTE, "").strip()
        yield Answer(
            row,
            **({"verdict": "note"} if note and said["verdict"] == "open" else said),
            annotator=line.get(_WHO, "").strip() or None,
            note=note or None,
            facts={name: value for name, value in facts.items() if value != ""},
            fields=line,
        )


def _verdict(decision: str, label: str) -> dict[str, Any]:
    said = decision.lower()
    if said in ("", "relabel"):
        if label.strip():
            return {"verdict": "label", "label": label}
        return {"verdict": "none", "why": "relabel without a new label"} if said else {"verdict": "open"}
    if said not in _DECISIONS:
        return {"verdict": "none", "why": f"{decision!r} is none of: keep, relabel, exclude, unsure"}
    if label.strip() and said != "keep":
        return {"verdict": "none", "why": f"it says {said} and has a new label too"}
    return {"verdict": "label", "label": label} if label.strip() else {"verdict": said}


def _cell(task: Task, name: str) -> str:
    values = {**task.facts, **task.fields, _KEY: _BEFORE_ID + task.id}
    value = values.get(name, "")
    return f"{value:.4f}" if isinstance(value, float) else defuse(str(value))


def _line(cells: list[str]) -> str:
    stream = io.StringIO()
    csv.writer(stream, quoting=csv.QUOTE_MINIMAL, lineterminator="\r\n").writerow(cells)
    return stream.getvalue()
