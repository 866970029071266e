"""Several annotators on SQLite and PostgreSQL: votes, conflicts, adjudication, stale saves, queues, ledger files."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from diet_explorer.config import load_settings
from diet_explorer.data.example_rows import ExampleRows
from diet_explorer.errors import BadInputError, PermissionDeniedError, WorkspaceError
from diet_explorer.review.annotators import Identity, signed_in
from diet_explorer.review.decisions import DecidedMeanwhile, Ledger
from diet_explorer.review.ledger_files import read_events, write_events
from diet_explorer.review.queue import ReviewQueue
from diet_explorer.review.rules import ReviewRules
from diet_explorer.store.database import open_database
from diet_explorer.store.files import Files
from diet_explorer.workspace.workspace import Workspace
from tests.review.conftest import CLASSES, ROWS
from tests.synthetic import write_dataset

Open = Callable[[], Ledger]


def holds(ledger: Ledger, row: int) -> tuple[str, str | None, bool, bool]:
    held = {entry.pop("row"): tuple(entry.values()) for entry in ledger.table().to_pylist()}
    state, label, _, conflict, adjudicated = held.get(row, ("undecided", None, False, False, False))
    return state, label, conflict, adjudicated


def test_opinions_that_differ_wait_for_an_adjudication(open_ledger: Open) -> None:
    ledger, other = open_ledger(), open_ledger()
    ledger.decide([3, 4], "keep", annotator="ann")
    other.decide([3], "relabel", label="good", annotator="bob")
    assert holds(ledger, 3) == ("relabel", "good", False, False), "with one opinion wanted, the latest holds"
    ledger.set_rules(ReviewRules(overlap=2), annotator="ann")
    assert holds(other, 3) == ("undecided", None, True, False)
    assert holds(other, 4) == ("keep", None, False, False)
    assert other.conflicts().tolist() == [3]
    other.adjudicate(3, "exclude", annotator="lea")
    ledger.decide([3], "unsure", annotator="ann")
    assert holds(other, 3) == ("exclude", None, False, True), "votes after an adjudication do not change it"
    assert [(event.annotator, event.action) for event in ledger.standing(3)] == [
        ("bob", "relabel"),
        ("lea", "exclude"),
        ("ann", "unsure"),
    ]
    assert ledger.conflicts().tolist() == []
    assert ledger.undo("lea") is not None
    assert other.conflicts().tolist() == [3]
    other.decide([3], "relabel", label="good", annotator="ann")
    assert other.conflicts().tolist() == [] and holds(ledger, 3) == ("relabel", "good", False, False)
    with pytest.raises(BadInputError, match="settles nothing"):
        ledger.adjudicate(3, "undecided", annotator="lea")


def test_a_second_save_says_who_decided_meanwhile(open_ledger: Open) -> None:
    ledger, other = open_ledger(), open_ledger()
    first = ledger.decide([5], "keep", annotator="ann", expected=ledger.last_event(5))
    with pytest.raises(DecidedMeanwhile, match="ann decided “keep” at") as caught:
        other.decide([5], "exclude", annotator="bob", expected=0)
    assert caught.value.event.id == first.id and ledger.last_event(5) == first.id
    mine = other.decide([5], "exclude", annotator="bob", expected=caught.value.event.id)
    other.decide([4, 5, 6], "unsure", annotator="eve")
    with pytest.raises(DecidedMeanwhile, match="eve"):
        ledger.decide([5], "keep", annotator="ann", expected=mine.id)
    ledger.decide([7], "keep", annotator="ann", expected=0)
    ledger.decide([5], "flag", annotator="ann", expected=0)
    ledger.set_rules(ReviewRules(overlap=2), annotator="ann")
    other.decide([7], "keep", annotator="bob", expected=0)  # an opinion of one's own is no collision
    with pytest.raises(DecidedMeanwhile, match="bob"):
        ledger.decide([7], "exclude", annotator="bob", expected=0)


def test_one_relabelling_gives_each_example_its_own_label(open_ledger: Open) -> None:
    ledger, other = open_ledger(), open_ledger()
    event = ledger.decide([8, 2, 5], "relabel", label=["good", "so-so", "bad"], annotator="ann")
    assert event.label is None and event.rows.tolist() == [2, 5, 8]
    expected = {2: "so-so", 5: "bad", 8: "good"}
    assert {row: holds(other, row)[1] for row in expected} == expected
    assert {row: other.history(row)[0].label for row in expected} == expected
    assert other.votes().set_index("row")["label"].to_dict() == expected
    same = ledger.decide([1, 3], "relabel", label=["good", "good"], annotator="ann")
    assert same.label == "good" and same.labels is None
    ledger.undo("ann")
    with pytest.raises(DecidedMeanwhile, match="ann chose the label bad at"):
        other.decide([5], "keep", annotator="bob", expected=0)
    ledger.set_rules(ReviewRules(overlap=2), annotator="ann")
    other.decide([2, 5, 8], "relabel", label=["so-so", "bad", "bad"], annotator="bob")
    assert ledger.conflicts().tolist() == [8]
    assert ledger.agreement().raw.value == pytest.approx(2 / 3)  # type: ignore[union-attr]
    assert [event.label for event in ledger.standing(8)] == ["good", "bad"]
    queue = ReviewQueue(ledger, np.arange(ROWS), "ann")
    item = queue.show(5)
    assert item is not None and item.decided is not None and item.decided.label == "bad"
    other.undo("bob")
    undone = ledger.undo("ann")
    assert undone is not None and undone.undoes == event.id
    assert [holds(other, row)[0] for row in expected] == ["undecided"] * 3


def test_of_many_at_once_exactly_one_decides_first(open_ledger: Open) -> None:
    ledger = open_ledger()
    gate = threading.Barrier(6)

    def decide(number: int) -> str:
        gate.wait()
        try:
            ledger.decide([9], "keep", annotator=f"p{number}", expected=0)
        except DecidedMeanwhile:
            return "late"
        return "first"

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(decide, range(6))) == ["first"] + ["late"] * 5
    assert len(ledger.history(9)) == 1


@pytest.mark.parametrize("overlap", [1, 2])
def test_nobody_is_handed_what_another_has(open_ledger: Open, overlap: int) -> None:
    people = ["ann", "bob", "eve"]
    order = np.random.default_rng(1).permutation(12)
    open_ledger().set_rules(ReviewRules(overlap=overlap, audit_share=0.3), annotator="lea")
    queues = {name: ReviewQueue(open_ledger(), order, name) for name in people}
    given: dict[int, list[str]] = {}
    shown: dict[str, int] = {}
    for turn in range(60 * overlap):
        name = people[turn % 3]
        item = queues[name].current
        if item is None:
            continue
        if turn % 11 == 5:
            queues[name].forward()  # passed over: comes again
            continue
        shown[name] = item.row
        before = {person: row for person, row in shown.items() if person != name}
        assert list(before.values()).count(item.row) < overlap
        assert name not in given.get(item.row, [])
        assert item.position == 1 + order.tolist().index(item.row)
        queues[name].decide("keep" if turn % 4 else "exclude")
        given.setdefault(item.row, []).append(name)
    assert sorted(given) == list(range(12))
    assert {len(names) for names in given.values()} == {overlap}
    assert all(queue.current is None and queue.progress().open == 0 for queue in queues.values())
    audits = [event for event in open_ledger().events() if (event.seen or {}).get("audit")]
    assert 0 < len(audits) < 12 * overlap


def test_claims_end_and_going_back_shows_the_own_decision(open_ledger: Open) -> None:
    ledger = open_ledger()
    ann, bob = (ReviewQueue(ledger, np.arange(ROWS), name, lease_seconds=300) for name in ("ann", "bob"))
    assert ann.current is not None and ann.current.row == 0 and ann.coming() == [1, 2, 3]
    assert bob.current is not None and bob.current.row == 6, "ann has claimed the first six"
    ann.decide("exclude", seen={"witnesses": ["aum"]})
    back = ann.back()
    assert back is not None and back.decided is not None and back.decided.action == "exclude"
    assert back.decided.seen == {"witnesses": ["aum"], "place": 1, "audit": False}
    bob.show(0)
    bob.decide("keep")
    with pytest.raises(DecidedMeanwhile, match="bob"):
        ann.decide("unsure")
    assert ann.current is not None and ann.current.row == 0, "what could not be saved stays on screen"
    assert ann.undo() is not None and ann.current.row == 0 and ann.current.decided is None
    ann.release()
    bob.release()
    again = ReviewQueue(ledger, np.arange(ROWS), "eve", lease_seconds=300)
    assert again.current is not None and again.current.row == 1
    with pytest.raises(BadInputError, match="not in this queue"):
        again.show(ROWS)


def test_a_ledger_travels_as_json_lines(open_ledger: Open, tmp_path: Path) -> None:
    ledger = open_ledger()
    ledger.decide([1, 4, 7], "exclude", annotator="ann", note="spam\n\u202e<b>", seen={"el2n": 1.2})
    ledger.decide([1], "relabel", label="good", annotator="bob")
    ledger.undo("ann")
    ledger.set_rules(ReviewRules(overlap=2, blind=True), annotator="lea")
    ledger.adjudicate(1, "keep", annotator="lea")
    ledger.decide([9, 0], "relabel", label=["bad", "so-so"], annotator="bob")
    files = Files(str(tmp_path))
    examples = ExampleRows(files, ledger.manifest)
    written = io.StringIO()
    assert write_events(written, ledger.events(rules=True)[::-1], ledger.records, examples, ledger.manifest) == 6
    assert json.loads(written.getvalue().splitlines()[5])["labels"] == ["so-so", "bad"]

    elsewhere = Ledger(open_database(load_settings(home=str(tmp_path / "other"))), ledger.manifest)
    elsewhere.decide([1], "unsure", annotator="eve")  # later than all of the file
    for added in (6, 0):
        written.seek(0)
        count = read_events(written, elsewhere.records, examples, ledger.manifest)
        assert (count.added, count.known) == (added, 6 - added)
    assert elsewhere.rules() == ReviewRules(overlap=2, blind=True)
    original = ledger.events(rules=True)
    copies = [event for event in elsewhere.events(rules=True) if event.annotator != "eve"]
    plain = [
        [
            replace(event, id=0, undoes=None, rows=tuple(event.rows.tolist()), labels=str(event.labels))
            for event in events
        ]
        for events in (original, copies)
    ]
    assert plain[0] == plain[1], "who, when and what are kept"
    assert holds(elsewhere, 1) == ("keep", None, False, True)
    assert [holds(elsewhere, row)[1] for row in (0, 9)] == ["so-so", "bad"]
    assert elsewhere.standing(1)[-1].annotator == "lea"
    elsewhere.undo("lea")
    assert holds(elsewhere, 1) == ("undecided", None, True, False)

    lines = written.getvalue().splitlines()
    for bad, words in [
        ("{", "Line 2 is not JSON"),
        (json.dumps({"uid": "x"}), "Line 2 lacks at"),
        (lines[1].replace('"good"', '"great"'), "Line 2: The dataset has no class 'great'"),
        (lines[1].replace('"good"', "5"), "Line 2: the label 5"),
        (lines[5].replace('"bad"', '"great"'), "Line 2: The dataset has no class 'great'"),
        (lines[5].replace(', "bad"', ""), "Line 2: 2 different rows of 2 were given 1 labels"),
        (lines[0].replace("e00004", "nobody"), "Line 2: the dataset has no example 'nobody'"),
        (lines[2].replace(json.loads(lines[2])["undoes"], "0" * 32), "Line 2 takes back an event"),
        (lines[1].replace(json.loads(lines[1])["at"][:4], "2999"), "Line 2: 2999.* in the future"),
    ]:
        position = elsewhere.position()
        fresh = json.dumps({**json.loads(lines[1]), "uid": "fresh"})
        changed = bad if bad == "{" else json.dumps({**json.loads(bad), "uid": "other"})
        with pytest.raises(BadInputError, match=words):
            read_events(io.StringIO(f"{fresh}\n{changed}\n"), elsewhere.records, examples, ledger.manifest)
        assert elsewhere.position() == position, "all of a file or nothing"


def test_events_by_annotator_and_time(open_ledger: Open) -> None:
    ledger = open_ledger()
    made = [ledger.decide([n], "keep", annotator="ann" if n % 2 else "bob") for n in range(6)]
    assert [event.id for event in ledger.events("ann")] == [
        event.id for event in made[::-1] if event.annotator == "ann"
    ]
    middle = made[3].at
    assert [event.id for event in ledger.events(since=middle)] == [made[n].id for n in (5, 4, 3)]
    zone = middle.astimezone(tz=datetime.now(UTC).astimezone().tzinfo)
    assert [event.id for event in ledger.events(until=zone, limit=2)] == [made[2].id, made[1].id]
    assert ledger.events(since=datetime.now(UTC) + timedelta(days=1)) == []
    assert ledger.annotators() == ["ann", "bob"]


def test_roles_are_checked_below_the_pages(tmp_path: Path) -> None:
    settings = load_settings(home=str(tmp_path), leads=" Lea@x.org ,", annotators="ann@x.org")
    roles = {name: signed_in(name, settings).role for name in ("lea@X.org", "ann@x.org", "eve@x.org")}
    assert list(roles.values()) == ["lead", "annotator", "viewer"]
    manifest = write_dataset(Files(str(tmp_path)), ["a", "b"], [0, 1], CLASSES)
    workspace = Workspace(tmp_path)
    eve, ann, lea = (workspace.acting_as(signed_in(name, settings)) for name in ("eve@x.org", "ann@x.org", "lea@x.org"))
    dataset = eve.dataset(manifest.id)
    for forbidden in (
        lambda: dataset.decide([0], "keep", annotator="ann@x.org"),
        lambda: dataset.undo("ann@x.org"),
        lambda: dataset.queue(np.arange(2), Identity("me", "lead")),
        lambda: ann.dataset(manifest.id).ledger.adjudicate(0, "keep", annotator="lea@x.org"),
        lambda: ann.dataset(manifest.id).ledger.set_rules(ReviewRules(), annotator="lea@x.org"),
        lambda: ann.dataset(manifest.id).export_decisions(io.StringIO()),
        lambda: ann.dataset(manifest.id).import_decisions(io.StringIO()),
        lambda: ann.score(manifest.id),
        lambda: ann.import_sample(),
    ):
        with pytest.raises(PermissionDeniedError, match="may not") as caught:
            forbidden()
        assert "DIET_EXPLORER_" in caught.value.remedy
    assert workspace.dataset(manifest.id).ledger.position() == 0
    event = ann.dataset(manifest.id).decide([0], "keep", annotator="lea@x.org")
    assert event.annotator == "ann@x.org", "nobody decides in another's name"
    lea.dataset(manifest.id).ledger.adjudicate(0, "exclude", annotator="x")
    assert workspace.dataset(manifest.id).export_decisions(tmp_path / "ledger.jsonl") == 2


def test_a_full_or_read_only_disk_is_reported_at_once(tmp_path: Path) -> None:
    manifest = write_dataset(Files(str(tmp_path)), ["a"] * 9, [0] * 9, ["x"])
    engine = open_database(load_settings(home=str(tmp_path)))
    ledger = Ledger(engine, manifest)
    ledger.decide([0], "keep", annotator="ann")
    with engine.connect() as connection:  # the pool hands the same connection out again
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    stored = 1
    with pytest.raises(WorkspaceError, match="full") as caught:
        for number in range(2000):
            ledger.decide([1], "keep", annotator="ann", note="x" * 200)
            stored = number + 2
    assert "Free some space" in caught.value.remedy
    assert len(Ledger(open_database(load_settings(home=str(tmp_path))), manifest).events()) == stored
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1000000")
        connection.exec_driver_sql("PRAGMA query_only = ON")
    with pytest.raises(WorkspaceError, match="readonly") as caught:
        ledger.decide([2], "keep", annotator="ann")
    assert "read-only" in caught.value.remedy
