"""Distributions of a score at every checkpoint as a figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from diet_explorer.analysis.statistics import CheckpointStatistics
from diet_explorer.drawing import words
from diet_explorer.drawing.colours import NEUTRAL
from diet_explorer.drawing.frame import axis, layout
from diet_explorer.drawing.plain import name_in_chart
from diet_explorer.scoring.catalogue import Score, checkpoint_title
from diet_explorer.store.in_words import counted

_ROOM = 0.92  # of the width between two checkpoints that the violins take
_SMOOTHING = np.array([1.0, 2.0, 1.0]) / 4.0
_QUARTILES = (0.25, 0.5, 0.75)


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


def violin_of(
    statistics: CheckpointStatistics, score: str, label: str | None, colour: str, split: str, *, log: bool = False
) -> Violin:
    """The distribution of a score among the examples of a class, or of all where `label` is None, of a split."""
    of_score = statistics.score(score)
    log = log and of_score.log_edges is not None
    counts = of_score.log_counts if log else of_score.counts
    counts = counts[counts["split"] == split]
    edges = of_score.log_edges if log and of_score.log_edges is not None else of_score.edges
    quantiles = of_score.quantiles
    chosen = quantiles["label"].isna() if label is None else quantiles["label"] == label
    values = quantiles[chosen & (quantiles["split"] == split)].set_index("quantile")["value"]
    if label is not None:
        counts = counts[counts["label"] == label]
    return Violin(
        checkpoint=statistics.checkpoint,
        label="all classes" if label is None else label,
        colour=colour,
        edges=edges,
        counts=counts.groupby("bin")["count"].sum().reindex(range(len(edges) - 1), fill_value=0).to_numpy(),
        quartiles=tuple(float(values[share]) for share in _QUARTILES if share in values),
    )


def violin_figure(drawn: Sequence[Violin], score: Score, *, log: bool = False) -> go.Figure:
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
            f"{name_in_chart(entry.label)}, {checkpoint_title(entry.checkpoint)}<br>"
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
    return figure
