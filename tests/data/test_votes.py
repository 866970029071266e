"""Labels that several people gave: the majority, ties and disagreement, against the same counted by hand; sources that
hold them."""

from __future__ import annotations

import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diet_explorer.data.columns import ColumnMapping
from diet_explorer.data.importing import import_examples
from diet_explorer.data.manifest import DatasetManifest
from diet_explorer.data.readers.opening import open_source
from diet_explorer.data.report import ValidationReport
from diet_explorer.data.validation import validate
from diet_explorer.data.votes import Votes, disagreement, majority
from diet_explorer.errors import BadInputError
from tests.data.importer import Importer

Row = tuple[str | None, ...]
PEOPLE = ("ann", "bob", "cy")
BY_PEOPLE = ColumnMapping("text", None, annotators=PEOPLE)
BY_LIST = ColumnMapping("text", None, annotators=("votes",))
LABELS = st.sampled_from([None, "a", "b", "c"])
# Everybody for a, a tie that bob does not decide, two against one, one alone, nobody.
GIVEN: list[Row] = [("a", "a", "a"), ("b", "a", None), ("a", "b", "b"), (None, None, "b"), (None, None, None)] * 4


def counted(row: Row) -> tuple[str | None, bool, float]:
    """Label, whether it is a tie, and disagreement of one row, the slow way."""
    votes = [label for label in row if label is not None]
    if not votes:
        return None, False, math.nan
    counts = Counter(votes)
    best = [label for label in votes if counts[label] == max(counts.values())]
    others = sum(label != best[0] for label in votes)
    return best[0], len(set(best)) > 1, others / len(votes)


@given(st.lists(st.tuples(LABELS, LABELS, LABELS, LABELS), min_size=1, max_size=30))
def test_majority_and_disagreement_are_those_counted_by_hand(rows: list[Row]) -> None:
    names = ["c", "a", "b"]
    codes = [
        np.array([-1 if row[who] is None else names.index(row[who]) for row in rows], np.int32) for who in range(4)
    ]
    votes = Votes.of_people(codes)
    labels, tied = majority(votes, len(names))
    shares = disagreement(votes, labels)
    for position, row in enumerate(rows):
        label, is_tied, share = counted(row)
        assert labels[position] == (-1 if label is None else names.index(label))
        assert tied[position] == is_tied
        np.testing.assert_equal(shares[position], share)


def test_votes_for_no_examples() -> None:
    none = Votes.joined([])
    assert [len(part) for part in (*majority(none, 0), disagreement(none, np.zeros(0, np.int32)))] == [0, 0, 0]


def save(folder: Path, kind: str, rows: list[Row], *, as_lists: bool) -> Path:
    """A file of some kind with each person's labels in a column, or with all of a row in a list."""
    path = folder / f"t.{kind}"
    texts = [f"some words {number}" for number in range(len(rows))]
    columns: dict[str, list[Any]] = {"text": texts}
    people = [list(labels) for labels in zip(*rows, strict=True)]
    columns |= {"votes": [list(row) for row in rows]} if as_lists else dict(zip(PEOPLE, people, strict=True))
    if kind == "jsonl":
        records = (dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True))
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
    elif kind == "csv":
        frame = pd.DataFrame(columns)
        frame = frame.assign(votes=frame["votes"].map(json.dumps)) if as_lists else frame
        frame.to_csv(path, index=False)
    elif kind == "parquet":
        pq.write_table(pa.table(columns), path)
    else:
        label = datasets.ClassLabel(names=["b", "a"])
        kinds = {"votes": datasets.Sequence(label)} if as_lists else dict.fromkeys(PEOPLE, label)
        features = datasets.Features({"text": datasets.Value("string"), **kinds})
        datasets.Dataset.from_dict(columns, features).save_to_disk(str(path))
    return path


