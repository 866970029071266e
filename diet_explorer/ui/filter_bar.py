"""The controls of the filter: what they show stands in the URL, what they change goes there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import streamlit as st

from diet_explorer.analysis.filters import ExampleFilter, MetadataRange, MetadataValue, ScoreRange
from diet_explorer.dataset import Dataset
from diet_explorer.run import Run
from diet_explorer.scoring.catalogue import Score
from diet_explorer.ui import charts, library
from diet_explorer.ui.selection import Selection
from diet_explorer.ui.view import change, read_view

BINS = 40
_DISAGREE = {"any": None, "≠": True, "=": False}
_DISAGREE_WORDS = {"any": "Any", "≠": "given ≠ predicted", "=": "given = predicted"}
_NUMERIC = ("int", "uint", "float", "double", "decimal")


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
    with left:
        st.session_state["filter-disagree"] = next(key for key, value in _DISAGREE.items() if value == where.disagree)
        st.selectbox(
            "Given and predicted",
            list(_DISAGREE_WORDS),
            key="filter-disagree",
            format_func=_DISAGREE_WORDS.__getitem__,
            on_change=lambda: _set(disagree=_DISAGREE[st.session_state["filter-disagree"]]),
        )
    with right:
        _multi("Split", list(dataset.manifest.splits), where.splits, "filter-split", "splits")
    _metadata_column(dataset)
    _metadata_condition(dataset, where)


def set_text() -> None:
    """Callback of the search box."""
    _set(text=st.session_state["search"].strip())


def range_of(where: ExampleFilter, score: Score) -> ScoreRange:
    """The filter's range of a score; an open one where it has none."""
    return next((entry for entry in where.scores if entry.name == score.name), ScoreRange(score.name))


def _set(**changes: Any) -> None:
    change(where=replace(read_view().where, **changes))


def _multi(label: str, options: list[str], chosen: tuple[str, ...], key: str, field: str) -> None:
    st.session_state[key] = [name for name in chosen if name in options]
    st.multiselect(
        label,
        options,
        key=key,
        placeholder="All",
        on_change=lambda: _set(**{field: tuple(st.session_state[key])}),
    )


def _score_range(selection: Selection, run: Run, checkpoint: float) -> None:
    score, where = selection.score, selection.where
    limits = range_of(where, score)
    others = replace(where, scores=tuple(entry for entry in where.scores if entry.name != score.name))
    counts = library.histogram(run, score.name, checkpoint, selection.seed, others, BINS)
    if counts.empty:
        st.caption("No example matches the other conditions.")
    else:
        st.html('<p class="de-caption">How many examples? <span class="de-quiet">Drag to choose a range</span></p>')
        chart_key = f"score-histogram-{score.name}"
        charts.score_histogram(
            counts, score, limits.low, limits.high, key=chart_key, on_select=lambda: _brushed(chart_key, score.name)
        )
    left, right = st.columns(2, gap="small")
    for column, key, end, label in (
        (left, "filter-low", limits.low, f"{score.title} from"),
        (right, "filter-high", limits.high, f"{score.title} to"),
    ):
        st.session_state[key] = end
        column.number_input(
            label,
            key=key,
            value=None,
            format="%.3f",
            step=0.05,
            placeholder=label,
            label_visibility="collapsed",
            on_change=lambda: _set_range(score.name, st.session_state["filter-low"], st.session_state["filter-high"]),
        )


def _brushed(key: str, name: str) -> None:
    boxes = st.session_state[key].selection.box
    if boxes:
        low, high = sorted(boxes[0]["x"])
        _set_range(name, round(float(low), 3), round(float(high), 3))


def _set_range(name: str, low: float | None, high: float | None) -> None:
    kept = tuple(entry for entry in read_view().where.scores if entry.name != name)
    chosen = () if low is None and high is None else (ScoreRange(name, low, high),)
    _set(scores=(*kept, *chosen))


def _metadata_column(dataset: Dataset) -> None:
    columns = list(library.metadata_types(dataset))
    st.selectbox(
        "Further column",
        columns,
        index=None,
        key="filter-column",
        placeholder="Filter by a further column" if columns else "No further columns",
        disabled=not columns,
        persist_state="session",
        label_visibility="collapsed",
    )


def _metadata_condition(dataset: Dataset, where: ExampleFilter) -> None:
    column = st.session_state.get("filter-column")
    types = library.metadata_types(dataset)
    if column not in types:
        return
    left, right = st.columns(2, gap="small")
    if types[column].startswith(_NUMERIC):
        limits = next((entry for entry in where.metadata if entry.column == column), MetadataRange(column))
        for place, key, end, label in (
            (left, "filter-column-low", limits.low, f"{column} from"),
            (right, "filter-column-high", limits.high, "to"),
        ):
            st.session_state[key] = end
            place.number_input(
                label,
                key=key,
                value=None,
                placeholder="any",
                on_change=lambda: _set_metadata(
                    column, st.session_state["filter-column-low"], st.session_state["filter-column-high"]
                ),
            )
    else:
        st.session_state["filter-column-value"] = ""
        left.text_input(
            f"{column} is exactly",
            key="filter-column-value",
            placeholder="value, then Enter",
            on_change=lambda: _add_value(column, st.session_state["filter-column-value"]),
        )


def _set_metadata(column: str, low: float | None, high: float | None) -> None:
    kept = tuple(entry for entry in read_view().where.metadata if entry.column != column)
    chosen = () if low is None and high is None else (MetadataRange(column, low, high),)
    _set(metadata=(*kept, *chosen))


def _add_value(column: str, value: str) -> None:
    if value:
        pair = MetadataValue(column, value)
        _set(values=(*(entry for entry in read_view().where.values if entry != pair), pair))
