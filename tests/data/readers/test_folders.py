"""Folders, globs and lists of data files whose names are splits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import ClassLabel, Dataset, Features, Sequence, Value

from diet_explorer.data.columns import ColumnMapping
from diet_explorer.data.importing import import_examples
from diet_explorer.data.readers.opening import open_source
from diet_explorer.data.readers.options import ReadingOptions
from diet_explorer.data.readers.source import Source
from diet_explorer.errors import BadInputError
from tests.data.importer import Importer

MAPPING = ColumnMapping(text="text", label="label", split="split")
ROWS = "text,label\none two,a\nthree,b\n"


@pytest.fixture
def folder(importer: Importer) -> Path:
    path = importer.folder / "reviews"
    path.mkdir()
    return path


def write(folder: Path, *names: str, content: str = ROWS) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)


def rows_by_split(source: Source) -> dict[str, int]:
    counts: dict[str, int] = {}
    for table, _ in source.batches():
        for split in table["split"].to_pylist():
            counts[split] = counts.get(split, 0) + 1
    return counts


@pytest.mark.parametrize(
    ("names", "splits"),
    [
        (["test.csv", "train.csv"], {"train": 2, "test": 2}),
        (["sst2_train.csv", "sst2_dev.csv"], {"train": 2, "dev": 2}),
        (["train/0.csv", "train/1.csv", "validation/0.csv"], {"train": 4, "validation": 2}),
        (
            ["data/train-00000-of-00002.csv", "data/train-00001-of-00002.csv", "data/unsup-00000-of-00001.csv"],
            {"train": 4, "unsup": 2},
        ),
        (["train.csv", "dev_matched.csv", "dev_mismatched.csv"], {"train": 2, "dev": 4}),
        (["Trainset.csv", "test-2.csv", ".hidden.csv", "README.md", "LICENSE"], {"train": 2, "test": 2}),
    ],
)
def test_names_are_splits(folder: Path, names: list[str], splits: dict[str, int]) -> None:
    write(folder, *names)
    assert rows_by_split(open_source(folder)) == splits


def test_import_of_a_folder(importer: Importer, folder: Path) -> None:
    write(folder, "train.csv")
    write(folder, "test.csv", content="text,label,note\nfour,a,x\n,b,y\nsix,b,z,z\n")
    write(folder, "extra.csv")
    manifest = import_examples(open_source(folder), MAPPING, importer.files)
    assert (manifest.name, manifest.splits) == ("reviews", {"train": 2, "test": 1})
    rows = importer.examples(manifest)
    assert [row["id"] for row in rows][:3] == ["row-0000001", "row-0000002", "row-0000003"]
    assert [row["meta.note"] for row in rows] == [None, None, "x"]
    aside = [(row["file"], row["line"], row["reason"]) for row in importer.set_aside_rows(manifest)]
    assert aside == [("test.csv", 3, "empty text"), ("test.csv", 4, "ragged row")]
    warnings = [message for message, *_ in manifest.report["warnings"]]
    assert any("Not read, since the names say no split: extra.csv" in message for message in warnings)
    assert any("There is no column 'note' in train.csv" in message for message in warnings)
    assert not any("All rows are trained on" in message for message in warnings)
    unmapped = import_examples(open_source(folder), ColumnMapping("text", "label"), importer.files)
    assert unmapped.splits == {"train": 3}
    assert any(setting == "split" and "trained on" in message for message, _, setting in unmapped.report["warnings"])


def test_a_cloned_dataset_with_configurations(folder: Path) -> None:
    card = "---\nconfigs:\n- config_name: en\n  data_files:\n  - split: train\n    path: en/tr*.csv\n  - split: test\n"
    card += "    path: [en/te.csv]\n- config_name: de\n  data_files: de/**\n---\n# Reviews\n"
    write(folder, "README.md", content=card)
    write(folder, "en/tr1.csv", "en/tr2.csv", "en/te.csv", "de/all.csv")
    with pytest.raises(BadInputError, match="several configurations: en, de") as caught:
        open_source(folder)
    assert caught.value.remedy == f"Name one as {folder}:en."
    assert rows_by_split(open_source(f"{folder}:en")) == {"train": 4, "test": 2}
    assert rows_by_split(open_source(f"{folder}:de")) == {"train": 2}
    part = open_source(f"{folder}:en[test]")
    assert (part.columns(), part.name, part.location) == (["text", "label"], "reviews", f"{folder}:en[test]")
    (folder / "en/te.csv").unlink()
    with pytest.raises(BadInputError, match=r"no file en/te.csv, which its README.md names for test"):
        open_source(f"{folder}:en")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["en/train.csv", "de/train.csv"], "several sets of files: de, en"),
        (["en_train.csv", "de_train.csv", "en_test.csv"], "several sets of files: de, en"),
        (["train-00000-of-00002.csv"], "lacks the file train-00001-of-00002"),
        (["notes.md"], "no data file"),
    ],
)
def test_refused(folder: Path, names: list[str], message: str) -> None:
    write(folder, *names)
    with pytest.raises(BadInputError, match=message):
        open_source(folder)


def test_texts_in_folders_of_their_classes(importer: Importer, folder: Path) -> None:
    for split in ("train", "test"):
        for label in ("neg", "pos"):
            for number in range(3):
                write(folder, f"{split}/{label}/{number}_1.txt", content=f"{label}, film {split} {number}\nfine\n")
    write(folder, "train/unsup/0_0.txt", "train/pos/9_1.txt", content="")
    write(folder, "README", "train/urls_pos.txt", content="http://example.org\n")
    manifest = import_examples(open_source(folder), MAPPING, importer.files)
    assert (manifest.classes, manifest.splits) == (["neg", "pos"], {"train": 6, "test": 6})
    assert importer.examples(manifest)[0]["text"] == "neg, film test 0\nfine"
    aside = {(row["file"], row["reason"]) for row in importer.set_aside_rows(manifest)}
    assert aside == {("train/pos/9_1.txt", "empty text"), ("train/unsup/0_0.txt", "empty text")}
    assert open_source(f"{folder}[test]").columns() == ["text", "label", "split"]
    write(folder, "test/pos/7_1.txt", content="café")
    (folder / "test/pos/7_1.txt").write_bytes("café".encode("latin-1"))
    with pytest.raises(BadInputError, match=r"7_1\.txt is not UTF-8 text"):
        list(open_source(folder).batches())
    assert list(open_source(folder, ReadingOptions(encoding="latin-1")).batches())


def test_pointers_of_git_lfs(folder: Path) -> None:
    write(folder, "train.parquet", content="version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    with pytest.raises(BadInputError, match=r"train\.parquet is only a pointer of Git LFS") as caught:
        open_source(folder)
    assert "git lfs pull" in caught.value.remedy


def test_mixed_formats_are_refused(folder: Path) -> None:
    write(folder, "train.csv")
    pq.write_table(pa.table({"text": ["a"], "label": ["b"]}), folder / "test.parquet")
    with pytest.raises(BadInputError, match="mixes formats"):
        open_source(folder)


def test_globs_and_lists_read_every_file(folder: Path) -> None:
    write(folder, "train.csv", "test.csv", "extra.csv")
    assert rows_by_split(open_source(f"{folder}/*.csv")) == {"train": 2, "test": 2, "extra": 2}
    assert rows_by_split(open_source([folder / "test.csv", folder / "train.csv"])) == {"train": 2, "test": 2}
    write(folder, "parts/a.csv", "parts/b.csv")
    source = open_source(f"{folder}/parts/?.csv")
    assert source.columns() == ["text", "label"]
    assert sum(table.num_rows for table, _ in source.batches()) == 4


def test_a_name_with_brackets_is_a_name_first(folder: Path) -> None:
    write(folder, "old[train].csv", "reviews[v2]/train.csv", "reviews[v2]/test.csv")
    assert open_source(folder / "old[train].csv").columns() == ["text", "label"]
    assert rows_by_split(open_source(folder / "reviews[v2]")) == {"train": 2, "test": 2}
    assert open_source(f"{folder}/reviews[v2][test]").columns() == ["text", "label"]


def parquet(folder: Path, name: str, labels: list[Any], names: list[str] | None) -> None:
    kind = Value("int64") if names is None else ClassLabel(names=names)
    texts = [f"{name} {number}" for number in range(len(labels))]
    features = Features({"text": Value("string"), "label": kind})
    Dataset.from_dict({"text": texts, "label": labels}, features=features).to_parquet(str(folder / name))


def test_shards_of_parquet_that_number_classes_otherwise(importer: Importer, folder: Path) -> None:
    parquet(folder, "train-00000-of-00002.parquet", [0, 1], ["neg", "pos"])
    parquet(folder, "train-00001-of-00002.parquet", [0, 1], ["pos", "neg"])
    manifest = import_examples(open_source(folder), MAPPING, importer.files)
    labels = [manifest.classes[row["label"]] for row in importer.examples(manifest)]
    assert labels == ["neg", "pos", "pos", "neg"]


def test_columns_of_other_types(importer: Importer, folder: Path) -> None:
    pq.write_table(
        pa.table({"text": ["a", "b"], "label": [0, 1], "n": [1, 2], "s": ["x", None]}), folder / "train.parquet"
    )
    other = {"text": ["c", "d"], "label": [1.0, None], "n": [0.5, 2.0], "s": ["x", "y"]}
    pq.write_table(pa.table(other), folder / "test.parquet")
    manifest = import_examples(open_source(folder), MAPPING, importer.files)
    assert (manifest.classes, manifest.label_type) == (["0", "1"], "integer")
    assert importer.set_aside(manifest) == [(2, "empty label")]
    assert [row["meta.n"] for row in importer.examples(manifest)] == [1.0, 2.0, 0.5]


def test_a_label_of_text_beside_one_of_numbers_is_refused(importer: Importer, folder: Path) -> None:
    pq.write_table(pa.table({"text": ["a", "b"], "label": [0, 1]}), folder / "train.parquet")
    pq.write_table(pa.table({"text": ["c"], "label": ["yes"]}), folder / "test.parquet")
    with pytest.raises(BadInputError, match=r"'label' .* holds int64 in train\.parquet and string in test"):
        import_examples(open_source(folder), MAPPING, importer.files)


CARD = """---
dataset_info:
  features:
  - name: text
    dtype: string
  - name: label
    {kind}:
      class_label:
        names:
          '0': neg
          '1': pos
