"""Random tables with hostile cells, written by several programs in their dialects, encodings and compressions.

They are imported, exported in every form and read again by other readers: equal cell by cell.
"""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
import re
import tempfile
from collections.abc import Callable
from decimal import Decimal
from math import isfinite
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from diet_explorer.pruning.export.formats import EXPORT_FORMATS
from diet_explorer.workspace.workspace import Workspace
from tests.pruning.export.exporting import export_whole, imported

NAMES = ["text", "label", "a", "A", 'x."y', "__index_level_0__"]
LABELS = ["01", "yes", "1", "1.0", "é"]
CODES = "0001 007 1e5 00e5 1.50 NA nan null None TRUE 2024-01-02 12:30 1152921504606846977 9223372036854775808 -0 +49"
MARKS = [
    "",
    " lead",
    "trail ",
    '"q"',
    "a,b;c\td|e",
    "line\nbreak",
    "cr\rx",
    "crlf\r\n",
    "\\",
    '\\"',
    "=1+1",
    "'=1",
    "@x",
]
SIGNS = ["\u2028", "\u202e", "e\u0301", "\xe9", "\ufeffx", "\U0001f642", "\x1b[31m", "\x85", "#", "-", "–"]
CELLS = st.sampled_from([*CODES.split(), *MARKS, *SIGNS]) | st.text(
    st.characters(codec="utf-8", exclude_characters="\0"), max_size=6
)
COLUMNS = st.sampled_from(
    [
        CELLS,
        st.integers(-(2**63), 2**63 - 1).map(str) | st.just(""),
        st.floats(allow_nan=False, allow_infinity=False).map(repr),
        st.sampled_from(["true", "False", "TRUE", ""]),
        st.sampled_from(CODES.split()),
    ]
)


@st.composite
def tables(draw: st.DrawFn) -> list[list[str]]:
    """Rows of texts; the first two make two classes."""
    count = draw(st.integers(0, 4))
    labels = [*LABELS[:2], *(draw(st.sampled_from(LABELS)) for _ in range(count))]
    texts = [f"{draw(CELLS)}w{draw(CELLS)} {number}" for number in range(len(labels))]
    further = [[draw(cells) for _ in labels] for cells in (draw(COLUMNS) for _ in NAMES[2:])]
    return [list(row) for row in zip(texts, labels, *further, strict=True)]


DIALECTS = st.fixed_dictionaries(
    {
        "writer": st.sampled_from(["csv", "pandas", "pyarrow"]),
        "delimiter": st.sampled_from([",", ";", "\t", "|"]),
        "quoting": st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
        "newline": st.sampled_from(["\n", "\r\n"]),
        "encoding": st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]),
        "packing": st.sampled_from(["", ".gz", ".bz2", ".xz"]),
    }
)
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
}


def written(rows: list[list[str]], dialect: dict[str, Any]) -> tuple[str, bytes]:
    """Name and bytes of a file, in UTF-8 where another encoding does not have its letters."""
    stream = io.StringIO()
    quoting = csv.QUOTE_ALL if any("\r" in cell for row in rows for cell in row) else dialect["quoting"]
    if dialect["writer"] == "csv":
        writer = csv.writer(stream, delimiter=dialect["delimiter"], quoting=quoting, lineterminator=dialect["newline"])
        writer.writerows([NAMES, *rows])
    elif dialect["writer"] == "pandas":
        frame = pd.DataFrame(rows, columns=NAMES)
        frame.to_csv(stream, index=False, sep=dialect["delimiter"], quoting=quoting, lineterminator=dialect["newline"])
    else:
        table = pa.table(dict(zip(NAMES, map(list, zip(*rows, strict=True)), strict=True)))
        raw = io.BytesIO()
        pa_csv.write_csv(table, raw, pa_csv.WriteOptions(delimiter=dialect["delimiter"]))
        stream.write(raw.getvalue().decode())
    try:
        content = stream.getvalue().encode(dialect["encoding"])
    except UnicodeEncodeError:
        content, dialect["encoding"] = stream.getvalue().encode(), "utf-8"
    return f"t.csv{dialect['packing']}", PACKERS[dialect["packing"]](content)


def read_again(folder: Path, form: str, name: str = "train") -> list[dict[str, Any]]:
    """The rows of an export, by other readers than the program's."""
    if form == "csv":
        with (folder / f"{name}.csv").open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
        frame = pd.read_csv(folder / f"{name}.csv", dtype=str, keep_default_na=False)
        assert frame.to_dict("records") == rows
        return rows
    if form == "jsonl":
        return [json.loads(line) for line in (folder / f"{name}.jsonl").read_bytes().splitlines()]
    if form == "parquet":
        return list(pq.read_table(folder / f"{name}.parquet").to_pylist())
    import datasets

    loaded = datasets.load_from_disk(str(folder))[name]
    classes = loaded.features["label"].names
    return [{**row, "label": classes[row["label"]]} for row in loaded.data.table.to_pylist()]


def same(cell: str, value: Any, kind: str) -> bool:
    """Whether a value stands for a cell, in a column of a type: texts letter by letter, numbers by every digit."""
    if value is None or (value == "" and kind != "string"):
        return cell == ""
    if kind == "bool":
        return str(value).lower() == cell.lower()
    if kind in ("int64", "double"):
        return cell != "" and Decimal(str(value)) == Decimal(cell)
    return bool(value == cell)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return Workspace(tmp_path_factory.mktemp("round-trips"))


