"""Whatever the cells hold, each format gives back what was written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diet_explorer.data.readers.opening import open_source

# XML, and so Excel, has no control characters, and takes a carriage return for a line end.
CELLS = st.one_of(
    st.sampled_from(
        ["", "007", "1.0", "NA", "=1+1", '"', "a,b;c\td", "line\nend", " x ", "'", "\ufeff", "__label__x", "[1]", "{}"]
    ),
    st.text(st.characters(exclude_categories=("Cs", "Cc", "Cn", "Co")), max_size=12),
)
TABLES = st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=5)


def write_excel(frame: pd.DataFrame, path: Path) -> None:
    book = openpyxl.Workbook()
    for number, row in enumerate([list(frame.columns), *frame.to_numpy().tolist()], start=1):
        for column, value in enumerate(row, start=1):
            cell = book.active.cell(number, column)
            cell.value = value
            cell.data_type = "s"
    book.save(path)


def write_json(orient: Any) -> Any:
    return lambda frame, path: frame.to_json(path, orient=orient, force_ascii=False)


WRITERS = {
    "a.xlsx": write_excel,
    "records.json": write_json("records"),
    "split.json": write_json("split"),
    "columns.json": write_json("columns"),
    "index.json.gz": write_json("index"),
    "a.feather": lambda frame, path: pyarrow.feather.write_feather(pa.Table.from_pandas(frame), path),
    "a.parquet": lambda frame, path: pyarrow.parquet.write_table(pa.Table.from_pandas(frame), path),
    "a.jsonl.xz": lambda frame, path: frame.to_json(path, orient="records", lines=True),
    "a.jsonl.bz2": lambda frame, path: frame.to_json(path, orient="records", lines=True),
    "a.csv.zip": lambda frame, path: frame.to_csv(path, index=False, quoting=1),
    "a.csv.zst": lambda frame, path: _compress(frame, path),
}


def _compress(frame: pd.DataFrame, path: Path) -> None:
    with pa.OSFile(str(path), "wb") as raw, pa.CompressedOutputStream(raw, "zstd") as packed:
        packed.write(frame.to_csv(index=False, quoting=1).encode())


@pytest.mark.parametrize("name", WRITERS)
@given(TABLES)
def test_cell_by_cell(tmp_path_factory: pytest.TempPathFactory, name: str, rows: list[tuple[str, str]]) -> None:
    folder = tmp_path_factory.mktemp("cells")
    frame = pd.DataFrame([("first", "x"), *rows], columns=["text", "label"])
    WRITERS[name](frame, folder / name)
    source = open_source(folder / name)
    read = [row for table, _ in source.batches() for row in table.select(["text", "label"]).to_pylist()]
    has_blank_rows = source.kind not in ("csv", "xlsx")
    written = [row for row in frame.to_dict("records") if has_blank_rows or any(row.values())]
    assert [{name: value or "" for name, value in row.items()} for row in read] == written
