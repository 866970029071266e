"""Mutated files of every format, filters, ids, ledger files, addresses and manifests: no error but our own.

Run thousands with ``--hypothesis-profile nightly``.
"""

from __future__ import annotations

import gzip
import io
import json
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from diet_explorer.analysis.filters import CONDITIONS, ExampleFilter
from diet_explorer.data.columns import ColumnMapping
from diet_explorer.data.manifest import DatasetManifest
from diet_explorer.data.readers.opening import open_source
from diet_explorer.data.validation import validate
from diet_explorer.errors import DietExplorerError
from diet_explorer.store.files import Files
from diet_explorer.store.layout import Layout
from diet_explorer.ui.shell.view import View
from diet_explorer.workspace.dataset import Dataset

FRAME = pd.DataFrame({"text": [f"one {n}, “two”\n three" for n in range(12)], "label": ["a", "b"] * 6, "n": range(12)})
_NIGHTLY = 100  # more examples than a profile has that is not for the night
SLOW = settings(
    max_examples=3_000 if settings().max_examples > _NIGHTLY else 25,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def _written(write: Callable[[Any], object]) -> bytes:
    stream = io.BytesIO()
    write(stream)
    return stream.getvalue()


def _workbook(stream: io.BytesIO) -> None:
    book = openpyxl.Workbook()
    for row in [list(FRAME), *FRAME.values.tolist()]:
        book.active.append(row)
    book.save(stream)


def _arrow(stream: io.BytesIO) -> None:
    table = pa.Table.from_pandas(FRAME)
    with pa.ipc.new_file(stream, table.schema) as writer:
        writer.write_table(table)


def _zipped(stream: io.BytesIO) -> None:
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("train.csv", FRAME.to_csv(index=False))
        archive.writestr("README.md", "---\nconfigs:\n- config_name: x\n  data_files: '*.csv'\n---\n")


CSV = FRAME.to_csv(index=False).encode()
FILES = {
    "t.csv": CSV,
    "t.tsv": FRAME.to_csv(index=False, sep="\t").encode(),
    "t.jsonl": FRAME.to_json(orient="records", lines=True).encode(),
    "t.json": FRAME.to_json(orient="records").encode(),
    "u.json": FRAME.to_json(orient="split").encode(),
    "t.txt": "".join(f"__label__{a} {t}\n" for t, a in zip(FRAME["text"], FRAME["label"], strict=True)).encode(),
    "t.csv.gz": gzip.compress(CSV),
    "t.zip": _written(_zipped),
    "t.xlsx": _written(_workbook),
    "t.parquet": _written(FRAME.to_parquet),
    "t.arrow": _written(_arrow),
}
PIECES = st.sampled_from(
    [b"\0", b'"', b"\n", b"[" * 99, b"{", b"}", b"\\u", b"\xff", b"9" * 5000, b"<", b"&", b"=", b"\xed\xa0"]
)
CHANGES = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 40), PIECES | st.binary(max_size=12)), max_size=4)


def mutated(content: bytes, changes: list[tuple[float, int, bytes]]) -> bytes:
    """The content with some bytes replaced at some places."""
    for share, length, piece in changes:
        at = int(share * len(content))
        content = content[:at] + piece + content[at + length :]
    return content


@SLOW
@given(name=st.sampled_from(sorted(FILES)), changes=CHANGES)
def test_mutated_files(name: str, changes: list[tuple[float, int, bytes]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(mutated(FILES[name], changes))
        try:
            validate(open_source(path), ColumnMapping(text="text", label="label"))
        except DietExplorerError as error:
            assert error.message and error.remedy


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
FACTS = ("_data_files", "_split", "splits", "features", "format_version", "mapping", "classes", "id")


@SLOW
@given(name=st.sampled_from(["state.json", "dataset_dict.json"]), facts=st.dictionaries(st.sampled_from(FACTS), JSON))
def test_facts_of_saved_folders(name: str, facts: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / name).write_text(json.dumps(facts))
        with pytest.raises(DietExplorerError):
            open_source(folder)


@SLOW
@given(facts=st.dictionaries(st.sampled_from(FACTS), JSON) | JSON)
def test_manifests(facts: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        files = Files(folder)
        files.write_json(Layout(files).dataset("a-1").manifest, facts)
        with pytest.raises(DietExplorerError):
            DatasetManifest.load(files, "a-1")


@SLOW
@given(identifier=st.text(max_size=30) | st.sampled_from(["../x", "..", "a/b", "a\0b", "A", "é", "", "a" * 5000]))
def test_ids(identifier: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        layout = Layout(Files(folder))
        for find in (layout.dataset, layout.run, layout.export):
            try:
                paths = find(identifier)
            except DietExplorerError:
                continue
            assert Path(paths.folder).resolve().parent.parent == Path(folder).resolve()


QUERIES = st.dictionaries(
    st.sampled_from([*CONDITIONS, *(condition.key for condition in CONDITIONS.values()), "run", "checkpoint", "seed"])
    | st.text(max_size=8),
    st.text(max_size=20) | st.lists(st.text(max_size=12), max_size=3),
    max_size=5,
)


@SLOW
@given(query=QUERIES)
def test_addresses(query: dict[str, Any]) -> None:
    many = {key: value if isinstance(value, list) else [value] for key, value in query.items()}
    for parse in (ExampleFilter.from_query, View.from_query):
        try:
            parse(many)
        except DietExplorerError as error:
            assert error.message and error.remedy


@SLOW
@given(lines=st.lists(JSON.map(json.dumps) | st.text(max_size=30) | st.just('{"uid": "' + "[" * 2000), max_size=4))
def test_ledger_files(dataset: Dataset, lines: list[str]) -> None:
    before = len(dataset.ledger.events(None, None, None, 10))
    try:
        dataset.import_decisions(io.StringIO("\n".join(lines)), by="ann")
    except DietExplorerError as error:
        assert error.message and error.remedy
    assert len(dataset.ledger.events(None, None, None, 10)) == before


@pytest.mark.parametrize("name", ["t.xlsx", "t.zip", "t.arrow"])
@pytest.mark.parametrize("place", [0.02, 0.2, 0.35, 0.5])
def test_damage_in_archives_and_in_the_metadata_of_pandas(tmp_path: Path, name: str, place: float) -> None:
    path = tmp_path / name
    content = FILES[name]
    at = content.find(b"pandas") + 40 if name == "t.arrow" else int(place * len(content))
    path.write_bytes(content[:at] + b"\xff{\0" + content[at + 3 :])
    try:
        validate(open_source(path), ColumnMapping(text="text", label="label"))
    except DietExplorerError as error:
        assert error.message and error.remedy


def test_a_member_without_a_name_is_none(tmp_path: Path) -> None:
    content = bytearray(FILES["t.zip"])
    at = content.rfind(b"PK\x01\x02")  # what the directory says of the last member: its name becomes its comment
    content[at + 28 : at + 34] = b"\0\0" + b"\0\0" + content[at + 28 : at + 30]
    (tmp_path / "t.zip").write_bytes(content)
    report = validate(open_source(tmp_path / "t.zip"), ColumnMapping(text="text", label="label"))
    assert report.rows_kept == len(FRAME)
