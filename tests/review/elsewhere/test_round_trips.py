"""Examples go to labelling tools as work and come back as decisions; `make_files` has how the files were made."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from diet_explorer.analysis.filters import ExampleFilter
from diet_explorer.data.formulas import FORMULA
from diet_explorer.errors import BadInputError, NotFoundError
from diet_explorer.review.elsewhere.tools import TOOLS
from diet_explorer.review.rules import ReviewRules
from diet_explorer.workspace.run import Run
from diet_explorer.workspace.workspace import Workspace
from tests import tiny_runs
from tests.review.elsewhere.small_run import BAD, GOOD, SENTENCES, small_run
from tests.rich_workspace import finished

FILES = Path(__file__).parent / "files"
A_UUID, B_UUID = (f"6f1c7a3e-0000-4000-8000-00000000000{number}" for number in (1, 2))


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("elsewhere")
    small_run(folder)
    return folder / "workspace"


@pytest.fixture
def run(made: Path, tmp_path: Path) -> Run:
    """The small run with a ledger of its own."""
    shutil.copytree(made, tmp_path / "workspace")
    return Workspace(tmp_path / "workspace").run("made up")


def workbook() -> bytes:
    """What a sheet is when it is saved as an Excel workbook."""
    stream = io.BytesIO()
    pd.DataFrame({"decision": ["keep"]}).to_excel(stream)
    return stream.getvalue()


def votes(run: Run) -> set[tuple[str, str, str, str | None]]:
    """Every decision that counts: id, annotator, decision and new label."""
    frame = run.dataset.ledger.votes()
    ids = run.dataset.ids_of(frame["row"].to_numpy())
    labels = [label if isinstance(label, str) else None for label in frame["label"]]
    return set(zip(ids, frame["annotator"], frame["state"], labels, strict=True))


def five(ann: str, bob: str) -> set[tuple[str, str, str, str | None]]:
    """What two people said in every tool that has a way to leave an example out."""
    return {
        ("k3", ann, "relabel", GOOD),
        ("k7", ann, "keep", None),
        ("k7", bob, "relabel", GOOD),
        ("k5", ann, "exclude", None),
    }


MADE = {
    "label-studio.json": (
        {
            *five("1", "2"),
            ("k2", "1", "unsure", None),
            ("-5", "1", "keep", None),
            ("007", "zoë@example.org", "keep", None),
        },
        [(3, "k9", "It was skipped."), (6, "1e5", "No class was chosen.")],
        2,
    ),
    "label-studio-min.json": (
        {
            *five("1", "2"),
            ("k2", "1", "unsure", None),
            ("-5", "1", "keep", None),
            ("007", "zoë@example.org", "keep", None),
        },
        [(6, "1e5", "No class was chosen.")],
        2,
    ),
    "argilla.json": (
        {*five(A_UUID, B_UUID), ("k2", B_UUID, "unsure", None), ("-5", B_UUID, "keep", None)},
        [],
        3,
    ),
    "argilla-datasets.jsonl": (
        {*five(A_UUID, B_UUID), ("k2", B_UUID, "unsure", None), ("-5", B_UUID, "keep", None)},
        [(3, "k9", "It was discarded."), (6, "1e5", "It is a draft.")],
        3,
    ),
    "doccano.zip": (
        {
            ("k3", "ann", "relabel", GOOD),
            ("k7", "ann", "keep", None),
            ("-5", "ann", "keep", None),
            ("k7", "bob", "relabel", GOOD),
            ("007", "bob", "keep", None),
            ("k6", "bob", "keep", None),
        },
        [],
        14,
    ),
    "prodigy.jsonl": (
        {*five("reviews-ann", "reviews-bob"), ("-5", "reviews-ann", "keep", None)},
        [(4, "k9", "It was ignored."), (7, "k2", "No class was chosen.")],
        0,
    ),
}


@pytest.mark.parametrize("name", MADE)
def test_what_a_tools_own_package_wrote_becomes_decisions_once(run: Run, name: str) -> None:
    expected, left_out, waiting = MADE[name]
    taken = run.review.take_back(FILES / name)
    assert votes(run) == expected
    assert (taken.added, taken.known, taken.open) == (len(expected), 0, waiting)
    assert [(entry.row, entry.example, entry.why) for entry in taken.left_out] == left_out
    again = run.review.take_back(FILES / name, by="somebody else")
    assert (again.added, again.known) == (0, len(expected))
    assert votes(run) == expected


def test_two_exports_of_the_same_annotations_are_not_taken_twice(run: Run) -> None:
    run.review.take_back(FILES / "label-studio.json")
    assert run.review.take_back(FILES / "label-studio-min.json").added == 0


def test_times_notes_and_names_come_along(run: Run) -> None:
    run.review.take_back(FILES / "label-studio.json", names={"1": "ann"})
    events = {run.dataset.ids_of(event.rows)[0]: event for event in run.dataset.ledger.events()}
    assert events["k5"].at == datetime(2026, 1, 31, 12, 0, 5, 250000, tzinfo=UTC)
    assert (events["k5"].annotator, events["k5"].note, events["k5"].run_id) == ("ann", "not sure why", run.id)
    assert run.review.take_back(FILES / "label-studio.json").added == 0  # a name of one's own is no other decision


def test_a_later_decision_stays_and_what_was_taken_back_does_not_return(run: Run) -> None:
    row = run.dataset.rows_of(["k3"])
    run.dataset.decide(row, "exclude", annotator="1")
    run.review.take_back(FILES / "label-studio.json")
    assert ("k3", "1", "exclude", None) in votes(run)  # Label Studio's is older
    while run.dataset.undo("2"):
        pass
    run.review.take_back(FILES / "label-studio.json")
    assert "2" not in {annotator for _, annotator, _, _ in votes(run)}


WRONG: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
    "an id that is not here": (lambda task: task["data"].update(example_id="k99"), "The dataset has no example 'k99'."),
    "an id that no database takes": (
        lambda task: task["data"].update(example_id="\ud800\0"),
        "The dataset has no example",
    ),
    "no id": (lambda task: task["data"].pop("example_id"), "It does not say which example it is about"),
    "a changed text": (
        lambda task: task["data"].update(text="größter Film"),
        "Its text was changed since it was sent.",
    ),
    "another dataset's text": (lambda task: task["data"].update(text_hash="sha256:0"), "It was sent with another text"),
    "another class": (lambda task: _choices(task).update(choices=["so-so"]), "The dataset has no class 'so-so'."),
    "several classes": (
        lambda task: _choices(task).update(choices=[GOOD, BAD]),
        "2 classes were chosen, and one is wanted.",
    ),
    "no time": (lambda task: task["annotations"][0].update(updated_at="yesterday"), "'yesterday' is no time."),
    "a time to come": (
        lambda task: task["annotations"][0].update(updated_at="2999-01-01T00:00:00Z"),
        "It was labelled at 2999-01-01T00:00:00Z, which lies in the future.",
    ),
    "a name too long": (
        lambda task: task["annotations"][0].update(completed_by="x" * 300),
        "The annotator's name is too long.",
    ),
}


def _choices(task: dict[str, Any]) -> dict[str, Any]:
    value: dict[str, Any] = task["annotations"][0]["result"][0]["value"]
    return value


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_a_decision_is_told_with_its_row_and_the_rest_taken(run: Run, name: str) -> None:
    spoil, why = WRONG[name]
    tasks = json.loads((FILES / "label-studio.json").read_text(encoding="utf-8"))
    spoil(tasks[0])
    taken = run.review.take_back(io.BytesIO(json.dumps(tasks).encode()))
    assert taken.left_out[0].row == 1
    assert taken.left_out[0].why.startswith(why)
    assert taken.added == len(MADE["label-studio.json"][0]) - 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "The file is empty."),
        (b"[1]", "Entry 1 is no JSON object."),
        (b'[{"a": 1}]', "The file is of none of these"),
        (b'{"text": "a", \n', "Line 1 is not JSON"),
        (b"a,b\n1,2\n", "The file has no column decision and new_label."),
        (b"\xff\xff", "The file is not in UTF-8"),
        (b"PK\x03\x04", "The ZIP file cannot be read"),
        (workbook(), "The file is an Excel workbook."),
        (b"[" * 100_000, "The file is not JSON"),
    ],
)
def test_a_file_of_no_tool_adds_nothing(run: Run, content: bytes, message: str) -> None:
    with pytest.raises(BadInputError, match=message):
        run.review.take_back(io.BytesIO(content))
    assert not votes(run)


def sent(run: Run, tool: str, folder: Path, **asked: Any) -> list[dict[str, Any]]:
    """The entries of a tool's file."""
    path = folder / f"work{TOOLS[tool].ending}"
    run.review.send_to(tool, path, **asked)
    return [record for _, record in TOOLS[tool].records_of(path.read_bytes())]


