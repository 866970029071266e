"""The tabs of the Distributions page that look at one run: distributions, stability, scores against each other."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from diet_explorer.analysis.statistics import CheckpointStatistics
from diet_explorer.drawing import words
from diet_explorer.drawing.colours import ACCENT
from diet_explorer.drawing.distributions import violin_of
from diet_explorer.drawing.plain import escape
from diet_explorer.scoring import catalogue
from diet_explorer.store.in_words import counted
from diet_explorer.ui.distributions import charts
from diet_explorer.ui.drawing.charts import is_dark
from diet_explorer.ui.shell import questions
from diet_explorer.ui.shell.asking import asked, landed
from diet_explorer.ui.shell.controls import mirrored
from diet_explorer.ui.shell.selection import Selection
from diet_explorer.workspace.dataset import Dataset
from diet_explorer.workspace.run import Run

_MOST_VIOLINS = 4  # classes side by side; more of them are drawn together
_SHARES = {0.01: "worst 1 %", 0.05: "worst 5 %", 0.10: "worst 10 %"}
_EVERY = "all"
_SETTLED = 0.8  # rank correlation from which an order counts as settled
_TRAIN = "train"
_AGAINST = ("grand", "grand_head", "loss", "margin", "el2n")
_CELLS = (16, 80)  # fewest and most cells of a density across


def draw_distribution(selection: Selection, dataset: Dataset, run: Run, checkpoint: float) -> None:
    """Draw how the chosen score is distributed at every checkpoint, and which classes its worst examples have."""
    score = selection.score
    statistics = _with_score(selection, run)
    split = _split(selection, dataset)
    left, right = st.columns([2, 1], gap="medium")
    with left:
        log = score.long_tailed and st.toggle(
            "Logarithmic axis", key="log-axis", help="Spreads the small values, which crowd together late in training."
        )
        chosen = list(selection.where.labels) or dataset.classes
        apart: list[str | None] = list(chosen) if len(chosen) <= _MOST_VIOLINS else [None]
        drawn = [
            violin_of(entry, score.name, label, ACCENT if label is None else selection.colours[label], split, log=log)
            for entry in statistics
            for label in apart
        ]
        charts.violins(
            drawn,
            score,
            title=_median_words(statistics, score, split),
            note=f"{split} split",
            log=log,
            key="distribution-chart",
        )
    with right:
        share = _choose_share()
        balance = _balance(statistics, score.name, split, share)
        outstanding = _outstanding(balance, checkpoint)
        charts.worst_balance(
            balance,
            selection.colours,
            named=outstanding[0],
            title=_balance_words(outstanding, share, checkpoint),
            note="",
            key="balance-chart",
        )
        shown = (
            "" if apart else f" All {len(chosen):,} classes are drawn together; filter by up to four to see them apart."
        )
        st.html(
            '<div class="de-read"><p><b>How to read it.</b> Each shape is the '
            f"{escape(split)} split at one moment of the training: wide where many examples have that value. "
            "The dot is the median, the bar behind it the middle half. "
            f"{escape(score.direction.capitalize())}.{shown}</p>"
            "<p>The dashed line is the share that a class has in the whole split. Where the bars differ "
            "much from it, pruning by this score would shift the balance of the classes.</p></div>"
        )


def draw_stability(selection: Selection, run: Run, checkpoint: float) -> None:
    """Draw whether the order of the examples has settled: between checkpoints, and between seeds."""
    score = selection.score
    pairs = _stability(run, score.name, selection.seed)
    points = sorted({*pairs["first"], *pairs["second"]})
    if len(points) < 2:
        st.html(
            '<div class="de-empty"><h2>One checkpoint so far</h2><p>Whether the order of the examples has settled is '
            "seen from the second checkpoint on.</p></div>"
        )
        return
    last = points[-1]
    left, right = st.columns(2, gap="medium")
    with left:
        charts.correlation_map(
            pairs,
            {point: f"{point:g}" for point in points},
            title=_settling_words(pairs, points, score.title),
            key="checkpoint-correlation",
            height=400,
            axis_title="Checkpoint (epochs)",
        )
        st.html(
            '<div class="de-read"><p><b>How to read it.</b> Each figure compares the order of the training examples at '
            "two moments: 1 is the same order, 0 is none. A ranking is worth using once its figures with all later "
            "checkpoints are high.</p></div>"
        )
    with right:
        charts.overlap_lines(pairs, last, title=_overlap_words(pairs, checkpoint, last), key="checkpoint-overlap")
        _seeds(selection, run, checkpoint)


def draw_scores(selection: Selection, run: Run, checkpoint: float) -> None:
    """Draw the chosen score against another one, and how far it agrees with each of the others."""
    statistics = questions.statistics(run, checkpoint, selection.seed)
    own = selection.score
    others = [name for name in statistics.scores if name != own.name]
    if not others:
        st.html('<div class="de-empty"><h2>One score only</h2><p>There is nothing to compare it with.</p></div>')
        return
    pairs = statistics.between_scores()
    left, right = st.columns([3, 2], gap="medium")
    with left:
        first = next((name for name in _AGAINST if name in others), others[0])
        with st.container(key="against", width=320):
            other = st.selectbox(
                f"{own.title} against",
                others,
                index=others.index(first),
                key=f"against-{own.name}",
                format_func=lambda name: f"{own.title} against {catalogue.score(name).title}",
                label_visibility="collapsed",
            )
        up = catalogue.score(other)
        x, y = statistics.score(own.name).edges, statistics.score(other).edges
        box = (float(x[0]), float(x[-1]), float(y[0]), float(y[-1]))
        rows = questions.count(run, checkpoint, selection.seed, selection.where)
        across = int(np.clip(np.sqrt(rows), *_CELLS))
        bins = (across, across * 3 // 4)
        grid = questions.density(run, checkpoint, selection.seed, own.name, other, selection.where, bins, box)
        charts.score_density(
            grid,
            own,
            up,
            box,
            bins,
            title=_pair_words(pairs, own, up, int(grid["count"].sum())),
            key="score-density",
            dark=is_dark(),
        )
    with right:
        st.html(_agreement_table(pairs, own))


@asked(landed)
def _stability(run: Run, score: str, seed: int | None) -> pd.DataFrame:
    return run.dynamics.stability(score, seed)


def _with_score(selection: Selection, run: Run) -> list[CheckpointStatistics]:
    every = [questions.statistics(run, point, selection.seed) for point in selection.checkpoints]
    return [entry for entry in every if selection.score.name in entry.scores]


def _split(selection: Selection, dataset: Dataset) -> str:
    """The one split that is drawn: the filter's if it names one, else the training split."""
    if len(selection.where.splits) == 1:
        return selection.where.splits[0]
    return _TRAIN if _TRAIN in dataset.manifest.splits else next(iter(dataset.manifest.splits))


