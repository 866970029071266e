"""A map as a figure: points, above a limit a density grid with a sample of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from diet_explorer.analysis.filters import ExampleFilter
from diet_explorer.analysis.ranking import Ranking
from diet_explorer.analysis.region import Box, Region
from diet_explorer.drawing.colours import (
    DECISION_COLOURS,
    NEUTRAL,
    OTHERS,
    TRAJECTORY_COLOURS,
    class_colours,
    score_scale,
)
from diet_explorer.drawing.density import heat_cells
from diet_explorer.drawing.frame import alone, axis, layout
from diet_explorer.drawing.plain import in_chart, name_in_chart, visible
from diet_explorer.errors import BadInputError
from diet_explorer.scoring import catalogue
from diet_explorer.scoring.dynamics import TRAJECTORIES
from diet_explorer.store.decisions import DECISION_STATES

_HOVER_CHARACTERS = 90
_LINE_CHARACTERS = 46
_MARGIN = 0.03  # of a map's extent, left free around it
_LEGEND = 8  # classes with a colour of their own
SHOWN = ("id", "text", "label", "predicted", "disagree")
"""What a map tells of each point, beside what it is coloured by."""
_GRID = "rgba(138,143,152,0.2)"


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


DATA_MAP = Axes("Variability · higher = the model changed its mind more", "Confidence · lower = harder to learn")


def colouring_of(name: str, classes: Sequence[str]) -> Colouring:
    """Colours by ``label``, ``trajectory``, ``decided`` or a score of the catalogue."""
    if name == "label":
        of_classes = class_colours(classes)
        colours: Mapping[object, str] = {entry: of_classes[entry] for entry in classes[:_LEGEND]}
        return Colouring("Given label", "label", colours, {}, outlined=True)
    if name == "trajectory":
        return Colouring("Type of learning", "trajectory", dict(zip(TRAJECTORIES, TRAJECTORY_COLOURS, strict=True)), {})
    if name == "decided":
        return Colouring("Decision", "decided", dict(zip(DECISION_STATES, DECISION_COLOURS, strict=True)), {})
    return Colouring(catalogue.score(name).axis, name, None, {})


def with_margin(box: Box) -> Box:
    """The box with some room around it."""
    left, right, bottom, top = box
    aside, above = _MARGIN * (right - left or 1.0), _MARGIN * (top - bottom or 1.0)
    return left - aside, right + aside, bottom - above, top + above


def map_of(
    ranking: Ranking,
    x: str,
    y: str,
    axes: Axes,
    colour: str,
    classes: Sequence[str],
    *,
    where: ExampleFilter,
    limit: int,
    title: str,
) -> go.Figure:
    """A map of a ranking's examples, or of a fixed sample where they are more than `limit`, to stand in a notebook.

    Parameters
    ----------
    x, y : str
        As `Ranking.points` takes them.
    colour : str
        See `colouring_of`.

    Raises
    ------
    BadInputError
        No example fits the filter.
    NotFoundError
        There is no such score.
    """
    colouring = colouring_of(colour, classes)
    points = ranking.points(x, y, list(dict.fromkeys([*SHOWN, colouring.column])), where, limit)
    if points.empty:
        raise BadInputError("No example fits these filters: there is nothing to draw.", "Loosen the filters.")
    box = (points["x"].min(), points["x"].max(), points["y"].min(), points["y"].max())
    figure = map_figure(points, axes, colouring, box=with_margin(box))
    return alone(figure, f"{title} · {len(points):,} examples")


def map_figure(
    points: pd.DataFrame,
    axes: Axes,
    colouring: Colouring,
    *,
    box: Box,
    grid: pd.DataFrame | None = None,
    bins: tuple[int, int] = (0, 0),
    region: Region | None = None,
    height: int = 470,
    dark: bool = False,
) -> go.Figure:
    """The map.

    Parameters
    ----------
    points : pandas.DataFrame
        ``x, y, row, text, label, predicted`` (class names), ``disagree`` and the column of the colouring.
    box : tuple of float
        The part that is shown: least and greatest x, least and greatest y.
    grid : pandas.DataFrame or None
        ``x_bin, y_bin, count`` of all examples in the box, where the points are a sample of them.
    bins : tuple of (int, int)
        Cells of the grid across and up.
    region : Region or None
        An outline to begin with.
    height : int
        In pixels.
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
    return figure


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
