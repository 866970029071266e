"""The controls of the filter: what they show stands in the URL, what they change goes there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import streamlit as st

from diet_explorer.analysis.filters import (
    EVERYBODY_AGREES,
    SOMEBODY_DISAGREES,
    ExampleFilter,
    LengthRange,
    MetadataRange,
    MetadataValue,
    ScoreRange,
    ShareRange,
)
from diet_explorer.analysis.value_ranges import describe_end, end_of, how_ends_are, is_end
from diet_explorer.data.value_texts import ORDERED_TYPES
from diet_explorer.drawing.plain import class_titles, visible
from diet_explorer.scoring.catalogue import Score
from diet_explorer.scoring.dynamics import TRAJECTORIES
from diet_explorer.store.decisions import DECISION_STATES
from diet_explorer.ui.examples.score_histogram import score_histogram
from diet_explorer.ui.shell import questions
from diet_explorer.ui.shell.boundary import as_text
from diet_explorer.ui.shell.controls import mirrored, when_shown
from diet_explorer.ui.shell.selection import Selection, refine
from diet_explorer.ui.shell.view import read_view
from diet_explorer.workspace.dataset import Dataset
from diet_explorer.workspace.run import Run

BINS = 40
_OPTION_CHARACTERS = 60
_RangeCallback = Callable[[float | None, float | None], None]
_DISAGREE = {"any": None, "≠": True, "=": False}
_DISAGREE_WORDS = {"any": "Any", "≠": "given ≠ predicted", "=": "given = predicted"}
_NOTED = {"Any": None, "With a note": True, "Without a note": False}
_SHARES: dict[str, ShareRange | None] = {
    "Any": None,
    "All agree": EVERYBODY_AGREES,
    "Some disagree": SOMEBODY_DISAGREES,
    "Half of them or more disagree": ShareRange(0.5),
}
_LENGTH = ""
"""Stands for the length among the names of columns, none of which is empty."""
_PROBLEM = "filter-column-problem"


def draw_filters(selection: Selection, dataset: Dataset, run: Run, checkpoint: float) -> None:
    """Draw every control of the filter, the histogram first."""
    _score_range(selection, run, checkpoint)
    where = selection.where
    left, right = st.columns(2, gap="small")
    with left:
        _multi("Given label", dataset.classes, where.labels, "filter-label", "labels")
    with right:
        _multi("Predicted label", dataset.classes, where.predicted, "filter-predicted", "predicted")
    left, right = st.columns(2, gap="small")
    shown = next(name for name, value in _DISAGREE.items() if value == where.disagree)
    with left, mirrored("filter-disagree", shown) as (disagree, default):
        st.selectbox(
            "Given and predicted",
            list(_DISAGREE_WORDS),
            index=list(_DISAGREE_WORDS).index(default),
            key=disagree,
            format_func=_DISAGREE_WORDS.__getitem__,
            on_change=when_shown(disagree, lambda value: _set(disagree=_DISAGREE[value])),
        )
    with right:
        _multi("Split", list(dataset.manifest.splits), where.splits, "filter-split", "splits")
    left, right = st.columns(2, gap="small")
    with left:
        _multi("Learned", list(TRAJECTORIES), where.trajectories, "filter-trajectory", "trajectories")
    with right:
        _multi("Decision", list(DECISION_STATES), where.decided, "filter-decided", "decided")
    _notes(where)
    if dataset.manifest.mapping.annotators:
        _annotators(where.disagreement)
    _metadata_column(dataset)
    _metadata_condition(dataset, where)


def _notes(where: ExampleFilter) -> None:
    """What notes contain, and whether there are any."""
    left, right = st.columns(2, gap="small")
    with left, mirrored("filter-note", where.note) as (key, default):
        st.text_input(
            "Notes contain",
            default,
            key=key,
            placeholder="Any text",
            on_change=when_shown(key, lambda value: _set(note=value.strip())),
        )
    shown = next(name for name, value in _NOTED.items() if value == where.noted)
    with right, mirrored("filter-noted", shown) as (noted, default):
        st.selectbox(
            "Notes",
            list(_NOTED),
            index=list(_NOTED).index(default),
            key=noted,
            on_change=when_shown(noted, lambda name: _set(noted=_NOTED[name])),
        )


def _annotators(chosen: ShareRange | None) -> None:
    """How far the people in the source disagree; a range from a link is an option of its own."""
    shares = _SHARES if chosen in _SHARES.values() or chosen is None else {**_SHARES, chosen.describe(): chosen}
    shown = next(name for name, share in shares.items() if share == chosen)
    with mirrored("filter-annotators", shown) as (key, default):
        st.selectbox(
            "Annotators in the source",
            list(shares),
            index=list(shares).index(default) if default in shares else 0,
            key=key,
            help="Of the people whose labels were imported: how many say another label than the example has.",
            on_change=when_shown(key, lambda name: _set(disagreement=shares[name])),
        )


def draw_search(where: ExampleFilter) -> None:
    """Draw the box that searches the texts."""
    with mirrored("search", where.text) as (key, default):
        st.text_input(
            "Search the texts",
            default,
            key=key,
            type="search",
            placeholder="Search the texts",
            label_visibility="collapsed",
            icon=":material/search:",
            on_change=when_shown(key, lambda value: _set(text=value)),
        )


def range_of(where: ExampleFilter, score: Score) -> ScoreRange:
    """The filter's range of a score; an open one where it has none."""
    return next((entry for entry in where.scores if entry.name == score.name), ScoreRange(score.name))


def _set(**changes: Any) -> None:
    refine(replace(read_view().where, **changes))


