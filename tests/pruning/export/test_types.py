"""Columns of every type in exports of every form, read again by other readers."""

import csv
import datetime as dt
import io
import json
import uuid
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from diet_explorer.analysis.card import load_card
from diet_explorer.errors import BadInputError
from diet_explorer.pruning.export.formats import EXPORT_FORMATS
from diet_explorer.pruning.export.reading import reading_code
from tests.pruning.export.exporting import export_whole, imported

PAIRS = pa.map_(pa.string(), pa.int64())
TYPES = {
    "map": pa.array([[("k", 2**60 + 1), ("k", 2)], None, []], PAIRS),
    "maps": pa.array([[[("k", 1)], None], [], None], pa.list_(PAIRS)),
    "half": pa.array(np.array([0.1, -0.0, 65504], np.float16)),
    "half inside": pa.array([{"h": np.float16(0.5)}, None, {"h": None}], pa.struct([("h", pa.float16())])),
    "took": pa.array([5_000_000, None, -1], pa.duration("us")),
    "bytes": pa.array([b"\0\xff", None, b""]),
    "number": pa.array([Decimal("12345678901234567890.10"), None, Decimal("-1.00")]),
    "short number": pa.array([Decimal("1.20"), None, Decimal("0")], pa.decimal32(5, 2)),
    "word": pa.array(["x", None, "y"]).dictionary_encode(),
    "words": pa.ListArray.from_arrays([0, 1, 2, 3], pa.array(["a", "b", "a"]).dictionary_encode()),
    "unique": pa.array([uuid.UUID(int=7).bytes, None, uuid.UUID(int=8).bytes], pa.uuid()),
    "when": pa.array([dt.datetime(9999, 12, 31, 1, 2, 3, 4), None, dt.datetime(1, 1, 1)], pa.timestamp("us", "UTC")),
    "day": pa.array([dt.date(2024, 1, 2), None, dt.date(1, 1, 1)]),
    "time": pa.array([dt.time(1, 2, 3, 4), None, dt.time(0)]),
    "long": pa.array([2**63 - 1, None, -(2**63)]),
    "unsigned": pa.array([2**64 - 1, None, 0], pa.uint64()),
    "nothing": pa.nulls(3),
    "case": pa.array([{"a": 1, "A": "x"}, None, {"a": None, "A": ""}]),
    "Case": pa.array(["other", "", None]),
    "near": pa.array([1.5, float("nan"), float("inf")]),
}
PLAIN = {
    "map": [[{"key": "k", "value": 2**60 + 1}, {"key": "k", "value": 2}], None, []],
    "maps": [[[{"key": "k", "value": 1}], None], [], None],
    "unique": [str(uuid.UUID(int=7)), None, str(uuid.UUID(int=8))],
}
AS_TEXT = {
    "took": ["00:00:05", None, "-00:00:00.000001"],
    "bytes": ["AP8=", None, ""],
    "number": ["12345678901234567890.10", None, "-1.00"],
    "short number": ["1.20", None, "0.00"],
    "unique": PLAIN["unique"],
    "when": ["9999-12-31 01:02:03.000004Z", None, "0001-01-01 00:00:00Z"],
    "day": ["2024-01-02", None, "0001-01-01"],
    "time": ["01:02:03.000004", None, "00:00:00"],
}
STRUCTURED = ("map", "maps", "half inside", "words", "case")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    from diet_explorer.workspace.workspace import Workspace

    folder = tmp_path_factory.mktemp("types")
    table = pa.table({"text": ["one", "two", "three"], "label": ["a", "b", "a"], **TYPES})
    pq.write_table(table, folder / "types.parquet")
    return imported(Workspace(folder / "home"), folder / "types.parquet")


def values(name):
    return PLAIN.get(name, TYPES[name].to_pylist())


def same(found, expected):
    """Equality where NaN is itself."""
    return found == expected or (isinstance(found, float) and found != found and expected != expected)


@pytest.mark.parametrize("form", ["parquet", "datasets"])
def test_forms_that_hold_types(run, tmp_path, form):
    import datasets

    folder = export_whole(run, tmp_path / "out", form)
    if form == "parquet":
        loaded = datasets.Dataset.from_parquet(str(folder / "train.parquet"), cache_dir=str(tmp_path / "cache"))
    else:
        loaded = datasets.load_from_disk(str(folder))["train"]
    table = loaded.data.table
    assert table.column_names == ["text", "label", *TYPES]
    for name in TYPES:
        found = table[name].to_pylist()
        assert all(map(same, found, values(name))), (name, found)


