"""A decision that is sent again with its uid is one event: library, command line, two processes at the same moment."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
from sqlalchemy import event

from diet_explorer.analysis.filters import ExampleFilter
from diet_explorer.cli import main
from diet_explorer.config import Settings
from diet_explorer.errors import BadInputError
from diet_explorer.review.decisions import DecidedMeanwhile, Ledger
from diet_explorer.review.queue import ReviewQueue
from diet_explorer.review.rules import ReviewRules
from diet_explorer.training.config import RunConfig
from diet_explorer.workspace.workspace import Workspace
from tests.review.conftest import ROWS
from tests.synthetic import write_scores

Open = Callable[[], Ledger]


def test_sent_again_it_is_the_event_that_is_there(open_ledger: Open) -> None:
    ledger, other = open_ledger(), open_ledger()
    first = ledger.decide([3, 1], "relabel", label=["good", "bad"], annotator="ann", note="why", uid="one")
    again = other.decide([1, 3], "relabel", label=["bad", "good"], annotator=" ann ", uid=" one ")
    assert (again.id, again.at, again.note, again.uid) == (first.id, first.at, "why", "one")
    settled = ledger.adjudicate(2, "keep", annotator="lea", uid="two")
    assert other.adjudicate(2, "keep", annotator="lea", uid="two").id == settled.id
    assert ledger.decide([2], "flag", annotator="ann", uid="three").id == ledger.position()
    ledger.decide([2], "flag", annotator="ann", uid="three")
    assert ledger.position() == other.position() and len(ledger.events()) == 3
    fresh = {ledger.decide([4], "keep", annotator="ann").uid for _ in range(3)}
    assert len(fresh) == 3 and len(ledger.history(4)) == 3, "without a uid every call is a decision of its own"


def test_what_came_after_it_is_no_collision_with_its_being_sent_again(open_ledger: Open) -> None:
    ledger = open_ledger()
    mine = ledger.decide([5], "keep", annotator="ann", expected=0, uid="mine")
    ledger.decide([5], "exclude", annotator="bob")
    assert ledger.decide([5], "keep", annotator="ann", expected=0, uid="mine").id == mine.id
    with pytest.raises(DecidedMeanwhile, match="bob"):
        ledger.decide([5], "keep", annotator="ann", expected=0, uid="another")
    both = ledger.decide([5], "keep", annotator="ann", expected=ledger.last_event(5), uid="another")
    assert ledger.decide([5], "keep", annotator="ann", expected=both.id, uid="another").id == both.id
    ledger.set_rules(ReviewRules(overlap=2), annotator="lea")
    assert ledger.decide([5], "keep", annotator="ann", expected=0, uid="another").id == both.id
    assert len(ledger.history(5)) == 3


def test_an_undo_that_is_sent_again_takes_back_nothing_more(open_ledger: Open) -> None:
    ledger, other = open_ledger(), open_ledger()
    for row in (1, 2):
        ledger.decide([row], "keep", annotator="ann")
    undone = ledger.undo("ann", uid="back")
    assert undone is not None
    repeated = other.undo("ann", uid="back")
    assert repeated is not None and (repeated.id, repeated.undoes) == (undone.id, undone.undoes)
    assert ledger.counts()["keep"] == 1
    last = ledger.undo("ann", uid="back again")
    assert last is not None and ledger.undo("ann") is None
    repeated = ledger.undo("ann", uid="back again")
    assert repeated is not None and repeated.id == last.id, "also where nothing is left to be taken back"
    with pytest.raises(BadInputError, match="another decision"):
        ledger.undo("bob", uid="back")


def test_one_uid_for_two_decisions_is_refused(open_ledger: Open) -> None:
    ledger = open_ledger()
    ledger.decide([1, 2], "relabel", label="good", annotator="ann", uid="one")
    position = ledger.position()
    for rows, action, annotator, label in (
        ([1], "relabel", "ann", "good"),
        ([1, 2, 3], "relabel", "ann", "good"),
        ([1, 2], "exclude", "ann", None),
        ([1, 2], "relabel", "ann", "bad"),
        ([1, 2], "relabel", "ann", ["good", "bad"]),
        ([1, 2], "relabel", "bob", "good"),
    ):
        with pytest.raises(
            BadInputError, match="The uid 'one' is that of another decision: “relabel” by ann"
        ) as caught:
            ledger.decide(rows, action, annotator=annotator, label=label, uid="one")
        assert "a uid of its own" in caught.value.remedy
    with pytest.raises(BadInputError, match="another decision"):
        ledger.adjudicate(1, "relabel", annotator="ann", label="good", uid="one")
    with pytest.raises(BadInputError, match="another decision"):
        ledger.undo("ann", uid="one")
    for unusable in ("", "  ", "x" * 65):
        with pytest.raises(BadInputError, match="cannot be used"):
            ledger.decide([1], "keep", annotator="ann", uid=unusable)
    assert ledger.position() == position and ledger.counts()["relabel"] == 2


def test_a_decision_is_one_statement(open_ledger: Open) -> None:
    ledger, statements = open_ledger(), []
    event.listen(ledger.engine, "before_cursor_execute", lambda _c, _k, sql, *_: statements.append(sql))
    ledger.decide([1], "keep", annotator="ann", uid="one")
    assert [sql.split()[0] for sql in statements if "decisions" in sql] == ["INSERT"]


def test_a_queue_goes_on_from_what_is_sent_again(open_ledger: Open) -> None:
    queue = ReviewQueue(open_ledger(), np.arange(ROWS), "ann")
    first = queue.current
    assert first is not None
    stored = queue.decide("keep", expected=first.expected, uid="one")
    queue.back()
    assert queue.decide("keep", expected=first.expected, uid="one").id == stored.id
    assert queue.current is not None and queue.current.row == 1
    taken_back = queue.undo(uid="two")
    assert taken_back is not None and queue.current.row == 0
    repeated = queue.undo(uid="two")
    assert repeated is not None and repeated.id == taken_back.id


_SENDER = """
import sys
from diet_explorer.config import load_settings
from diet_explorer.data.manifest import DatasetManifest
from diet_explorer.review.decisions import Ledger
from diet_explorer.store.database import open_database
from diet_explorer.store.files import Files
home, address = sys.argv[1:]
settings = load_settings(home=home, database_url=address or None)
ledger = Ledger(open_database(settings), DatasetManifest.load(Files(home), "made-up"))
print("ready", flush=True)
for line in sys.stdin:  # a round: the same decision from both processes at the same moment
    number = int(line)
    if number % 3 == 2:
        event = ledger.undo("ann", uid=f"u{number}")
    else:
        expected = 0 if number % 2 else None
        event = ledger.decide([number], "keep", annotator="ann", uid=f"u{number}", expected=expected)
    print(event.id, flush=True)
