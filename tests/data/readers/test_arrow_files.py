"""Feather and Arrow's IPC files and streams."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.feather
import pytest
from datasets import ClassLabel, Dataset, Features, Value

from diet_explorer.data.importing import import_examples
from diet_explorer.data.readers.opening import open_source
from diet_explorer.errors import BadInputError
from tests.data.importer import MAPPING, Importer

TABLE = pa.table({"text": [f"text {n}" for n in range(10)], "label": pa.array(["a", "b"] * 5).dictionary_encode()})


def written(path: Path, kind: str) -> Path:
    if kind in ("lz4", "uncompressed"):
        pyarrow.feather.write_feather(TABLE, path, compression=kind)
        return path
    with pa.OSFile(str(path), "wb") as sink, getattr(pa.ipc, f"new_{kind}")(sink, TABLE.schema) as writer:
        writer.write_table(TABLE, max_chunksize=4)
    return path


@pytest.mark.parametrize("kind", ["lz4", "uncompressed", "file", "stream"])
@pytest.mark.parametrize("name", ["a.feather", "a.arrow"])
def test_import(importer: Importer, kind: str, name: str) -> None:
    source = open_source(written(importer.folder / name, kind))
    assert next(lines.tolist() for _, lines in source.batches(size=3)) == [1, 2, 3]
    manifest = import_examples(source, MAPPING, importer.files)
    assert (manifest.classes, manifest.rows, manifest.source["kind"]) == (["a", "b"], 10, "arrow")
    assert [row["label"] for row in importer.examples(manifest)] == [0, 1] * 5


def test_class_names_of_a_file_of_datasets(importer: Importer) -> None:
    features = Features({"text": Value("string"), "label": ClassLabel(names=["no", "yes"])})
    Dataset.from_dict({"text": ["a", "b"], "label": [1, 0]}, features=features).save_to_disk(importer.folder / "s")
    (file,) = (importer.folder / "s").glob("*.arrow")
    assert import_examples(open_source(file), MAPPING, importer.files).classes == ["no", "yes"]


@pytest.mark.parametrize("kind", ["lz4", "stream"])
def test_damaged(importer: Importer, kind: str) -> None:
    path = written(importer.folder / "a.arrow", kind)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(BadInputError, match="not readable as Arrow"):
        list(open_source(path).batches())


def test_the_first_version_of_feather_is_named(importer: Importer) -> None:
    with pytest.raises(BadInputError, match="Feather's first version"):
        importer.open("a.feather", b"FEA1" + bytes(60))