def test_json_lines(run, tmp_path):
    folder = export_whole(run, tmp_path / "out", "jsonl")
    rows = [json.loads(line) for line in (folder / "train.jsonl").read_text(encoding="utf-8").splitlines()]
    assert list(rows[0]) == ["text", "label", *TYPES]
    for name in TYPES:
        expected = [1.5, None, None] if name == "near" else AS_TEXT.get(name, values(name))
        if name == "short number":
            expected = [1.2, None, 0.0]
        assert [row[name] for row in rows] == expected, name


def test_csv(run, tmp_path):
    folder = export_whole(run, tmp_path / "out", "csv")
    rows = list(csv.DictReader(io.StringIO((folder / "train.csv").read_text(encoding="utf-8"))))
    for name in TYPES:
        found = [row[name] for row in rows]
        if name in STRUCTURED:
            assert [json.loads(cell) if cell else None for cell in found] == values(name)
        elif name in AS_TEXT:
            assert found == [text or "" for text in AS_TEXT[name]]
        elif name in ("half", "near"):
            assert (
                all(same(float(cell), float(value)) for cell, value in zip(found, values(name), strict=True))
                or name == "half"
            )
        else:
            assert found == ["" if value is None else str(value) for value in values(name)]
    assert pd.to_timedelta([row["took"] for row in rows if row["took"]]).tolist()[0] == pd.Timedelta(seconds=5)


def test_the_manifest_says_what_stands_for_values(run, tmp_path):
    for form in EXPORT_FORMATS:
        folder = export_whole(run, tmp_path / form, form)
        columns = json.loads((folder / "manifest.json").read_bytes())["columns"]
        written = {entry["name"]: entry["written"] for entry in columns if entry["written"]}
        assert written["map"] == ("JSON; " if form == "csv" else "") + "maps as lists of key and value"
        assert ("took" in written) == ("bytes" in written) == (form in ("csv", "jsonl"))


def test_the_card_has_every_further_column_under_its_own_name(run):
    card = load_card(run.context.queries, run.store, run.dataset.manifest, 0)
    assert card.metadata["Case"] == "other" and card.metadata["case"] == {"a": 1, "A": "x"}
    assert card.written["when"] == AS_TEXT["when"][0] and card.written["half"] == "0.0999755859375"
    assert list(card.metadata) == list(card.written) == list(TYPES)
    frame = run.dataset.examples([2, 0, 2])
    assert frame["row"].tolist() == [2, 0, 2], "in the order asked for"
    assert frame["meta.long"].tolist() == [-(2**63), 2**63 - 1, -(2**63)]
    assert run.dataset.examples()["meta.unsigned"].tolist()[0] == 2**64 - 1
    with pytest.raises(BadInputError, match="no row 99"):
        run.dataset.examples([2, 99])


@pytest.mark.parametrize(
    ("column", "held"),
    [
        (pa.array([pa.MonthDayNano([1, 2, 3])] * 2), "month_day_nano_interval"),
        (pa.array([{}, {}], pa.struct([])), "structures without fields"),
        (pa.array([[{}], []], pa.list_(pa.struct([]))), "structures without fields"),
    ],
)
def test_types_that_no_dataset_can_hold_are_refused_by_name(workspace, tmp_path, column, held):
    table = pa.table({"text": ["one", "two"], "label": ["a", "b"], "odd": column})
    with pa.ipc.new_file(tmp_path / "odd.arrow", table.schema) as writer:
        writer.write_table(table)
    with pytest.raises(BadInputError, match=f"Column 'odd' holds {held}"):
        workspace.import_dataset(tmp_path / "odd.arrow", text="text", label="label")