def run(importer: Importer, path: Path, mapping: ColumnMapping) -> tuple[DatasetManifest, list[dict[str, Any]]]:
    manifest = import_examples(open_source(path), mapping, importer.files)
    return manifest, importer.examples(manifest)


@pytest.mark.parametrize("as_lists", [False, True], ids=["columns", "lists"])
@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet", "datasets"])
def test_every_kind_of_source_gives_majority_and_disagreement(importer: Importer, kind: str, as_lists: bool) -> None:
    path = save(importer.folder, kind, GIVEN, as_lists=as_lists)
    manifest, rows = run(importer, path, BY_LIST if as_lists else BY_PEOPLE)
    assert manifest.classes == ["a", "b"]
    assert [manifest.classes[row["label"]] for row in rows] == ["a", "b", "b", "b"] * 4
    assert [row["disagreement"] for row in rows] == [0, 1 / 2, 1 / 3, 0] * 4
    assert importer.set_aside(manifest) == [(line, "empty label") for line in sorted(line_numbers(kind))]
    report = ValidationReport.from_json(json.loads(json.dumps(manifest.report)))
    assert report.votes is not None
    assert (report.votes.people, report.votes.rows, report.votes.contested, report.votes.ties) == (3, 16, 8, 4)
    assert any(notice.setting == "skip_ties" and "4 of 16 rows" in notice.message for notice in report.warnings)
    assert any("8 of 16 rows (50.0%)" in sentence for sentence in report.read_as)
    if not as_lists:
        assert (report.votes.labelled, report.votes.agreeing) == ([12, 12, 12], [8, 8, 12])
        assert {entry["name"]: entry["role"] for entry in manifest.columns} == {
            "text": "text",
            **dict.fromkeys(PEOPLE, "metadata"),
            "label": "label",
        }
        assert all(f"meta.{name}" in rows[0] for name in PEOPLE)
    again = DatasetManifest.load(importer.files, manifest.id)
    assert again == manifest and import_examples(open_source(path), manifest.mapping, importer.files).id == manifest.id


def line_numbers(kind: str) -> list[int]:
    first = 2 if kind == "csv" else 1
    return [first + 4 + 5 * number for number in range(4)]


def test_ties_are_left_out_when_asked(importer: Importer) -> None:
    path = save(importer.folder, "csv", GIVEN, as_lists=False)
    manifest, rows = run(importer, path, ColumnMapping("text", None, annotators=PEOPLE, skip_ties=True))
    assert (len(rows), manifest.report["set_aside"]) == (12, {"empty label": 4, "tie between people": 4})
    assert manifest.report["votes"]["ties"] == 4
    assert all(notice[2] != "skip_ties" for notice in manifest.report["warnings"])


def test_the_first_of_the_people_decides_a_tie(importer: Importer) -> None:
    path = save(importer.folder, "csv", GIVEN, as_lists=False)
    manifest, rows = run(importer, path, ColumnMapping("text", None, annotators=("cy", "bob", "ann")))
    assert [manifest.classes[row["label"]] for row in rows[:4]] == ["a", "a", "b", "b"]


def test_beside_a_label_people_say_how_far_they_disagree(importer: Importer) -> None:
    lines = "".join(f"w {n},{'ab'[n % 2]},a,{'b' if n % 4 else ''},\n" for n in range(20)) + "x,a,,,\n"
    source = importer.open("t.csv", "text,gold,ann,bob,label\n" + lines)
    manifest = import_examples(source, ColumnMapping("text", "gold", annotators=("ann", "bob")), importer.files)
    rows = importer.examples(manifest)
    assert [row["disagreement"] for row in rows[:4]] == [0, 1 / 2, 1 / 2, 1 / 2] and rows[20]["disagreement"] is None
    assert [entry["name"] for entry in manifest.columns if entry["role"] == "label"] == ["gold"]
    assert manifest.report["votes"]["ties"] == 0 and "column gold" in " ".join(manifest.report["read_as"])
    other = import_examples(source, ColumnMapping("text", None, annotators=("bob", "ann")), importer.files)
    assert [entry["name"] for entry in other.columns if entry["role"] == "label"] == ["majority_label"]
    assert other.id != manifest.id


