"""Notes: left with a decision or without one, read and found again by whoever looks for them."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from diet_explorer.analysis.filters import ExampleFilter
from diet_explorer.errors import BadInputError, PermissionDeniedError
from diet_explorer.review.annotators import Identity
from diet_explorer.review.decisions import Ledger
from diet_explorer.store.decisions import NOTE
from diet_explorer.workspace.run import Run
from diet_explorer.workspace.workspace import Workspace
from tests.rich_workspace import finished
from tests.tiny_runs import save_sentences


def test_a_note_decides_nothing_and_is_found_in_any_case_until_it_is_taken_back(
    open_ledger: Callable[[], Ledger],
) -> None:
    ledger = open_ledger()
    ledger.decide([2, 5], "keep", annotator="bob", note="clear case")
    before = ledger.table().to_pylist(), ledger.counts(), ledger.last_event(3)
    ledger.note([3], "  Straße:\n sarcasm? ", annotator="ann")
    assert (ledger.table().to_pylist(), ledger.counts(), ledger.last_event(3)) == before
    assert ledger.noted("STRASSE: sarcasm").tolist() == [3] and ledger.noted().tolist() == [2, 3, 5]
    assert [(event.annotator, event.note) for event in ledger.notes("s")] == [
        ("ann", "Straße:\n sarcasm?"),
        ("bob", "clear case"),
    ]
    assert ledger.noted(by="bob").tolist() == [2, 5] and ledger.noted("sarcasm", by="bob").tolist() == []
    assert ledger.noted(by="nobody").tolist() == [] and ledger.noted("s", np.array([3, 5]), by="ann").tolist() == [3]
    again = open_ledger()
    assert again.noted("sarcasm").tolist() == [3] and again.history(3)[0].action == NOTE
    again.undo("ann")
    assert ledger.noted("sarcasm").tolist() == [] and len(ledger.history(3)) == 2, "the history keeps it"


def test_a_note_does_not_stand_in_the_way_of_a_decision(open_ledger: Callable[[], Ledger]) -> None:
    ledger = open_ledger()
    ledger.note([3], "why", annotator="bob")
    ledger.decide([3], "keep", annotator="ann", expected=0)
    ledger.decide([3], NOTE, annotator="bob", note="still", expected=0)
    assert ledger.table().to_pylist()[0]["state"] == "keep"


def test_a_note_that_is_sent_again_is_stored_once_and_another_text_is_refused(
    open_ledger: Callable[[], Ledger],
) -> None:
    ledger = open_ledger()
    first = ledger.note([3], "why", annotator="ann", uid="n-1")
    assert ledger.note([3], "why", annotator="ann", uid="n-1").id == first.id
    with pytest.raises(BadInputError, match="another decision"):
        ledger.note([3], "why not", annotator="ann", uid="n-1")


@pytest.mark.parametrize("text", ["", " \n", "x" * 10_001, "a\x00b", "\ud800"])
def test_what_cannot_be_stored_as_a_note_is_refused_alone_and_with_a_decision(
    open_ledger: Callable[[], Ledger], text: str
) -> None:
    ledger = open_ledger()
    with pytest.raises(BadInputError, match="note"):
        ledger.note([3], text, annotator="ann")
    if text.strip():
        with pytest.raises(BadInputError, match="note"):
            ledger.decide([3], "keep", annotator="ann", note=text)
    assert ledger.position() == 0


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished run with three notes."""
    folder = tmp_path_factory.mktemp("notes")
    workspace = Workspace(folder / "home")
    dataset = workspace.import_dataset(save_sentences(folder / "s.csv"), text="sentence", label="mood", id="key")
    dataset.note([3, 4], "Ask lea: irony?", annotator="ann")
    dataset.decide([5], "exclude", annotator="bob", note="spam")
    dataset.note([6], "taken back", annotator="bob")
    dataset.undo("bob")
    return finished(workspace, dataset.id, "a run")


@pytest.mark.parametrize(
    ("where", "rows"),
    [
        (ExampleFilter(note="IRONY", splits=()), [3, 4]),
        (ExampleFilter(noted=True, splits=()), [3, 4, 5]),
        (ExampleFilter(note="irony", noted=False, splits=()), []),
        (ExampleFilter(note="taken", splits=()), []),
        (ExampleFilter(noted=True, splits=(), notes_of="bob"), [5]),
        (ExampleFilter(note="irony", splits=(), notes_of="bob"), []),
    ],
)
def test_notes_are_a_filter_and_a_link_opens_it_again(run: Run, where: ExampleFilter, rows: list[int]) -> None:
    assert sorted(run.ranked(where=where, limit=None)["row"]) == rows
    assert ExampleFilter.from_query(where.to_query()) == replace(where, notes_of=None)
    assert run.count(ExampleFilter(noted=False, splits=())) == run.dataset.rows - 3


def test_the_table_of_notes_has_who_what_and_about_which(run: Run) -> None:
    table = run.dataset.notes()
    assert table[["annotator", "note", "action"]].to_numpy().tolist() == [
        ["bob", "spam", "exclude"],
        ["ann", "Ask lea: irony?", "note"],
    ]
    assert table["ids"].tolist() == [run.dataset.ids_of(np.array(rows)) for rows in ([5], [3, 4])]
    assert len(run.dataset.notes("irony", limit=1)) == 1 and run.dataset.notes("nowhere").empty


def test_notes_come_along_with_an_exported_ledger(run: Run, tmp_path: Path) -> None:
    dataset, stream = run.dataset, io.StringIO()
    dataset.export_decisions(stream)
    workspace = Workspace(tmp_path / "home")
    other = workspace.import_dataset(save_sentences(tmp_path / "s.csv"), text="sentence", label="mood", id="key")
    other.import_decisions(io.StringIO(stream.getvalue()))
    assert other.notes().drop(columns="at").equals(dataset.notes().drop(columns="at"))
    line = json.loads(stream.getvalue().splitlines()[0])
    for broken in (7, ["a"], "", "x" * 10_001, "\x00"):
        with pytest.raises(BadInputError, match=r"Line 1: .*note"):
            other.import_decisions(io.StringIO(json.dumps({**line, "uid": "new", "note": broken})))


def test_who_may_only_look_leaves_no_notes(run: Run) -> None:
    with pytest.raises(PermissionDeniedError):
        run.dataset.note([3], "me too", annotator=Identity("eve", "viewer"))
