"""What the benchmark of the papers' claims found so far: tables in Markdown and a figure."""

from __future__ import annotations

from dataclasses import replace
from math import isnan
from pathlib import Path

import numpy as np
import pandas as pd

from diet_explorer.pruning.proof import CONFIDENCE, Interval
from tests.benchmarks.proof_claims import (
    AIM,
    ALL_LABELS,
    CHECKPOINTS,
    DROPPED,
    SKEWED,
    STAGES,
    Claim,
    interval,
    interval_of,
    name_of,
    values_of,
)

UNDECIDED = "undecided"
HEADLINE, REST = STAGES[0], [claim for stage in STAGES[1:] for claim in stage]


def report(results: pd.DataFrame) -> dict[str, list[str]]:
    """Tables of all claims, of the classes among the highest scores, and of the mean accuracies, by their names."""
    return {
        "headline claims": claims_table(results, HEADLINE),
        "other claims": claims_table(results, REST),
        "classes of the highest scores": skew_table(results),
        "mean accuracies": accuracy_table(results),
        "what is decided": decided(results),
    }


def in_short(results: pd.DataFrame) -> list[str]:
    """The headline claims with one sentence on what was measured: the section of docs/evidence."""
    seeds = [len(values_of(results, claim)) for claim in HEADLINE]
    return [
        "The papers' headline claims on film snippets: 2,500 of them train, 5,944 test by what the majority of",
        f"human raters says; {min(seeds)} to {max(seeds)} seeds in pairs. Of MiniLM the upper layer is trained, which",
        "is what two processor cores allow. The intervals hold together at 95 %, however often one looks (Bonferroni,",
        "confidence sequences):",
        "",
        *claims_table(results, HEADLINE),
    ]


def decided(results: pd.DataFrame) -> list[str]:
    """How many claims are decided, and by how many seeds."""
    trained = int((results["measure"] == "accuracy").sum())
    lines = [f"So far, by {trained:,} trainings:", ""]
    for title, claims in (("headline claims", HEADLINE), ("other comparisons", REST)):
        begun = [found for found in (interval_of(results, claim) for claim in claims) if found.seeds]
        sure = sum(verdict(found, 1) != UNDECIDED for found in begun)
        line = f"- of {len(claims)} {title} {sure} decided, {len(begun) - sure} undecided"
        line += f", {len(claims) - len(begun)} not begun"
        seeds = [found.seeds for found in begun]
        lines.append(f"{line}; {min(seeds)} to {max(seeds)} seeds" if seeds else line)
    return lines


def claims_table(results: pd.DataFrame, claims: list[Claim]) -> list[str]:
    """One line per claim that has a seed."""
    lines = [
        "| claim | training labels | equal | difference, points | seeds | verdict |",
        "|---|---|---|---:|---:|---|",
    ]
    for claim in sorted(claims, key=lambda claim: claim.number):
        found = interval_of(results, claim)
        if found.seeds:
            budget = claim.first.budget
            cells = (f"{claim.number}. {claim.words}", claim.first.labels, budget, points(found), found.seeds)
            lines.append(f"| {' | '.join(map(str, cells))} | {verdict(found, claim.sign)} |")
    return lines


def points(found: Interval) -> str:
    """Mean and interval in points of accuracy; the mean alone where the seeds are too few for an interval."""
    if isnan(found.low):
        return f"{100 * found.mean:+.2f}"
    return f"{100 * found.mean:+.2f} [{100 * found.low:+.2f}, {100 * found.high:+.2f}]"


def verdict(found: Interval, sign: int) -> str:
    """What the interval decides: a direction, that there is less than half a point, or nothing."""
    if not found.holds_zero:
        if sign:
            return "**as the papers report**" if np.sign(found.mean) == sign else "**the other way round**"
        return "**better**" if found.mean > 0 else "**worse**"
    if found.low >= -AIM and found.high <= AIM:
        return "less than half a point"
    return UNDECIDED


def skew_table(results: pd.DataFrame) -> list[str]:
    """The share at every checkpoint, with intervals that are corrected for as many as are in the table."""
    lines = [
        f"| training labels | seeds | {' | '.join(f'at epoch {point:g}' for point in CHECKPOINTS)} |",
        f"|---|---:|{'---:|' * len(CHECKPOINTS)}",
    ]
    alpha = (1 - CONFIDENCE) / (len(CHECKPOINTS) * len(ALL_LABELS))
    rows = results[results["measure"] == "larger class"]
    for labels in ALL_LABELS:
        own = rows[rows["labels"] == labels]
        found = [
            interval(own[own["variant"] == name_of(policy)]["value"].tolist(), alpha, "larger class")
            for policy in SKEWED
        ]
        if found[0].seeds:
            within = [replace(entry, low=max(entry.low, 0.0), high=min(entry.high, 1.0)) for entry in found]
            cells = [points(entry).replace("+", "") for entry in within]  # a share is from 0 to 100 %
            lines.append(f"| {labels} | {found[0].seeds} | {' | '.join(cells)} |")
    return lines


