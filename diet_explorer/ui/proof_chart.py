"""Result against kept share: one line per policy, random, and the level of the full data, each with its interval."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pandas as pd
import plotly.graph_objects as go

from diet_explorer.pruning.policies import Policy
from diet_explorer.pruning.proof import Arm, Measure
from diet_explorer.ui.chart_frame import axis, draw_chart, layout
from diet_explorer.ui.colours import ACCENT, NEUTRAL, OKABE_ITO, SECOND, THIRD
from diet_explorer.ui.plain import in_chart

MEASURE_TITLES: dict[Measure, str] = {"accuracy": "Accuracy", "macro_f1": "Macro-F1", "loss": "Loss"}
_DIRECTIONS: dict[Measure, str] = {
    "accuracy": "higher = better",
    "macro_f1": "higher = better",
    "loss": "lower = better",
}
_COLOURS = (ACCENT, SECOND, THIRD, OKABE_ITO[0], OKABE_ITO[6], OKABE_ITO[1])
_SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "star")
_APART = 0.5  # per cent of kept share, so that intervals do not cover each other


def series_names(arms: Sequence[Arm]) -> list[str]:
    """For each arm the line that it is a point of; policies that differ in more than their share have their own."""
    rules = [None if arm.policy is None else _without_share(arm.policy) for arm in arms]
    titles = Counter(rule.title for rule in dict.fromkeys(rules) if rule is not None)
    return [
        arm.title if rule is None or titles[rule.title] == 1 else rule.describe().rstrip(".")
        for arm, rule in zip(arms, rules, strict=True)
    ]


def proof_chart(table: pd.DataFrame, arms: Sequence[Arm], measure: Measure, *, evaluated: str) -> None:
    """Draw the chart.

    Parameters
    ----------
    table : pandas.DataFrame
        As `Proof.table` gives it.
    arms : sequence of Arm
        The proof's, one per line of the table.
    evaluated : str
        What the results are taken over, in words.
    """
    done = table.assign(series=series_names(arms))
    done = done[done["seeds"] > 0]
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
    names = sorted(others["series"].unique(), key=lambda name: name == "Random")
    for place, name in enumerate(names):
        part = others[others["series"] == name].sort_values("share")
        random = name == "Random"
        colour = NEUTRAL if random else _COLOURS[place % len(_COLOURS)]
        figure.add_scatter(
            x=part["share"] + (0.0 if random else _APART * (place + 1)),
            y=part[measure],
            mode="lines+markers",
            name=in_chart(name),
            line={"color": colour, "width": 2, "dash": "dash" if random else "solid"},
            marker={"size": 8, "symbol": "x" if random else _SYMBOLS[place % len(_SYMBOLS)]},
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
    figure.update_layout(**layout(300, showlegend=True, legend={"orientation": "h", "y": 1.15, "x": 0}))
    figure.update_xaxes(**axis("Kept share of the training examples, %", autorange="reversed"))
    figure.update_yaxes(
        **axis(f"{MEASURE_TITLES[measure]} · {_DIRECTIONS[measure]}", tickformat=_format(measure), nticks=6)
    )
    draw_chart(
        figure,
        title=f"{MEASURE_TITLES[measure]} on {evaluated}, against what is kept",
        note="Means with 95 % intervals over seeds",
        key="proof-chart",
        table=lambda: table,
    )


def _without_share(policy: Policy) -> Policy:
    if policy.uses("keep"):
        return replace(policy, keep=100.0, size=None)
    return replace(policy, drop_easiest=0.0) if policy.uses("drop_easiest") else policy


def _format(measure: Measure) -> str:
    return ".3f" if measure == "loss" else ".1%"
