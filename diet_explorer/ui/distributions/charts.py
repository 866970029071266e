"""Charts of the Distributions page, drawn from statistics that were counted when a checkpoint landed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from diet_explorer.analysis.region import Box
from diet_explorer.drawing import words
from diet_explorer.drawing.colours import ACCENT, NEUTRAL, OTHERS, SECOND, THIRD, cividis, count_scale
from diet_explorer.drawing.density import heat_cells
from diet_explorer.drawing.distributions import Violin, violin_figure
from diet_explorer.drawing.frame import axis, layout
from diet_explorer.drawing.plain import in_chart, name_in_chart
from diet_explorer.scoring.catalogue import Score
from diet_explorer.ui.drawing.charts import draw_chart

_SCALE = [(step / 8, cividis(step / 8)) for step in range(9)]
_BALANCED = 8  # classes in a chart of shares; of more, those that differ most


def violins(drawn: Sequence[Violin], score: Score, *, title: str, note: str, log: bool, key: str) -> None:
    """Distributions side by side at every checkpoint; the width is the share of the class at that value."""
    figure = violin_figure(drawn, score, log=log)
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


def worst_balance(
    shares: pd.DataFrame, colours: Mapping[str, str], *, named: str | None, title: str, note: str, key: str
) -> None:
    """Classes of the worst examples at every checkpoint beside those of all examples, as shares of 100 %.

    Parameters
    ----------
    shares : pandas.DataFrame
        ``group, label, count``: a group per checkpoint, then one for all examples.
    named : str or None
        The class that the title names, which has a bar of its own however many classes there are.
    """
    groups = list(dict.fromkeys(shares["group"]))
    totals = shares.groupby("group")["count"].transform("sum")
    shares = shares.assign(share=shares["count"] / totals.where(totals > 0, 1))
    drawn = _most_shifted(shares, named)
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


def _most_shifted(shares: pd.DataFrame, named: str | None) -> pd.DataFrame:
    """The named class and those whose shares differ most from those of all examples, the others as one.

    All of them where they are few.
    """
    if shares["label"].nunique() <= _BALANCED + 1:
        return shares
    table = shares.pivot_table(index="label", columns="group", values="share", fill_value=0.0, sort=False)
    every = table[shares["group"].iloc[-1]]
    shift = table.sub(every, axis=0).abs().max(axis=1)
    shift[shift.index == named] = np.inf
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
            name=f"worst {words.round_percent(share)}",
            line={"color": colour, "width": 2, "dash": dash},
            marker={"size": 6},
            hovertemplate=f"worst {words.round_percent(share)}, epoch %{{x}}<br>%{{y:.1%}} the same<extra></extra>",
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
