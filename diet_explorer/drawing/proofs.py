"""Result against kept share: one line per policy, random, and the level of the full data, each with its interval."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from diet_explorer.drawing.colours import ACCENT, NEUTRAL, OKABE_ITO, SECOND, THIRD
from diet_explorer.drawing.frame import axis, layout
from diet_explorer.drawing.plain import in_chart
from diet_explorer.pruning.proof import Measure

MEASURE_TITLES: dict[Measure, str] = {"accuracy": "Accuracy", "macro_f1": "Macro-F1", "loss": "Loss"}
_DIRECTIONS: dict[Measure, str] = {
    "accuracy": "higher = better",
    "macro_f1": "higher = better",
    "loss": "lower = better",
}
_COLOURS = (ACCENT, SECOND, THIRD, OKABE_ITO[0], OKABE_ITO[6], OKABE_ITO[1])
_SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "star")
_MARGIN = 6.0  # per cent of kept share, around what was tried
_APART = 0.5  # per cent of kept share, so that intervals do not cover each other


def proof_figure(table: pd.DataFrame, measure: Measure) -> go.Figure:
    """The chart.

    Parameters
    ----------
    table : pandas.DataFrame
        As `Proof.table` gives it; lines with the same title are one line of the chart.
    measure : {"accuracy", "macro_f1", "loss"}
    """
    done = table[table["seeds"] > 0]
    figure = go.Figure()
    full = done[done["kind"] == "full"]
    for row in full.to_dict("records"):
        if pd.notna(row[f"{measure}_low"]):
            figure.add_hrect(
                row[f"{measure}_low"], row[f"{measure}_high"], fillcolor=NEUTRAL, opacity=0.18, line_width=0
            )
        figure.add_hline(
            row[measure],
            line={"color": NEUTRAL, "width": 1.5},
            annotation={"text": "full data", "font": {"size": 11}},
            annotation_position="bottom right",
        )
    others = done[done["kind"] != "full"]
    names = sorted(others["title"].unique(), key=lambda name: name == "Random")
    for number, name in enumerate(names):
        part = others[others["title"] == name].sort_values("share")
        random = name == "Random"
        colour = NEUTRAL if random else _COLOURS[number % len(_COLOURS)]
        figure.add_scatter(
            x=part["share"] - (0.0 if random else _APART * (number + 1)),
            y=part[measure],
            mode="lines+markers",
            name=in_chart(name),
            line={"color": colour, "width": 2, "dash": "dash" if random else "solid"},
            marker={"size": 8, "symbol": "x" if random else _SYMBOLS[number % len(_SYMBOLS)]},
            error_y={
                "type": "data",
                "array": part[f"{measure}_high"] - part[measure],
                "arrayminus": part[measure] - part[f"{measure}_low"],
                "thickness": 1.3,
                "width": 4,
            },
            customdata=part[["kept", "seeds", "share"]],
            hovertemplate=f"{in_chart(name)}<br>%{{customdata[0]:,}} examples (%{{customdata[2]:.1f}} %)<br>"
            f"%{{y:{_format(measure)}}} over %{{customdata[1]}} seeds<extra></extra>",
        )
    figure.update_layout(
        **layout(290, showlegend=True, legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0})
    )
    least, most = (float(others["share"].min()), float(others["share"].max())) if len(others) else (0.0, 100.0)
    # the most at the left, as in the papers; nobody keeps more than all
    reach = [min(most + _MARGIN, 100.0 + _APART), max(least - _MARGIN, 0.0)]
    figure.update_xaxes(**axis("Kept share of the training examples, %", range=reach))
    figure.update_yaxes(
        **axis(f"{MEASURE_TITLES[measure]} · {_DIRECTIONS[measure]}", tickformat=_format(measure), nticks=6)
    )
    return figure


def _format(measure: Measure) -> str:
    return ".3f" if measure == "loss" else ".1%"