"""


def test_two_processes_send_it_at_the_same_moment(settings: Settings, open_ledger: Open) -> None:
    ledger = open_ledger()
    command = [sys.executable, "-c", _SENDER, settings.home, settings.database_url or ""]
    senders = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) for _ in range(2)
    ]
    try:
        assert [sender.stdout.readline() for sender in senders] == ["ready\n"] * 2  # type: ignore[union-attr]
        for number in range(ROWS):
            for sender in senders:
                sender.stdin.write(f"{number}\n")  # type: ignore[union-attr]
            first, second = (sender.stdout.readline() for sender in senders)  # type: ignore[union-attr]
            assert first == second != ""
    finally:
        for sender in senders:
            sender.communicate(timeout=60)
    events = ledger.events()
    assert len(events) == ROWS and len({stored.uid for stored in events}) == ROWS


@pytest.fixture
def scored(settings: Settings, open_ledger: Open) -> Workspace:
    """A workspace with one scored run; the models believe in the first class wherever the label is another one."""
    manifest = open_ledger().manifest
    workspace = Workspace(settings.home, database_url=settings.database_url)
    config = RunConfig(dataset_id=manifest.id, epochs=2, seeds=1, checkpoints=(1.0, 2.0))
    run = workspace.create_run(config, name="a run", origin="job")
    for checkpoint in (1.0, 2.0):
        write_scores(workspace.context.files, manifest, run.id, 0, checkpoint, np.tile([4.0, 0.0, 0.0], (ROWS, 1)))
    return workspace


def test_a_filter_by_decisions_may_be_sent_again(scored: Workspace) -> None:
    run = scored.runs()[0]
    undecided = ExampleFilter(decided=("undecided",))
    event = run.review.decide(undecided, "keep", annotator="ann", uid="all")
    assert len(event.rows) == ROWS
    assert run.review.decide(undecided, "keep", annotator="ann", uid="all").id == event.id
    with pytest.raises(BadInputError):
        run.review.decide(undecided, "exclude", annotator="ann", uid="all")
    run.dataset.undo("ann")
    accepted = run.review.accept_suggestions(undecided, annotator="ann", uid="accepted")
    assert run.review.accept_suggestions(undecided, annotator="ann", uid="accepted").id == accepted.id
    with pytest.raises(BadInputError, match="another decision"):
        run.review.accept_suggestions(ExampleFilter(), annotator="ann", uid="all")
    assert len(run.dataset.ledger.events()) == 3


def test_the_command_may_be_repeated(
    scored: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset = scored.datasets()[0]
    ids = dataset.ids_of(np.array([2, 4]))
    monkeypatch.setenv("DIET_EXPLORER_HOME", scored.settings.home)
    if scored.settings.database_url:
        monkeypatch.setenv("DIET_EXPLORER_DATABASE_URL", scored.settings.database_url)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["diet-explorer", *arguments, "--annotator", "ann", "--json"])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0), *capsys.readouterr()

    decide = ("decide", dataset.id, *ids, "--uid", "mine", "--action")
    first, again = (json.loads(run(*decide, "exclude")[1]) for _ in range(2))
    assert first == again and first["uid"] == "mine"
    status, printed, error = run(*decide, "keep")
    assert (status, printed) == (2, "") and "The uid 'mine' is that of another decision" in error
    settle = ("decide", dataset.id, ids[0], "--adjudicate", "--action", "keep", "--uid", "settled")
    undo = ("undo", dataset.id, "--uid", "back")
    for command in (settle, undo):
        first, again = (json.loads(run(*command)[1]) for _ in range(2))
        assert first["id"] == again["id"]
    assert len(dataset.ledger.events()) == 3
