"""What labels mean: lists, placeholders, numbers written in two ways, names that look the same."""

from __future__ import annotations

import json
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from diet_explorer.data.columns import ColumnMapping
from diet_explorer.data.labels import find_joined, find_look_alikes, find_no_labels, parse_list
from diet_explorer.data.readers.opening import open_source
from diet_explorer.data.report import ValidationReport
from diet_explorer.data.validation import validate
from diet_explorer.errors import BadInputError
from tests.data.importer import MAPPING, Importer


def report_of(importer: Importer, labels: list[str], mapping: ColumnMapping = MAPPING) -> ValidationReport:
    content = "text,label\n" + "".join(f"some words {n},{label}\n" for n, label in enumerate(labels * 10))
    return validate(importer.open("t.csv", content), mapping)


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_lists_of_one_label_are_unpacked(importer: Importer, kind: str) -> None:
    labels = [["pos"], ["neg"], [], ["pos", "neg"]] * 5
    path = importer.folder / f"t.{kind}"
    if kind == "jsonl":
        path.write_text("".join(json.dumps({"text": f"w {n}", "label": v}) + "\n" for n, v in enumerate(labels)))
    elif kind == "csv":
        path.write_text("text,label\n" + "".join(f'w {n},"{v}"\n' for n, v in enumerate(labels)))
    else:
        pq.write_table(pa.table({"text": [f"w {n}" for n in range(20)], "label": labels}), path)
    report = validate(open_source(path), MAPPING)
    assert list(report.classes) == ["neg", "pos"]
    assert report.set_aside == {"empty label": 5, "several labels": 5}
    assert any("multi-label" in notice.message for notice in report.warnings)


def test_fields_inside_objects_are_named_by_their_paths(importer: Importer) -> None:
    rows = [{"data": {"text": f"w {n}"}, "label": {"value": "ab"[n % 2]}} for n in range(20)]
    content = "".join(json.dumps(row) + "\n" for row in rows)
    manifest = importer.run("t.jsonl", content, ColumnMapping("data.text", "label.value"))
    assert (manifest.rows, manifest.classes) == (20, ["a", "b"])
    assert importer.examples(manifest)[0]["text"] == "w 0"
    with pytest.raises(BadInputError, match=r"'data' holds objects.* Name a field inside them: data\.text"):
        importer.run("t.jsonl", content, ColumnMapping("data", "label.value"))
    with pytest.raises(BadInputError, match=r"label\.value"):
        importer.run("t.jsonl", content, ColumnMapping("data.text", "label"))


def test_placeholders_are_proposed_and_left_out_when_asked(importer: Importer) -> None:
    report = report_of(importer, ["-1", "0", "1", "n/a"])
    assert report.no_labels == ["n/a", "-1"]
    assert [notice.setting for notice in report.warnings].count("skip_labels") == 2
    mapping = ColumnMapping("text", "label", skip_labels=("-1", "n/a"))
    skipped = report_of(importer, ["-1", "0", "1", "n/a"], mapping)
    assert list(skipped.classes) == ["0", "1"]
    assert skipped.set_aside == {"label left out": 20}
    typo = report_of(importer, ["a", "b"], ColumnMapping("text", "label", skip_labels=("c",)))
    assert any("No row has the label 'c'" in notice.message for notice in typo.warnings)


def test_what_looks_like_no_label() -> None:
    assert find_no_labels(["-", "yes", "no"]) == ["-"]
    assert find_no_labels(["-1", "yes"]) == []
    assert find_no_labels(["-2", "-1", "0", "1"]) == []
    assert find_no_labels(["-100", "0", "1"]) == ["-100"]


def test_labels_that_look_alike_are_written_out(importer: Importer) -> None:
    assert find_look_alikes(["caf\xe9", "cafe\u0301", "spam", "spa\u200bm", "\u0430b", "ab", "A\xa0b", "a b"]) == [
        ["caf\xe9", "cafe\u0301"],
        ["spam", "spa\u200bm"],
        ["\u0430b", "ab"],
        ["A\xa0b", "a b"],
    ]
    messages = [notice.message for notice in report_of(importer, ["caf\xe9", "cafe\u0301"]).warnings]
    assert any(r"'cafe\u0301', 'caf\xe9'" in message for message in messages)


def test_the_same_number_written_in_two_ways_is_one_class_and_said(importer: Importer) -> None:
    report = report_of(importer, ["0", "1.0", "1", "0.0"])
    assert list(report.classes) == ["0", "1"]
    assert any("same number" in notice.message for notice in report.warnings)
    names = report_of(importer, ["1", "1.0", "spam"])
    assert list(names.classes) == ["1", "1.0", "spam"]
    assert any("same number: 1, 1.0" in notice.message for notice in names.warnings)
    assert importer.run("v.csv", "text,label\na b,1.1\nc d,1.10\n").label_type == "string"


@pytest.mark.parametrize(
    ("label", "entries"),
    [
        ('["a"]', ["a"]),
        ("['a', 'b']", ["a", "b"]),
        ("['a' 'b']", ["a", "b"]),
        ("[1]", ["1"]),
        ("[]", []),
        ("[CLS]", None),
        ("a", None),
    ],
)
def test_lists_as_programs_write_them(label: str, entries: list[str] | None) -> None:
    assert parse_list(label) == entries