def _median_words(statistics: list[CheckpointStatistics], score: catalogue.Score, split: str) -> str:
    medians = []
    for entry in (statistics[0], statistics[-1]):
        values = entry.score(score.name).quantiles
        chosen = values[values["label"].isna() & (values["split"] == split) & (values["quantile"] == 0.5)]
        medians.append(float(chosen["value"].iloc[0]) if len(chosen) else np.nan)
    first, last = (catalogue.checkpoint_title(entry.checkpoint) for entry in (statistics[0], statistics[-1]))
    before, after = map(words.three, medians)
    if len(statistics) == 1:
        return f"Median {score.title}: {before} {first}"
    return f"Median {score.title}: {before} {first}, {after} {last}"


def _choose_share() -> float:
    with mirrored("balance-share", st.session_state.get("balance-share-chosen", 0.10)) as (key, default):
        chosen = st.segmented_control(
            "Which examples",
            list(_SHARES),
            default=default,
            key=key,
            format_func=_SHARES.__getitem__,
            required=True,
            label_visibility="collapsed",
        )
    st.session_state["balance-share-chosen"] = chosen
    return float(chosen)


def _balance(statistics: list[CheckpointStatistics], name: str, split: str, share: float) -> pd.DataFrame:
    """``group, label, count``: the worst examples' classes per checkpoint, then those of all examples."""
    parts = []
    for entry in statistics:
        worst = entry.score(name).top_balance
        chosen = worst[(worst["split"] == split) & (worst["share"] == share)]
        parts.append(chosen[["label", "count"]].assign(group=f"{entry.checkpoint:g}"))
    every = statistics[-1].label_counts
    parts.append(every[every["split"] == split][["label", "count"]].assign(group=_EVERY))
    return pd.concat(parts, ignore_index=True)


