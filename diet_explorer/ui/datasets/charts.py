"""Charts of a dataset's report: how many examples each class has, how long the texts are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from diet_explorer.ui.drawing import words
from diet_explorer.ui.drawing.bar_chart import BarChart, Bars
from diet_explorer.ui.drawing.charts import draw_bar_chart
from diet_explorer.ui.drawing.colours import ACCENT, OTHERS
from diet_explorer.ui.drawing.plain import cut_name, visible

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
