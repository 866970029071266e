"""Charts of bars, drawn as SVG by a few lines of our own: they are there long before plotly's library is loaded."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import streamlit as st

_HERE = Path(__file__).parent
_HEADROOM = 1.04  # of the longest bar

_mount = st.components.v2.component(
    "diet_explorer.bar_chart",
    html='<div class="de-bars"></div>',
    js=(_HERE / "bar_chart.js").read_text(encoding="utf-8"),
    isolate_styles=False,  # the button that downloads images takes the drawing from the page
)


def draw_bars(figure: go.Figure, title: str, key: str, on_range: Callable[[float, float], None] | None) -> None:
    """Draw a figure that holds nothing but bars with words for each in ``hovertext``.

    Parameters
    ----------
    figure : plotly.graph_objects.Figure
        Bars up or to the right, stacked where there are several traces; the other axis holds numbers or names.
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

    data = {"title": title, "brush": on_range is not None, **rectangles(figure)}
    _mount(key=key, data=data, height=data["height"], on_range_change=dragged)


def rectangles(figure: go.Figure) -> dict[str, Any]:
    """What the browser draws: corners, colour and words of every bar, and both axes, all of it numbers."""
    horizontal = figure.data[0].orientation == "h"
    along, across = (
        (figure.layout.yaxis, figure.layout.xaxis) if horizontal else (figure.layout.xaxis, figure.layout.yaxis)
    )
    names = list(dict.fromkeys(place for trace in figure.data for place in _places(trace, horizontal)))
    by_name = along.type == "category"
    gap = float(figure.layout.bargap or 0.0)
    base = [0.0] * len(names)
    bars: list[list[Any]] = []
    ends: list[float] = []
    for trace in figure.data:
        values = trace.x if horizontal else trace.y
        for number, (place, value) in enumerate(zip(_places(trace, horizontal), values, strict=True)):
            at = names.index(place)
            middle = float(at if by_name else place)
            half = (1.0 - gap) / 2 if trace.width is None else float(_nth(trace.width, number)) * (1.0 - gap) / 2
            ends += [middle - half, middle + half]
            low, base[at] = base[at], base[at] + float(value)
            if horizontal:  # the first name is on top
                middle = len(names) - 1 - middle
            side, length = [middle - half, middle + half], [low, base[at]]
            corners = [*length, *side] if horizontal else [*side, *length]
            opacity = float(_nth(trace.marker.opacity, number) if trace.marker.opacity is not None else 1.0)
            words = html.unescape(trace.hovertext[number].replace("<br>", "\n"))
            bars.append([*corners, _nth(trace.marker.color, number), opacity, words])
    ticks = None
    low, high = min(ends), max(ends)
    if by_name:
        shown = dict(zip(along.tickvals, along.ticktext, strict=True))
        whole = [html.unescape(name) for name in names]
        ticks = [
            [len(names) - 1 - at if horizontal else at, html.unescape(shown[name]), whole[at]]
            for at, name in enumerate(names)
        ]
        low, high = -0.5, len(names) - 0.5
    first = {"title": html.unescape(along.title.text or ""), "low": low, "high": high, "ticks": ticks}
    most = max(base, default=0.0) or 1.0
    second = {"title": html.unescape(across.title.text or ""), "low": 0, "high": most * _HEADROOM, "ticks": None}
    if across.nticks:
        second["wanted"] = across.nticks
    sides = {"across": second, "up": first} if horizontal else {"across": first, "up": second}
    return {"bars": bars, "horizontal": horizontal, "height": int(figure.layout.height), **sides}


def _places(trace: go.Bar, horizontal: bool) -> Sequence[Any]:
    return list(trace.y if horizontal else trace.x)


def _nth(value: Any, number: int) -> Any:
    """An entry of what may be one value for all bars."""
    return value if isinstance(value, str | int | float) else value[number]