def test_lists_in_lists_are_unpacked_and_objects_in_lists_have_paths(importer: Importer) -> None:
    rows = [{"text": f"w {n}", "label": [["ab"[n % 2]]], "tags": [{"name": "cd"[n % 2]}]} for n in range(20)]
    content = "".join(json.dumps(row) + "\n" for row in rows)
    assert importer.run("t.jsonl", content).classes == ["a", "b"]
    assert importer.run("t.jsonl", content, ColumnMapping("text", "tags.0.name")).classes == ["c", "d"]
    with pytest.raises(BadInputError, match=r"'tags' holds objects.* Name a field inside them: tags\.0\.name"):
        importer.run("t.jsonl", content, ColumnMapping("text", "tags"))


def test_texts_that_are_lists_are_refused(importer: Importer) -> None:
    rows = [{"words": ["some", f"w{n}"], "said": "[sighs]", "label": "ab"[n % 2]} for n in range(20)]
    content = "".join(json.dumps(row) + "\n" for row in rows)
    with pytest.raises(BadInputError, match=r"'words' holds lists, not texts.* words\.0"):
        importer.run("t.jsonl", content, ColumnMapping("words", "label"))
    assert importer.examples(importer.run("t.jsonl", content, ColumnMapping("said", "label")))[0]["text"] == "[sighs]"


@pytest.mark.parametrize(
    ("classes", "joined"),
    [
        (["a", "b", "a|b", "c|a"], ["a|b"]),
        (["toxic;insult", "insult;threat", "toxic;threat"], ["toxic;insult", "insult;threat", "toxic;threat"]),
        (["New York, NY", "Boston, MA", "Albany, NY"], []),
        (["a", "b"], []),
        (["a|", "|"], []),
    ],
)
def test_labels_that_are_several_in_one_are_found(classes: list[str], joined: list[str]) -> None:
    assert find_joined(classes) == joined


def test_several_labels_in_one_cell_are_told(importer: Importer) -> None:
    rows = [f"a fine text {n},{('news', 'sport', 'news|sport')[n % 3]}" for n in range(30)]
    notices = validate(importer.open("t.csv", "\n".join(["text,label", *rows])), MAPPING).warnings
    assert [notice.message for notice in notices if "multi-label" in notice.message] == [
        "Labels that look like several in one (multi-label): 'news|sport'; each counts as a class of its own (10 rows)."
    ]


@pytest.mark.parametrize(
    ("column", "values", "said"),
    [
        ("answer", ["accept", "reject", "ignore"], "10 × ignore, 10 × reject"),
        ("status", ["completed", "discarded", "pending"], "10 × discarded"),
        ("answer", ["accept", "accept", "accept"], None),
        ("answer", ["accept", "reject", "a word"], None),
    ],
)
def test_what_an_annotator_rejected_is_told(
    importer: Importer, column: str, values: list[str], said: str | None
) -> None:
    rows = [json.dumps({"text": f"a text {n}", "label": "ab"[n % 2], column: values[n % 3]}) for n in range(30)]
    rows.append(json.dumps({"text": "without a label", "label": None, column: "ignore"}))
    notices = validate(importer.open("t.jsonl", "\n".join(rows)), MAPPING).warnings
    about = [notice.message for notice in notices if repr(column) in notice.message]
    start = f"The column {column!r} says of rows with a label: "
    assert about == ([] if said is None else [f"{start}{said}; they are taken like all others."])


def test_numbers_beyond_those_of_a_float_are_told_apart(importer: Importer) -> None:
    labels = ["9007199254740992", "9007199254740993", "7"]
    report = report_of(importer, labels, replace(MAPPING, skip_labels=(labels[0],)))
    assert report.classes == {"7": {"train": 10}, labels[1]: {"train": 10}}
    assert not [notice for notice in report_of(importer, labels).warnings if "same number" in notice.message]


@pytest.mark.parametrize(
    ("labels", "classes", "aside", "is_one_hot"),
    [
        ([[1, 0, 0], [0, 1, 0], [0, 0, 1]], {"0": 10, "1": 10, "2": 10}, {}, True),
        ([[0, 1], [1, 0], [1, 1], [0, 0]], {"0": 10, "1": 10}, {"empty label": 10, "several labels": 10}, True),
        ([[1.0, 0.0], [False, True]], {"0": 10, "1": 10}, {}, True),
        ([[0], [1]], {"0": 10, "1": 10}, {}, False),
        ([[0], [1], [0, 1]], {"0": 10, "1": 10}, {"several labels": 10}, False),
        ([[2, 2], [1, 1], [1, 2]], {"1": 10, "2": 10}, {"several labels": 10}, False),
    ],
)
def test_one_hot_labels_are_the_places_of_their_ones(
    importer: Importer, labels: list[list[float]], classes: dict[str, int], aside: dict[str, int], is_one_hot: bool
) -> None:
    rows = [json.dumps({"text": f"a text {n}", "label": label}) for n, label in enumerate(labels * 10)]
    report = validate(importer.open("t.jsonl", "\n".join(rows)), MAPPING)
    assert {name: counts["train"] for name, counts in report.classes.items()} == classes
    assert report.set_aside == aside
    assert any("one-hot" in sentence for sentence in report.read_as) == is_one_hot