def test_labels_of_people_are_read_as_one_column_is(importer: Importer) -> None:
    """Blanks, numbers in two forms, columns of numbers with gaps, placeholders, lists of one label."""
    rows = ['1,1.0, 1 ,"[1]"', '0,0,1,"[0]"', "-1,1,,"] * 6
    content = "text,a,b,c,d\n" + "".join(f"w {n},{row}\n" for n, row in enumerate(rows))
    mapping = ColumnMapping("text", None, annotators=("a", "b", "c"), skip_labels=("-1",))
    manifest = importer.run("t.csv", content, mapping)
    examples = importer.examples(manifest)
    assert (manifest.classes, manifest.label_type) == (["0", "1"], "integer")
    assert [(row["label"], row["disagreement"]) for row in examples[:3]] == [(1, 0), (0, 1 / 3), (1, 0)]
    assert examples[0]["meta.b"] == 1.0 and examples[2]["meta.a"] == -1
    table = pa.table({"text": [f"w {n}" for n in range(6)], "a": [1, 0] * 3, "b": [1.0, None, math.nan] * 2})
    path = importer.folder / "gaps.parquet"
    pq.write_table(table.append_column("c", pa.array([True, False] * 3)).drop(["c"]), path)
    assert run(importer, path, ColumnMapping("text", None, annotators=("a", "b")))[0].label_type == "integer"
    lists = [[1.0, math.nan, 0.0], [0.0, 0.0, None]] * 3
    pq.write_table(pa.table({"text": [f"w {n}" for n in range(6)], "votes": lists}), path)
    manifest, examples = run(importer, path, BY_LIST)
    assert manifest.classes == ["0", "1"]
    assert [(row["label"], row["disagreement"]) for row in examples[:2]] == [(1, 0.5), (0, 0)]


def test_classes_that_columns_number_otherwise_are_compared_by_name(importer: Importer) -> None:
    names = [datasets.ClassLabel(names=["neg", "pos"]), datasets.ClassLabel(names=["pos", "neg"])]
    columns = {"text": [f"w {n}" for n in range(6)], "a": [0, 1] * 3, "b": [1, 0] * 3}
    features = datasets.Features({"text": datasets.Value("string"), "a": names[0], "b": names[1]})
    path = importer.folder / "saved"
    datasets.Dataset.from_dict(columns, features).save_to_disk(str(path))
    manifest, rows = run(importer, path, ColumnMapping("text", None, annotators=("a", "b")))
    assert (manifest.classes, manifest.label_type) == (["neg", "pos"], "class label")
    assert {row["disagreement"] for row in rows} == {0.0}


def test_rows_whose_labels_do_not_count_say_why(importer: Importer) -> None:
    rows = [("a", "b", "b"), ("?", None, None), ('["a", "b"]', None, None), ('["a"]', "a", '["b", "a"]')] * 3
    path = save(importer.folder, "jsonl", rows, as_lists=False)
    manifest, examples = run(importer, path, ColumnMapping("text", None, annotators=PEOPLE, skip_labels=("?",)))
    assert [manifest.classes[row["label"]] for row in examples[:2]] == ["b", "a"]
    assert manifest.report["set_aside"] == {"several labels": 3, "label left out": 3}
    assert any("Some people gave a row several labels" in message for message, *_ in manifest.report["warnings"])


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        (ColumnMapping("text", None, annotators=("ann",)), "'ann' holds one label per row.*at least two columns"),
        (ColumnMapping("text", None, annotators=("ann", "bop")), "no column 'bop' for the annotators.*mean 'bob'"),
        (ColumnMapping("text", None, annotators=("ann", "ann")), "'ann' is named twice"),
        (ColumnMapping("text", None, annotators=("ann", "text")), "'text' is mapped to both text and annotators"),
        (ColumnMapping("text", "ann", annotators=("ann", "bob")), "'ann' is mapped to both label and annotators"),
        (ColumnMapping("text", None), "No column of the label"),
        (ColumnMapping("text", "ann", annotators=("bob", "cy"), skip_ties=True), "no ties to leave out.*'ann'"),
        (ColumnMapping("text", "ann", skip_ties=True), "no ties to leave out"),
    ],
)
def test_what_cannot_be_meant_is_refused(importer: Importer, mapping: ColumnMapping, message: str) -> None:
    source = open_source(save(importer.folder, "csv", GIVEN, as_lists=False))
    with pytest.raises(BadInputError, match=message):
        validate(source, mapping)