def test_values_of_encoded_columns(workspace, tmp_path):
    runs = pa.RunEndEncodedArray.from_arrays(pa.array([1, 2], pa.int32()), pa.array(["a", "b"]))
    ids = pa.array([uuid.UUID(int=1).bytes, uuid.UUID(int=2).bytes], pa.uuid())
    table = pa.table({"text": ["one", "two"], "label": runs, "id": ids})
    with pa.ipc.new_file(tmp_path / "t.arrow", table.schema) as writer:
        writer.write_table(table)
    dataset = workspace.import_dataset(tmp_path / "t.arrow", text="text", label="label", id="id")
    assert dataset.classes == ["a", "b"] and dataset.examples()["id"].tolist()[0] == str(uuid.UUID(int=1))


def test_the_line_that_reads_an_export_keeps_every_value(workspace, tmp_path, monkeypatch):
    cells = ["code,text,label,big,share,good,note", "007,NA,01,1152921504606846977,0.5,true,", "1e5,2.0,1,,,,null"]
    (tmp_path / "t.csv").write_text("\n".join(cells) + "\n", encoding="utf-8")
    run = imported(workspace, tmp_path / "t.csv", id="code")
    for form in EXPORT_FORMATS:
        folder = export_whole(run, tmp_path / form, form)
        code = reading_code(json.loads((folder / "manifest.json").read_bytes())).replace("FOLDER", str(folder))
        monkeypatch.chdir(folder)
        names = {"pandas": pd, "json": json, "datasets": __import__("datasets")}
        found = eval(code, names)
        rows = found["train"].data.table.to_pylist() if form == "datasets" else found.to_dict("records")
        assert [row["code"] for row in rows] == ["007", "1e5"] and [row["text"] for row in rows] == ["NA", "2.0"]
        assert [row["note"] for row in rows] == ["", "null"]
        assert rows[0]["big"] == 2**60 + 1
        if form != "datasets":
            assert [row["label"] for row in rows] == ["01", "1"]


CLASSES = {
    "1 and 1.0": (["1", "1.0", "x"], ["1", "1.0", "x"]),  # where all are numbers the import makes one class of them
    "two ways to write a truth": (["True", "true", "false"], ["True", "true", "false"]),
    "shares in two ways": (["1.5", "1.50", "2.5"], ["1.5", "1.50", "2.5"]),
    "long numbers": (["1152921504606846977", "1152921504606846978"], [2**60 + 1, 2**60 + 2]),
    "numbers": (["1", "2", "2"], [1, 2, 2]),
    "shares": (["1.0", "2.50", "1.0"], ["1.0", "2.50", "1.0"]),
}


@pytest.mark.parametrize("name", CLASSES)
def test_classes_stay_apart(workspace, tmp_path, name):
    labels, expected = CLASSES[name]
    lines = [f"text {number},{label}\n" for number, label in enumerate(labels)]
    (tmp_path / "labels.csv").write_text("text,label\n" + "".join(lines), encoding="utf-8")
    run = imported(workspace, tmp_path / "labels.csv")
    assert run.dataset.classes == sorted(set(labels), key=str) or name in ("numbers", "long numbers")
    table = pq.read_table(export_whole(run, tmp_path / "parquet", "parquet") / "train.parquet")
    assert table["label"].to_pylist() == expected
    rows = list(csv.DictReader((export_whole(run, tmp_path / "csv", "csv") / "train.csv").open(newline="")))
    assert [row["label"] for row in rows] == labels
    lines = (export_whole(run, tmp_path / "jsonl", "jsonl") / "train.jsonl").read_text().splitlines()
    assert [json.loads(line)["label"] for line in lines] == expected


def test_ids_and_texts_that_are_numbers_keep_their_letters(workspace, tmp_path):
    (tmp_path / "t.csv").write_text("id,text,label\n1.50,2.0,a\n2.5,1e5,b\n", encoding="utf-8")
    run = imported(workspace, tmp_path / "t.csv", id="id")
    rows = list(csv.DictReader((export_whole(run, tmp_path / "csv", "csv") / "train.csv").open(newline="")))
    assert [(row["id"], row["text"]) for row in rows] == [("1.50", "2.0"), ("2.5", "1e5")]


def test_the_line_that_reads_an_export_reads_what_is_trained_on() -> None:
    files = [{"path": f"{split}.csv", "split": split} for split in ("dev", "test", "train")]
    manifest: dict[str, Any] = {"options": {"format": "csv"}, "files": files, "columns": []}
    assert '"train.csv"' in reading_code(manifest)
    assert '"dev.csv"' in reading_code({**manifest, "files": files[:2]})