---
# Reviews
"""


@pytest.mark.parametrize("form", ["csv", "parquet", "jsonl"])
def test_class_names_of_the_card_stand_for_codes(importer: Importer, folder: Path, form: str) -> None:
    (folder / "README.md").write_text(CARD.format(kind="dtype"))
    if form == "parquet":
        pq.write_table(pa.table({"text": ["one", "two", "three"], "label": [0, 1, -1]}), folder / "train.parquet")
    elif form == "csv":
        write(folder, "train.csv", content="text,label\none,0\ntwo,1\nthree,-1\n")
    else:
        rows = ['{"text": "one", "label": 0}', '{"text": "two", "label": 1}', '{"text": "three", "label": -1}']
        write(folder, "train.jsonl", content="\n".join(rows))
    manifest = import_examples(open_source(folder), MAPPING, importer.files)
    assert (manifest.classes, manifest.label_type, manifest.rows) == (["neg", "pos"], "class label", 2)
    assert "the classes that README.md names: neg, pos." in " ".join(manifest.report["read_as"])
    assert importer.set_aside(manifest)[0][1] == "empty label"


def test_names_in_the_file_itself_stay(importer: Importer, folder: Path) -> None:
    (folder / "README.md").write_text(CARD.format(kind="dtype"))
    write(folder, "train.csv", content="text,label\none,neg\ntwo,pos\nthree,1\n")
    manifest = import_examples(open_source(folder), MAPPING, importer.files)
    assert [row["label"] for row in importer.examples(manifest)] == [0, 1, 1]
    features = Features({"text": Value("string"), "label": ClassLabel(names=["bad", "good"])})
    Dataset.from_dict({"text": ["one", "two"], "label": [0, 1]}, features=features).to_parquet(folder / "train.parquet")
    (folder / "train.csv").unlink()
    assert import_examples(open_source(folder), MAPPING, importer.files).classes == ["bad", "good"]


def test_class_names_belong_to_their_configuration(folder: Path) -> None:
    label = "  features:\n  - name: label\n    dtype:\n      class_label:\n        names"
    names = {"one": "[x, b]", "two": "[y, b]"}
    entries = "".join(f"- config_name: {name}\n{label}: {value}\n" for name, value in names.items())
    configs = "configs:\n- config_name: one\n  data_files: one/*.csv\n- config_name: two\n  data_files: two/*.csv\n"
    (folder / "README.md").write_text(f"---\ndataset_info:\n{entries}{configs}---\n")
    write(folder, "one/train.csv", "two/train.csv")
    assert open_source(f"{folder}:two").described_classes == {"label": ["y", "b"]}


@pytest.mark.parametrize("kind", ["sequence", "list"])
def test_lists_of_classes_get_their_names(importer: Importer, folder: Path, kind: str) -> None:
    lists = [[0], [1], [0, 1]]
    pq.write_table(pa.table({"text": ["one", "two", "three"], "label": lists}), folder / "train.parquet")
    (folder / "README.md").write_text(CARD.format(kind=kind))
    described = import_examples(open_source(folder), MAPPING, importer.files)
    (folder / "README.md").unlink()
    features = Features({"text": Value("string"), "label": Sequence(ClassLabel(names=["neg", "pos"]))})
    data = Dataset.from_dict({"text": ["one", "two", "three"], "label": lists}, features=features)
    data.to_parquet(folder / "train.parquet")
    named = import_examples(open_source(folder), MAPPING, importer.files)
    for manifest in (described, named):
        assert (manifest.classes, manifest.rows) == (["neg", "pos"], 2)
        assert [reason for _, reason in importer.set_aside(manifest)] == ["several labels"]
