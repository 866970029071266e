"""Ranges of further columns against Python's own exact comparisons, and their form in links."""

import datetime as dt
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diet_explorer.analysis.filters import MetadataRange
from diet_explorer.analysis.value_ranges import in_range
from diet_explorer.errors import BadInputError

BIG = 2**60 + 1
ENDS = (
    st.none() | st.integers(-(2**65), 2**65) | st.floats(-1e20, 1e20) | st.sampled_from([BIG, BIG + 1, 2**63, -1, 0.5])
)
WHOLE = st.lists(st.none() | st.integers(-(2**63), 2**63 - 1) | st.sampled_from([BIG, BIG + 1, BIG + 2, 0]), max_size=8)


@given(WHOLE, ENDS, ENDS)
def test_whole_numbers_are_compared_exactly(values, low, high):
    expected = [
        (low is None and high is None)
        or (value is not None and (low is None or Fraction(low) <= value) and (high is None or value <= Fraction(high)))
        for value in values
    ]
    assert in_range(pa.array(values, pa.int64()), low, high, "n").tolist() == expected
    decimals = pa.array([None if value is None else Decimal(value) for value in values], pa.decimal128(25, 2))
    assert in_range(decimals, low, high, "n").tolist() == expected


def test_unsigned_numbers_and_truth():
    column = pa.array([2**64 - 1, 2**64 - 2, None], pa.uint64())
    assert in_range(column, 2**64 - 1, None, "n").tolist() == [True, False, False]
    assert in_range(column, -5, 2**64 - 2, "n").tolist() == [False, True, False]
    assert in_range(pa.array([True, False, None]), 1, None, "n").tolist() == [True, False, False]


@pytest.mark.parametrize("kind", [pa.float16(), pa.float32(), pa.float64()])
def test_what_is_shown_of_a_float_finds_it(kind):
    column = pa.array(np.array([0.1, 0.3, np.inf, np.nan], kind.to_pandas_dtype()))
    assert in_range(column, 0.1, 0.1, "n").tolist() == [True, False, False, False]
    assert in_range(column, 0.2, 1e300, "n").tolist() == [False, True, False, False]
    assert in_range(column, 10**30, None, "n").tolist() == [False, False, True, False]


def test_days_moments_and_times():
    days = pa.array([dt.date(2024, 1, 30), dt.date(2024, 1, 31), None])
    assert in_range(days, "2024-01-31", "2024-12-31", "d").tolist() == [False, True, False]
    moments = pa.array([dt.datetime(2024, 1, 31, 23, 59), dt.datetime(2024, 2, 1), None], pa.timestamp("ns"))
    assert in_range(moments, "2024-01-31", "2024-01-31", "m").tolist() == [True, False, False]  # the day to its end
    assert in_range(moments, "2024-01-31 23:59:00.1", None, "m").tolist() == [False, True, False]
    durations = pa.array([5_000, 6_000], pa.duration("ms"))
    assert in_range(durations, "00:00:05.5", None, "t").tolist() == [False, True]


@pytest.mark.parametrize(
    ("kind", "end", "message"),
    [
        (pa.int64(), "soon", "'n' holds numbers, and 'soon' is none"),
        (pa.date32(), 5, "'n' holds dates, and 5 is none"),
        (pa.timestamp("s"), "2024-13-01", "'n' holds dates"),
        (pa.time32("s"), "25:00:00", "'n' holds times"),
    ],
)
def test_ends_that_are_none(kind, end, message):
    with pytest.raises(BadInputError, match=message):
        in_range(pa.nulls(1, kind), end, None, "n")


@pytest.mark.parametrize(
    ("text", "low", "high", "words"),
    [
        ("n:1152921504606846977:", 1152921504606846977, None, "n ≥ 1152921504606846977"),
        ("n::0.10", None, 0.1, "n ≤ 0.1"),
        ("n:0.12345678901234567891:1e3", "0.12345678901234567891", 1000.0, "n 0.12345678901234567891 to 1000"),
        ("d:2024-01-01:2024-01-31", "2024-01-01", "2024-01-31", "d 2024-01-01 to 2024-01-31"),
        ("d:2024-01-01T12:00:", "2024-01-01T12:00", None, "d ≥ 2024-01-01T12:00"),
        ("d:2024-01-01 12:00:00:2024-01-01 13:00:00", "2024-01-01 12:00:00", "2024-01-01 13:00:00", None),
        ("t:00:00:05:00:01:00", "00:00:05", "00:01:00", None),
        ("a%3Ab%25:1:2", 1, 2, "a:b% 1 to 2"),
    ],
)
def test_in_links_and_commands(text, low, high, words):
    entry = MetadataRange.from_text(text)
    assert (entry.low, entry.high) == (low, high)
    assert words in (None, entry.describe())
    assert MetadataRange.from_text(entry.to_text()) == entry


@pytest.mark.parametrize("text", ["n", "n:1", "n:1:2:3", "n:nan:"])
def test_a_broken_range_is_reported(text):
    with pytest.raises(BadInputError):
        in_range(pa.array([1]), MetadataRange.from_text(text).low, None, "n")
