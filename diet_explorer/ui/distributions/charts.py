"""Charts of the Distributions page, drawn from statistics that were counted when a checkpoint landed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from diet_explorer.analysis.region import Box
from diet_explorer.scoring.catalogue import Score
from diet_explorer.store.in_words import counted
from diet_explorer.ui.drawing import words
from diet_explorer.ui.drawing.charts import axis, draw_chart, layout
from diet_explorer.ui.drawing.colours import ACCENT, NEUTRAL, OTHERS, SECOND, THIRD, cividis, count_scale
from diet_explorer.ui.drawing.density import heat_cells
from diet_explorer.ui.drawing.plain import in_chart, name_in_chart

_SCALE = [(step / 8, cividis(step / 8)) for step in range(9)]
_BALANCED = 8  # classes in a chart of shares; of more, those that differ most
_ROOM = 0.92  # of the width between two checkpoints that the violins take
_SMOOTHING = np.array([1.0, 2.0, 1.0]) / 4.0


@dataclass(frozen=True)
class Violin:
    """One distribution: a class, or all classes together, at one checkpoint.

    Attributes
    ----------
    checkpoint : float
        In epochs.
    label : str
        What the legend calls it.
    colour : str
    edges : float array (B + 1,)
    counts : int array (B,)
    quartiles : tuple of float
        Values below which 25, 50 and 75 % of the examples lie; empty where there is no example.
    """

    checkpoint: float
    label: str
    colour: str
    edges: NDArray[np.float64]
    counts: NDArray[np.int64]
    quartiles: tuple[float, ...]


def violins(drawn: Sequence[Violin], score: Score, *, title: str, note: str, log: bool, key: str) -> None:
    """Distributions side by side at every checkpoint; the width is the share of the class at that value."""
    points = sorted({entry.checkpoint for entry in drawn})
    labels = list(dict.fromkeys(entry.label for entry in drawn))
    figure = go.Figure()
    slot = _ROOM / len(labels)
    named: set[str] = set()
    for entry in drawn:
        total = int(entry.counts.sum())
        if total == 0:
            continue
        left = points.index(entry.checkpoint) - _ROOM / 2 + slot * labels.index(entry.label)
        density = np.convolve(entry.counts / total, _SMOOTHING, mode="same")
        half = slot * 0.48 * density / density.max()
        middle = left + slot / 2
        height = np.sqrt(entry.edges[1:] * entry.edges[:-1]) if log else (entry.edges[1:] + entry.edges[:-1]) / 2
        inside = np.flatnonzero(density > density.max() / 500)
        first, last = inside[0], inside[-1] + 1
        outline = np.r_[middle - half[first:last], (middle + half[first:last])[::-1]]
        figure.add_scatter(
            x=outline,
            y=np.r_[height[first:last], height[first:last][::-1]],
            mode="lines",
            fill="toself",
            fillcolor=entry.colour,
            opacity=0.75,
            line={"color": entry.colour, "width": 1},
            name=name_in_chart(entry.label),
            legendgroup=entry.label,
            showlegend=entry.label not in named,
            hoverinfo="skip",
        )
        named.add(entry.label)
        low, median, high = entry.quartiles
        text = (
            f"{name_in_chart(entry.label)}, {_checkpoint_words(entry.checkpoint)}<br>"
            f"{counted(total, 'example')}<br>"
            f"median {words.three(median)}, middle half {words.three(low)} to {words.three(high)}<extra></extra>"
        )
        figure.add_scatter(
            x=[middle, middle, middle],
            y=[low, median, high],
            mode="lines+markers",
            line={"color": NEUTRAL, "width": 3},
            marker={"size": [1, 8, 1], "color": "#ffffff", "line": {"color": "#1d2127", "width": 1.5}},
            showlegend=False,
            hovertemplate=text,
        )
    figure.update_layout(**layout(390, showlegend=True, legend={"orientation": "h", "y": 1.09, "x": 0}))
    figure.update_xaxes(
        **axis(
            "Checkpoint (epochs of training)",
            tickvals=list(range(len(points))),
            ticktext=[f"{point:g}" for point in points],
            range=[-0.55, len(points) - 0.45],
        )
    )
    figure.update_yaxes(**axis(score.axis, type="log" if log else "linear"))
    draw_chart(figure, title=title, note=note, key=key, table=lambda: _violin_table(drawn))


def _violin_table(drawn: Sequence[Violin]) -> pd.DataFrame:
    parts = [
        pd.DataFrame(
            {
                "checkpoint": entry.checkpoint,
                "label": entry.label,
                "from": entry.edges[:-1],
                "to": entry.edges[1:],
                "count": entry.counts,
            }
        )
        for entry in drawn
    ]
    return pd.concat(parts, ignore_index=True)


def worst_balance(shares: pd.DataFrame, colours: Mapping[str, str], *, title: str, note: str, key: str) -> None:
    """Classes of the worst examples at every checkpoint beside those of all examples, as shares of 100 %.

    Parameters
    ----------
    shares : pandas.DataFrame
        ``group, label, count``: a group per checkpoint, then one for all examples.
    """
    groups = list(dict.fromkeys(shares["group"]))
    totals = shares.groupby("group")["count"].transform("sum")
    shares = shares.assign(share=shares["count"] / totals.where(totals > 0, 1))
    drawn = _most_shifted(shares)
    figure = go.Figure()
    for label, part in drawn.groupby("label", sort=False):
        name = name_in_chart(str(label))
        figure.add_bar(
            x=part["group"],
            y=part["share"],
            name=name,
            marker={"color": colours.get(str(label), OTHERS), "line": {"width": 0.5, "color": NEUTRAL}},
            customdata=part["count"],
            hovertemplate=f"%{{x}}, {name}<br>%{{y:.1%}} · %{{customdata:,}} examples<extra></extra>",
        )
    every = drawn[drawn["group"] == groups[-1]]["share"].tolist()
    for level in np.cumsum(every)[:-1]:
        figure.add_hline(y=float(level), line={"color": NEUTRAL, "width": 1.5, "dash": "dash"})
    figure.update_layout(**layout(220, barmode="stack", bargap=0.2))
    figure.update_xaxes(**axis("Checkpoint (epochs)", type="category", tickangle=0))
    figure.update_yaxes(**axis("Share of these examples", tickformat=".0%", range=[0, 1], nticks=5))
    draw_chart(figure, title=title, note=note, key=key, table=lambda: shares)


def _most_shifted(shares: pd.DataFrame) -> pd.DataFrame:
    """The classes whose shares differ most from those of all examples, the others as one; all where they are few."""
    if shares["label"].nunique() <= _BALANCED + 1:
        return shares
    table = shares.pivot_table(index="label", columns="group", values="share", fill_value=0.0, sort=False)
    every = table[shares["group"].iloc[-1]]
    shift = table.sub(every, axis=0).abs().max(axis=1)
    kept = shift.nlargest(_BALANCED).index
    is_kept = shares["label"].isin(kept)
    others = shares[~is_kept].groupby("group", sort=False)[["count", "share"]].sum().reset_index()
    others["label"] = f"{shares['label'].nunique() - len(kept):,} other classes"
    return pd.concat([shares[is_kept], others[shares.columns]], ignore_index=True)


def correlation_map(
    pairs: pd.DataFrame, names: Mapping[object, str], *, title: str, key: str, height: int, axis_title: str
) -> None:
    """Rank correlation of every pair as a square of figures.

    Parameters
    ----------
    pairs : pandas.DataFrame
        ``first, second, spearman``, each pair once.
    names : mapping
        What the axes call the entries, in their order.
    """
    positions = {entry: position for position, entry in enumerate(names)}
    matrix = np.full((len(names), len(names)), np.nan)
    np.fill_diagonal(matrix, 1.0)
    for first, second, value in pairs[["first", "second", "spearman"]].itertuples(index=False):
        if first in positions and second in positions:
            matrix[positions[first], positions[second]] = matrix[positions[second], positions[first]] = value
    low = min(0.0, float(np.nanmin(matrix)))
    ticks = [in_chart(name) for name in names.values()]
    figure = go.Figure(
        go.Heatmap(
            z=matrix,
            x=ticks,
            y=ticks,
            zmin=low,
            zmax=1.0,
            colorscale=_SCALE,
            xgap=1,
            ygap=1,
            colorbar={"thickness": 10, "title": {"text": "1 = same order<br>0 = none", "font": {"size": 11}}},
            text=[[words.NOT_THERE if np.isnan(value) else f"{value:.2f}" for value in row] for row in matrix],
            texttemplate="%{text}",
            hovertemplate="%{y} and %{x}<br>rank correlation %{z:.3f}<extra></extra>",
        )
    )
    figure.update_layout(**layout(height))
    figure.update_xaxes(**axis(axis_title, type="category", showgrid=False, automargin=True))
    figure.update_yaxes(**axis(axis_title, type="category", showgrid=False, autorange="reversed", automargin=True))
    draw_chart(figure, title=title, key=key, table=lambda: pairs)


def overlap_lines(pairs: pd.DataFrame, last: float, *, title: str, key: str) -> None:
    """How much of the worst 1, 5 and 10 % at the last checkpoint was among the worst at each earlier one."""
    final = pairs[pairs["second"] == last].sort_values("first")
    figure = go.Figure()
    for share, dash, colour in ((0.1, "solid", ACCENT), (0.05, "dash", SECOND), (0.01, "dot", THIRD)):
        figure.add_scatter(
            x=final["first"].map("{:g}".format),
            y=final[f"top_{share:g}"],
            mode="lines+markers",
            name=f"worst {100 * share:g} %",
            line={"color": colour, "width": 2, "dash": dash},
            marker={"size": 6},
            hovertemplate=f"worst {100 * share:g} %, epoch %{{x}}<br>%{{y:.1%}} the same<extra></extra>",
        )
    figure.add_hline(y=0.1, line={"color": NEUTRAL, "width": 1, "dash": "dot"})
    figure.add_annotation(
        x=1, xref="paper", y=0.1, text="10 % by chance", showarrow=False, yshift=8, xanchor="right", font={"size": 11}
    )
    figure.update_layout(**layout(220, showlegend=True, legend={"orientation": "h", "y": 1.18, "x": 0}))
    figure.update_xaxes(**axis("Checkpoint (epochs)", type="category"))
    figure.update_yaxes(**axis("The same examples", tickformat=".0%", range=[0, 1.02], nticks=5))
    draw_chart(figure, title=title, key=key, table=lambda: final)


def score_density(
    grid: pd.DataFrame,
    across: Score,
    up: Score,
    box: Box,
    bins: tuple[int, int],
    *,
    title: str,
    key: str,
    dark: bool,
) -> None:
    """Two scores against each other: how many examples are where.

    Parameters
    ----------
    grid : pandas.DataFrame
        ``x_bin, y_bin, count`` of the cells that hold examples.
    box : tuple of float
        Least and greatest x, least and greatest y.
    bins : tuple of (int, int)
        Cells across and up.
    """
    figure = go.Figure(
        go.Heatmap(
            **heat_cells(grid, box, bins),
            colorscale=count_scale(dark=dark),
            colorbar=_count_bar(int(grid["count"].max())),
            hovertemplate=f"{across.title} %{{x:.3f}}<br>{up.title} %{{y:.3f}}<br>%{{customdata:,}} examples"
            "<extra></extra>",
        )
    )
    figure.update_layout(**layout(400))
    figure.update_xaxes(**axis(across.axis, range=list(box[:2])))
    figure.update_yaxes(**axis(up.axis, range=list(box[2:])))
    draw_chart(figure, title=title, key=key, table=lambda: grid)


def _count_bar(most: int) -> dict[str, object]:
    steps = [step * 10**power for power in range(len(str(most))) for step in (1, 3) if step * 10**power <= most]
    return {
        "thickness": 10,
        "title": {"text": "Examples", "font": {"size": 11}},
        "tickvals": np.log10(steps).tolist(),
        "ticktext": [words.whole(step) for step in steps],
    }


def _checkpoint_words(checkpoint: float) -> str:
    return "before training" if checkpoint <= 0 else f"epoch {checkpoint:g}"
