"""What goes out to a labelling tool and what comes back from one, whatever the tool."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Verdict = Literal["label", "not", "keep", "exclude", "unsure", "note", "open", "none"]
"""What somebody said: a class, any but a class, the given label is right, leave the example out, unsure, a note alone;
``open`` is not looked at yet, and ``none`` no decision, for the reason that the answer tells."""

TEXT, TEXT_PAIR = "text", "text_pair"
EXAMPLE, HASH = "example_id", "text_hash"
"""Under which names a tool's file carries an example: its texts, its id and their hash."""


def text_hash(text: str, text_pair: str | None = None) -> str:
    """A hash of an example's texts; ways to end a line, which tools and spreadsheets change, do not matter."""
    texts = text if text_pair is None else f"{text}\0{text_pair}"
    plain = texts.replace("\r\n", "\n").replace("\r", "\n")
    # behind a word, as a spreadsheet takes some hexadecimal numbers for numbers
    return "sha256:" + hashlib.sha256(plain.encode(errors="surrogatepass")).hexdigest()[:32]


@dataclass(frozen=True)
class Task:
    """One example that somebody is to look at."""

    id: str
    text: str
    text_pair: str | None
    label: str  # as given
    place: int  # in the order that was asked for; 1 is the most suspicious
    suspicion: float | None = None  # in [0, 1], of all models together
    suggested: str | None = None  # the class that the models believe in more
    suggested_share: float | None = None  # their mean probability of it
    reason: str = ""

    @property
    def fields(self) -> dict[str, str]:
        """The texts to be shown."""
        return {TEXT: self.text, **({} if self.text_pair is None else {TEXT_PAIR: self.text_pair})}

    @property
    def facts(self) -> dict[str, Any]:
        """What is known of it, plainly, under names that no tool uses itself; what is not known is left out."""
        known = {
            EXAMPLE: self.id,
            HASH: text_hash(self.text, self.text_pair),
            "given_label": self.label,
            "suggested_label": self.suggested,
            "suggested_share": _number(self.suggested_share),
            "suspicion": _number(self.suspicion),
            "place": self.place,
            "reason": self.reason or None,
        }
        return {name: value for name, value in known.items() if value is not None}


@dataclass(frozen=True)
class Work:
    """Examples to be looked at, in order, and what a tool has to know about their set."""

    tasks: Sequence[Task]
    classes: Sequence[str]
    dataset: str
    run: str  # whose suggestions they are, as the tool shows it
    has_pairs: bool = False


@dataclass(frozen=True)
class Answer:
    """What one person said about one example, as the tool's file has it."""

    row: int  # the line of the file, or the task's number in it
    verdict: Verdict
    label: str | None = None
    why: str = ""  # there is no decision
    annotator: str | None = None
    at: object = None  # as the file has it: a text, or seconds since 1970
    note: str | None = None
    facts: dict[str, Any] = field(default_factory=dict)  # as `Task.facts`, as far as the tool kept them
    fields: dict[str, Any] = field(default_factory=dict)  # as `Task.fields`
    name: str | None = None  # that the tool gives the annotation

    @property
    def example(self) -> str | None:
        """The example's id; None where the tool lost it."""
        value = self.facts.get(EXAMPLE)
        return None if value is None else storable(str(value))


def chosen(choices: Sequence[Any]) -> dict[str, Any]:
    """Verdict, label and reason of the classes that somebody chose for one example."""
    if len(choices) > 1:
        return {"verdict": "none", "why": f"{len(choices)} classes were chosen, and one is wanted"}
    if not choices:
        return {"verdict": "open"}
    return {"verdict": "label", "label": str(choices[0])}


def storable(text: str) -> str:
    """A text as every database takes it; JSON can write characters that are none."""
    return text.encode(errors="replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")


def _number(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else float(value)
