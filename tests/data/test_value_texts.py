"""Values of every type as texts and as JSON: what is written finds the value again, and JSON reads back the same."""

import datetime as dt
import json
import uuid
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diet_explorer.data.json_texts import json_texts
from diet_explorer.data.value_texts import matches, texts_of

MOMENT = dt.datetime(2024, 1, 2, 3, 4, 5, 600_000)
COLUMNS = {
    "long integers": (
        pa.array([2**63 - 1, -(2**63), 2**53 + 1]),
        ["9223372036854775807", "-9223372036854775808", None],
    ),
    "unsigned": (pa.array([2**64 - 1, 0], pa.uint64()), ["18446744073709551615", "0"]),
    "halves": (pa.array(np.array([0.1, 1], np.float16)), ["0.0999755859375", "1"]),
    "floats": (pa.array([0.1, 2.0, 1e300, float("nan"), float("inf")], pa.float64()), ["0.1", "2", "1e+300"]),
    "singles": (pa.array([0.1, 16777216], pa.float32()), ["0.1", "16777216"]),
    "decimals": (pa.array([Decimal("1.20"), Decimal("-3.00")]), ["1.20", "-3.00"]),
    "long decimals": (pa.array([Decimal("12345678901234567890.12")]), ["12345678901234567890.12"]),
    "small decimals": (pa.array([Decimal("1.2")], pa.decimal32(5, 2)), ["1.20"]),
    "truth": (pa.array([True, False]), ["true", "false"]),
    "days": (pa.array([dt.date(2024, 1, 2)]), ["2024-01-02"]),
    "days in milliseconds": (pa.array([dt.date(2024, 1, 2)], pa.date64()), ["2024-01-02"]),
    "moments": (pa.array([MOMENT], pa.timestamp("us")), ["2024-01-02 03:04:05.6"]),
    "moments of a zone": (pa.array([MOMENT], pa.timestamp("us", "Europe/Berlin")), ["2024-01-02 04:04:05.6+0100"]),
    "times": (pa.array([dt.time(1, 2, 3)]), ["01:02:03"]),
    "durations": (
        pa.array([5_000_000, -1, 360_000_500_000], pa.duration("us")),
        ["00:00:05", "-00:00:00.000001", "100:00:00.5"],
    ),
    "bytes": (pa.array([b"\0\xff"]), ["AP8="]),
    "a dictionary": (pa.array(["x", "y", "x"]).dictionary_encode(), ["x", "y"]),
    "texts": (pa.array(["", " a ", "007", "null"]), ["", " a ", "007", "null"]),
    "unique ids": (pa.array([uuid.UUID(int=7).bytes], pa.uuid()), ["00000000-0000-0000-0000-000000000007"]),
    "lists": (pa.array([[1, None], []]), ["[1, null]", "[]"]),
    "maps": (pa.array([[("k", 1)], []], pa.map_(pa.string(), pa.int64())), ['[{"key": "k", "value": 1}]', "[]"]),
    "structures": (pa.array([{"a": 1, "A": [2.0]}]), ['{"a": 1, "A": [2.0]}']),
    "halves in structures": (pa.array([{"h": np.float16(0.5)}], pa.struct([("h", pa.float16())])), ['{"h": 0.5}']),
    "nothing": (pa.nulls(2), [None, None]),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_what_is_written_finds_the_value(name):
    column, written = COLUMNS[name]
    column = (
        pa.concat_arrays([column, pa.nulls(1, column.type)]) if name not in ("a dictionary", "unique ids") else column
    )
    texts = texts_of(column).to_pylist()
    for text, expected in zip(texts, written, strict=False):
        assert expected in (None, text)
    for text in set(texts) - {None}:
        assert matches(column, [text]).to_pylist() == [other == text for other in texts], text
    assert json_texts(column.slice(1)).to_pylist() == json_texts(column).to_pylist()[1:]
    for text in json_texts(column).to_pylist():
        json.loads(text)


@pytest.mark.parametrize(
    ("kind", "value", "ways"),
    [
        (pa.int64(), 5, ["5", "5.0", "+5", " 5", "005"]),
        (pa.float64(), 0.5, ["0.5", ".50", "5e-1"]),
        (pa.float32(), 0.1, ["0.1", "0.10000000149011612"]),
        (pa.float64(), float("nan"), ["nan", "NaN"]),
        (pa.bool_(), True, ["true", "True", "TRUE"]),
        (pa.decimal128(10, 2), Decimal("1.20"), ["1.2", "1.20", "1.200"]),
        (pa.timestamp("us"), MOMENT, ["2024-01-02T03:04:05.6", "2024-01-02 03:04:05.600000"]),
        (
            pa.timestamp("us", "UTC"),
            MOMENT,
            ["2024-01-02T03:04:05.6Z", "2024-01-02 03:04:05.6", "2024-01-02 04:04:05.6+01:00"],
        ),
        (pa.duration("ms"), dt.timedelta(days=1, seconds=5), ["24:00:05", "1 day 00:00:05", "1 days 00:00:05.000"]),
        (pa.list_(pa.int64()), [1, 2], ["[1,2]", "[ 1, 2 ]"]),
    ],
)
def test_ways_to_write_a_value(kind, value, ways):
    column = pa.array([value, None], kind)
    for text in ways:
        assert matches(column, [text, "neither"]).to_pylist() == [True, False], text


def test_what_no_value_is_matches_nothing():
    for kind in (pa.int64(), pa.uint8(), pa.float32(), pa.decimal128(5, 1), pa.date32(), pa.timestamp("s"), pa.bool_()):
        for text in ("", "x", "1e999999999", "9" * 400, "-300.5", "2024-13-01", "１"):
            assert matches(pa.nulls(2, kind), [text]).to_pylist() == [False, False]
    assert matches(pa.array([5, 6]), ["5.5", str(2**64 + 5)]).to_pylist() == [False, False]


@given(st.lists(st.none() | st.lists(st.none() | st.text(max_size=8), max_size=4), max_size=6), st.integers(0, 2))
def test_json_of_texts_in_lists(values, start):
    column = pa.array(values, pa.list_(pa.string())).slice(start)
    assert [json.loads(text) for text in json_texts(column).to_pylist()] == column.to_pylist()


@given(
    st.lists(
        st.none()
        | st.fixed_dictionaries(
            {
                "a": st.none() | st.floats(allow_nan=False, allow_infinity=False),
                "A": st.none() | st.integers(-(2**63), 2**63 - 1),
            }
        ),
        max_size=6,
    )
)
def test_json_of_numbers_in_structures(values):
    column = pa.array(values, pa.struct([("a", pa.float64()), ("A", pa.int64())]))
    read = [json.loads(text) for text in json_texts(column).to_pylist()]
    assert read == values
    assert all(value is None or value["a"] is None or isinstance(value["a"], float) for value in read)