few = settings(max_examples=settings().max_examples, suppress_health_check=[HealthCheck.too_slow])


@few
@given(rows=tables(), dialect=DIALECTS, form=st.sampled_from(EXPORT_FORMATS))
def test_delimited_files(shared: Workspace, rows: list[list[str]], dialect: dict[str, Any], form: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        name, content = written(rows, dialect)
        (Path(folder) / name).write_bytes(content)
        options = {"delimiter": dialect["delimiter"], "encoding": dialect["encoding"], "header": True}
        run = imported(shared, Path(folder) / name, **options)
        out = export_whole(run, Path(folder) / "out", form)
        found = read_again(out, form)
        kinds = {entry["name"]: entry["type"] for entry in run.dataset.manifest.columns} | {"label": "string"}
        assert [list(row) for row in found] == [NAMES] * len(rows)
        for cells, row in zip(rows, found, strict=True):
            for column, cell in zip(NAMES, cells, strict=True):
                assert same(cell, row[column], kinds[column]), (column, cell, row[column], kinds[column])


VALUES = {
    "a": st.none() | st.integers(-(2**63), 2**63 - 1),
    "A": st.none() | CELLS,
    'x."y': st.none() | st.floats(allow_nan=False, allow_infinity=False),
    "__index_level_0__": st.none() | st.lists(st.none() | CELLS, max_size=3),
}
TYPES = {"a": pa.int64(), "A": pa.string(), 'x."y': pa.float64(), "__index_level_0__": pa.list_(pa.string())}


@few
@given(data=st.data(), count=st.integers(2, 5), feather=st.booleans(), form=st.sampled_from(EXPORT_FORMATS))
def test_typed_files(shared: Workspace, data: st.DataObject, count: int, feather: bool, form: str) -> None:
    columns = {name: [data.draw(values) for _ in range(count)] for name, values in VALUES.items()}
    texts = [f"{data.draw(CELLS)}w {number}" for number in range(count)]
    labels = [*LABELS[:2], *(data.draw(st.sampled_from(LABELS)) for _ in range(count - 2))]
    typed = {name: pa.array(values, TYPES[name]) for name, values in columns.items()}
    table = pa.table({"text": texts, "label": labels, **typed})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / ("t.feather" if feather else "t.parquet")
        if feather:
            with pa.ipc.new_file(str(path), table.schema) as writer:
                writer.write_table(table)
        else:
            pq.write_table(table, path, row_group_size=2)
        found = read_again(export_whole(imported(shared, path), Path(folder) / "out", form), form)
    assert [(row["text"], row["label"]) for row in found] == list(zip(texts, labels, strict=True))
    for name, values in columns.items():
        read = [row[name] for row in found]
        if form != "csv":
            assert read == values
        elif name == "__index_level_0__":
            assert [json.loads(cell) if cell else None for cell in read] == values
        elif name == 'x."y':
            assert [float(cell) if cell else None for cell in read] == values
        else:
            assert read == ["" if value is None else str(value) for value in values]


# What no workbook can hold: characters that XML has not, and carriage returns, which it reads as ends of lines.
UNWRITABLE = re.compile("[\x00-\x08\x0b-\x1f\ufffe\uffff\r]")
WORKBOOK = {
    "a": st.none() | st.integers(-(2**53), 2**53),
    "A": st.none() | CELLS,
    # openpyxl writes no more than 16 digits
    'x."y': st.none()
    | st.floats(allow_nan=False, allow_infinity=False)
    .map(lambda value: float(f"{value:.15g}"))
    .filter(isfinite),  # the largest is rounded up to infinity
    "__index_level_0__": st.none() | st.booleans(),
}


@few
@given(data=st.data(), count=st.integers(2, 5), form=st.sampled_from(EXPORT_FORMATS))
def test_workbooks(shared: Workspace, data: st.DataObject, count: int, form: str) -> None:
    texts = [UNWRITABLE.sub("", f"{data.draw(CELLS)}w{data.draw(CELLS)} {number}") for number in range(count)]
    labels = [*LABELS[:2], *(data.draw(st.sampled_from(LABELS)) for _ in range(count - 2))]
    values = [[data.draw(cells) for _ in range(count)] for cells in WORKBOOK.values()]
    values = [[UNWRITABLE.sub("", cell) if isinstance(cell, str) else cell for cell in column] for column in values]
    rows = list(zip(texts, labels, *values, strict=True))
    with tempfile.TemporaryDirectory() as folder:
        book = openpyxl.Workbook()
        for line, row in enumerate([NAMES, *rows], start=1):
            for number, value in enumerate(row, start=1):
                cell = book.active.cell(line, number, value)
                cell.data_type = "s" if isinstance(value, str) else cell.data_type  # no formulas
        book.save(Path(folder) / "t.xlsx")
        run = imported(shared, Path(folder) / "t.xlsx", header=True)
        found = read_again(export_whole(run, Path(folder) / "out", form), form)
    kinds = {entry["name"]: entry["type"] for entry in run.dataset.manifest.columns} | {"label": "string"}
    for row, read in zip(rows, found, strict=True):
        for name, value in zip(NAMES, row, strict=True):
            cell = "" if value is None else str(value)
            assert same(cell, read[name], kinds[name]), (name, value, read[name], kinds[name])