PARTS: dict[str, Callable[[dict[str, Any]], tuple[Any, ...]]] = {
    "label-studio": lambda it: (
        it["data"]["example_id"],
        it["data"]["text"],
        it["predictions"][0]["result"][0]["value"]["choices"][0],
        it["predictions"][0]["score"],
        it["predictions"][0]["result"][0]["meta"]["text"][0],
        it["data"]["place"],
    ),
    "argilla": lambda it: (
        it["id"],
        it["fields"]["text"],
        it["suggestions"]["label"]["value"],
        it["metadata"]["suspicion"],
        it["fields"]["reason"],
        it["metadata"]["place"],
    ),
    "doccano": lambda it: (
        *(it[name] for name in ("example_id", "text", "suggested_label", "suspicion", "reason", "place")),
    ),
    "prodigy": lambda it: (
        it["meta"]["example_id"],
        it["text"],
        *(it["meta"][name] for name in ("suggested_label", "score", "reason", "rank")),
    ),
    "csv": lambda it: (
        it["key"].removeprefix("id:"),
        it["text"],
        it["suggested_label"],
        float(it["suspicion"]),
        it["reason"],
        int(it["place"]),
    ),
}


@pytest.mark.parametrize("tool", TOOLS)
def test_work_carries_the_example_the_suggestion_the_score_and_the_reason(run: Run, tool: str, tmp_path: Path) -> None:
    suspects = run.audit.suspects(limit=3)
    parts = [PARTS[tool](entry) for entry in sent(run, tool, tmp_path, limit=3)]
    assert len(parts) == 3
    for part, suspect in zip(parts, suspects.to_dict("records"), strict=True):
        assert part[:3] == (suspect["id"], SENTENCES[suspect["id"]], suspect["suggested"])
        assert part[3] == pytest.approx(suspect["suspicion"], abs=1e-4)
        assert part[4:] == ("; ".join(suspect["reasons"]), suspect["place"])


