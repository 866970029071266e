"""Charts of bars, drawn as SVG by a few lines of our own: they are there long before plotly's library is loaded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import streamlit as st

_HERE = Path(__file__).parent
_HEADROOM = 1.04  # of the longest bar

_mount = st.components.v2.component(
    "diet_explorer.bar_chart",
    html='<div class="de-bars"></div>',
    js=(_HERE / "bar_chart.js").read_text(encoding="utf-8"),
    isolate_styles=False,  # the button that downloads images takes the drawing from the page
)


@dataclass(frozen=True)
class Bars:
    """Bars side by side; every field has one entry per bar.

    Attributes
    ----------
    left, right : sequence of float
        Where a bar begins and ends on the axis it stands on.
    height : sequence of float
    colour, words : sequence of str
        The words are shown on hover.
    opacity : sequence of float
    """

    left: Sequence[float]
    right: Sequence[float]
    height: Sequence[float]
    colour: Sequence[str]
    words: Sequence[str]
    opacity: Sequence[float]

    @classmethod
    def named(cls, width: float, height: Sequence[float], **more: Any) -> Bars:
        """Bars around 0, 1, 2, …, for names instead of numbers."""
        middles = range(len(height))
        return cls([at - width / 2 for at in middles], [at + width / 2 for at in middles], height, **more)


@dataclass(frozen=True)
class BarChart:
    """Layers of bars, each on top of those before it.

    Attributes
    ----------
    layers : sequence of Bars
    base, up : str
        Titles of the axis that the bars stand on, and of the one along their heights.
    height : int
        Of the chart, in pixels.
    names : sequence of (str, str) or None
        What stands at 0, 1, 2, … of the base, short and whole; None where it holds numbers.
    numbers : int or None
        About how many numbers stand along the heights; None leaves it to the room that there is.
    horizontal : bool
        Whether the bars go to the right, the first name on top.
    """

    layers: Sequence[Bars]
    base: str
    up: str
    height: int
    names: Sequence[tuple[str, str]] | None = None
    numbers: int | None = None
    horizontal: bool = False


def draw_bars(chart: BarChart, title: str, key: str, on_range: Callable[[float, float], None] | None) -> None:
    """Draw the bars.

    Parameters
    ----------
    chart : BarChart
    title : str
        For screen readers.
    key : str
        Of the element.
    on_range : callable, optional
        Called with both ends of a range that was dragged across.
    """

    def dragged() -> None:
        ends = st.session_state[key].range
        if ends is not None and on_range is not None:
            on_range(float(ends[0]), float(ends[1]))

    data = {"title": title, "brush": on_range is not None, **rectangles(chart)}
    _mount(key=key, data=data, height=chart.height, on_range_change=dragged)


def rectangles(chart: BarChart) -> dict[str, Any]:
    """What the browser draws: corners, colour, opacity and words of every bar, and both axes."""
    last = len(chart.names or ()) - 1
    tops: dict[float, float] = {}
    bars: list[list[Any]] = []
    for left, right, height, colour, words, opacity in chain.from_iterable(map(_one_by_one, chart.layers)):
        bottom = tops.get(left, 0.0)
        tops[left] = bottom + float(height)
        side, length = [float(left), float(right)], [bottom, tops[left]]
        corners = [*length, last - side[1], last - side[0]] if chart.horizontal else [*side, *length]
        bars.append([*corners, colour, float(opacity), words])
    highest = max(tops.values(), default=0.0) or 1.0
    up: dict[str, Any] = {"title": chart.up, "low": 0, "high": highest * _HEADROOM, "ticks": None}
    if chart.numbers:
        up["wanted"] = chart.numbers
    base = {"title": chart.base, **_base(chart, last)}
    sides = {"across": up, "up": base} if chart.horizontal else {"across": base, "up": up}
    return {"bars": bars, "horizontal": chart.horizontal, "height": chart.height, **sides}


def _one_by_one(layer: Bars) -> Iterator[tuple[Any, ...]]:
    return zip(layer.left, layer.right, layer.height, layer.colour, layer.words, layer.opacity, strict=True)


def _base(chart: BarChart, last: int) -> dict[str, Any]:
    if chart.names is None:
        low = min(min(layer.left) for layer in chart.layers)
        high = max(max(layer.right) for layer in chart.layers)
        return {"low": float(low), "high": float(high), "ticks": None}
    ticks = [[last - at if chart.horizontal else at, short, whole] for at, (short, whole) in enumerate(chart.names)]
    return {"low": -0.5, "high": last + 0.5, "ticks": ticks}
