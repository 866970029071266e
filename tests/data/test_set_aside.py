"""Rows that cannot be used are set aside with line, reason and remedy; the rest goes on."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from diet_explorer.data.columns import ColumnMapping
from diet_explorer.data.importing import import_examples
from diet_explorer.data.readers.opening import open_source
from diet_explorer.data.set_aside import Reason
from diet_explorer.data.validation import validate
from tests.data.importer import MAPPING, Importer

FULL = ColumnMapping(text="text", label="label", text_pair="pair", id="id", split="split")
FULL_CSV = (
    "id,text,pair,label,split\n"
    "a,one,p,x,train\n"
    "b,two,p,y,training\n"
    "c,  \t,p,x,train\n"  # 4: blank text
    "d,four,,x,train\n"  # 5: no second text
    "e,five,p, ,train\n"  # 6: blank label
    ",six,p,x,train\n"  # 7: no id
    "g,seven,p,x,\n"  # 8: no split
    "a,eight,p,x,train\n"  # 9: id of line 2
    "h,ni\0ne,p,x,train\n"  # 10: NUL
    "i,ten,p,z,test\n"  # 11: label never in train
    "c,eleven,p,x,dev\n"  # 12: first usable row with this id
    "j,twelve,p,x,train,more\n"  # 13: ragged
    "\n"  # 14: blank
    "k,fourteen,p,y,eval\n"
    "l,fifteen,p,y,holdout\n"
)
FULL_SET_ASIDE = [
    (4, "empty text"),
    (5, "empty second text"),
    (6, "empty label"),
    (7, "empty id"),
    (8, "empty split"),
    (9, "duplicate id"),
    (10, "NUL byte"),
    (11, "label never seen in train"),
    (13, "ragged row"),
    (14, "blank row"),
]


def test_every_reason_in_one_file(importer: Importer) -> None:
    manifest = importer.run("t.csv", FULL_CSV, FULL)
    assert importer.set_aside(manifest) == FULL_SET_ASIDE
    examples = importer.examples(manifest)
    assert [(row["row"], row["id"], row["text"], row["split"], row["label"]) for row in examples] == [
        (0, "a", "one", "train", 0),
        (1, "b", "two", "train", 1),
        (2, "c", "eleven", "validation", 0),
        (3, "k", "fourteen", "test", 1),
        (4, "l", "fifteen", "holdout", 1),
    ]
    assert manifest.classes == ["x", "y"]
    assert manifest.splits == {"train": 2, "validation": 1, "test": 1, "holdout": 1}
    assert manifest.report["rows_read"] == 15
    assert manifest.report["set_aside"] == {reason: 1 for _, reason in sorted(FULL_SET_ASIDE, key=by_definition)}


def by_definition(row: tuple[int, str]) -> int:
    return [reason.title for reason in Reason].index(row[1])


def test_every_row_set_aside_has_a_remedy_and_its_text(importer: Importer) -> None:
    rows = importer.set_aside_rows(importer.run("t.csv", FULL_CSV, FULL))
    remedies = {reason.title: reason.remedy for reason in Reason}
    assert all(row["remedy"] == remedies[row["reason"]] for row in rows)
    raw = {row["line"]: row["raw"] for row in rows}
    assert json.loads(raw[9]) == {"id": "a", "text": "eight", "pair": "p", "label": "x", "split": "train"}
    assert json.loads(raw[10])["text"] == "ni\0ne"
    assert raw[13] == "j,twelve,p,x,train,more"


def test_the_dry_run_lists_the_same_rows(importer: Importer) -> None:
    report = validate(importer.open("t.csv", FULL_CSV), FULL)
    listed = [(row["line"], row["reason"]) for row in report.set_aside_rows]
    assert listed == FULL_SET_ASIDE
    assert json.loads(report.set_aside_rows[5]["raw"])["text"] == "eight"
    assert report.warnings[0][0].startswith("10 of 15 rows cannot be used")
    assert not importer.left_behind()


def test_json_lines(importer: Importer) -> None:
    content = (
        '{"text": "one", "label": "a"}\n'
        '{"text": "two", "label": "b"\n'  # 2: broken
        "\n"  # 3: blank
        '["three", "a"]\n'  # 4: no object
        '{"text": "four", "label": null}\n'  # 5
        '{"text": "\\ud800", "label": "a"}\n'  # 6: half a character
        '{"text": "se\\u0000ven", "label": "a"}\n'  # 7
        '{"label": "a"}\n'  # 8: no text
        '{"text": "nine \\ud83d\\ude00", "label": "b"}\r\n'
        '{"text": "ten", "label": NaN}'  # 10
    )
    manifest = importer.run("t.jsonl", content)
    assert importer.set_aside(manifest) == [
        (2, "broken JSON line"),
        (3, "blank row"),
        (4, "broken JSON line"),
        (5, "empty label"),
        (6, "broken Unicode"),
        (7, "NUL byte"),
        (8, "empty text"),
        (10, "empty label"),
    ]
    assert [row["text"] for row in importer.examples(manifest)] == ["one", "nine 😀"]
    assert importer.set_aside_rows(manifest)[0]["raw"] == '{"text": "two", "label": "b"'


def test_parquet_counts_rows(importer: Importer) -> None:
    path = importer.folder / "t.parquet"
    columns = {"text": ["a", None, "c", "d"], "label": [1.0, 2.0, float("nan"), 2.0]}
    pq.write_table(pa.table(columns), path, row_group_size=2)
    manifest = import_examples(open_source(path), MAPPING, importer.files)
    assert importer.set_aside(manifest) == [(2, "empty text"), (3, "empty label")]
    assert manifest.classes == ["1", "2"]
    assert manifest.label_type == "integer"


def test_raw_text_is_cut(importer: Importer) -> None:
    content = f"text,label\na,x\nb,y\n{'w' * 2_000},\n{'r' * 2_000}\n"
    rows = importer.set_aside_rows(importer.run("t.csv", content))
    assert [len(row["raw"]) for row in rows] == [500, 500]


def test_lines_stay_right_below_quoted_newlines(importer: Importer) -> None:
    content = 'text,label\r\n"one\r\n\r\nstill one",a\r\n"two\n",b\r\n,a\r\nfour,\r\nragged\r\n'
    manifest = importer.run("t.csv", content)
    assert importer.set_aside(manifest) == [(7, "empty text"), (8, "empty label"), (9, "ragged row")]


def test_default_ids_are_positions_in_the_source(importer: Importer) -> None:
    content = "text,label\nragged\none,a\n,b\nthree,b\n"
    assert [row["id"] for row in importer.examples(importer.run("t.csv", content))] == ["row-0000002", "row-0000004"]


def test_a_file_full_of_ragged_rows_is_refused_as_a_whole(importer: Importer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("diet_explorer.data.readers.source.MAX_BAD_ROWS", 100)
    with pytest.raises(Exception, match=r"More than 100 rows .* the first, at line 2, .* ragged row") as caught:
        importer.run("t.csv", "text,label\n" + "no delimiter here\n" * 101)
    assert "is CSV" in caught.value.remedy  # type: ignore[attr-defined]
    assert not importer.left_behind()