@pytest.mark.parametrize("tool", TOOLS)
def test_blind_work_does_not_say_what_the_models_think(run: Run, tool: str, tmp_path: Path) -> None:
    run.dataset.ledger.set_rules(ReviewRules(blind=True), annotator="ann")
    text = json.dumps(sent(run, tool, tmp_path), ensure_ascii=False)
    assert "EL2N" not in text
    assert "0.7" not in text
    assert "EL2N" in json.dumps(sent(run, tool, tmp_path, blind=False))


@pytest.mark.parametrize("tool", TOOLS)
def test_work_that_nobody_touched_comes_back_as_nothing(run: Run, tool: str, tmp_path: Path) -> None:
    sent(run, tool, tmp_path)
    path = tmp_path / f"work{TOOLS[tool].ending}"
    if tool in ("label-studio", "prodigy"):  # no export of theirs looks like that
        with pytest.raises(BadInputError, match="The file is of none of these"):
            run.review.take_back(path)
    else:
        assert run.review.take_back(path).open == len(SENTENCES)
    assert not votes(run)


def test_tools_are_told_the_classes(run: Run, tmp_path: Path) -> None:
    written = run.review.send_to("label-studio", tmp_path / "tasks.json")
    assert written.setup == tmp_path / "tasks-interface.xml"
    root = ElementTree.parse(written.setup).getroot()
    assert [entry.get("value") for entry in root.findall("Choices[@name='label']/Choice")] == [BAD, GOOD]
    labels = json.loads(run.review.setup_for("doccano") or "")
    assert [entry["text"] for entry in labels] == [BAD, GOOD]
    options = json.loads(run.review.setup_for("argilla") or "")["questions"][0]["settings"]["options"]
    assert [entry["value"] for entry in options][:2] == [BAD, GOOD]
    assert run.review.setup_for("prodigy") is None


