"""Ids and texts by row, also of a remote workspace, and Arrow files that are replaced while they are read."""

import numpy as np
import pyarrow as pa
import pytest

from diet_explorer.data import example_rows
from diet_explorer.data.example_rows import ExampleRows
from diet_explorer.errors import NotFoundError
from diet_explorer.store.arrow import read_arrow, write_arrow
from diet_explorer.store.files import Files
from tests.synthetic import write_dataset


def test_rows_in_any_order_and_ids(tmp_path, monkeypatch):
    monkeypatch.setattr(example_rows, "BATCH_ROWS", 7)
    files = Files(tmp_path)
    words = [f"text {number} שלום 'x'" for number in range(40)]
    further = {
        "whole": pa.array([None, *range(2**60 + 1, 2**60 + 40)], pa.int64()),
        "yes": pa.array([True, False] * 20),
        "name": pa.array(words),
    }
    found = ExampleRows(files, write_dataset(files, words, [0, 1] * 20, ["a", "b"], metadata=further))
    rows = np.array([39, 0, 7, 6, 7, 22])
    assert found.of(rows)["text"].to_pylist() == [words[row] for row in rows]
    assert found.of(rows)["id"].to_pylist() == [f"e{row:05d}" for row in rows]
    assert found.of(np.array([], dtype=int)).num_rows == 0
    assert found.lengths().tolist() == [len(text) for text in words]
    assert found.ordered("whole").to_pylist() == [None, *range(2**60 + 1, 2**60 + 40)]
    assert found.ordered("yes").to_pylist() == [True, False] * 20
    with pytest.raises(KeyError):
        found.ordered("name")
    assert found.rows_of(["e00039", "nobody", "e00003"]).tolist() == [3, 39]


@pytest.mark.parametrize("remote", [False, True])
def test_what_was_read_stays_when_the_file_is_replaced(tmp_path, remote):
    files = Files("memory://arrows" if remote else tmp_path)
    path = files.path("a", "numbers.arrow")
    with pytest.raises(NotFoundError, match=r"no file .*numbers\.arrow"):
        read_arrow(files, path)
    seen = []
    for start in range(0, 30, 10):
        batch = pa.record_batch({"n": np.arange(start, start + 10)})
        write_arrow(files, path, batch.schema, [batch, batch])
        seen.append(read_arrow(files, path))
        assert [part["n"][0].as_py() for part in read_arrow(files, path)] == [start, start]
    assert [batches[1]["n"].to_pylist()[-1] for batches in seen] == [9, 19, 29]
