"""The chart of a map: points, above a limit a density grid with a sample of them; lasso, box, click and zoom."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from diet_explorer.drawing import words
from diet_explorer.store.in_words import counted
from diet_explorer.ui.drawing.charts import draw_chart

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


def draw_map(figure: go.Figure, *, title: str, note: str, key: str, table: Callable[[], pd.DataFrame]) -> None:
    """Draw the map, a figure that `map_figure` made."""
    draw_chart(
        figure,
        title=title,
        note=note,
        key=key,
        table=table,
        config={"modeBarButtons": _BUTTONS, "doubleClick": False, "scrollZoom": False, "showTips": False},
    )


def counted_words(total: int, drawn: int) -> str:
    """How many examples a map is about, and how many of them are drawn as points."""
    if drawn < total:
        return f"{words.whole(total)} examples, shaded by number; {words.whole(drawn)} of them as points"
    return counted(total, "example")
