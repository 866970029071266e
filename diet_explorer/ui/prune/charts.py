"""The charts of a policy's preview: where it cuts the scores, and what that does to the lengths."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go

from diet_explorer.drawing.colours import ACCENT, NEUTRAL, SECOND
from diet_explorer.drawing.frame import axis, layout
from diet_explorer.drawing.plain import name_in_chart
from diet_explorer.pruning.preview import Cut
from diet_explorer.scoring.catalogue import Score
from diet_explorer.ui.drawing.charts import draw_chart

_MOST_LINES = 8


def cut_histogram(counts: pd.DataFrame, cuts: Sequence[Cut], score: Score) -> None:
    """Training examples by score, kept and dropped, with lines where the policy cuts.

    Parameters
    ----------
    counts : pandas.DataFrame
        ``left, right, kept, dropped``.
    cuts : sequence of Cut
    """
    figure = go.Figure()
    middle, width = (counts["left"] + counts["right"]) / 2, counts["right"] - counts["left"]
    ranges = list(zip(counts["left"], counts["right"], strict=True))
    for name, colour, pattern in (("kept", ACCENT, ""), ("dropped", SECOND, "/")):
        figure.add_bar(
            x=middle,
            y=counts[name],
            width=width,
            name=name,
            marker={
                "color": colour,
                "opacity": 0.85,
                "pattern": {"shape": pattern, "size": 5},
                "line": {"width": 0.5, "color": NEUTRAL},
            },
            customdata=ranges,
            hovertemplate=f"%{{customdata[0]:.3f}} to %{{customdata[1]:.3f}}<br>%{{y:,}} {name}<extra></extra>",
        )
    for cut in cuts[:_MOST_LINES]:
        whose = "" if cut.label is None else f" {name_in_chart(cut.label)}"
        figure.add_vline(
            x=cut.value,
            line={"width": 1.5, "dash": "dash", "color": NEUTRAL},
            annotation={
                "text": f"{cut.end}{whose} ≥ {cut.value:.3f}"
                if _above(cut, score)
                else f"{cut.end}{whose} ≤ {cut.value:.3f}",
                "font": {"size": 11},
            },
            annotation_position="top right" if _above(cut, score) else "top left",
        )
    figure.update_layout(
        **layout(
            150,
            barmode="stack",
            bargap=0.02,
            showlegend=True,
            legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        )
    )
    figure.update_xaxes(**axis(score.axis))
    figure.update_yaxes(**axis("Training examples", nticks=4))
    more = f", {len(cuts) - _MOST_LINES} more cuts" if len(cuts) > _MOST_LINES else ""
    draw_chart(
        figure,
        title="Where does the policy cut?",
        note=f"Beyond the line goes{more}" if cuts else "No line: examples go from everywhere, or none",
        key="cut-histogram",
        table=lambda: counts,
    )


def _above(cut: Cut, score: Score) -> bool:
    """Whether what goes lies above the cut."""
    return (cut.end == "hardest") == (score.worst == "high")


def length_shift(histogram: pd.DataFrame) -> None:
    """Share of the training examples per length, before and after.

    Parameters
    ----------
    histogram : pandas.DataFrame
        ``left, right, before, after``.
    """
    figure = go.Figure()
    for name, colour, dash in (("before", NEUTRAL, "dot"), ("after", ACCENT, "solid")):
        figure.add_scatter(
            x=histogram["left"],
            y=histogram[name],
            mode="lines",
            name=name,
            line={"color": colour, "width": 2, "dash": dash, "shape": "hv"},
            hovertemplate=f"from %{{x:.0f}} characters<br>%{{y:.1%}} {name}<extra></extra>",
        )
    figure.update_layout(
        **layout(130, showlegend=True, legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0})
    )
    figure.update_xaxes(**axis("Characters"))
    figure.update_yaxes(**axis("Share", tickformat=".0%", nticks=3, rangemode="tozero"))
    draw_chart(figure, title="Do texts get shorter?", key="length-shift", table=lambda: histogram)
