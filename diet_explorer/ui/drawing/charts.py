"""The frame of every chart: its finding or question as the title, the plot, and one button to download it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from textwrap import wrap

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from diet_explorer.drawing.colours import NEUTRAL
from diet_explorer.drawing.frame import axis, layout
from diet_explorer.drawing.plain import escape, in_chart
from diet_explorer.ui.drawing.bar_chart import BarChart, draw_bars
from diet_explorer.ui.drawing.csv_download import safe_csv

_HERE = Path(__file__).parent
_HTML = '<div class="images" role="group" aria-label="Chart as an image"></div>'
_TITLE_CHARACTERS = 78  # per line of a downloaded chart
_CONFIG: Mapping[str, object] = {
    "displayModeBar": True,  # style.css hides it; its camera button makes the images
    "modeBarButtons": [["toImage"]],
    "displaylogo": False,
    "responsive": True,
}

_images = st.components.v2.component(
    "diet_explorer.chart_images",
    html=_HTML,
    css=(_HERE / "chart_images.css").read_text(encoding="utf-8"),
    js=(_HERE / "chart_images.js").read_text(encoding="utf-8"),
)


def is_dark() -> bool:
    """Whether the page is shown in the dark theme."""
    return bool(st.context.theme.type == "dark")


def draw_chart(
    figure: go.Figure,
    *,
    title: str,
    key: str,
    table: Callable[[], pd.DataFrame],
    note: str = "",
    config: Mapping[str, object] | None = None,
) -> None:
    """Draw one chart.

    Parameters
    ----------
    figure : plotly.graph_objects.Figure
    title : str
        The finding or the question; it goes into downloaded files as well.
    key : str
        Of the container; also the name of downloaded files.
    table : callable
        Makes the data behind the chart, when it is downloaded.
    note : str
        Quiet words behind the title.
    config : mapping, optional
        Further settings of the plot.
    """
    with _frame(lambda: figure, title, key, table, note):
        st.plotly_chart(figure, key=f"{key}-plot", config={**_CONFIG, **(config or {})}, alt=title)


def draw_bar_chart(
    chart: BarChart,
    *,
    title: str,
    key: str,
    table: Callable[[], pd.DataFrame],
    note: str = "",
    on_range: Callable[[float, float], None] | None = None,
) -> None:
    """Draw a chart that holds nothing but bars; see `draw_chart`, and `draw_bars` for `on_range`."""
    with _frame(lambda: bar_figure(chart), title, key, table, note):
        draw_bars(chart, title, f"{key}-bars", on_range)


@contextmanager
def _frame(
    figure: Callable[[], go.Figure], title: str, key: str, table: Callable[[], pd.DataFrame], note: str
) -> Iterator[None]:
    with st.container(key=key, gap=None):
        with st.container(key=f"{key}-head", horizontal=True, vertical_alignment="center", gap="small"):
            quiet = f' <span class="de-quiet">{escape(note)}</span>' if note else ""
            st.html(f'<h2 class="de-chart-title">{escape(title)}{quiet}</h2>', width="stretch")
            with st.popover("Download chart", icon=":material/download:", key=f"{key}-download", type="tertiary"):
                _downloads(figure, title, key, table)
        yield


def _downloads(figure: Callable[[], go.Figure], title: str, key: str, table: Callable[[], pd.DataFrame]) -> None:
    lines = wrap(title, _TITLE_CHARACTERS)
    _images(key=f"{key}-images", data={"chart": key, "title": "<br>".join(map(in_chart, lines)), "lines": len(lines)})
    st.download_button(
        "Page (HTML)",
        data=lambda: chart_page(figure(), title),
        file_name=f"{key}.html",
        mime="text/html",
        key=f"{key}-html",
        on_click="ignore",
        width="stretch",
    )
    st.download_button(
        "Data (CSV)",
        data=lambda: safe_csv(table()),
        file_name=f"{key}.csv",
        mime="text/csv",
        key=f"{key}-csv",
        on_click="ignore",
        width="stretch",
    )


def bar_figure(chart: BarChart) -> go.Figure:
    """A chart of bars as plotly draws it, for a downloaded page."""
    figure = go.Figure()
    for bars in chart.layers:
        middles = [(left + right) / 2 for left, right in zip(bars.left, bars.right, strict=True)]
        figure.add_bar(
            **({"y": middles, "x": bars.height} if chart.horizontal else {"x": middles, "y": bars.height}),
            width=[right - left for left, right in zip(bars.left, bars.right, strict=True)],
            orientation="h" if chart.horizontal else "v",
            marker={"color": bars.colour, "opacity": bars.opacity, "line": {"width": 0.5, "color": NEUTRAL}},
            hovertext=["<br>".join(map(in_chart, words.split("\n"))) for words in bars.words],
            hoverinfo="text",
        )
    base, up = axis(in_chart(chart.base)), axis(in_chart(chart.up), nticks=chart.numbers)
    if not chart.base:
        base["title"] = None  # an empty one takes room
    if chart.names is not None:
        ends = [-0.5, len(chart.names) - 0.5]
        base |= {
            "tickvals": list(range(len(chart.names))),
            "ticktext": [in_chart(short) for short, _ in chart.names],
            "tickangle": 0,
            "automargin": True,
            "range": ends[::-1] if chart.horizontal else ends,
        }
    figure.update_layout(**layout(chart.height, barmode="stack"))
    figure.update_xaxes(**(up if chart.horizontal else base))
    figure.update_yaxes(**(base if chart.horizontal else up))
    return figure


def chart_page(figure: go.Figure, title: str) -> bytes:
    """A page of its own that shows the chart without a network, in a light theme."""
    alone = go.Figure(figure)
    lines = wrap(title, _TITLE_CHARACTERS)
    alone.update_layout(
        template="plotly_white",
        title={"text": "<br>".join(map(in_chart, lines)), "x": 0, "xref": "paper"},
        margin={"l": 60, "r": 20, "t": 40 + 24 * len(lines), "b": 50},
        autosize=True,
    )
    return str(alone.to_html(include_plotlyjs=True, full_html=True)).encode()
