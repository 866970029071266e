"""The ledger as JSON Lines: one event a line, oldest first, examples by their ids, so that it can be read elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, TextIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from diet_explorer.data.example_rows import ExampleRows
from diet_explorer.data.manifest import DatasetManifest
from diet_explorer.errors import BadInputError
from diet_explorer.review.choices import LONGEST_NAME, LONGEST_UID, Choice, checked_choice
from diet_explorer.review.guidelines import checked_guidelines
from diet_explorer.review.notes import checked_note
from diet_explorer.review.replay import ACTIONS
from diet_explorer.review.rules import ReviewRules
from diet_explorer.store.database import in_utc
from diet_explorer.store.decisions import GUIDELINES, RULES, UNDO, DecisionEvent, DecisionRecords
from diet_explorer.store.names import is_id

EXAMPLES_AT_ONCE = 100_000
_CLOCKS_DIFFER = timedelta(minutes=5)
_LONGEST = {"uid": LONGEST_UID, "annotator": LONGEST_NAME}
_NEEDED = ("uid", "at", "annotator", "action", "ids")


@dataclass(frozen=True)
class ImportCount:
    """How many events of a file were new to the ledger, and how many it knew already."""

    added: int
    known: int


def write_events(
    stream: TextIO,
    events: Sequence[DecisionEvent],
    records: DecisionRecords,
    examples: ExampleRows,
    manifest: DatasetManifest,
) -> int:
    """Write events, oldest first, and return how many.

    Each line has ``uid, at`` (ISO 8601, UTC), ``annotator, action, ids`` and, where there are such, ``label`` or
    ``labels`` (one for each id), ``note, run, seen, adjudicates`` and ``undoes`` (the uid of what an undo takes back).
    """
    classes = np.array(manifest.classes, dtype=object)
    uids = records.uids(event.undoes for event in events if event.undoes is not None)
    for batch in _batches(events):
        ids = iter(examples.ids(np.concatenate([event.rows for event in batch])).to_pylist())
        for event in batch:
            optional = {
                "label": event.label,
                "labels": None if event.labels is None else classes[event.labels].tolist(),
                "note": event.note,
                "run": event.run_id,
                "seen": event.seen,
                "adjudicates": event.adjudicates or None,
                "undoes": None if event.undoes is None else uids[event.undoes],
            }
            line = {
                "uid": event.uid,
                "at": event.at.isoformat(),
                "annotator": event.annotator,
                "action": event.action,
                "ids": list(islice(ids, len(event.rows))),
                **{name: value for name, value in optional.items() if value is not None},
            }
            stream.write(json.dumps(line, ensure_ascii=False) + "\n")
    return len(events)


def read_events(
    stream: TextIO, records: DecisionRecords, examples: ExampleRows, manifest: DatasetManifest
) -> ImportCount:
    """Add the events of a file to the ledger, as who and when they were; all of them or none.

    BadInputError has the number of a line that cannot be used.
    """
    lines = [
        (number, _parsed(number, text)) for number, text in enumerate(stream, 1) if text.strip(" \t\r\n\ufeff\x00")
    ]
    wanted = pc.unique(pa.array([name for _, line in lines for name in line["ids"]], pa.string()))
    rows = examples.rows_of(wanted.to_pylist())
    names = examples.ids(rows).combine_chunks()
    events = [(number, _event(number, line, rows, names, manifest), line.get("undoes")) for number, line in lines]
    events.sort(key=lambda entry: (entry[1].at, entry[0]))
    try:
        added = records.add_copies([(event, undone) for _, event, undone in events])
    except KeyError as error:
        number = next(number for number, _, undone in events if undone == error.args[0])
        raise BadInputError(
            f"Line {number} takes back an event that is neither in the file nor in the ledger.",
            "Export the ledger without limits of time, and import that file.",
        ) from error
    return ImportCount(added, len(events) - added)


def _batches(events: Iterable[DecisionEvent]) -> Iterator[list[DecisionEvent]]:
    batch: list[DecisionEvent] = []
    size = 0
    for event in events:
        batch.append(event)
        size += len(event.rows) + 1
        if size >= EXAMPLES_AT_ONCE:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _parsed(number: int, text: str) -> dict[str, Any]:
    try:
        line: dict[str, Any] = json.loads(text.lstrip("\ufeff"))
    except ValueError as error:
        raise BadInputError(
            f"Line {number} is not JSON: {error}.", "Give a file that an export has written."
        ) from error
    missing = [name for name in _NEEDED if not isinstance(line, dict) or name not in line]
    if missing:
        raise BadInputError(f"Line {number} lacks {', '.join(missing)}.", "Give a file that an export has written.")
    if not isinstance(line["ids"], list) or not all(isinstance(name, str) for name in line["ids"]):
        raise BadInputError(f"Line {number}: ids is not a list of texts.", "Give a file that an export has written.")
    return line


def _event(
    number: int, line: dict[str, Any], rows: NDArray[np.int64], names: pa.Array, manifest: DatasetManifest
) -> DecisionEvent:
    action, label = line["action"], line.get("labels", line.get("label"))
    if action not in (*ACTIONS, UNDO, RULES, GUIDELINES) or (action == UNDO) != ("undoes" in line):
        raise BadInputError(f"Line {number}: {action!r} cannot be used.", f"Actions are {', '.join(ACTIONS)} and undo.")
    seen = line.get("seen")
    if not (seen is None or isinstance(seen, dict)):
        raise BadInputError(f"Line {number}: seen is {seen!r}.", "Give an object with what was on the screen.")
    several = isinstance(label, list) and all(isinstance(name, str) for name in label)
    if not (label is None or (action in ACTIONS and (several or isinstance(label, str)))):
        raise BadInputError(
            f"Line {number}: the label {label!r} cannot be used with {action}.",
            "Relabelling takes a class, or a list of classes, one for each of its ids.",
        )
    if action == RULES:
        ReviewRules.from_json(line.get("seen") or {})
    elif action == GUIDELINES:
        checked_guidelines(seen)
    elif not line["ids"]:
        raise BadInputError(f"Line {number} is about no example.", "Give a file that an export has written.")
    positions = pc.index_in(pa.array(line["ids"], pa.string()), names)
    if positions.null_count:
        unknown = line["ids"][positions.is_null().to_pylist().index(True)]
        raise BadInputError(
            f"Line {number}: the dataset has no example {unknown!r}.", f"Is this the ledger of {manifest.name}?"
        )
    annotator, about = _text(number, line, "annotator"), rows[positions.to_numpy()]
    try:
        choice = Choice(np.unique(about).astype(np.int32))
        if action in ACTIONS:
            choice = checked_choice(manifest, about, action, annotator, label)
        note = checked_note(line.get("note"), action)
    except BadInputError as error:
        raise BadInputError(f"Line {number}: {error.message}", error.remedy) from error
    return DecisionEvent(
        id=0,
        dataset_id=manifest.id,
        at=_moment(number, line["at"]),
        annotator=annotator,
        action=action,
        **vars(choice),
        note=note,
        run_id=_run_id(number, line.get("run")),
        seen=seen,
        uid=_text(number, line, "uid"),
        adjudicates=bool(line.get("adjudicates", False)),
    )


def _moment(number: int, text: object) -> datetime:
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError as error:
        raise BadInputError(f"Line {number}: {text!r} is not a time.", "Write it like 2026-01-31T12:00:00Z.") from error
    moment = in_utc(moment)
    if moment > datetime.now(UTC) + _CLOCKS_DIFFER:
        raise BadInputError(f"Line {number}: {text} lies in the future.", "Correct the clock or the line.")
    return moment


def _run_id(number: int, run: object) -> str | None:
    if run is not None and not is_id(run):
        raise BadInputError(f"Line {number}: {run!r} is no id of a run.", "Give a file that an export has written.")
    return None if run is None else str(run)


def _text(number: int, line: dict[str, Any], name: str) -> str:
    value = line[name]
    if not isinstance(value, str) or not value.strip():
        raise BadInputError(f"Line {number}: {name} is {value!r}.", "Give a text.")
    if len(value) > _LONGEST[name]:
        raise BadInputError(f"Line {number}: {name} is too long.", f"Give {_LONGEST[name]} characters at most.")
    return value.strip()
