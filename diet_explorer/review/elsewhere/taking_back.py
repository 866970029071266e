"""Answers of a labelling tool as events of the ledger: each once, under its annotator's name, nothing overwritten."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from diet_explorer.data.example_rows import ExampleRows
from diet_explorer.data.manifest import DatasetManifest
from diet_explorer.data.value_texts import read_number
from diet_explorer.errors import BadInputError
from diet_explorer.review.choices import checked_choice
from diet_explorer.review.elsewhere.report import LeftOut
from diet_explorer.review.elsewhere.work import HASH, TEXT, TEXT_PAIR, Answer, storable, text_hash
from diet_explorer.store.database import in_utc
from diet_explorer.store.decisions import DecisionEvent

CLOCKS_DIFFER = timedelta(minutes=5)
_AT_ONCE = 10_000


@dataclass(frozen=True)
class Decided:
    """The decisions of a file, and what is none."""

    events: list[DecisionEvent]
    open: int
    left_out: tuple[LeftOut, ...]

    def counted(self) -> dict[str, int]:
        """How many decisions there are of each kind."""
        return dict(Counter(event.action for event in self.events))


@dataclass(frozen=True)
class Example:
    """What an answer is compared with."""

    row: int
    label: str
    text: str
    text_pair: str | None


@dataclass(frozen=True)
class Asked:
    """What decisions are made with.

    Attributes
    ----------
    manifest : DatasetManifest
    tool : str
        Its name, which is noted as what the annotator saw.
    run_id : str
        The run whose suggestions were sent.
    somebody : str
        The annotator of answers that name none.
    now : datetime
        The time of answers that have none; later ones are refused.
    names : mapping of str to str
        What annotators are called here whom the tool knows by a number.
    """

    manifest: DatasetManifest
    tool: str
    run_id: str
    somebody: str
    now: datetime
    names: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def classes(self) -> frozenset[str]:
        """Names of classes, to be looked up."""
        return frozenset(self.manifest.classes)

    @cached_property
    def numbers(self) -> dict[Decimal, list[str]]:
        """Classes that are numbers, by their value: spreadsheets and tables of pandas write 007 as 7, and 3 as 3.0."""
        by_value: dict[Decimal, list[str]] = {}
        for name in self.manifest.classes:
            value = read_number(name)
            if value is not None:
                by_value.setdefault(value, []).append(name)
        return by_value


def decisions_of(
    answers: Sequence[Answer], find: Callable[[Sequence[str]], dict[str, Example]], asked: Asked
) -> Decided:
    """The decisions of a tool's answers; `find` gives the examples of some ids, those that there are."""
    events, left_out, waiting = [], [], 0
    for first in range(0, len(answers), _AT_ONCE):
        batch = answers[first : first + _AT_ONCE]
        examples = find([answer.example for answer in batch if answer.example is not None])
        for answer in batch:
            if answer.verdict == "open":
                waiting += 1
                continue
            try:
                events.append(_event(answer, examples, asked))
            except BadInputError as error:
                left_out.append(LeftOut(answer.row, answer.example, error.message))
    return Decided(sorted(events, key=lambda event: event.at), waiting, tuple(left_out))


def examples_of(
    rows: ExampleRows, labels: NDArray[np.integer], classes: Sequence[str]
) -> Callable[[Sequence[str]], dict[str, Example]]:
    """A function that finds examples by their ids."""

    def find(ids: Sequence[str]) -> dict[str, Example]:
        at = rows.rows_of(ids)
        codes, table = labels[at], rows.of(at)
        return {
            entry["id"]: Example(int(row), classes[code], entry["text"], entry.get("text_pair"))
            for row, code, entry in zip(at, codes, table.to_pylist(), strict=True)
        }

    return find


def _event(answer: Answer, examples: dict[str, Example], asked: Asked) -> DecisionEvent:
    """The decision of an answer; BadInputError says why there is none."""
    example = _example(answer, examples)
    if answer.verdict == "none":
        raise BadInputError(f"{answer.why[:1].upper()}{answer.why[1:]}.", "")
    action, label = _decision(answer, example, asked)
    given = storable(answer.annotator or asked.somebody).strip()
    annotator = asked.names.get(given, given)
    choice = checked_choice(asked.manifest, [example.row], action, annotator, label)
    said = [asked.tool, answer.example, answer.name or given, action, label, str(answer.at or "")]
    if action == "note":
        said.append(answer.note)
    return DecisionEvent(
        id=0,
        dataset_id=asked.manifest.id,
        at=asked.now if answer.at is None else moment(answer.at, asked.now),
        annotator=annotator,
        action=action,
        **vars(choice),
        note=None if answer.note is None else storable(answer.note),
        run_id=asked.run_id,
        seen={"tool": asked.tool},
        # what names it is what it says, so that it is the same event in whichever file it comes again
        uid=hashlib.sha256(json.dumps(said).encode()).hexdigest(),
    )


def _example(answer: Answer, examples: dict[str, Example]) -> Example:
    if answer.example is None:
        raise BadInputError("It does not say which example it is about: the id that was sent is gone.", "")
    example = examples.get(answer.example)
    if example is None:
        raise BadInputError(f"The dataset has no example {answer.example!r}.", "")
    own = text_hash(example.text, example.text_pair)
    text, pair = answer.fields.get(TEXT, example.text), answer.fields.get(TEXT_PAIR, example.text_pair)
    if text_hash(str(text), None if example.text_pair is None else str(pair)) != own:
        raise BadInputError("Its text was changed since it was sent.", "")
    if answer.facts.get(HASH, own) != own:
        raise BadInputError("It was sent with another text than this dataset has.", "")
    return example


def _decision(answer: Answer, example: Example, asked: Asked) -> tuple[str, str | None]:
    """The ledger's action and its label; the label that the example has already is kept."""
    label = answer.label
    if answer.verdict == "not":
        others = [name for name in asked.manifest.classes if name != label]
        if len(others) != 1:
            raise BadInputError(f"It says that {label!r} is wrong, and not which class is right.", "")
        label = others[0]
    elif answer.verdict != "label":
        return answer.verdict, None
    if label not in asked.classes and label is not None:
        label = label.strip()  # spaces around a cell
        value = None if label in asked.classes else read_number(label)
        same = [] if value is None else asked.numbers.get(value, [])
        label = same[0] if len(same) == 1 else label
    if label not in asked.classes:
        raise BadInputError(f"The dataset has no class {label!r}.", "")
    return ("keep", None) if label == example.label else ("relabel", label)


def moment(value: object, now: datetime) -> datetime:
    """A time as a tool writes it, in UTC: ISO 8601, or seconds since 1970; BadInputError for none, or a future one."""
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            at = datetime.fromtimestamp(value, UTC)
        else:
            at = in_utc(datetime.fromisoformat(str(value)))
    except (ValueError, OverflowError, OSError) as error:
        raise BadInputError(f"{value!r} is no time.", "") from error
    if at > now + CLOCKS_DIFFER:
        raise BadInputError(f"It was labelled at {value}, which lies in the future.", "")
    return at