def _outstanding(balance: pd.DataFrame, checkpoint: float) -> tuple[str | None, float, float]:
    """The class that stands out most among the worst examples of a checkpoint, its share there and of all examples."""
    counts = {group: part.set_index("label")["count"] for group, part in balance.groupby("group")}
    here = counts.get(f"{checkpoint:g}")
    if here is None or here.sum() == 0:
        return None, np.nan, np.nan
    usual = counts[_EVERY].reindex(here.index, fill_value=0) / counts[_EVERY].sum()
    here = here / here.sum()
    most = int((here - usual).to_numpy().argmax())
    return str(here.index[most]), float(here.iloc[most]), float(usual.iloc[most])


def _balance_words(outstanding: tuple[str | None, float, float], share: float, checkpoint: float) -> str:
    label, here, usual = outstanding
    if label is None:
        return f"Which classes are the {_SHARES[share]} from?"
    return (
        f"{words.percent(here)} of the {_SHARES[share]} are “{label}” "
        f"({words.percent(usual)} of all), {catalogue.checkpoint_title(checkpoint)}"
    )


def _settling_words(pairs: pd.DataFrame, points: list[float], title: str) -> str:
    final = pairs[pairs["second"] == points[-1]].set_index("first")["spearman"]
    settled = [point for point in points[:-1] if (final[final.index >= point] >= _SETTLED).all()]
    if settled:
        when = catalogue.checkpoint_title(settled[0])
        return f"{title} settles {when}: rank correlation with the last checkpoint {final[settled[0]]:.2f}"
    return f"{title} has not settled: the last two checkpoints have a rank correlation of {final[points[-2]]:.2f}"


def _overlap_words(pairs: pd.DataFrame, checkpoint: float, last: float) -> str:
    pair = pairs[(pairs["first"] == checkpoint) & (pairs["second"] == last)]
    if pair.empty:
        return "How many of the last checkpoint's worst examples were among the worst before?"
    return (
        f"{words.percent(float(pair['top_0.1'].iloc[0]))} of the worst 10 % {catalogue.checkpoint_title(checkpoint)} "
        f"are still among the worst {catalogue.checkpoint_title(last)}"
    )


def _seeds(selection: Selection, run: Run, checkpoint: float) -> None:
    pairs = questions.statistics(run, checkpoint, None).between_seeds(selection.score.name)
    if pairs.empty:
        st.html(
            '<div class="de-read"><p><b>One seed.</b> How much of this order is chance shows only when the training is '
            "repeated: score with two seeds or more.</p></div>"
        )
        return
    seeds = sorted({*pairs["first"], *pairs["second"]})
    charts.correlation_map(
        pairs,
        {seed: f"seed {seed}" for seed in seeds},
        title=f"Repeated trainings agree on the order at {pairs['spearman'].mean():.2f}, "
        f"{catalogue.checkpoint_title(checkpoint)}",
        key="seed-correlation",
        height=190,
        axis_title="",
    )


def _pair_words(pairs: pd.DataFrame, own: catalogue.Score, other: catalogue.Score, count: int) -> str:
    correlations = _with(pairs, own.name).set_index("other")["spearman"]
    value = float(correlations[other.name])
    how = "hardly agree" if value < 0.5 else "agree in part" if value < 0.9 else "agree"
    return f"{own.title} and {other.title} {how}: rank correlation {value:.2f} · {counted(count, 'example')}"


def _with(pairs: pd.DataFrame, name: str) -> pd.DataFrame:
    """The pairs that a score is in, with the other one as ``other``."""
    ours = pairs[(pairs["first"] == name) | (pairs["second"] == name)]
    return ours.assign(other=np.where(ours["first"] == name, ours["second"], ours["first"]))


def _agreement_table(pairs: pd.DataFrame, own: catalogue.Score) -> str:
    ordered = _with(pairs, own.name).sort_values("spearman", ascending=False)
    rows = "".join(
        f"<tr><td>{escape(catalogue.score(entry['other']).title)}</td>"
        f'<td class="de-figure">{words.three(entry["spearman"])}</td>'
        f'<td class="de-figure">{words.percent(entry["top_0.1"])}</td></tr>'
        for entry in ordered.to_dict("records")
    )
    return (
        f'<h2 class="de-chart-title">Which scores tell the same as {escape(own.title)}?</h2>'
        '<table class="de-list" aria-label="Agreement of the scores"><thead><tr><th>Score</th>'
        '<th class="de-figure" title="Spearman: 1 is the same order, 0 is none">rank correlation</th>'
        '<th class="de-figure">worst 10 % in common</th></tr></thead>'
        f"<tbody>{rows}</tbody></table>"
        '<p class="de-quiet">Over the training split. Scores that say nearly the same are one witness, not several.</p>'
    )
