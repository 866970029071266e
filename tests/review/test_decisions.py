"""The ledger: what holds now against a replay by hand, whatever was decided and undone, also by several at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine

from diet_explorer.config import load_settings
from diet_explorer.data.manifest import DatasetManifest
from diet_explorer.errors import BadInputError
from diet_explorer.review.decisions import ACTIONS, Ledger
from diet_explorer.store.database import open_database
from diet_explorer.store.decisions import NOTE
from diet_explorer.store.files import Files
from diet_explorer.store.tables import Base
from tests.synthetic import write_dataset

ROWS = 12
CLASSES = ["bad", "good", "so-so"]


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> DatasetManifest:
    files = Files(str(tmp_path_factory.mktemp("ledger")))
    return write_dataset(files, [f"text {n}" for n in range(ROWS)], [n % 3 for n in range(ROWS)], CLASSES)


def new_ledger(manifest: DatasetManifest) -> Ledger:
    engine = create_engine("sqlite://")
    Base.metadata.create_all(engine)
    return Ledger(engine, manifest)


decisions = st.tuples(
    st.just("decide"),
    st.sampled_from(["ann", "bob"]),
    st.sets(st.integers(0, ROWS - 1), min_size=1),
    st.sampled_from(ACTIONS),
    st.sampled_from([*CLASSES, "one each"]),
)
steps = st.lists(st.one_of(decisions, st.tuples(st.just("undo"), st.sampled_from(["ann", "bob"]))), max_size=14)


@given(steps=steps, looks=st.sets(st.integers(0, 13)))
def test_what_holds_is_the_latest_that_was_not_undone(manifest: DatasetManifest, steps: list, looks: set[int]) -> None:
    ledger, by_hand = new_ledger(manifest), []
    for number, step in enumerate(steps):
        if step[0] == "undo":
            mine = [position for position, event in enumerate(by_hand) if event[0] == step[1]]
            undone = ledger.undo(step[1])
            assert (undone is None) == (not mine)
            if mine:
                latest = by_hand.pop(mine[-1])
                assert undone is not None and set(undone.rows.tolist()) == latest[1]
        else:
            _, annotator, rows, action, label = step
            labels = {row: CLASSES[(row + number) % 3] if label == "one each" else label for row in rows}
            given = list(labels.values()) if label == "one each" else label
            note = f"Why  {number}" if action == NOTE or number % 3 == 0 else None
            label_given = given if action == "relabel" else None
            ledger.decide(labels, action, annotator=annotator, label=label_given, note=note)
            by_hand.append((annotator, rows, action, labels if action == "relabel" else {}, note))
        if number in looks:
            ledger.table()  # so that a later look goes on from here

    expected = {}
    for _, rows, action, labels, _ in by_hand:
        for row in rows if action != NOTE else ():
            state, new, flag = expected.get(row, ("undecided", None, False))
            if action in ("flag", "unflag"):
                expected[row] = (state, new, action == "flag")
            else:
                expected[row] = (action, labels.get(row), flag)
    held = {e["row"]: (e["state"], e["label"], e["flagged"]) for e in ledger.table().to_pylist()}
    assert held == expected
    for text in ("", "why 3", " WHY\n1"):
        wanted = [
            event
            for event in by_hand
            if event[4] and " ".join(text.casefold().split()) in event[4].casefold().replace("  ", " ")
        ]
        assert [event.note for event in ledger.notes(text)[::-1]] == [event[4] for event in wanted]
        noted = set().union(*(event[1] for event in wanted))
        assert set(ledger.noted(text).tolist()) == noted
        assert set(ledger.noted(text, np.arange(0, ROWS, 2)).tolist()) == {row for row in noted if row % 2 == 0}
    assert sum(ledger.counts().values()) == ROWS
    assert ledger.position() == len([step for step in steps if step[0] == "decide"]) + len(
        [event for event in ledger.events(limit=100) if event.action == "undo"]
    )


def test_nothing_is_overwritten_and_the_history_keeps_all(manifest: DatasetManifest) -> None:
    ledger = new_ledger(manifest)
    ledger.decide([3], "exclude", annotator="ann", note="spam", seen={"score": "el2n", "value": 1.2})
    ledger.decide(range(ROWS), "keep", annotator="bob")
    ledger.decide([3], "relabel", annotator=" ann ", label="good")
    ledger.undo("ann")
    ledger.undo("bob")
    history = ledger.history(3)
    assert [(event.annotator, event.action) for event in history] == [
        ("ann", "exclude"),
        ("bob", "keep"),
        ("ann", "relabel"),
        ("ann", "undo"),
        ("bob", "undo"),
    ]
    assert history[0].note == "spam" and history[0].seen == {"score": "el2n", "value": 1.2}
    assert [event.action for event in ledger.events(limit=2)] == ["undo", "undo"]
    assert len(ledger.history(5)) == 2
    assert ledger.table().to_pylist() == [
        {"row": 3, "state": "exclude", "label": None, "flagged": False, "conflict": False, "adjudicated": False}
    ]


def test_a_mask_says_which_rows_are_meant(manifest: DatasetManifest) -> None:
    mask = [row in (2, 5) for row in range(manifest.rows)]
    assert new_ledger(manifest).decide(mask, "exclude", annotator="ann").rows.tolist() == [2, 5]


@pytest.mark.parametrize(
    ("rows", "action", "label", "names"),
    [
        ([1], "delete", None, "delete"),
        ([1], "relabel", None, "label"),
        ([1], "keep", "good", "keep"),
        ([1], "relabel", "great", "great"),
        ([1, 2], "relabel", ["good", "great"], "great"),
        ([1, 2, 3], "relabel", ["good", "bad"], "3 different rows of 3 were given 2"),
        ([1, 2, 2], "relabel", ["good", "bad", "good"], "2 different rows of 3 were given 3"),
        ([], "keep", None, "No example"),
        ([ROWS], "keep", None, str(ROWS)),
        ([-1, 2], "keep", None, "-1"),
        ([1.7], "exclude", None, "1.7"),
        (["k1"], "exclude", None, "k1"),
        ([False, True], "exclude", None, "mask of 2"),
    ],
)
def test_bad_decisions_are_refused_in_words(
    manifest: DatasetManifest, rows: list[Any], action: str, label: str | list[str] | None, names: str
) -> None:
    ledger = new_ledger(manifest)
    with pytest.raises(BadInputError, match=names):
        ledger.decide(rows, action, annotator="ann", label=label)
    with pytest.raises(BadInputError, match="name"):
        ledger.decide([1], "keep", annotator="  ")
    assert ledger.position() == 0


_WRITER = """
import sys
from diet_explorer.config import load_settings
from diet_explorer.data.manifest import DatasetManifest
from diet_explorer.review.decisions import Ledger
from diet_explorer.store.database import open_database
from diet_explorer.store.files import Files
home, who = sys.argv[1:]
ledger = Ledger(open_database(load_settings(home=home)), DatasetManifest.load(Files(home), "made-up"))
for number in range(40):
    print(ledger.decide([number % 12], "keep" if number % 2 else "unsure", annotator=who).id, flush=True)
"""


def test_several_processes_write_at_once_and_one_is_killed(tmp_path: Path) -> None:
    manifest = write_dataset(Files(str(tmp_path)), ["a"] * ROWS, [0] * ROWS, ["x"])
    command = [sys.executable, "-c", _WRITER, str(tmp_path)]
    writers = [
        subprocess.Popen([*command, who], stdout=subprocess.PIPE, text=True, bufsize=1) for who in ("ann", "bob")
    ]
    doomed = writers[1]
    assert doomed.stdout is not None
    acknowledged = [doomed.stdout.readline() for _ in range(10)]
    doomed.kill()
    acknowledged += doomed.stdout.readlines()
    doomed.wait()
    output, _ = writers[0].communicate(timeout=120)
    assert writers[0].returncode == 0
    ledger = Ledger(open_database(load_settings(home=str(tmp_path))), manifest)
    stored = {event.id for event in ledger.events(limit=1000)}
    assert {int(line) for line in [*acknowledged, *output.splitlines()] if line.strip()} <= stored
    assert len(ledger.events("ann", limit=1000)) == 40
    assert ledger.table().num_rows == ROWS
