"""The histogram of a score, on which a range is chosen."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from diet_explorer.drawing.colours import cividis
from diet_explorer.scoring.catalogue import Score
from diet_explorer.store.in_words import counted
from diet_explorer.ui.drawing.bar_chart import BarChart, Bars
from diet_explorer.ui.drawing.charts import draw_bar_chart

_GAP = 0.02  # of a bar's width, between it and the next one


def score_histogram(
    counts: pd.DataFrame,
    score: Score,
    low: float | None,
    high: float | None,
    *,
    on_range: Callable[[float, float], None],
) -> None:
    """Distribution of a score; dragging over it chooses a range.

    Parameters
    ----------
    counts : pandas.DataFrame
        ``left, right, count`` as `Run.histogram` gives them.
    low, high : float or None
        The chosen range; bars outside of it are faded.
    on_range : callable
        Called with both ends of the range after a drag.
    """
    left, right, width = counts["left"], counts["right"], counts["right"] - counts["left"]
    middle = (left + right) / 2
    reach = float(right.iloc[-1] - left.iloc[0]) or 1.0
    lowest, highest = (-float("inf") if low is None else low), (float("inf") if high is None else high)
    bars = Bars(
        left=(left + width * _GAP / 2).tolist(),
        right=(right - width * _GAP / 2).tolist(),
        height=counts["count"].tolist(),
        colour=[cividis((x - left.iloc[0]) / reach) for x in middle],
        words=[
            f"{first:.3f} to {last:.3f}\n{counted(number, 'example')}"
            for first, last, number in counts[["left", "right", "count"]].itertuples(index=False)
        ],
        opacity=[1.0 if lowest <= x <= highest else 0.3 for x in middle],
    )
    draw_bar_chart(
        BarChart([bars], score.axis, "Examples", height=116, numbers=4),
        title="How many examples?",
        note="Drag to filter",
        key="score-histogram",
        table=lambda: counts,
        on_range=on_range,
    )