def test_fields_inside_objects_hold_peoples_labels(importer: Importer) -> None:
    rows = [{"text": f"w {n}", "by": {"ann": "a", "bob": "ab"[n % 2]}} for n in range(8)]
    content = "".join(json.dumps(row) + "\n" for row in rows)
    manifest = importer.run("t.jsonl", content, ColumnMapping("text", None, annotators=("by.bob", "by.ann")))
    assert manifest.mapping.annotators == ("by.bob", "by.ann")
    assert [row["disagreement"] for row in importer.examples(manifest)[:2]] == [0, 0.5]


def test_a_manifest_of_before_opens(importer: Importer) -> None:
    manifest = importer.run("t.csv", "text,label\n" + "".join(f"w {n},{'ab'[n % 2]}\n" for n in range(8)))
    value = json.loads(json.dumps(manifest.to_json()))
    for name in ("annotators", "skip_ties"):
        del value["mapping"][name]
    del value["report"]["votes"]
    older = DatasetManifest.from_json(value)
    assert older.mapping == manifest.mapping and ValidationReport.from_json(older.report).votes is None


def test_what_only_a_minority_says_is_looked_at_too(importer: Importer) -> None:
    """No row has these labels, so that no class shows them."""
    rows = ["x,x,nan", "y,Y,y", "y,y,y"] * 5
    source = importer.open("t.csv", "text,a,b,c\n" + "".join(f"w {n},{row}\n" for n, row in enumerate(rows)))
    report = validate(source, ColumnMapping("text", None, annotators=("a", "b", "c")))
    assert report.votes is not None and report.votes.minority == {"nan": 5, "Y": 5}
    assert report.no_labels == ["nan"] and list(report.classes) == ["x", "y"]
    messages = [notice.message for notice in report.warnings]
    assert any("'nan' (5 times) looks like a missing value" in message for message in messages)
    assert "Labels that differ only in case: 'y', 'Y'." in messages
    skipped = validate(source, ColumnMapping("text", None, annotators=("a", "b", "c"), skip_labels=("nan",)))
    assert skipped.votes is not None and (skipped.votes.contested, skipped.votes.labelled) == (5, [15, 15, 10])


@pytest.mark.parametrize(
    ("written", "label", "share"),
    [
        ("['a', 'b', 'a']", "a", 1 / 3),
        ("['b' 'b' 'a']", "b", 1 / 3),
        ("['a', nan, 'a']", "a", 0),
        ("[1 0 1 1]", "1", 1 / 4),
        ("[1, nan, 0, 0]", "0", 1 / 3),
        ('[["a"], ["b"], ["b"]]', "b", 1 / 3),
        ("a", "a", 0),
    ],
)
def test_lists_of_votes_as_programs_write_them(importer: Importer, written: str, label: str, share: float) -> None:
    cell = '"' + written.replace('"', '""') + '"'
    cells = ["\"['c']\"", cell] * 4
    content = "text,votes\n" + "".join(f"w {n},{value}\n" for n, value in enumerate(cells))
    manifest = importer.run("t.csv", content, BY_LIST)
    row = importer.examples(manifest)[1]
    assert (manifest.classes[row["label"]], row["disagreement"]) == (label, share)
