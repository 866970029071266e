"""The frame of every chart: its finding or question as the title, the plot, and one button to download it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from textwrap import wrap

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from diet_explorer.ui.drawing.bar_chart import draw_bars
from diet_explorer.ui.drawing.csv_download import safe_csv
from diet_explorer.ui.drawing.plain import escape, in_chart

_HERE = Path(__file__).parent
_HTML = '<div class="images" role="group" aria-label="Chart as an image"></div>'
_TITLE_SIGNS = 78  # per line of a downloaded chart
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


def layout(height: int, **more: object) -> dict[str, object]:
    """What all charts share: margins, hover, and no dragging unless a chart asks for it."""
    return {
        "height": height,
        "margin": {"l": 0, "r": 4, "t": 4, "b": 0},
        "showlegend": False,
        "dragmode": False,
        "hoverlabel": {"align": "left"},
        **more,
    }


def axis(title: str, **more: object) -> dict[str, object]:
    """An axis with its title in words."""
    return {"title": {"text": title, "font": {"size": 12}}, "fixedrange": True, "zeroline": False, **more}


def draw_chart(
    figure: go.Figure,
    *,
    title: str,
    key: str,
    table: Callable[[], pd.DataFrame],
    note: str = "",
    config: Mapping[str, object] | None = None,
    bars: bool = False,
    on_range: Callable[[float, float], None] | None = None,
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
    bars : bool
        The figure holds nothing but bars, which are drawn without plotly; see `draw_bars`.
    on_range : callable, optional
        For bars: called with both ends of a range that was dragged across.
    """
    with st.container(key=key, gap=None):
        with st.container(key=f"{key}-head", horizontal=True, vertical_alignment="center", gap="small"):
            quiet = f' <span class="de-quiet">{escape(note)}</span>' if note else ""
            st.html(f'<h4 class="de-chart-title">{escape(title)}{quiet}</h4>', width="stretch")
            with st.popover("Download chart", icon=":material/download:", key=f"{key}-download", type="tertiary"):
                _downloads(figure, title, key, table)
        if bars:
            draw_bars(figure, title, f"{key}-bars", on_range)
        else:
            st.plotly_chart(figure, key=f"{key}-plot", config={**_CONFIG, **(config or {})}, alt=title)


def _downloads(figure: go.Figure, title: str, key: str, table: Callable[[], pd.DataFrame]) -> None:
    lines = wrap(title, _TITLE_SIGNS)
    _images(key=f"{key}-images", data={"chart": key, "title": "<br>".join(map(in_chart, lines)), "lines": len(lines)})
    st.download_button(
        "Page (HTML)",
        data=lambda: chart_page(figure, title),
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


def chart_page(figure: go.Figure, title: str) -> bytes:
    """A page of its own that shows the chart without a network, in a light theme."""
    alone = go.Figure(figure)
    lines = wrap(title, _TITLE_SIGNS)
    alone.update_layout(
        template="plotly_white",
        title={"text": "<br>".join(map(in_chart, lines)), "x": 0, "xref": "paper"},
        margin={"l": 60, "r": 20, "t": 40 + 24 * len(lines), "b": 50},
        autosize=True,
    )
    return str(alone.to_html(include_plotlyjs=True, full_html=True)).encode()
