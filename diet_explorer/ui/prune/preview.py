"""What a policy would do, before anything is written: figures, the cut, classes, examples next to the cut."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from diet_explorer.drawing import words
from diet_explorer.drawing.colours import OTHERS
from diet_explorer.drawing.plain import escape
from diet_explorer.pruning.preview import LengthShift, Preview
from diet_explorer.scoring import catalogue
from diet_explorer.store.in_words import counted
from diet_explorer.ui.drawing.markup import bar, chip, figures, help_mark
from diet_explorer.ui.prune.charts import cut_histogram, length_shift
from diet_explorer.ui.prune.planning import Planned
from diet_explorer.ui.shell.selection import Selection

_MOST_CLASSES = 100
_TEXT_LIMIT = 600
_TWO_LINES = "display:-webkit-box; -webkit-line-clamp:2; -webkit-box-orient:vertical; overflow:hidden"
_STATE_WORDS = {"keep": "decided keep", "relabel": "decided relabel", "exclude": "decided exclude", "unsure": "unsure"}


def draw_figures(planned: Planned) -> None:
    """Draw the numbers on top: what stays, what goes, expected wrong labels, the smallest class."""
    gone = planned.before - planned.kept
    train = _train(planned.preview.counts)
    smallest = train[train["before"] > 0].sort_values(["kept", "label"]).iloc[0]
    entries = [
        (words.whole(planned.kept), f"examples stay · {words.percent(planned.kept / max(planned.before, 1))}"),
        (words.whole(gone), f"go · {words.percent(gone / max(planned.before, 1))} of {words.whole(planned.before)}"),
        (
            words.whole(smallest["kept"]),
            f"in the smallest class, {smallest['label']} · {words.whole(smallest['before'])} before",
        ),
    ]
    noise = planned.preview.noise
    if noise is None:
        sketch = f"<div><b>{words.NOT_THERE}</b><span>expected label noise · the run has no predictions</span></div>"
    else:
        basis = f"A sketch, not a measurement: {noise.words}"
        sketch = (
            f"<div><b>{words.percent(noise.after)}</b><span>expected label noise {help_mark(basis)} · "
            f"{words.percent(noise.before)} before</span></div>"
        )
    st.html(figures(entries, sketch, live=True))


def draw_effect(selection: Selection, planned: Planned) -> None:
    """Draw the cut, the classes, and what becomes of decisions, suspects and lengths."""
    preview = planned.preview
    if len(preview.histogram):
        cut_histogram(preview.histogram, preview.cuts, catalogue.score(planned.policy.score))
    else:
        st.html('<p class="de-quiet">This policy looks at no score, so there is no cut to draw.</p>')
    left, right = st.columns(2, gap="medium")
    with left:
        st.html(_classes_html(preview, selection.colours))
        _draw_lengths(preview.lengths)
    with right:
        st.html(_fate_html(preview))


def draw_boundary(selection: Selection, planned: Planned) -> None:
    """Draw the examples next to the cuts: the last that go, the first that stay."""
    rows = planned.preview.boundary
    if rows.empty:
        st.html(
            '<div class="de-empty"><h2>No cut to look at</h2><p>Examples just inside and outside the cut are shown for '
            "policies that drop the hardest or easiest by a score.</p></div>"
        )
        return
    score = catalogue.score(planned.policy.score)
    with st.container(key="boundary", height=520, border=False):
        for end in rows["end"].unique():
            for column, (side, title) in zip(
                st.columns(2, gap="medium"), (("dropped", "Just go"), ("kept", "Just stay")), strict=True
            ):
                part = rows[(rows["end"] == end) & (rows["side"] == side)]
                with column:
                    st.html(
                        f'<h2 class="de-chart-title">{title} <span class="de-quiet">at the {end} end, nearest '
                        f"first</span></h2>{_examples_html(part, score.title, selection.colours)}"
                    )


def _train(counts: pd.DataFrame) -> pd.DataFrame:
    return counts[counts["split"] == "train"]


def _classes_html(preview: Preview, colours: dict[str, str]) -> str:
    counts = preview.counts
    train = _train(counts).sort_values(["before", "label"], ascending=[False, True])
    relabelled = bool((train["moved_in"] + train["moved_out"]).any())
    lines = ""
    for row in train.head(_MOST_CLASSES).to_dict("records"):
        cells = [words.whole(row["before"]), words.whole(row["dropped"])]
        cells += [_moved(row["moved_in"] - row["moved_out"])] if relabelled else []
        figures = "".join(f'<td class="de-figure">{cell}</td>' for cell in (*cells, words.whole(row["kept"])))
        left = row["kept"] / max(row["before"], 1)
        lines += (
            f'<tr><td style="min-width:7.5rem">{chip(row["label"], colours.get(row["label"], OTHERS))}</td>{figures}'
            f'<td title="{words.percent(left)} of before">{bar(left)}</td></tr>'
        )
    others = counts[counts["split"] != "train"].groupby("split", sort=False)["kept"].sum()
    for split, kept in others.items():
        lines += (
            f'<tr><td>{escape(str(split))}</td><td class="de-figure">{words.whole(kept)}</td>'
            f'<td colspan="{4 if relabelled else 3}" class="de-quiet">untouched by every policy</td></tr>'
        )
    rest = len(train) - _MOST_CLASSES
    note = f'<p class="de-quiet">and {words.whole(rest)} smaller classes</p>' if rest > 0 else ""
    if preview.ignored_decisions:
        note += (
            f'<p class="de-quiet">{counted(preview.ignored_decisions, "decision")} about other splits: '
            "not applied, those stay as they are.</p>"
        )
    heads = ("before", "go", *(("relabelled",) if relabelled else ()), "stay")
    head = "".join(f'<th class="de-figure">{name}</th>' for name in heads)
    return (
        '<h2 class="de-chart-title">Which classes lose examples? <span class="de-quiet">training split</span></h2>'
        '<div class="de-scroll"><table class="de-list" aria-label="Rows per class"><thead>'
        f'<tr><th>Class</th>{head}<td style="width:64px"></td></tr></thead><tbody>{lines}</tbody></table>{note}</div>'
    )


def _moved(change: int) -> str:
    return words.signed(change) if change else words.NOT_THERE


def _fate_html(preview: Preview) -> str:
    lines = [
        (f"suspects: worst {words.round_percent(row['worst'])}", row["kept"], row["dropped"])
        for row in preview.suspects.to_dict("records")
    ]
    lines += [
        (_STATE_WORDS[row["state"]], row["kept"], row["dropped"])
        for row in preview.decisions.to_dict("records")
        if row["state"] in _STATE_WORDS and row["kept"] + row["dropped"]
    ]
    body = "".join(
        f'<tr><td>{escape(name)}</td><td class="de-figure">{words.whole(kept)}</td>'
        f'<td class="de-figure">{words.whole(dropped)}</td></tr>'
        for name, kept, dropped in lines
    )
    reasons = " · ".join(
        f"{escape(row['reason'])} {words.whole(row['rows'])}"
        for row in preview.reasons.to_dict("records")
        if row["reason"] != "kept"
    )
    return (
        '<h2 class="de-chart-title">What happens to suspects?</h2>'
        '<table class="de-list" aria-label="Suspects and decisions"><thead><tr><td></td><th class="de-figure">stay</th>'
        f'<th class="de-figure">go</th></tr></thead><tbody>{body}</tbody></table>'
        f'<p class="de-quiet">{reasons or "Nothing goes."}</p>'
    )


def _draw_lengths(lengths: LengthShift) -> None:
    length_shift(lengths.histogram)
    parts = " · ".join(
        f"{escape(row['figure'])} {words.whole(row['before'])} → {words.whole(row['after'])}"
        for row in lengths.summary.to_dict("records")
    )
    st.html(f'<p class="de-quiet">Characters: {parts}</p>')


def _examples_html(rows: pd.DataFrame, score: str, colours: dict[str, str]) -> str:
    texts = [name for name in ("text", "text_pair") if name in rows.columns]
    lines = ""
    for row in rows.to_dict("records"):
        parts = [escape(str(row[name] or "")[:_TEXT_LIMIT]) for name in texts]
        shown = "".join(f'<div style="{_TWO_LINES}" title="{part}">{part}</div>' for part in parts)
        label = chip(row["label"], colours.get(row["label"], OTHERS))
        lines += f'<tr><td class="de-figure">{words.three(row["score"])}</td><td>{shown}{label}</td></tr>'
    return (
        f'<table class="de-list"><thead><tr><th class="de-figure">{escape(score)}</th><th>Example</th></tr></thead>'
        f"<tbody>{lines}</tbody></table>"
    )
