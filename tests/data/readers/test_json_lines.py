"""Lines are decoded many at once; the outcome is that of reading each by itself."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from diet_explorer.data.readers.opening import open_source
from diet_explorer.data.set_aside import Reason
from tests.data.importer import Importer

GOOD = json.dumps({"text": "first", "label": 1})
FRAGMENTS = (
    '{"text": "a", "label": 1}',
    '{"text": "b", "label": null, "late": [1, {"x": 2}]}',
    ' {"text": "c"}\r',
    '{"text": "d"},{"text": "e"}',  # two objects on one line
    '{"text": ["f"',  # one object on two lines, whose halves look like an object's ends to a careless eye
    '"g"]}',
    '{"text": [{}',
    "{}]}",
    '{"text": "\\ud83d\\ude00"}',
    '{"text": "\\ud83d"}',
    '{"text": "h\\',
    "",
    "  ",
    "[1]",
    "7",
    "null",
    '{"text": NaN}',
    "[" * 3000,
    "]",
)


def by_hand(lines: list[str]) -> tuple[list[tuple[int, dict[str, Any]]], list[int]]:
    rows, bad = [], []
    for number, line in enumerate(lines, 1):
        try:
            value = json.loads(line)
            json.dumps(value, ensure_ascii=False).encode()
        except (ValueError, RecursionError):
            value = None
        if isinstance(value, dict):
            rows.append((number, value))
        else:
            bad.append(number)
    return rows, bad


@given(lines=st.lists(st.sampled_from(FRAGMENTS), max_size=9), size=st.sampled_from([2, 65_536]))
def test_as_if_each_line_were_read_by_itself(lines: list[str], size: int) -> None:
    content = [GOOD, *lines]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.jsonl"
        path.write_text("\n".join(content) + "\n", encoding="utf-8", newline="")
        source = open_source(path)
        found: list[tuple[int, Any]] = []
        for table, numbers in source.batches(size):
            assert table.num_rows <= size
            found += zip(numbers.tolist(), table["text"].to_pylist(), strict=True)
    rows, bad = by_hand(content)
    assert [number for number, _ in found] == [number for number, _ in rows]
    for (_, text), (_, row) in zip(found, rows, strict=True):
        expected = row.get("text")
        if isinstance(expected, float):  # NaN is null
            expected = None
        assert text == (json.dumps(expected) if isinstance(expected, list) else expected)
    assert [row.line for row in source.bad_rows] == bad
    assert all(isinstance(row.reason, Reason) for row in source.bad_rows)


def test_commas_behind_the_objects(importer: Importer) -> None:
    content = ",\n".join(json.dumps({"text": f"w {n}", "label": "ab"[n % 2]}) for n in range(20)) + ", \n"
    manifest = importer.run("t.jsonl", content)
    assert (manifest.rows, importer.set_aside(manifest)) == (20, [])
    assert manifest.report["read_as"] == ["Commas behind the objects were left out."]
