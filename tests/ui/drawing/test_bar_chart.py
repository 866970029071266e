"""What the browser is told to draw: every bar where its numbers say; and the same bars on a downloaded page."""

import html

import pandas as pd
import pytest

from diet_explorer.drawing.plain import in_chart
from diet_explorer.scoring import catalogue
from diet_explorer.ui.datasets import charts
from diet_explorer.ui.drawing.bar_chart import rectangles
from diet_explorer.ui.drawing.charts import bar_figure
from diet_explorer.ui.examples import score_histogram

HOSTILE = "<b>%{y}</b> & co"


@pytest.fixture
def drawn(monkeypatch):
    """The charts that were drawn, as the browser gets them, with what goes along."""
    calls = []
    for module in (charts, score_histogram):
        monkeypatch.setattr(
            module, "draw_bar_chart", lambda chart, **more: calls.append((rectangles(chart), {"chart": chart, **more}))
        )
    return calls


def test_bars_of_a_histogram(drawn):
    counts = pd.DataFrame({"left": [0.0, 0.5, 1.0], "right": [0.5, 1.0, 1.5], "count": [1_000, 0, 20]})
    score_histogram.score_histogram(counts, catalogue.score("el2n"), 0.4, 1.1, on_range=lambda low, high: None)
    ((data, _),) = drawn
    assert not data["horizontal"]
    assert (data["across"]["low"], data["across"]["high"]) == pytest.approx((0.0, 1.5), abs=0.01)
    assert data["up"]["low"] == 0 and data["up"]["high"] > 1_000
    for bar, entry in zip(data["bars"], counts.itertuples(), strict=True):
        assert bar[:4] == pytest.approx([entry.left, entry.right, 0, entry.count], abs=0.01)
    assert [bar[5] for bar in data["bars"]] == [0.3, 1.0, 0.3]  # middles outside of the range are pale
    assert data["bars"][0][6] == "0.000 to 0.500\n1,000 examples"


def test_stacked_bars_of_classes(drawn):
    classes = {"good": {"train": 5, "test": 2}, HOSTILE: {"train": 7, "test": 4}}
    charts.class_balance(classes, {}, key="check")
    ((data, more),) = drawn
    assert data["horizontal"]
    named = {label: at for at, label, _ in data["up"]["ticks"]}
    assert named == {HOSTILE: 1, "good": 0}, "the largest class is on top, its name as it is"
    spans = {(round((bar[2] + bar[3]) / 2), bar[6]): bar[:2] for bar in data["bars"]}
    assert spans == {
        (1, f"{HOSTILE}, train: 7 examples"): [0, 7],
        (1, f"{HOSTILE}, test: 4 examples"): [7, 11],
        (0, "good, train: 5 examples"): [0, 5],
        (0, "good, test: 2 examples"): [5, 7],
    }
    page = bar_figure(more["chart"])
    assert list(page.layout.yaxis.ticktext) == [in_chart(HOSTILE), "good"], "plotly reads no name as markup"
    assert [html.unescape(words) for trace in page.data for words in trace.hovertext] == [
        bar[6] for bar in data["bars"]
    ]
    assert [list(trace.x) for trace in page.data] == [[7, 5], [4, 2]]


def test_bars_of_lengths(drawn):
    charts.length_histogram([0, 5, 10, 20], [0, 3, 1, 0], "words", key="check")
    ((data, _),) = drawn
    assert [(at, label) for at, label, _ in data["across"]["ticks"]] == [(0, "0"), (1, "5"), (2, "10")]
    assert [bar[3] for bar in data["bars"]] == [0, 3, 1]
    assert data["bars"][2][6] == "10 to 19 words\n1 example"
