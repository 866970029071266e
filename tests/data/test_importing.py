"""What an import writes, for inputs that are hard but fine."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from diet_explorer.data.columns import ColumnMapping
from diet_explorer.data.example_order import read_example_order
from diet_explorer.data.importing import import_examples
from diet_explorer.data.manifest import DatasetManifest
from diet_explorer.data.readers.opening import open_source
from diet_explorer.errors import NotFoundError
from diet_explorer.store.files import Files
from diet_explorer.store.layout import Layout
from tests.data.importer import MAPPING, Importer

SMALL = "text,label,score,place\none,b,1.5,here\ntwo,a,,there\nthree,b,2,\n"


def test_files_and_columns(importer: Importer) -> None:
    manifest = importer.run("My Reviews (2).csv", SMALL)
    assert manifest.id == f"my-reviews-2-{manifest.content_hash[:10]}"
    folder = f"datasets/{manifest.id}"
    assert importer.left_behind() == [
        folder,
        f"{folder}/examples.parquet",
        f"{folder}/manifest.json",
        f"{folder}/order.arrow",
        f"{folder}/set_aside.parquet",
    ]
    table = pq.read_table(Layout(importer.files).dataset(manifest.id).examples)
    assert [(field.name, str(field.type)) for field in table.schema] == [
        ("row", "int32"),
        ("id", "string"),
        ("text", "string"),
        ("label", "int32"),
        ("split", "string"),
        ("near_duplicate_group", "int32"),
        ("meta.score", "double"),
        ("meta.place", "string"),
    ]
    assert table.to_pylist() == [
        {"row": 0, "id": "row-0000001", "text": "one", "label": 1, "split": "train", "near_duplicate_group": None}
        | {"meta.score": 1.5, "meta.place": "here"},
        {"row": 1, "id": "row-0000002", "text": "two", "label": 0, "split": "train", "near_duplicate_group": None}
        | {"meta.score": None, "meta.place": "there"},
        {"row": 2, "id": "row-0000003", "text": "three", "label": 1, "split": "train", "near_duplicate_group": None}
        | {"meta.score": 2.0, "meta.place": ""},
    ]


def test_manifest(importer: Importer) -> None:
    manifest = importer.run("reviews.csv", SMALL)
    assert manifest == DatasetManifest.load(importer.files, manifest.id)
    assert (manifest.name, manifest.rows, manifest.classes, manifest.label_type) == ("reviews", 3, ["a", "b"], "string")
    assert manifest.splits == {"train": 3}
    assert manifest.columns == [
        {"name": "text", "role": "text", "type": "string"},
        {"name": "label", "role": "label", "type": "string"},
        {"name": "score", "role": "metadata", "type": "double"},
        {"name": "place", "role": "metadata", "type": "string"},
    ]
    assert manifest.source["kind"] == "csv"
    assert len(manifest.source["sha256"]) == 64
    with pytest.raises(NotFoundError, match="no dataset 'other'"):
        DatasetManifest.load(importer.files, "other")


def test_same_content_is_the_same_dataset(importer: Importer) -> None:
    first = importer.run("reviews.csv", SMALL)
    written = Path(Layout(importer.files).dataset(first.id).examples).stat().st_mtime_ns
    again = importer.run("reviews.csv", "\ufeff" + SMALL.replace("\n", "\r\n"))
    assert again == first
    assert Path(Layout(importer.files).dataset(first.id).examples).stat().st_mtime_ns == written


@pytest.mark.parametrize(
    "content",
    [
        SMALL.replace("one", "onE"),
        SMALL.replace("here", "Here"),
        SMALL.replace(",b,", ",c,"),
        SMALL.replace("place", "Place"),
        SMALL.replace("one,b,1.5,here", "onet,b,1.5,here").replace("two", "wo"),
        SMALL + "four,a,,\n",
    ],
)
def test_other_content_is_another_dataset(importer: Importer, content: str) -> None:
    assert importer.run("reviews.csv", SMALL).id != importer.run("reviews.csv", content).id


def test_the_id_does_not_depend_on_the_size_of_batches(importer: Importer, monkeypatch: pytest.MonkeyPatch) -> None:
    content = "text,label,n\n" + "".join(f"text é {n}{' and so on' * 40},l{n % 3},{n or ''}\n" for n in range(5_000))
    first = importer.run("t.csv", content)
    monkeypatch.setenv("DIET_EXPLORER_MAX_ROW_MB", "1")
    other = Importer(importer.folder / "other")
    other.folder.mkdir()
    second = other.run("t.csv", content)
    assert second.id == first.id
    assert other.examples(second) == importer.examples(first)


def test_name_and_mapping_belong_to_the_identity(importer: Importer) -> None:
    source = importer.open("t.csv", SMALL)
    by_name = import_examples(source, MAPPING, importer.files, name="Ångström & co")
    assert by_name.id.startswith("angstrom-co-")
    other = import_examples(source, ColumnMapping(text="text", label="label", id="place"), importer.files)
    assert other.content_hash != by_name.content_hash
    assert import_examples(source, MAPPING, importer.files, name="日本").id.startswith("dataset-")


def test_progress_rises_to_one(importer: Importer) -> None:
    shares: list[float] = []
    import_examples(
        importer.open("t.csv", SMALL), MAPPING, importer.files, progress=lambda share, message: shares.append(share)
    )
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_a_remote_workspace(importer: Importer) -> None:
    files = Files("memory://workspace-of-test")
    manifest = import_examples(importer.open("t.csv", SMALL), MAPPING, files)
    with files.open_read(Layout(files).dataset(manifest.id).examples) as stream:
        assert pq.read_table(stream).num_rows == 3
    assert files.list(files.path("datasets")) == [manifest.id]


def test_hostile_column_names(importer: Importer) -> None:
    content = 'te xt,"la\nbel","quote "" here",row,id,text,meta.text,🙂\na,x,1,2,3,4,5,6\nb,y,1,2,3,4,5,6\n'
    manifest = importer.run("t.csv", content, ColumnMapping(text="te xt", label="la\nbel"))
    first = importer.examples(manifest)[0]
    assert (first["row"], first["id"], first["text"]) == (0, "row-0000001", "a")
    assert {name: value for name, value in first.items() if name.startswith("meta.")} == {
        'meta.quote " here': 1,
        "meta.row": 2,
        "meta.id": 3,
        "meta.text": 4,
        "meta.meta.text": 5,
        "meta.🙂": 6,
    }


def test_long_and_foreign_texts(importer: Importer) -> None:
    texts = [
        "x" * 100_000,
        "word " * 20_000,
        "👩‍👩‍👧‍👦 ok",
        "שלום עולם",
        "مرحبا",
        "你好世界",
        "e\u0301",
        "\u200b",
        'a "b", c\n',
    ]
    content = "".join(json.dumps({"text": text, "label": number % 2}) + "\n" for number, text in enumerate(texts))
    manifest = importer.run("t.jsonl", content)
    assert [row["text"] for row in importer.examples(manifest)] == texts
    assert manifest.report["characters"]["longest"] == 100_000
    assert manifest.report["words"]["longest"] == 20_000


def test_a_thousand_classes(importer: Importer) -> None:
    content = "text,label\n" + "".join(f"text {n},class {n % 1_000:04}\n" for n in range(2_000))
    manifest = importer.run("t.csv", content)
    assert len(manifest.classes) == 1_000
    assert [row["label"] for row in importer.examples(manifest)] == [n % 1_000 for n in range(2_000)]


def test_whole_numbers_as_labels_sort_as_numbers(importer: Importer) -> None:
    manifest = importer.run("t.csv", "text,label\na,10\nb,9\nc,-1\nd, 10 \n")
    assert (manifest.classes, manifest.label_type) == (["-1", "9", "10"], "integer")
    assert [row["label"] for row in importer.examples(manifest)] == [2, 1, 0, 2]


def test_booleans_as_labels(importer: Importer) -> None:
    by_csv = importer.run("a.csv", "text,label\na,True\nb,False\n")
    assert (by_csv.classes, by_csv.label_type) == (["False", "True"], "boolean")
    by_json = importer.run("b.jsonl", '{"text":"a","label":true}\n{"text":"b","label":false}\n')
    assert (by_json.classes, by_json.label_type) == (["false", "true"], "boolean")
    path = importer.folder / "c.parquet"
    pq.write_table(pa.table({"text": ["a", "b"], "label": [True, False]}), path)
    by_parquet = import_examples(open_source(path), MAPPING, importer.files)
    assert (by_parquet.classes, by_parquet.label_type) == (["false", "true"], "boolean")


def test_strings_in_json_stay_strings(importer: Importer) -> None:
    lines = [{"text": "a", "label": "1", "n": "5", "m": 5}, {"text": "b", "label": "2", "n": "6", "m": 6}]
    manifest = importer.run("t.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
    assert manifest.label_type == "string"
    assert [(row["meta.n"], row["meta.m"]) for row in importer.examples(manifest)] == [("5", 5), ("6", 6)]


def test_columns_that_appear_late_in_json_lines(importer: Importer) -> None:
    head = [{"text": f"text {n}", "label": n % 2} for n in range(2_000)]
    lines = [*head, {"late": [1, {"a": None}], "label": 0, "text": "x"}, {"text": "y", "label": 1, "later": 2.5}]
    manifest = importer.run("t.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
    examples = importer.examples(manifest)
    assert (examples[0]["meta.late"], examples[0]["meta.later"]) == (None, None)
    assert (examples[-2]["meta.late"], examples[-1]["meta.later"]) == ('[1, {"a": null}]', 2.5)
    assert [column["name"] for column in manifest.columns] == ["text", "label", "late", "later"]


def test_typed_metadata_keeps_its_types(importer: Importer) -> None:
    columns = {
        "text": pa.array(["a", "b"], pa.large_string()),
        "label": pa.array(["x", "y"]).dictionary_encode(),
        "tiny": pa.array([1, None], pa.int8()),
        "when": pa.array([0, 1], pa.timestamp("us", "UTC")),
        "price": pa.array(["1.10", "2.20"]).cast(pa.decimal128(5, 2)),
        "tags": pa.array([["a"], []], pa.list_(pa.string())),
        "nested": pa.array([{"a": 1}, None]),
        "code": pa.array(["007", "008"]),
    }
    path = importer.folder / "t.parquet"
    pq.write_table(pa.table(columns), path)
    manifest = import_examples(open_source(path), MAPPING, importer.files)
    table = pq.read_table(Layout(importer.files).dataset(manifest.id).examples)
    for name in ("tiny", "when", "price", "tags", "nested", "code"):
        assert (
            table.column(f"meta.{name}")
            .combine_chunks()
            .equals(columns[name].cast(table.schema.field(f"meta.{name}").type))
        )
        assert table.schema.field(f"meta.{name}").type.equals(columns[name].type) or pa.types.is_list(
            columns[name].type
        )
    assert table.column("text").to_pylist() == ["a", "b"]


def test_sentence_pairs(importer: Importer) -> None:
    mapping = ColumnMapping(text="a", text_pair="b", label="label")
    manifest = importer.run("t.csv", "a,b,label\none two,three,x\nfour,five six seven,y\n", mapping)
    assert [(row["text"], row["text_pair"]) for row in importer.examples(manifest)] == [
        ("one two", "three"),
        ("four", "five six seven"),
    ]
    assert manifest.report["words"]["longest"] == 4


def test_near_duplicate_groups_are_written(importer: Importer) -> None:
    content = "text,label\nunique text here,a\nThe same text,a\nthe  SAME text,b\nanother one,b\n"
    groups = [row["near_duplicate_group"] for row in importer.examples(importer.run("t.csv", content))]
    assert groups == [None, 0, 0, None]


def test_rows_set_aside_join_no_group(importer: Importer) -> None:
    content = "text,label\nthe same text,\nthe same text,b\nanother one,a\n"
    manifest = importer.run("t.csv", content)
    assert [row["near_duplicate_group"] for row in importer.examples(manifest)] == [None, None]
    assert manifest.report["exact_duplicate_groups"] == 0


def test_the_order_of_the_examples_is_that_of_their_ids(importer: Importer) -> None:
    examples = [("b", "test"), ("é", "train"), ("B", "train"), ("10", "test"), ("9", "validation"), ("a", "train")]
    lines = [f"{key},text {n},{'ab'[n in (1, 3)]},{split}" for n, (key, split) in enumerate(examples)]
    lines.insert(0, "key,text,label,split")
    manifest = importer.run(
        "set.csv", "\n".join(lines), ColumnMapping(text="text", label="label", id="key", split="split")
    )
    order = read_example_order(importer.files, manifest.id)
    ids = [row["id"] for row in importer.examples(manifest)]
    assert [ids[row] for row in np.argsort(order.tie)] == sorted(ids, key=str.encode)
    assert order.split_names == ("test", "train", "validation")
    assert [order.split_names[code] for code in order.splits] == [row["split"] for row in importer.examples(manifest)]
    part = order.part(np.array([1, 2, 4, 5]))
    assert part.split_names == ("train", "validation") and part.splits.tolist() == [0, 0, 1, 0]
    assert [rows.tolist() for rows in part.by_split] == [[1, 3, 0], [2]]