def accuracy_table(results: pd.DataFrame) -> list[str]:
    """Mean accuracy of every variant, per cent, over the seeds that it has."""
    rows = results[results["measure"] == "accuracy"]
    lines = [
        "| training labels | equal | variant | training texts | seeds | accuracy, % |",
        "|---|---|---|---:|---:|---:|",
    ]
    for (labels, budget, variant), own in rows.groupby(["labels", "budget", "variant"], sort=False):
        mean, examples = 100 * own["value"].mean(), own["examples"].iloc[0]
        lines.append(f"| {labels} | {budget} | {variant} | {examples:,} | {len(own)} | {mean:.2f} |")
    return lines


def draw(results: pd.DataFrame, target: Path) -> None:
    """Left: hardest 70 % against random, by when they were scored. Right: full data without the hardest few."""
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots

    from tests.benchmarks.figure import save_png

    titles = ("Keep the hardest 70 %, against random 70 %", "Drop the hardest few per cent, against full data")
    figure = make_subplots(rows=1, cols=2, subplot_titles=titles, horizontal_spacing=0.09)
    colours = dict(zip(ALL_LABELS, ("#0072B2", "#D55E00", "#009E73", "#CC79A7"), strict=True))
    symbols = dict(zip(ALL_LABELS, ("circle", "x", "square", "diamond"), strict=True))
    shown: set[str] = set()
    for column, lines in ((1, against_random(results)), (2, against_full(results))):
        for labels, own in lines.groupby("labels", sort=False):
            beside = ALL_LABELS.index(labels) - 1.5  # so that bars do not hide each other
            figure.add_trace(
                go.Scatter(
                    x=own["x"] * 1.05**beside if column == 1 else own["x"] + 0.2 * beside,
                    y=own["mean"],
                    error_y={"array": own["high"] - own["mean"], "arrayminus": own["mean"] - own["low"]},
                    name=labels,
                    legendgroup=labels,
                    showlegend=labels not in shown,
                    mode="lines+markers",
                    marker={"color": colours[labels], "symbol": symbols[labels], "size": 7},
                    line={"color": colours[labels], "width": 1.5},
                ),
                row=1,
                col=column,
            )
            shown.add(labels)
        figure.add_hline(y=0, line={"color": "#444", "dash": "dash", "width": 1}, row=1, col=column)
    figure.update_xaxes(title="scored after so many epochs", type="log", range=[-1.1, 0.4], row=1, col=1)
    figure.update_xaxes(tickvals=list(CHECKPOINTS), row=1, col=1)
    figure.update_xaxes(title="dropped, % of the training texts", tickvals=[0, *DROPPED], range=[-1, 21.5], col=2)
    figure.update_yaxes(title="difference in accuracy, points", row=1, col=1)
    figure.update_layout(template="plotly_white", font={"family": "DejaVu Sans, sans-serif", "size": 12})
    figure.update_annotations(font_size=13)
    figure.update_layout(margin={"l": 10, "r": 30, "t": 40, "b": 90}, legend={"orientation": "h", "y": -0.25})
    save_png(figure, target, {"width": 900, "height": 400})


def against_random(results: pd.DataFrame) -> pd.DataFrame:
    """Points of the left part: 70 % kept, in as many steps as full data takes."""
    return curve(results, [claim for claim in _ALL if claim.number == "1" and claim.second.name == "random 70"])


def against_full(results: pd.DataFrame) -> pd.DataFrame:
    """Points of the right part, in as many steps as full data takes."""
    found = curve(results, [claim for claim in _ALL if claim.number == "2"])
    origins = [
        {"labels": labels, "x": 0.0, "mean": 0.0, "low": 0.0, "high": 0.0} for labels in found["labels"].unique()
    ]
    return pd.concat([pd.DataFrame(origins), found]) if origins else found


def curve(results: pd.DataFrame, claims: list[Claim]) -> pd.DataFrame:
    """Columns ``labels, x, mean, low, high`` in points, sorted; x is the checkpoint, or the share that is dropped."""
    lines = []
    for claim in claims:
        found, policy = interval_of(results, claim), claim.first.policy
        if claim.first.budget == "steps" and found.seeds and policy is not None:
            x = policy.drop_hardest or policy.checkpoint
            bounds = {name: 100 * getattr(found, name) for name in ("mean", "low", "high")}
            lines.append({"labels": claim.first.labels, "x": x, **bounds})
    return pd.DataFrame(lines, columns=["labels", "x", "mean", "low", "high"]).sort_values(["labels", "x"])


_ALL = [claim for stage in STAGES for claim in stage]
