"""How numbers read."""

from datetime import UTC, datetime, timedelta

import pytest

from diet_explorer.drawing import words
from diet_explorer.drawing.colours import OKABE_ITO, OTHERS, cividis, class_colours


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (None, "–"),
        (0.2, "under 1 s"),
        (59.2, "59 s"),
        (74, "1 min 14 s"),
        (119.8, "2 min 00 s"),
        (1500, "25 min"),
        (3599.9, "1 h 00 min"),
        (7260, "2 h 01 min"),
    ],
)
def test_duration(seconds, expected):
    assert words.duration(seconds) == expected


def test_moments_are_relative_for_a_day_and_iso_after_it():
    now = datetime(2026, 5, 2, 12, 0, tzinfo=UTC)
    assert words.moment(now - timedelta(seconds=5), now) == "just now"
    assert words.moment(now - timedelta(minutes=5), now) == "5 min ago"
    assert words.moment(now - timedelta(hours=3), now) == "3 h ago"
    assert words.moment(datetime(2025, 1, 2, 12, 0, tzinfo=UTC), now).startswith("2025-01-0")


def test_numbers():
    assert words.whole(8467) == "8,467"
    assert words.percent(0.0294) == "2.9 %"
    assert words.three(1.23456) == "1.235"
    assert words.three(float("nan")) == "–"


def test_class_colours_are_fixed_and_grey_beyond_eight():
    names = [f"c{number}" for number in range(10)]
    colours = class_colours(names)
    assert [colours[name] for name in names[:8]] == list(OKABE_ITO)
    assert {colours["c8"], colours["c9"]} == {OTHERS}


def test_the_score_scale_ends_where_cividis_ends():
    assert (cividis(0), cividis(1)) == ("#00224E", "#FEE838")
    assert cividis(-5) == cividis(0)
    lightness = [sum(int(cividis(step / 20)[start : start + 2], 16) for start in (1, 3, 5)) for step in range(21)]
    assert lightness == sorted(lightness)
