"""Guidelines: versions that a lead writes, which of them each decision was taken by, and what is new in them."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diet_explorer.errors import BadInputError, PermissionDeniedError
from diet_explorer.pruning.export.card import merged_card
from diet_explorer.pruning.export.card_text import CardProof
from diet_explorer.pruning.policies import Policy
from diet_explorer.review.annotators import Identity
from diet_explorer.review.decisions import Ledger
from diet_explorer.review.guidelines import GuidelinesChangedMeanwhile, changes
from diet_explorer.workspace.workspace import Workspace
from tests.rich_workspace import finished
from tests.tiny_runs import inside, save_sentences


def seen(ledger: Ledger) -> list[str | None]:
    """Versions of the guidelines that decisions name, oldest first."""
    numbers = {version.uid: str(version.version) for version in ledger.guideline_versions()}
    events = [event for event in ledger.events()[::-1] if event.action != "undo"]
    return [numbers.get((event.seen or {}).get("guidelines")) for event in events]


def test_each_decision_names_the_version_that_was_at_hand(open_ledger: Callable[[], Ledger]) -> None:
    ledger = open_ledger()
    ledger.decide([0], "keep", annotator="ann", seen={"score": "el2n"})
    assert ledger.guidelines() is None and ledger.events()[0].seen == {"score": "el2n"}
    first = ledger.set_guidelines("  what is *meant* counts\n", annotator="lea")
    ledger.decide([1], "keep", annotator="ann")
    second = ledger.set_guidelines("what is *said* counts", annotator="lea")
    ledger.decide([2, 3], "exclude", annotator="bob", seen={"guidelines": first.uid})
    ledger.adjudicate(4, "keep", annotator="lea")
    ledger.note([5], "why", annotator="ann")
    assert (first.version, first.text, second.version, second.by) == (1, "what is *meant* counts", 2, "lea")
    again = open_ledger()
    assert again.guidelines() == second and again.guideline_versions() == [first, second]
    assert seen(again) == [None, "1", "1", "2", "2"]
    assert len(again.events(rules=True)) == 7 and len(again.events()) == 5
    again.undo("lea")
    assert again.guidelines() == second, "an undo takes back decisions, and no guidelines"


def test_what_is_new_is_told_until_the_next_decision(open_ledger: Callable[[], Ledger]) -> None:
    ledger = open_ledger()
    first = ledger.set_guidelines("one", annotator="lea")
    assert ledger.guideline_news("ann") is None, "who has not decided yet reads all of it"
    ledger.decide([0], "keep", annotator="ann")
    assert ledger.guideline_news("ann") is None
    second = ledger.set_guidelines("two", annotator="lea")
    news = ledger.guideline_news("ann")
    assert news is not None and (news.before, news.now) == (first, second)
    ledger.decide([1], "keep", annotator="ann", seen={"guidelines": first.uid})
    assert ledger.guideline_news("ann") == news, "the decision was taken with the old ones on the screen"
    ledger.decide([2], "keep", annotator="ann")
    assert ledger.guideline_news("ann") is None


def test_the_same_text_is_no_new_version_and_an_empty_one_takes_the_guidelines_away(
    open_ledger: Callable[[], Ledger],
) -> None:
    ledger = open_ledger()
    with pytest.raises(BadInputError, match="empty"):
        ledger.set_guidelines(" \n", annotator="lea")
    first = ledger.set_guidelines("one", annotator="lea")
    assert ledger.set_guidelines(" one ", annotator="bob") == first
    assert ledger.set_guidelines("", annotator="lea").text == "" and len(ledger.guideline_versions()) == 2


def test_of_two_who_write_at_once_the_second_is_told(open_ledger: Callable[[], Ledger]) -> None:
    ledger = open_ledger()
    first = ledger.set_guidelines("one", annotator="lea", expected=None)
    with pytest.raises(GuidelinesChangedMeanwhile, match="lea has changed"):
        open_ledger().set_guidelines("two", annotator="bob", expected=None)
    second = ledger.set_guidelines("two", annotator="lea", expected=first.uid, uid="g-2")
    assert ledger.set_guidelines("two", annotator="lea", expected=first.uid, uid="g-2") == second, "sent again"
    with pytest.raises(GuidelinesChangedMeanwhile):
        ledger.set_guidelines("three", annotator="bob", expected=first.uid)
    assert [version.text for version in ledger.guideline_versions()] == ["one", "two"]


@pytest.mark.parametrize("text", ["x" * 50_001, "a\x00b", "\udc00", 7])
def test_what_cannot_be_stored_is_refused(open_ledger: Callable[[], Ledger], text: str) -> None:
    ledger = open_ledger()
    with pytest.raises(BadInputError, match="guidelines"):
        ledger.set_guidelines(text, annotator="lea")
    assert ledger.position() == 0


def test_guidelines_live_on_in_copies_of_the_ledger_and_of_the_workspace(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "home")
    source = save_sentences(tmp_path / "s.csv")
    dataset = workspace.import_dataset(source, text="sentence", label="mood", id="key")
    dataset.set_guidelines("one", by="lea")
    dataset.decide([3], "keep", annotator="ann")
    dataset.set_guidelines("two", by="lea")
    with pytest.raises(PermissionDeniedError):
        dataset.set_guidelines("mine", by=Identity("ann", "annotator"))
    versions, stream = dataset.guideline_versions(), io.StringIO()
    dataset.export_decisions(stream)

    other = Workspace(tmp_path / "other").import_dataset(source, text="sentence", label="mood", id="key")
    assert other.import_decisions(io.StringIO(stream.getvalue())).added == 3
    assert other.import_decisions(io.StringIO(stream.getvalue())).known == 3
    assert other.guideline_versions() == versions and seen(other.ledger) == ["1"]
    line = json.loads(stream.getvalue().splitlines()[0])
    for broken in (None, "one", {}, {"text": 7}, {"text": "x" * 50_001}):
        with pytest.raises(BadInputError):
            other.import_decisions(io.StringIO(json.dumps({**line, "uid": "new", "seen": broken})))

    workspace.backup(tmp_path / "copy.tar")
    restored = Workspace.from_backup(tmp_path / "copy.tar", home=tmp_path / "restored").dataset(dataset.id)
    assert restored.guideline_versions() == versions and seen(restored.ledger) == ["1"]


def test_an_export_and_its_card_say_by_which_version_was_decided(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "home")
    dataset = workspace.import_dataset(save_sentences(tmp_path / "s.csv"), text="sentence", label="mood", id="key")
    run, policy = finished(workspace, dataset.id, "a run"), Policy(kind="decisions")
    train = dataset.examples().query("split == 'train'")["row"].tolist()[:4]
    dataset.decide([train[0]], "keep", annotator="ann")
    assert "guidelines" not in run.pruning.plan(policy).export().manifest["decisions"]
    dataset.set_guidelines("one", by="lea")
    dataset.decide(train[1:3], "keep", annotator="ann")
    at = dataset.ledger.position()
    second = dataset.set_guidelines("two", by="lea")
    dataset.decide([train[3]], "exclude", annotator="ann")
    export = run.pruning.plan(policy).export()
    told = export.manifest["decisions"]["guidelines"]
    assert (told["version"], told["uid"]) == (2, second.uid) and "lea" not in json.dumps(told)
    by = [{"version": None, "examples": 1}, {"version": 1, "examples": 2}, {"version": 2, "examples": 1}]
    assert told["examples"] == by
    card = merged_card(None, export.manifest, "ann/reviews", CardProof())
    assert "1 by none, 2 by version 1, 1 by version 2" in card
    earlier = dataset.ledger.guideline_use(np.array(train), at)
    assert earlier is not None and (earlier.latest.version, earlier.examples) == (1, {None: 1, 1: 2})


def test_commands_write_and_show_guidelines_notes_and_progress(tmp_path: Path) -> None:
    home, source = tmp_path / "home", tmp_path / "guidelines.md"
    Workspace(home).import_dataset(save_sentences(tmp_path / "s.csv"), text="sentence", label="mood", id="key")
    source.write_text("what is *meant* counts", encoding="utf-8")
    written = inside("decisions", "guidelines", "last", "--set", str(source), "--annotator", "lea", "--json", home=home)
    assert json.loads(written.stdout)["guidelines"][0]["version"] == 1, written.stderr
    assert "*meant*" in inside("decisions", "guidelines", "last", home=home).stdout
    source.write_bytes(b"\xff\xfe")
    assert "UTF-8" in inside("decisions", "guidelines", "last", "--set", str(source), home=home).stderr
    dataset = Workspace(home).datasets()[0]
    (name,) = dataset.ids_of(np.array([3]))
    noted = inside("decide", "last", name, "--note", "irony?", "--annotator", "ann", "--json", home=home)
    assert json.loads(noted.stdout)["action"] == "note", noted.stderr
    found = inside("decisions", "notes", "last", "--containing", "IRONY", "--json", home=home)
    assert [note["ids"] for note in json.loads(found.stdout)["notes"]] == [[name]]
    assert inside("decide", "last", name, "--action", "keep", "--annotator", "ann", home=home).returncode == 0
    progress = json.loads(inside("decisions", "progress", "last", "--json", home=home).stdout)
    assert progress["people"][0]["annotator"] == "ann" and progress["people"][0]["guidelines"] == 1
    assert "ann" in inside("decisions", "progress", "last", home=home).stdout


LINES = st.lists(st.sampled_from(["a", "b", "", "c d"]), max_size=12)


@given(LINES, LINES)
def test_changes_say_what_is_gone_and_what_is_new(before: list[str], after: list[str]) -> None:
    old, new = "\n".join(before), "\n".join(after)
    told = list(changes(old, new, around=100))
    if old.splitlines() == new.splitlines():
        assert told == []
        return
    assert [line for kind, line in told if kind in ("same", "gone")] == old.splitlines()
    assert [line for kind, line in told if kind in ("same", "new")] == new.splitlines()
    short = list(changes(old, new, around=0))
    assert [entry for entry in short if entry[0] in ("new", "gone")] == [
        entry for entry in told if entry[0] in ("new", "gone")
    ]
