"""The charts: one function per kind, so that the same thing looks the same on every page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from diet_explorer.scoring.catalogue import Score
from diet_explorer.scoring.progress import SeedProgress
from diet_explorer.ui import words
from diet_explorer.ui.colours import ACCENT, NEUTRAL, OTHERS, cividis

PLAIN: Mapping[str, object] = {"displayModeBar": False, "responsive": True}
_BRUSH: Mapping[str, object] = {**PLAIN, "doubleClick": False}
_SECOND = "#D55E00"


def _layout(height: int, **more: object) -> dict[str, object]:
    return {
        "height": height,
        "margin": {"l": 0, "r": 4, "t": 4, "b": 0},
        "showlegend": False,
        "bargap": 0.02,
        "dragmode": False,
        "hoverlabel": {"align": "left"},
        **more,
    }


def score_histogram(
    counts: pd.DataFrame, score: Score, low: float | None, high: float | None, *, key: str, on_select: object
) -> None:
    """Distribution of a score; dragging over it chooses a range.

    Parameters
    ----------
    counts : pandas.DataFrame
        ``left, right, count`` as `Run.histogram` gives them.
    low, high : float or None
        The chosen range; bars outside of it are faded.
    on_select : callable
        Called after a drag; the selection stands in the session state under `key`.
    """
    middle = (counts["left"] + counts["right"]) / 2
    reach = float(counts["right"].iloc[-1] - counts["left"].iloc[0]) or 1.0
    inside = (middle >= (low if low is not None else -float("inf"))) & (
        middle <= (high if high is not None else float("inf"))
    )
    bars = go.Bar(
        x=middle,
        y=counts["count"],
        width=(counts["right"] - counts["left"]),
        marker={
            "color": [cividis((x - counts["left"].iloc[0]) / reach) for x in middle],
            "opacity": [1.0 if kept else 0.3 for kept in inside],
            "line": {"width": 0.5, "color": NEUTRAL},
        },
        customdata=list(zip(counts["left"], counts["right"], strict=True)),
        hovertemplate="%{customdata[0]:.3f} to %{customdata[1]:.3f}<br>%{y:,} examples<extra></extra>",
    )
    figure = go.Figure(bars)
    figure.update_layout(**_layout(130, dragmode="select", selectdirection="h"))
    figure.update_xaxes(title={"text": score.axis, "font": {"size": 12}}, fixedrange=True, zeroline=False)
    figure.update_yaxes(title={"text": "Examples", "font": {"size": 12}}, fixedrange=True, nticks=4)
    st.plotly_chart(
        figure,
        key=key,
        on_select=on_select,  # type: ignore[call-overload]
        selection_mode="box",
        config=dict(_BRUSH),
        alt=f"Histogram of {score.title}: {words.whole(counts['count'].sum())} examples",
    )


def accuracy_chart(seeds: Sequence[SeedProgress], epochs: int, chance: float, *, key: str) -> None:
    """Accuracy on train and held-out examples over checkpoints, one line per seed; chance is drawn."""
    figure = go.Figure()
    for entry in seeds:
        points = [point.checkpoint for point in entry.checkpoints]
        for name, values, colour in (
            ("train", [point.train_accuracy for point in entry.checkpoints], ACCENT),
            ("held-out", [point.heldout_accuracy for point in entry.checkpoints], _SECOND),
        ):
            if any(value is not None for value in values):
                figure.add_scatter(
                    x=points,
                    y=values,
                    mode="lines+markers",
                    name=name,
                    legendgroup=name,
                    showlegend=entry is seeds[0],
                    line={"color": colour, "width": 2, "dash": "solid" if name == "train" else "dot"},
                    marker={"size": 6},
                    hovertemplate=f"seed {entry.seed}, {name}<br>epoch %{{x:g}}: %{{y:.1%}}<extra></extra>",
                )
    figure.add_hline(y=chance, line={"color": NEUTRAL, "width": 1, "dash": "dash"})
    figure.add_annotation(
        x=epochs, y=chance, text="largest class", showarrow=False, yshift=8, xanchor="right", font={"size": 11}
    )
    figure.update_layout(
        **{**_layout(210), "showlegend": True, "legend": {"orientation": "h", "y": 1.15, "x": 0}},
    )
    figure.update_xaxes(title="Checkpoint (epochs)", range=[-0.05, epochs * 1.03], fixedrange=True, zeroline=False)
    figure.update_yaxes(title="Accuracy", tickformat=".0%", fixedrange=True, rangemode="normal")
    st.plotly_chart(figure, key=key, config=dict(PLAIN), alt="Accuracy over checkpoints")


def class_balance(
    balance: Mapping[str, Mapping[str, int]], colours: Mapping[str, str], *, key: str, classes: int = 12
) -> None:
    """Examples per class and split: one row per class, one shade per split.

    Parameters
    ----------
    balance : mapping
        Split to class name to count.
    classes : int
        How many classes are drawn, the largest first; the rest is one bar.
    """
    totals: dict[str, int] = {}
    for counts in balance.values():
        for name, number in counts.items():
            totals[name] = totals.get(name, 0) + number
    shown = sorted(totals, key=lambda name: (-totals[name], name))[:classes]
    rest = [name for name in totals if name not in shown]
    rows = shown + ([f"{len(rest)} more classes"] if rest else [])
    figure = go.Figure()
    for place, (split, counts) in enumerate(balance.items()):
        values = [counts.get(name, 0) for name in shown] + ([sum(counts.get(n, 0) for n in rest)] if rest else [])
        figure.add_bar(
            y=rows,
            x=values,
            name=split,
            orientation="h",
            marker={
                "color": [colours.get(name, OTHERS) for name in rows],
                "opacity": max(1.0 - 0.35 * place, 0.25),
                "line": {"width": 0.5, "color": NEUTRAL},
            },
            hovertemplate=f"%{{y}}, {split}: %{{x:,}} examples<extra></extra>",
            text=[split if number else "" for number in values],
            textposition="inside",
            insidetextanchor="middle",
            textfont={"size": 11, "color": "#1d2127"},
        )
    figure.update_layout(**_layout(max(90, 45 + 26 * len(rows)), barmode="stack"))
    figure.update_yaxes(autorange="reversed", fixedrange=True, title=None, type="category")
    figure.update_xaxes(title="Examples", fixedrange=True, nticks=5)
    st.plotly_chart(figure, key=key, config=dict(PLAIN), alt="Examples per class and split")


def length_histogram(
    edges: Sequence[float], counts: Sequence[int], limit: float | None, unit: str, *, key: str
) -> None:
    """Distribution of text lengths, with the length from which texts are cut off."""
    width = [right - left for left, right in zip(edges[:-1], edges[1:], strict=True)]
    middle = [left + step / 2 for left, step in zip(edges[:-1], width, strict=True)]
    figure = go.Figure(
        go.Bar(
            x=middle,
            y=list(counts),
            width=width,
            marker={"color": ACCENT},
            customdata=list(zip(edges[:-1], edges[1:], strict=True)),
            hovertemplate="%{customdata[0]:,.0f} to %{customdata[1]:,.0f} "
            + unit
            + "<br>%{y:,} examples<extra></extra>",
        )
    )
    if limit is not None and limit <= edges[-1]:
        figure.add_vline(x=limit, line={"color": _SECOND, "width": 2, "dash": "dash"})
    figure.update_layout(**_layout(150))
    figure.update_xaxes(title=f"Length in {unit}", fixedrange=True, zeroline=False)
    figure.update_yaxes(title="Examples", fixedrange=True, nticks=4)
    st.plotly_chart(figure, key=key, config=dict(PLAIN), alt="Histogram of text lengths")
