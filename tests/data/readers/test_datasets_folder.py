"""Folders that `datasets` wrote, ClassLabel features included."""

from __future__ import annotations

from pathlib import Path

import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, Value

from diet_explorer.data.columns import ColumnMapping
from diet_explorer.data.importing import import_examples
from diet_explorer.data.readers.opening import open_source
from diet_explorer.errors import BadInputError
from tests.data.importer import MAPPING, Importer

FEATURES = Features({"text": Value("string"), "label": ClassLabel(names=["no", "yes", "maybe"]), "n": Value("int16")})


SPLIT_MAPPING = ColumnMapping(text="text", label="label", split="split")


def dataset(start: int, labels: list[int]) -> Dataset:
    rows = range(start, start + len(labels))
    return Dataset.from_dict({"text": [f"text {n}" for n in rows], "label": labels, "n": list(rows)}, features=FEATURES)


def test_single_dataset_with_class_names(importer: Importer) -> None:
    dataset(0, [2, 0, 1, -1]).save_to_disk(importer.folder / "saved")
    source = open_source(importer.folder / "saved")
    assert source.columns() == ["text", "label", "n"]
    assert (source.kind, source.name) == ("datasets", "saved")
    manifest = import_examples(source, MAPPING, importer.files)
    assert (manifest.classes, manifest.label_type) == (["maybe", "no", "yes"], "class label")
    assert [(row["label"], row["meta.n"]) for row in importer.examples(manifest)] == [(0, 0), (1, 1), (2, 2)]
    # In the GLUE test sets, −1 stands for a label that is not published.
    assert importer.set_aside(manifest) == [(4, "empty label")]
    assert manifest.columns[2] == {"name": "n", "role": "metadata", "type": "int16"}


def test_splits(importer: Importer) -> None:
    both = DatasetDict({"train": dataset(0, [0, 1, 0]), "validation": dataset(3, [1]), "test": dataset(4, [2, 0])})
    both.save_to_disk(importer.folder / "saved")
    source = open_source(importer.folder / "saved")
    assert source.columns() == ["text", "label", "n", "split"]
    manifest = import_examples(source, ColumnMapping(text="text", label="label", split="split"), importer.files)
    assert manifest.splits == {"train": 3, "validation": 1, "test": 1}
    assert [row["split"] for row in importer.examples(manifest)] == ["train"] * 3 + ["validation", "test"]
    assert importer.set_aside(manifest) == [(1, "label never seen in train")]


def test_filtered_and_shuffled_rows(importer: Importer) -> None:
    shuffled = dataset(0, [0, 1] * 50).shuffle(seed=1).filter(lambda row: row["n"] % 3 == 0)
    shuffled.save_to_disk(importer.folder / "saved")
    manifest = import_examples(open_source(importer.folder / "saved"), MAPPING, importer.files)
    assert [row["meta.n"] for row in importer.examples(manifest)] == shuffled["n"][:]


def test_a_split_column_of_its_own(importer: Importer) -> None:
    marked = dataset(0, [0, 1]).add_column("split", ["x", "y"])
    DatasetDict({"train": marked}).save_to_disk(importer.folder / "saved")
    assert open_source(importer.folder / "saved").columns() == ["text", "label", "n", "split", "split name"]


def test_columns_that_a_split_lacks_are_empty_there(importer: Importer) -> None:
    train = dataset(0, [0, 1])
    DatasetDict({"train": train, "test": dataset(2, [1]).remove_columns("label")}).save_to_disk(importer.folder / "s")
    manifest = import_examples(open_source(importer.folder / "s"), SPLIT_MAPPING, importer.files)
    assert manifest.splits == {"train": 2}
    (row,) = importer.set_aside_rows(manifest)
    assert (row["file"], row["line"], row["reason"]) == ("split test", 1, "empty label")
    assert any("There is no column 'label' in split test" in message for message, *_ in manifest.report["warnings"])


def test_one_split_of_a_folder(importer: Importer) -> None:
    DatasetDict({"train": dataset(0, [0, 1]), "validation": dataset(2, [1])}).save_to_disk(importer.folder / "s")
    source = open_source(f"{importer.folder}/s[dev]")
    assert source.columns() == ["text", "label", "n"]
    assert [table["n"].to_pylist() for table, _ in source.batches()] == [[2]]
    with pytest.raises(BadInputError, match=r"no split 'test'\. It has train, validation"):
        open_source(f"{importer.folder}/s[test]")


def test_each_split_gets_its_own_class_names(importer: Importer) -> None:
    names = (["neg", "pos"], ["pos", "neg"])
    parts = {
        split: Dataset.from_dict(
            {"text": [f"{split} {label}" for label in (0, 1)], "label": [0, 1]},
            features=Features({"text": Value("string"), "label": ClassLabel(names=order)}),
        )
        for split, order in zip(("train", "test"), names, strict=True)
    }
    DatasetDict(parts).save_to_disk(importer.folder / "s")
    manifest = import_examples(open_source(importer.folder / "s"), SPLIT_MAPPING, importer.files)
    labels = {row["text"]: manifest.classes[row["label"]] for row in importer.examples(manifest)}
    assert labels == {"train 0": "neg", "train 1": "pos", "test 0": "pos", "test 1": "neg"}


@pytest.mark.parametrize("codes", [[0, 1], [-1, -1]])
def test_class_names_beside_plain_numbers(importer: Importer, codes: list[int]) -> None:
    bare = dataset(2, [0, 1]).remove_columns("label").add_column("label", codes)
    DatasetDict({"train": dataset(0, [0, 1]), "test": bare}).save_to_disk(importer.folder / "s")
    if codes == [-1, -1]:
        manifest = import_examples(open_source(importer.folder / "s"), SPLIT_MAPPING, importer.files)
        assert (manifest.classes, manifest.label_type, manifest.rows) == (["no", "yes"], "class label", 2)
        assert importer.set_aside(manifest) == [(1, "empty label"), (2, "empty label")]
    else:
        with pytest.raises(BadInputError, match=r"class names in split train .* plain numbers in split test"):
            import_examples(open_source(importer.folder / "s"), SPLIT_MAPPING, importer.files)


def test_hash_follows_the_content(importer: Importer) -> None:
    for name, labels in (("one", [0, 1]), ("same", [0, 1]), ("other", [1, 0])):
        dataset(0, labels).save_to_disk(importer.folder / name)
    hashes = [open_source(importer.folder / name).sha256() for name in ("one", "same", "other")]
    assert hashes[0] == hashes[1] != hashes[2]


def test_parquet_of_datasets_keeps_class_names(importer: Importer) -> None:
    path = importer.folder / "t.parquet"
    dataset(0, [2, 1]).to_parquet(str(path))
    manifest = import_examples(open_source(path), MAPPING, importer.files)
    assert (manifest.classes, manifest.label_type) == (["maybe", "yes"], "class label")


def test_a_folder_with_a_missing_file(importer: Importer) -> None:
    dataset(0, [0, 1]).save_to_disk(importer.folder / "saved")
    next(Path(importer.folder / "saved").glob("*.arrow")).unlink()
    with pytest.raises(BadInputError, match="cannot be read by datasets"):
        open_source(importer.folder / "saved")
