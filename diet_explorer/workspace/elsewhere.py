"""Work for a labelling tool made of a run's suspects, and a tool's answers made decisions about its dataset."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from diet_explorer.analysis.filters import ExampleFilter
from diet_explorer.config import own_path
from diet_explorer.data.example_rows import ExampleRows
from diet_explorer.data.examples import read_labels
from diet_explorer.errors import NotFoundError
from diet_explorer.review.elsewhere.report import TakenBack
from diet_explorer.review.elsewhere.taking_back import Asked, decisions_of, examples_of
from diet_explorer.review.elsewhere.tools import Tool, answers_in
from diet_explorer.review.elsewhere.work import Task, Work
from diet_explorer.store.files import Files
from diet_explorer.workspace.audit import Audit
from diet_explorer.workspace.core import RunCore


@dataclass(frozen=True)
class Sent:
    """What was written for a labelling tool.

    Attributes
    ----------
    tool : str
    examples : int
        How many there are in the file.
    path : Path or None
        The file with the examples; None where it is a stream.
    setup : Path or None
        The file that tells the tool the classes, for tools that take one.
    """

    tool: str
    examples: int
    path: Path | None = None
    setup: Path | None = None


def work_of(
    run: RunCore, by: str, where: ExampleFilter | None, checkpoint: float | None, limit: int | None, *, blind: bool
) -> Work:
    """A run's suspects, the most suspicious first; where the review is blind, without what the models think of them."""
    frame = Audit(run).suspects(by, where, checkpoint, limit)
    if frame.empty:
        named = [words for words, _ in (where or ExampleFilter()).describe()]
        raise NotFoundError(
            f"No suspect fits the filters: {'; '.join(named)}." if named else "There is no suspect.",
            "Leave a condition out." if named else "Score with more epochs, or look at the ranking.",
        )
    tasks = []
    for entry in frame.to_dict("records"):
        known = {
            "suspicion": float(entry["suspicion"]),
            "suggested": entry["suggested"],
            "suggested_share": None if entry["suggested"] is None else float(entry["suggested_share"]),
            "reason": "; ".join(entry["reasons"]),
        }
        tasks.append(
            Task(
                id=entry["id"],
                text=entry["text"],
                text_pair=entry.get("text_pair"),
                label=entry["label"],
                place=int(entry["place"]),
                **({} if blind else known),
            )
        )
    return described(run, tasks)


def described(run: RunCore, tasks: list[Task]) -> Work:
    """Examples with what a tool has to know about their set."""
    dataset = run.dataset
    return Work(tasks, dataset.classes, dataset.name, run.name, bool(dataset.manifest.mapping.text_pair))


def write_work(run: RunCore, tool: Tool, work: Work, target: str | Path | TextIO) -> Sent:
    """Write work for a tool; into a file with the tool's setup beside it, or into a stream."""
    if not isinstance(target, str | Path):
        target.writelines(tool.tasks_of(work))
        return Sent(tool.name, len(work.tasks))
    path = run.context.reach.check(own_path(target))
    with Files(path.parent).atomic_writer(str(path)) as raw:
        stream = io.TextIOWrapper(raw, encoding="utf-8", newline="")
        stream.writelines(tool.tasks_of(work))
        stream.flush()
        stream.detach()
    if tool.setup is None:
        return Sent(tool.name, len(work.tasks), path)
    setup = run.context.reach.check(path.with_name(f"{path.stem}-{tool.setup.file_name}"))
    with Files(setup.parent).atomic_writer(str(setup)) as raw:
        raw.write(tool.setup.text_of(work).encode())
    return Sent(tool.name, len(work.tasks), path, setup)


def take_answers(
    run: RunCore, content: bytes, tool: str | None, somebody: str, names: Mapping[str, str] | None
) -> TakenBack:
    """Add a tool's answers to the ledger of the run's dataset."""
    known_as, answers = answers_in(content, tool)
    files, manifest = run.context.files, run.dataset.manifest
    find = examples_of(ExampleRows(files, manifest), read_labels(files, manifest.id), manifest.classes)
    asked = Asked(manifest, known_as.name, run.id, somebody, run.context.records.now(), names or {})
    decided = decisions_of(answers, find, asked)
    added = run.dataset.ledger.records.add_copies([(event, None) for event in decided.events])
    return TakenBack(
        tool=known_as.name,
        added=added,
        known=len(decided.events) - added,
        open=decided.open,
        decisions=decided.counted(),
        left_out=decided.left_out,
    )
