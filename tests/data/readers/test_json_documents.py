"""JSON files that are one value: arrays, and the forms that pandas writes."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diet_explorer.data.readers.json_values import JsonValues, rows_of_document
from diet_explorer.data.readers.source import Source
from diet_explorer.errors import BadInputError
from tests.data.importer import Importer

ROWS = [{"text": "one\nof", "label": "a"}, {"text": 'tw"o é', "label": "b"}, {"text": "[1]", "label": "a"}]
FRAME = pd.DataFrame(ROWS)


def rows_of(source: Source) -> list[dict[str, Any]]:
    return [row for table, _ in source.batches() for row in table.to_pylist()]


@pytest.mark.parametrize("orient", ["records", "columns", "index", "split", "table"])
@pytest.mark.parametrize("indent", [None, 2])
def test_forms_of_pandas(importer: Importer, orient: Any, indent: int | None) -> None:
    source = importer.open("table.json", FRAME.to_json(orient=orient, indent=indent))
    assert source.kind == "json"
    assert [{name: row[name] for name in ("text", "label")} for row in rows_of(source)] == ROWS


@pytest.mark.parametrize(
    "content",
    [
        json.dumps(ROWS),
        json.dumps(ROWS, indent=2),
        json.dumps({"version": 1, "data": ROWS}),
        json.dumps({name: [row[name] for row in ROWS] for name in ("text", "label")}),
        "\n".join(json.dumps(row, indent=1) for row in ROWS),
        "\n".join(json.dumps(row) for row in ROWS),
    ],
    ids=["array", "indented", "wrapped", "lists", "stretched objects", "lines"],
)
@pytest.mark.parametrize("ending", ["json", "jsonl", "txt"])
def test_other_forms(importer: Importer, content: str, ending: str) -> None:
    assert rows_of(importer.open(f"table.{ending}", content)) == ROWS


def test_an_index_of_names_is_kept(importer: Importer) -> None:
    source = importer.open("table.json", FRAME.set_axis(["x1", "x2", "x3"], axis=0).to_json())
    assert [row["index"] for row in rows_of(source)] == ["x1", "x2", "x3"]


def test_lists_by_split(importer: Importer) -> None:
    source = importer.open("intents.json", json.dumps({"train": [["a b", "x"], ["c", "y"]], "val": [["d", "x"]]}))
    assert source.columns() == ["column 1", "column 2", "split"]
    assert [row["split"] for row in rows_of(source)] == ["train", "train", "val"]


def test_elements_that_are_no_rows_are_set_aside_with_their_line(importer: Importer) -> None:
    source = importer.open("a.json", '[\n {"text": "a", "label": NaN},\n 7,\n {"text": "\\ud800"},\n {"text": "b"}\n]')
    batches = list(source.batches())
    assert [row["text"] for table, _ in batches for row in table.to_pylist()] == ["a", "b"]
    assert [line for _, lines in batches for line in lines.tolist()] == [2, 5]
    assert [(row.line, row.reason.title) for row in source.bad_rows] == [(3, "broken JSON line"), (4, "broken Unicode")]


def test_a_single_object_is_one_row(importer: Importer) -> None:
    assert rows_of(importer.open("a.json", '{"text": "a", "label": "b"}')) == [{"text": "a", "label": "b"}]


def test_a_broken_first_line_costs_only_itself(importer: Importer) -> None:
    source = importer.open("a.jsonl", '{"text": "a", "label\n{"text": "b", "label": "x"}\n')
    assert rows_of(source) == [{"text": "b", "label": "x"}]
    assert [row.line for row in source.bad_rows] == [1]


def test_a_document_that_is_too_large_is_refused(importer: Importer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIET_EXPLORER_MAX_DOCUMENT_MB", "1")
    frame = pd.concat([FRAME] * 20_000, ignore_index=True)
    with pytest.raises(BadInputError, match="too large to read whole"):
        importer.open("a.json", frame.to_json())
    assert len(rows_of(importer.open("b.json", FRAME.to_json(orient="records")))) == 3, "arrays are read in pieces"


@given(st.lists(st.dictionaries(st.text(max_size=3), st.none() | st.integers() | st.text())), st.integers(1, 9))
def test_an_array_is_read_in_any_chunks(values: list[Any], size: int) -> None:
    content = json.dumps(values, indent=1, ensure_ascii=False).encode()
    chunks = [content[start : start + size] for start in range(0, len(content), size)]
    elements = list(JsonValues(chunks, json.JSONDecoder()).elements())
    assert [value for _, value, _ in elements] == values
    lines = content.decode().split("\n")
    assert all(lines[line - 1].strip().startswith("{") for line, _, _ in elements)


@given(
    st.recursive(
        st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_any_document_has_rows_or_none(value: Any) -> None:
    rows = rows_of_document(value)
    assert rows is None or all(isinstance(row, dict) for row in rows)
