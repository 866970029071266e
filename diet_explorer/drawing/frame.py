"""What all charts share: margins, hover, axes."""

from __future__ import annotations

from typing import TypeAlias

import plotly.graph_objects as go

from diet_explorer.drawing.plain import in_chart

Figure: TypeAlias = go.Figure  # what every plot is; named here for those who return one and load plotly only then


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


def alone(figure: Figure, title: str) -> Figure:
    """The figure with its title and room for its axes, to stand in a notebook."""
    figure.update_layout(
        template="plotly_white",
        title={"text": in_chart(title), "x": 0, "xref": "paper"},
        margin={"l": 60, "r": 20, "t": 80, "b": 50},
    )
    return figure
