"""Progress of a review against a slow count by hand: who did how much, how quickly, and what is left."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import create_engine

from diet_explorer.analysis.filters import ExampleFilter
from diet_explorer.data.manifest import DatasetManifest
from diet_explorer.review.decisions import Ledger
from diet_explorer.review.rules import ReviewRules
from diet_explorer.store.decisions import DecisionEvent
from diet_explorer.store.files import Files
from diet_explorer.store.tables import Base
from diet_explorer.workspace.run import Run
from diet_explorer.workspace.workspace import Workspace
from tests.rich_workspace import finished
from tests.synthetic import write_dataset
from tests.tiny_runs import save_sentences

ROWS, CLASSES = 8, ["bad", "good"]
BEGIN = datetime(2026, 1, 31, 12, tzinfo=UTC)
PEOPLE = ["ann", "bob", "cem"]
ACTIONS = ["keep", "exclude", "relabel", "undecided", "flag", "note"]


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> DatasetManifest:
    files = Files(str(tmp_path_factory.mktemp("progress")))
    return write_dataset(files, [f"text {n}" for n in range(ROWS)], [n % 2 for n in range(ROWS)], CLASSES)


def events_at(manifest: DatasetManifest, steps: list[tuple[int, str, list[int], str]]) -> Ledger:
    """A ledger with decisions so many seconds after each other: ``seconds, who, rows, action``; no rows undo the last
    decision of theirs."""
    engine = create_engine("sqlite://")
    Base.metadata.create_all(engine)
    ledger, at = Ledger(engine, manifest), BEGIN
    standing: dict[str, list[str]] = {}
    copies: list[tuple[DecisionEvent, str | None]] = []
    for seconds, who, rows, action in steps:
        at += timedelta(seconds=seconds)
        undoes = None
        if not rows:
            if not standing.get(who):
                continue
            undoes, action = standing[who].pop(), "undo"
        about = np.array(rows or next(e.rows for e, _ in copies if e.uid == undoes), np.int32)
        event = DecisionEvent(
            id=0,
            dataset_id=manifest.id,
            at=at,
            annotator=who,
            action=action,
            rows=about,
            label="good" if action == "relabel" else None,
            note="why" if action == "note" else None,
        )
        if undoes is None:
            standing.setdefault(who, []).append(event.uid)
        copies.append((event, undoes))
    ledger.records.add_copies(copies)
    return ledger


def by_hand(ledger: Ledger, rows: list[int], now: datetime) -> dict[str, dict[str, Any]]:
    """The same from the list of events alone."""
    events = ledger.events()[::-1]
    undone = {event.undoes for event in events}
    votes: dict[tuple[int, str], tuple[str, str | None]] = {}
    for event in events:
        if event.id not in undone and event.action in ACTIONS[:4]:
            for row in event.rows.tolist():
                votes[row, event.annotator] = (event.action, event.label)
    votes = {key: vote for key, vote in votes.items() if vote[0] != "undecided" and key[0] in rows}
    facts: dict[str, dict[str, Any]] = {}
    for who in PEOPLE:
        own = [event for event in events if event.annotator == who]
        seconds, counted, decisions, today = 0.0, 0, 0, 0
        for number, event in enumerate(own):
            gap = (event.at - own[number - 1].at).total_seconds() if number else None
            close = gap is not None and gap <= 300 and len(event.rows) == 1
            seconds += gap if close and gap is not None else 0
            if event.action in ACTIONS[:4] and len(event.rows) == 1 and event.id not in undone:
                decisions += 1
                counted += close
                today += event.at.astimezone().date() == now.astimezone().date()
        mine = {row: vote for (row, name), vote in votes.items() if name == who}
        others = [vote == mine[row] for (row, name), vote in votes.items() if name != who and row in mine]
        if decisions or mine:
            facts[who] = {
                "examples": len(mine),
                "decisions": decisions,
                "today": today,
                "hours": seconds / 3600,
                "per_hour": 3600 * counted / seconds if counted and seconds else None,
                "agreement": sum(others) / len(others) if others else None,
            }
    return facts


STEPS = st.lists(
    st.tuples(
        st.sampled_from([1, 30, 300, 301, 20_000]),
        st.sampled_from(PEOPLE),
        st.lists(st.integers(0, ROWS - 1), unique=True, max_size=3).map(sorted),
        st.sampled_from(ACTIONS),
    ),
    max_size=25,
)


@given(steps=STEPS, rows=st.sets(st.integers(0, ROWS - 1)), overlap=st.integers(1, 3))
@example(steps=[(1, "ann", [0], "keep"), (1, "bob", [0], "undecided")], rows={0}, overlap=1)
def test_progress_is_what_a_count_by_hand_says(
    manifest: DatasetManifest, steps: list[Any], rows: set[int], overlap: int
) -> None:
    ledger, queue = events_at(manifest, steps), sorted(rows)
    if overlap > 1:
        ledger.set_rules(ReviewRules(overlap=overlap), annotator="lea")
    now = max((event.at for event in ledger.events()), default=BEGIN)
    progress, expected = ledger.progress(np.array(queue, np.int32), now), by_hand(ledger, queue, now)
    assert {person.annotator for person in progress.people} == set(expected)
    for person in progress.people:
        told = {name: getattr(person, name) for name in expected[person.annotator]}
        assert told == pytest.approx(expected[person.annotator]), person.annotator
        assert ledger.pace(person.annotator, now).today == person.today
    given = sum(facts["examples"] for facts in expected.values())
    assert (progress.examples, progress.given) == (len(queue), given)
    assert sum(person.share for person in progress.people) == pytest.approx(1 if given else 0)
    votes, held = ledger.votes(), ledger.table().to_pandas()
    opinions = [int((votes["row"] == row).sum()) for row in queue]
    if overlap == 1:  # the latest decision holds, also one that takes back another's
        opinions = [int(row in set(held["row"][held["state"] != "undecided"])) for row in queue]
    assert progress.left == sum(max(overlap - count, 0) for count in opinions)


def test_who_is_behind_and_how_long_it_takes(manifest: DatasetManifest) -> None:
    steps = [(60, "ann", [row], "keep") for row in range(5)] + [(3600, "bob", [5], "keep")]
    ledger = events_at(manifest, steps)
    progress = ledger.progress(np.arange(ROWS), ledger.events()[0].at)
    assert [(person.annotator, person.examples, person.behind) for person in progress.people] == [
        ("bob", 1, 2),
        ("ann", 5, 0),
    ]
    assert (progress.decided, progress.left, progress.per_hour) == (6, 2, 60)
    assert progress.hours_left == pytest.approx(2 / 60) and progress.days_left == pytest.approx(2 / progress.per_day)
    assert progress.frame()["annotator"].tolist() == ["bob", "ann"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("progress-run")
    workspace = Workspace(folder / "home")
    dataset = workspace.import_dataset(save_sentences(folder / "s.csv"), text="sentence", label="mood", id="key")
    return finished(workspace, dataset.id, "a run")


def test_progress_of_a_run_s_queue_and_of_a_dataset(run: Run) -> None:
    run.dataset.decide([3], "keep", annotator="ann")
    whole = run.dataset.progress()
    assert whole.decided == 1 and whole == run.review.progress()
    ids = tuple(run.dataset.ids_of(np.array([2, 3])))
    few = run.review.progress(where=ExampleFilter(ids=ids, splits=()))
    assert (few.examples, few.decided, few.left) == (2, 1, 1)