def edited(content: bytes, changes: dict[str, dict[str, str]], separator: str = ",", encoding: str = "utf-8") -> bytes:
    """A sheet with cells filled in by id, saved as a spreadsheet saves it."""
    lines = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(lines[0]), delimiter=separator)
    writer.writeheader()
    for line in lines:
        line["example_id"] = line["example_id"].lstrip("0'")  # 007 is 7 to a spreadsheet
        writer.writerow({**line, **changes.get(line["key"].removeprefix("id:"), {})})
    return stream.getvalue().encode(encoding)


@pytest.mark.parametrize(("separator", "encoding"), [(",", "utf-8"), (";", "utf-8-sig"), ("\t", "utf-16")])
def test_an_edited_sheet_comes_back(run: Run, tmp_path: Path, separator: str, encoding: str) -> None:
    sent(run, "csv", tmp_path)
    changes = {
        "007": {"decision": "KEEP ", "annotator": "ann"},
        "-5": {"new_label": BAD, "note": "cold", "annotator": "ann"},
        "k5": {"decision": "exclude"},
        "k2": {"decision": "maybe"},
        "k3": {"decision": "relabel"},
        "k9": {"text": "=warmer", "decision": "keep"},
    }
    content = edited((tmp_path / "work.csv").read_bytes(), changes, separator, encoding)
    taken = run.review.take_back(io.BytesIO(content), annotator="bob")
    assert votes(run) == {
        ("007", "ann", "keep", None),
        ("-5", "ann", "relabel", BAD),
        ("k5", "bob", "exclude", None),
    }
    rows = {line["example_id"]: number for number, line in enumerate(_lines(content, separator, encoding), 2)}
    assert [(entry.row, entry.why) for entry in taken.left_out] == sorted(
        [
            (rows["k2"], "'maybe' is none of: keep, relabel, exclude, unsure."),
            (rows["k3"], "Relabel without a new label."),
            (rows["k9"], "Its text was changed since it was sent."),
        ]
    )
    assert run.review.take_back(io.BytesIO(content), annotator="bob").added == 0


def test_classes_that_are_numbers_may_be_written_as_a_spreadsheet_does(tmp_path: Path) -> None:
    workspace, source = Workspace(tmp_path / "home"), tmp_path / "numbers.csv"
    pd.DataFrame({"id": list("abcd"), "text": list("wxyz"), "class": ["007", "3", "1", "1.0"]}).to_csv(source)
    dataset = workspace.import_dataset(source, text="text", label="class", id="id")
    numbered = workspace.record(dataset, np.full((4, 4), 0.25), kind="probabilities")
    sent(numbered, "csv", tmp_path)
    changes = {"a": {"new_label": "3.0"}, "b": {"new_label": "7"}, "c": {"new_label": "01"}}
    taken = numbered.review.take_back(
        io.BytesIO(edited((tmp_path / "work.csv").read_bytes(), changes)), annotator="ann"
    )
    assert votes(numbered) == {("a", "ann", "relabel", "3"), ("b", "ann", "relabel", "007")}
    assert [entry.why for entry in taken.left_out] == ["The dataset has no class '01'."]  # 1 or 1.0