def _multi(label: str, options: list[str], chosen: tuple[str, ...], name: str, field: str) -> None:
    with mirrored(name, [option for option in chosen if option in options]) as (key, default):
        st.multiselect(
            label,
            options,
            default,
            key=key,
            format_func=class_titles(options, _OPTION_CHARACTERS).__getitem__,
            placeholder="All",
            on_change=when_shown(key, lambda value: _set(**{field: tuple(value)})),
        )


def _range_inputs(
    name: str,
    titles: tuple[str, str],
    low: float | None,
    high: float | None,
    on_change: _RangeCallback,
    *,
    whole: bool = False,
) -> None:
    """Two number inputs, ``<name>-low`` and ``<name>-high``; an empty one leaves its end open; `whole` for counts."""
    left, right = st.columns(2, gap="small")
    with left, mirrored(f"{name}-low", low) as (low_key, low_default):
        _number_input(titles[0], low_key, low_default, whole, when_shown(low_key, lambda end: on_change(end, high)))
    with right, mirrored(f"{name}-high", high) as (high_key, high_default):
        _number_input(titles[1], high_key, high_default, whole, when_shown(high_key, lambda end: on_change(low, end)))


def _number_input(title: str, key: str, default: float | None, whole: bool, on_change: Callable[[], None]) -> None:
    st.number_input(
        title,
        key=key,
        value=default,
        format="%d" if whole else "%.3f",
        step=1 if whole else 0.05,
        placeholder=title,
        label_visibility="collapsed",
        on_change=on_change,
    )


def _score_range(selection: Selection, run: Run, checkpoint: float) -> None:
    score, where = selection.score, selection.where
    limits = range_of(where, score)
    others = replace(where, scores=tuple(entry for entry in where.scores if entry.name != score.name))
    counts = questions.histogram(run, score.name, checkpoint, selection.seed, others, BINS)
    if counts.empty:
        st.caption("No example matches the other conditions.")
    else:
        score_histogram(
            counts,
            score,
            limits.low,
            limits.high,
            on_range=lambda low, high: _set_range(score.name, round(low, 3), round(high, 3)),
        )
    _range_inputs(
        "filter",
        (f"{score.title} from", f"{score.title} to"),
        limits.low,
        limits.high,
        lambda low, high: _set_range(score.name, low, high),
    )


def _set_range(name: str, low: float | None, high: float | None) -> None:
    kept = tuple(entry for entry in read_view().where.scores if entry.name != name)
    chosen = () if low is None and high is None else (ScoreRange(name, low, high),)
    _set(scores=(*kept, *chosen))


def _metadata_column(dataset: Dataset) -> None:
    columns = list(_metadata_types(dataset))
    st.selectbox(
        "Length or further column",
        [_LENGTH, *columns],
        index=None,
        key="filter-column",
        format_func=lambda name: name or "Length in characters",
        placeholder="Filter by length or a further column" if columns else "Filter by length",
        label_visibility="collapsed",
    )


def _metadata_condition(dataset: Dataset, where: ExampleFilter) -> None:
    column = st.session_state.get("filter-column")
    types = _metadata_types(dataset)
    if column == _LENGTH:
        length = where.length or LengthRange()
        _range_inputs("filter-length", ("Characters from", "to"), length.low, length.high, _set_length, whole=True)
        return
    if column not in types:
        return
    if types[column].startswith(ORDERED_TYPES):
        limits = next((entry for entry in where.metadata if entry.column == column), MetadataRange(column))
        _column_range(limits, types[column])
        return
    with mirrored("filter-column-value", "") as (key, default):
        st.text_input(
            as_text(f"{column} is exactly"),
            default,
            key=key,
            placeholder=f"{column} is exactly …",
            label_visibility="collapsed",
            on_change=when_shown(key, lambda value: _add_value(column, value)),
        )


def _column_range(limits: MetadataRange, kind: str) -> None:
    """Two boxes for the ends, as texts: a number input would round long numbers and does not take dates."""
    ends = {"low": ("from", limits.low), "high": ("to", limits.high)}
    for place, (name, (word, end)) in zip(st.columns(2, gap="small"), ends.items(), strict=True):
        title = f"{limits.column} {word}"
        shown = "" if end is None else describe_end(end)
        with place, mirrored(f"filter-column-{name}", shown) as (key, default):
            st.text_input(
                as_text(title),
                default,
                key=key,
                placeholder=title,
                label_visibility="collapsed",
                on_change=when_shown(key, partial(_set_end, limits, name, kind)),
            )
    if problem := st.session_state.pop(_PROBLEM, None):
        st.error(as_text(problem))


def _set_end(limits: MetadataRange, name: str, kind: str, written: str) -> None:
    text = written.strip()
    if text and not is_end(text, kind):
        st.session_state[_PROBLEM] = f"“{visible(text)}” is no end for {visible(limits.column)}. {how_ends_are(kind)}"
        return
    end = end_of(text) if text else None
    _set_metadata(replace(limits, low=end) if name == "low" else replace(limits, high=end))


def _metadata_types(dataset: Dataset) -> dict[str, str]:
    """Further columns of a dataset and their Arrow types."""
    return {entry["name"]: entry["type"] for entry in dataset.manifest.columns if entry["role"] == "metadata"}


def _set_length(low: float | None, high: float | None) -> None:
    least, most = (None if end is None else max(int(end), 0) for end in (low, high))
    _set(length=None if least is None and most is None else LengthRange(least, most))


def _set_metadata(limits: MetadataRange) -> None:
    kept = tuple(entry for entry in read_view().where.metadata if entry.column != limits.column)
    chosen = () if limits.low is None and limits.high is None else (limits,)
    _set(metadata=(*kept, *chosen))


def _add_value(column: str, value: str) -> None:
    if value:
        pair = MetadataValue(column, value)
        _set(values=(*(entry for entry in read_view().where.values if entry != pair), pair))
