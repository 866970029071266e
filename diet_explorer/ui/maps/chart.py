"""The chart of a map: points, above a limit a density grid with a sample of them; lasso, box, click and zoom."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from diet_explorer.analysis.region import Box, Region
from diet_explorer.store.in_words import counted
from diet_explorer.ui.drawing import words
from diet_explorer.ui.drawing.charts import axis, draw_chart, layout
from diet_explorer.ui.drawing.colours import NEUTRAL, OTHERS, score_scale
from diet_explorer.ui.drawing.density import heat_cells
from diet_explorer.ui.drawing.plain import in_chart, name_in_chart, visible

_HERE = Path(__file__).parent
_HOVER_CHARACTERS = 90
_LINE_CHARACTERS = 46
_GRID = "rgba(138,143,152,0.2)"
_BUTTONS = [["toImage"], ["lasso2d", "select2d", "zoom2d", "pan2d"]]

_link = st.components.v2.component(
    "diet_explorer.map_link",
    html='<div class="tools" role="group" aria-label="Tools of the map"></div>',
    css=(_HERE / "map_link.css").read_text(encoding="utf-8"),
    js=(_HERE / "map_link.js").read_text(encoding="utf-8"),
)


@dataclass(frozen=True)
class Axes:
    """What the two directions of a map mean.

    Attributes
    ----------
    x, y : str
        Titles; empty where a direction has no meaning of its own.
    """

    x: str
    y: str


@dataclass(frozen=True)
class Colouring:
    """What the colours stand for.

    Attributes
    ----------
    title : str
    column : str
        Of the points.
    colours : mapping or None
        Value to colour, in the order of the legend; None for numbers on the score scale.
    names : mapping
        Value to what the legend calls it, where that differs.
    outlined : bool
        Whether examples whose given label is not the predicted one get an outline.
    """

    title: str
    column: str
    colours: Mapping[object, str] | None
    names: Mapping[object, str]
    outlined: bool = False


def draw_tools(
    chart: str,
    mark: tuple[float, float] | None,
    *,
    on_region: Callable[[Sequence[Sequence[float]]], None],
    on_zoom: Callable[[Sequence[float]], None],
    on_open: Callable[[int], None],
) -> None:
    """Draw the tools of a map; what is done on the map calls back.

    Parameters
    ----------
    chart : str
        Key of the chart.
    mark : tuple of float or None
        Where the open example is.
    on_region : callable
        Gets the corners of what was drawn; none where it was removed.
    on_zoom : callable
        Gets least and greatest x, least and greatest y; nothing for the whole map.
    on_open : callable
        Gets the row of the example that was clicked.
    """
    key = f"{chart}-tools"

    def call(name: str, target: Callable[[Any], None]) -> Callable[[], None]:
        def called() -> None:
            value = getattr(st.session_state[key], name)
            if value is not None:
                target(value)

        return called

    _link(
        key=key,
        data={"chart": chart, "mark": mark},
        width="content",
        on_region_change=call("region", on_region),
        on_zoom_change=call("zoom", on_zoom),
        on_open_change=call("open", on_open),
    )


def draw_map(
    points: pd.DataFrame,
    grid: pd.DataFrame | None,
    bins: tuple[int, int],
    axes: Axes,
    colouring: Colouring,
    *,
    box: Box,
    region: Region | None,
    title: str,
    note: str,
    key: str,
    height: int,
    dark: bool,
    table: Callable[[], pd.DataFrame],
) -> None:
    """Draw the map.

    Parameters
    ----------
    points : pandas.DataFrame
        ``x, y, row, text, label, predicted`` (class names), ``disagree`` and the column of the colouring.
    grid : pandas.DataFrame or None
        ``x_bin, y_bin, count`` of all examples in the box, where the points are a sample of them.
    bins : tuple of (int, int)
        Cells of the grid across and up.
    box : tuple of float
        The part that is shown: least and greatest x, least and greatest y.
    region : Region or None
        An outline to begin with.
    dark : bool
        Whether the page is dark.
    """
    figure = go.Figure()
    if grid is not None and len(grid):
        figure.add_trace(_density(grid, box, bins))
    for trace in _traces(points, colouring, dark=dark):
        figure.add_trace(trace)
    figure.update_layout(
        **layout(
            height,
            showlegend=colouring.colours is not None,
            legend={"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0, "itemsizing": "constant"},
            dragmode="lasso",
            hovermode="closest",
            clickmode="event",
        )
    )
    if region is not None:
        path = "M" + "L".join(f"{x:.6g},{y:.6g}" for x, y in region.points) + "Z"
        figure.update_layout(selections=[{"type": "path", "path": path, "xref": "x", "yref": "y"}])
    figure.update_xaxes(**_axis(axes.x, box[:2]))
    figure.update_yaxes(**_axis(axes.y, box[2:]))
    draw_chart(
        figure,
        title=title,
        note=note,
        key=key,
        table=table,
        config={"modeBarButtons": _BUTTONS, "doubleClick": False, "scrollZoom": False, "showTips": False},
    )


def _axis(title: str, ends: Sequence[float]) -> dict[str, object]:
    bare: dict[str, object] = {"showgrid": False, "showticklabels": False, "ticks": ""}
    drawn = {"showgrid": True, "gridcolor": _GRID} if title else bare
    return axis(title, **{**drawn, "fixedrange": False, "range": list(ends)})


def _density(grid: pd.DataFrame, box: Box, bins: tuple[int, int]) -> go.Heatmap:
    return go.Heatmap(
        **heat_cells(grid, box, bins),
        colorscale=[(0, "rgba(138,143,152,0.15)"), (1, "rgba(138,143,152,0.85)")],
        showscale=False,
        hoverinfo="skip",
    )


def _traces(points: pd.DataFrame, colouring: Colouring, *, dark: bool) -> list[go.Scattergl]:
    if colouring.colours is None:
        marker = {
            "color": points[colouring.column],
            "colorscale": score_scale(dark=dark),
            "colorbar": {"thickness": 10, "title": {"text": in_chart(colouring.title), "side": "right"}},
        }
        return [_trace(points, colouring.title, marker, colouring, dark=dark)]
    traces = []
    for value, colour in colouring.colours.items():
        part = points[points[colouring.column] == value]
        if len(part):
            name = colouring.names.get(value, str(value))
            traces.append(_trace(part, name, {"color": colour}, colouring, dark=dark))
    rest = points[~points[colouring.column].isin(list(colouring.colours))]
    if len(rest):
        traces.append(_trace(rest, "other", {"color": OTHERS}, colouring, dark=dark))
    return traces


def _trace(
    points: pd.DataFrame, name: str, marker: dict[str, object], colouring: Colouring, *, dark: bool
) -> go.Scattergl:
    size = 7 if len(points) < 3000 else 5 if len(points) < 10_000 else 4
    ink = "#ffffff" if dark else "#1d2127"
    line: dict[str, object] = {"width": 0.5, "color": NEUTRAL}
    if colouring.outlined:
        points = points.sort_values("disagree", kind="stable")  # outlines on top; the legend shows the first point
        line = {
            "width": np.where(points["disagree"], 1.6, 0.4),
            "color": np.where(points["disagree"], ink, NEUTRAL),
        }
    return go.Scattergl(
        x=points["x"],
        y=points["y"],
        mode="markers",
        name=name_in_chart(name),
        marker={"size": size, "opacity": 0.85, "line": line, **marker},
        customdata=points["row"],
        text=[_hover(*values) for values in points[["text", "label", "predicted"]].itertuples(index=False)],
        hovertemplate="%{text}<extra></extra>",
        unselected={"marker": {"opacity": 0.25}},
    )


def _hover(text: str, label: str, predicted: str) -> str:
    shown = visible(text[: _HOVER_CHARACTERS + 1])
    short = shown if len(shown) <= _HOVER_CHARACTERS else f"{shown[:_HOVER_CHARACTERS]}…"
    lines = [short[start : start + _LINE_CHARACTERS] for start in range(0, len(short), _LINE_CHARACTERS)]
    return "<br>".join(map(in_chart, lines)) + f"<br><b>{name_in_chart(label)}</b> → {name_in_chart(predicted)}"


def counted_words(total: int, drawn: int) -> str:
    """How many examples a map is about, and how many of them are drawn as points."""
    if drawn < total:
        return f"{words.whole(total)} examples, shaded by number; {words.whole(drawn)} of them as points"
    return counted(total, "example")