def test_a_note_alone_in_a_sheet_is_a_note(run: Run, tmp_path: Path) -> None:
    sent(run, "csv", tmp_path)
    work = (tmp_path / "work.csv").read_bytes()
    for note, added in (("irony?", 1), ("irony?", 0), ("not irony", 1)):
        taken = run.review.take_back(io.BytesIO(edited(work, {"k5": {"note": note}})), annotator="bob")
        assert (taken.added, taken.decisions) == (added, {"note": 1})
    assert run.dataset.notes()["note"].tolist() == ["not irony", "irony?"] and votes(run) == set()


def _lines(content: bytes, separator: str, encoding: str) -> Iterator[dict[str, str]]:
    yield from csv.DictReader(io.StringIO(content.decode(encoding), newline=""), delimiter=separator)


def test_no_cell_of_a_sheet_is_run_as_a_formula(run: Run, tmp_path: Path) -> None:
    sent(run, "csv", tmp_path)
    cells = [cell for line in _lines((tmp_path / "work.csv").read_bytes(), ",", "utf-8-sig") for cell in line.values()]
    assert "'=1+1 is what it says" in cells
    assert not [cell for cell in cells if re.match(FORMULA, cell) and not cell.startswith("'")]


def test_pairs_come_back_with_both_texts(tmp_path: Path) -> None:
    source = tmp_path / "pairs.csv"
    source.write_text("a,b,l\none,two,x\nthree,four,y\nfive,six,x\n", encoding="utf-8")
    workspace = Workspace(tmp_path / "workspace")
    dataset = workspace.import_dataset(source, text="a", text_pair="b", label="l")
    run = finished(workspace, dataset.id, "pairs")
    (first, *_) = sent(run, "prodigy", tmp_path)
    answered = {**first, "answer": "accept", "accept": ["x"], "_annotator_id": "ann"}
    assert run.review.take_back(io.BytesIO(json.dumps(answered).encode())).added == 1
    changed = {**answered, "text_pair": "other", "_annotator_id": "bob"}
    (left,) = run.review.take_back(io.BytesIO(json.dumps(changed).encode())).left_out
    assert left.why == "Its text was changed since it was sent."
    (first, *_) = sent(run, "doccano", tmp_path)
    assert run.review.take_back(io.BytesIO(json.dumps({**first, "label": ["y"]}).encode()), annotator="zoë").added == 1
    assert "text_pair" in (run.review.setup_for("label-studio") or "")


def test_only_what_is_asked_for_is_sent_and_it_is_noted(run: Run, tmp_path: Path) -> None:
    assert len(sent(run, "csv", tmp_path, where=ExampleFilter(labels=(BAD,)), limit=2)) == 2
    with pytest.raises(NotFoundError, match="No suspect fits the filters: split: train; id: none"):
        run.review.send_to("csv", tmp_path / "none.csv", where=ExampleFilter(ids=("none",)))
    with pytest.raises(NotFoundError, match="There is no labelling tool 'paper'"):
        run.review.send_to("paper", tmp_path / "paper")
    assert "writes 2 examples of 'awkward' for a spreadsheet" in [
        entry.what for entry in run.context.audit_log.entries(kind="export")
    ]


def test_the_commands(run: Run, tmp_path: Path) -> None:
    home, tasks = tmp_path / "workspace", tmp_path / "tasks.json"
    done = tiny_runs.inside(
        "send-to", "label-studio", "last", "--output", str(tasks), "--label", BAD, "--json", home=home
    )
    assert json.loads(done.stdout)["examples"] == 5
    assert len(json.loads(tasks.read_text(encoding="utf-8"))) == 5
    back = tiny_runs.inside("take-back", "last", str(FILES / "label-studio.json"), "--call", "1=ann", home=home)
    assert back.stdout.startswith("Added 7 decisions; 0 were here already; 2 are open still; 2 are no decisions")
    assert "Row 3 (k9): It was skipped." in back.stderr
    assert ("k3", "ann", "relabel", GOOD) in votes(run)
    again = tiny_runs.inside("take-back", "last", str(FILES / "label-studio.json"), "--json", home=home)
    assert json.loads(again.stdout)["known"] == 7
