"""Charts of a dataset's report: how many examples each class has, how long the texts are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from diet_explorer.drawing.colours import ACCENT, OTHERS
from diet_explorer.drawing.plain import class_titles, cut_name, visible
from diet_explorer.store.in_words import counted
from diet_explorer.ui.drawing.bar_chart import BarChart, Bars
from diet_explorer.ui.drawing.charts import draw_bar_chart

_TITLE_CHARACTERS = 20
_GAP = 0.02  # of a bar's width, between it and the next one


def class_balance(
    classes: Mapping[str, Mapping[str, int]], colours: Mapping[str, str], *, key: str, shown: int = 10
) -> None:
    """Examples per class and split: one row per class, a paler shade per further split.

    Parameters
    ----------
    classes : mapping
        Class name to split to count.
    shown : int
        How many classes are drawn, the largest first. Of more, the largest and the smallest are, with one bar between
        them for the average of the others.
    """
    ordered = sorted(classes, key=lambda name: (-sum(classes[name].values()), name))
    rows = _balance_rows(classes, ordered, shown)
    splits = list(dict.fromkeys(split for counts in classes.values() for split in counts))
    titles = class_titles(ordered, _TITLE_CHARACTERS)
    layers = []
    for number, split in enumerate(splits):
        values = [sum(classes[name].get(split, 0) for name in names) / len(names) for _, names in rows]
        layers.append(
            Bars.named(
                0.75,
                values,
                colour=[colours.get(names[0], OTHERS) if len(names) == 1 else OTHERS for _, names in rows],
                words=[_balance_words(title, names, cut_name(split), classes, split) for title, names in rows],
                opacity=[max(1.0 - 0.4 * number, 0.2)] * len(values),
            )
        )
    shades = f" ({', then paler '.join(splits)})" if 1 < len(splits) < 4 else ""
    chart = BarChart(
        layers,
        "",
        visible(f"Examples{shades}"),
        height=70 + (26 if len(rows) < 5 else 17) * len(rows),
        names=[(titles.get(title, title), visible(title)) for title, _ in rows],
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


def _balance_rows(
    classes: Mapping[str, Mapping[str, int]], ordered: Sequence[str], shown: int
) -> list[tuple[str, Sequence[str]]]:
    """The rows of the chart: their names, and the classes that each stands for."""
    if len(ordered) <= shown + 1:
        return [(name, [name]) for name in ordered]
    smallest = shown // 3
    first, between, last = ordered[: shown - smallest], ordered[shown - smallest : -smallest], ordered[-smallest:]
    totals = [sum(classes[name].values()) for name in between]
    title = f"{len(between):,} classes between"
    if totals[0] == totals[-1]:
        title = f"{len(between):,} classes of {totals[0]:,}"
    return [*((name, [name]) for name in first), (title, between), *((name, [name]) for name in last)]


def _balance_words(
    title: str, names: Sequence[str], shown: str, classes: Mapping[str, Mapping[str, int]], split: str
) -> str:
    counts = [classes[name].get(split, 0) for name in names]
    if len(names) == 1:
        return f"{cut_name(title)}, {shown}: {counted(counts[0], 'example')}"
    return f"{title}, {shown}: {min(counts):,} to {max(counts):,} examples, {sum(counts) / len(counts):,.1f} on average"


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
            f"{name} {unit}\n{counted(number, 'example')}" for name, number in zip(names, counts[:last], strict=True)
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
