"""Frames of hostile strings, written as CSV, JSON Lines and Parquet, come back row by row."""

from __future__ import annotations

import csv
import json
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from diet_explorer.data.columns import ColumnMapping
from diet_explorer.data.importing import import_examples
from diet_explorer.data.readers.opening import open_source
from diet_explorer.store.files import Files
from tests.data.importer import Importer

CHARACTERS = st.one_of(
    st.sampled_from(list("\"',;|\t\n\r\\{}[]:/#%&=+- \u2028\u0085\ufeff\u200f\U0001f600")),
    st.characters(codec="utf-8", exclude_characters="\0"),
)
STRINGS = st.text(CHARACTERS, max_size=12)
# A text must have something to read, and a leading byte order mark of the whole file is no text.
TEXTS = st.builds(lambda left, right: f"{left}w{right}", STRINGS, STRINGS)
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "text": TEXTS,
            "text pair": TEXTS,
            "label": st.sampled_from(["a", "b", 'ü,"x', "0"]),
            "note": STRINGS,
            "number": st.integers(-(10**17), 10**17),
            "ratio": st.floats(-1e300, 1e300),
            "flag": st.booleans(),
        }
    ),
    min_size=1,
    max_size=8,
)
MAPPING = ColumnMapping(text="text", text_pair="text pair", label="label")


def frame_of(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Two rows that make any frame a dataset of two classes and the columns what they are, and the given ones."""
    common = {"text pair": "p w", "note": "n/a", "number": 1, "ratio": 0.5, "flag": True}
    anchors = [{"text": "anchor", "label": "a", **common}, {"text": "other anchor", "label": "b", **common}]
    return pd.DataFrame([*anchors, *rows])[["text", "text pair", "label", "note", "number", "ratio", "flag"]]


def imported(path: Path) -> pd.DataFrame:
    importer = Importer(path.parent)
    manifest = import_examples(open_source(path), MAPPING, Files(path.parent / "workspace"))
    assert manifest.report["set_aside"] == {}
    rows = pd.DataFrame(importer.examples(manifest))
    assert rows["row"].tolist() == list(range(len(rows)))
    return pd.DataFrame(
        {
            "text": rows["text"],
            "text pair": rows["text_pair"],
            "label": [manifest.classes[code] for code in rows["label"]],
            **{name: rows[f"meta.{name}"] for name in ("note", "number", "ratio", "flag")},
        }
    )


@given(ROWS, st.sampled_from(["\n", "\r\n"]))
def test_csv(rows: list[dict[str, Any]], newline: str) -> None:
    frame = frame_of(rows)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.csv"
        # Without quotes, pandas would write a carriage return inside a cell that no reader can tell from a line end.
        frame.to_csv(path, index=False, lineterminator=newline, quoting=csv.QUOTE_NONNUMERIC)
        pd.testing.assert_frame_equal(imported(path), frame, check_dtype=False, check_exact=True)


@given(ROWS, st.booleans())
def test_json_lines(rows: list[dict[str, Any]], ascii_only: bool) -> None:
    frame = frame_of(rows)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.jsonl"
        lines = (json.dumps(row, ensure_ascii=ascii_only) + "\n" for row in frame.to_dict("records"))
        path.write_bytes("".join(lines).encode())
        pd.testing.assert_frame_equal(imported(path), frame, check_dtype=False, check_exact=True)


@given(ROWS, st.integers(1, 5))
def test_parquet(rows: list[dict[str, Any]], row_group: int) -> None:
    frame = frame_of(rows)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.parquet"
        frame.to_parquet(path, row_group_size=row_group)
        pd.testing.assert_frame_equal(imported(path), frame, check_dtype=False, check_exact=True)
