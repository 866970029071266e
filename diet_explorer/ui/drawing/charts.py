"""The charts: one function per kind, so that the same thing looks the same on every page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import pandas as pd
import plotly.graph_objects as go

from diet_explorer.scoring.catalogue import Score
from diet_explorer.scoring.progress import CheckpointProgress, SeedProgress
from diet_explorer.ui.drawing import words
from diet_explorer.ui.drawing.bar_chart import BarChart, Bars
from diet_explorer.ui.drawing.chart_frame import axis, draw_bar_chart, draw_chart, layout
from diet_explorer.ui.drawing.colours import ACCENT, NEUTRAL, OTHERS, SECOND, cividis
from diet_explorer.ui.drawing.plain import cut_name, visible

_GAP = 0.02  # of a bar's width, between it and the next one


def score_histogram(
    counts: pd.DataFrame,
    score: Score,
    low: float | None,
    high: float | None,
    *,
    on_range: Callable[[float, float], None],
) -> None:
    """Distribution of a score; dragging over it chooses a range.

    Parameters
    ----------
    counts : pandas.DataFrame
        ``left, right, count`` as `Run.histogram` gives them.
    low, high : float or None
        The chosen range; bars outside of it are faded.
    on_range : callable
        Called with both ends of the range after a drag.
    """
    left, right, width = counts["left"], counts["right"], counts["right"] - counts["left"]
    middle = (left + right) / 2
    reach = float(right.iloc[-1] - left.iloc[0]) or 1.0
    lowest, highest = (-float("inf") if low is None else low), (float("inf") if high is None else high)
    bars = Bars(
        left=(left + width * _GAP / 2).tolist(),
        right=(right - width * _GAP / 2).tolist(),
        height=counts["count"].tolist(),
        colour=[cividis((x - left.iloc[0]) / reach) for x in middle],
        words=[
            f"{first:.3f} to {last:.3f}\n{words.counted(number, 'example')}"
            for first, last, number in counts[["left", "right", "count"]].itertuples(index=False)
        ],
        opacity=[1.0 if lowest <= x <= highest else 0.3 for x in middle],
    )
    draw_bar_chart(
        BarChart([bars], score.axis, "Examples", height=116, numbers=4),
        title="How many examples?",
        note="Drag to filter",
        key="score-histogram",
        table=lambda: counts,
        on_range=on_range,
    )


def accuracy_chart(seeds: Sequence[SeedProgress], epochs: int, chance: float, *, key: str) -> None:
    """Accuracy on train and held-out examples over checkpoints, one line per seed; chance is drawn."""
    figure = go.Figure()
    for entry in seeds:
        points = [point.checkpoint for point in entry.checkpoints]
        for name, values, colour in (
            ("train", [point.train_accuracy for point in entry.checkpoints], ACCENT),
            ("held-out", [point.heldout_accuracy for point in entry.checkpoints], SECOND),
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
    figure.update_layout(**layout(210, showlegend=True, legend={"orientation": "h", "y": 1.15, "x": 0}))
    figure.update_xaxes(**axis("Checkpoint (epochs)", range=[-0.05, epochs * 1.03]))
    shown = [chance, *(value for entry in seeds for point in entry.checkpoints for value in _accuracies(point))]
    limits = [max(0.0, min(shown) - 0.05), min(1.0, max(shown) + 0.05)]
    figure.update_yaxes(**axis("Accuracy", tickformat=".0%", range=limits, nticks=5))
    draw_chart(figure, title="Does the model still learn?", key=key, table=lambda: _accuracy_table(seeds))


def _accuracy_table(seeds: Sequence[SeedProgress]) -> pd.DataFrame:
    rows = [
        {
            "seed": entry.seed,
            "checkpoint": point.checkpoint,
            "train_accuracy": point.train_accuracy,
            "heldout_accuracy": point.heldout_accuracy,
        }
        for entry in seeds
        for point in entry.checkpoints
    ]
    return pd.DataFrame(rows)


def _accuracies(point: CheckpointProgress) -> list[float]:
    return [value for value in (point.train_accuracy, point.heldout_accuracy) if value is not None]


def class_balance(
    classes: Mapping[str, Mapping[str, int]], colours: Mapping[str, str], *, key: str, shown: int = 10
) -> None:
    """Examples per class and split: one row per class, a paler shade per further split.

    Parameters
    ----------
    classes : mapping
        Class name to split to count.
    shown : int
        How many classes are drawn, the largest first; the rest is one bar.
    """
    ordered = sorted(classes, key=lambda name: (-sum(classes[name].values()), name))
    first, rest = (ordered, []) if len(ordered) <= shown + 1 else (ordered[:shown], ordered[shown:])
    rows = first + ([f"{len(rest):,} more classes"] if rest else [])
    splits = list(dict.fromkeys(split for counts in classes.values() for split in counts))
    layers = []
    for number, split in enumerate(splits):
        values = [classes[name].get(split, 0) for name in first]
        values += [sum(classes[name].get(split, 0) for name in rest)] if rest else []
        layers.append(
            Bars.named(
                0.75,
                values,
                colour=[colours.get(name, OTHERS) for name in rows],
                words=[
                    f"{cut_name(name)}, {cut_name(split)}: {words.counted(value, 'example')}"
                    for name, value in zip(rows, values, strict=True)
                ],
                opacity=[max(1.0 - 0.4 * number, 0.2)] * len(values),
            )
        )
    shades = f" ({', then paler '.join(splits)})" if 1 < len(splits) < 4 else ""
    chart = BarChart(
        layers,
        "",
        visible(f"Examples{shades}"),
        height=70 + (26 if len(rows) < 5 else 17) * len(rows),
        names=[(cut_name(name), visible(name)) for name in rows],
        numbers=5,
        horizontal=True,
    )
    counts = [(name, split, number) for name, by_split in classes.items() for split, number in by_split.items()]
    draw_bar_chart(
        chart,
        title="Are the classes balanced?",
        key=key,
        table=lambda: pd.DataFrame(counts, columns=["label", "split", "count"]),
    )


def length_histogram(edges: Sequence[int], counts: Sequence[int], unit: str, *, key: str) -> None:
    """Texts per bin of length; the bins grow, so each has the same width on screen and carries its limits."""
    last = max((at for at, number in enumerate(counts) if number), default=0) + 1
    names = [
        f"{left:,} or more" if at == len(edges) - 1 else f"{left:,} to {edges[at + 1] - 1:,}"
        for at, left in enumerate(edges[:last])
    ]
    bars = Bars.named(
        1.0 - _GAP,
        list(counts[:last]),
        colour=[ACCENT] * last,
        words=[
            f"{name} {unit}\n{words.counted(number, 'example')}"
            for name, number in zip(names, counts[:last], strict=True)
        ],
        opacity=[1.0] * last,
    )
    starts = [f"{left:,}" for left in edges[:last]]
    limits = pd.DataFrame({f"{unit}_from": edges[:last], "count": counts[:last]})
    draw_bar_chart(
        BarChart(
            [bars],
            f"Length in {unit}, from",
            "Examples",
            height=150,
            names=list(zip(starts, names, strict=True)),
            numbers=4,
        ),
        title="How long are the texts?",
        key=key,
        table=lambda: limits,
    )
