"""Accuracy over the checkpoints of a run."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go

from diet_explorer.drawing.colours import ACCENT, NEUTRAL, SECOND
from diet_explorer.drawing.frame import axis, layout
from diet_explorer.scoring.progress import CheckpointProgress, SeedProgress
from diet_explorer.ui.drawing.charts import draw_chart


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
