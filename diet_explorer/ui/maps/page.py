"""What the two maps share: the chart with its tools; beside it the selection, the open example, or how to read it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import pandas as pd
import streamlit as st

from diet_explorer.analysis.region import Box, MapName, Region
from diet_explorer.drawing import words
from diet_explorer.drawing.maps import SHOWN, Axes, colouring_of, map_figure, with_margin
from diet_explorer.scoring import catalogue
from diet_explorer.store.in_words import counted
from diet_explorer.ui.drawing.charts import is_dark
from diet_explorer.ui.drawing.csv_download import filtered_csv, filtered_csv_note, noted
from diet_explorer.ui.examples.bulk import draw_bulk
from diet_explorer.ui.examples.filter_bar import draw_filters
from diet_explorer.ui.examples.panel import draw_card
from diet_explorer.ui.examples.ranked_list import draw_list
from diet_explorer.ui.maps.chart import counted_words, draw_map, draw_tools
from diet_explorer.ui.shell import questions
from diet_explorer.ui.shell.controls import mirrored, when_shown
from diet_explorer.ui.shell.selection import Selection, refine
from diet_explorer.ui.shell.view import change, read_view
from diet_explorer.workspace.dataset import Dataset
from diet_explorer.workspace.run import Run

MOST_POINTS = 20_000
_SAMPLE = 2_000  # points over a density grid
_GRID = (96, 80)
_HEIGHT = 470
_ABOVE = 470  # pixels of the window that are not the table of selected examples


@dataclass(frozen=True)
class MapKind:
    """One map.

    Attributes
    ----------
    name : str
        As regions name it.
    x, y : str
        Where the positions come from: scores, or the two directions of an embedding map.
    axes : Axes
    title : str
        The finding or question over the chart.
    colourings : tuple of str
        What can be coloured by, the default first: catalogue's scores, or ``label, trajectory, decided``.
    """

    name: MapName
    x: str
    y: str
    axes: Axes
    title: str
    colourings: tuple[str, ...]


def draw_map_page(
    selection: Selection,
    dataset: Dataset,
    run: Run,
    checkpoint: float,
    kind: MapKind,
    reading: Callable[[], None],
) -> None:
    """Draw the map; to its right the open example, else the selected ones, else `reading`."""
    left, right = st.columns([11, 9], gap="medium")
    with left:
        _draw_left(selection, dataset, run, checkpoint, kind)
    with right:
        if selection.view.example is not None:
            total = questions.count(run, checkpoint, selection.seed, selection.where)
            draw_card(selection, dataset, run, checkpoint, total, narrow=True)
        elif selection.where.region is not None and selection.where.region.map == kind.name:
            draw_selected(selection, dataset, run, checkpoint)
        else:
            with st.container(key="map-reading"):
                reading()


def draw_selected(selection: Selection, dataset: Dataset, run: Run, checkpoint: float) -> None:
    """Draw the examples inside the region: exact count, what can be done with them, and the table."""
    where = selection.where
    total = questions.count(run, checkpoint, selection.seed, where)
    whole = questions.count(run, checkpoint, selection.seed, replace(where, region=None))
    share = f" · {words.percent(total / whole)} of {words.whole(whole)}" if whole else ""
    with st.container(key="selection-head", horizontal=True, vertical_alignment="center", gap="small"):
        st.html(
            f'<p class="de-selected" role="status"><b>{counted(total, "example")}</b> selected'
            f'<span class="de-quiet">{share}</span></p>',
            width="stretch",
        )
        st.button(
            "Clear",
            key="clear-region",
            icon=":material/close:",
            type="tertiary",
            on_click=refine,
            args=(replace(where, region=None),),
        )
    with st.container(key="selection-actions", horizontal=True, vertical_alignment="center", gap="small"):
        if st.button("Open in Browse", key="open-browse", icon=":material/format_list_numbered:", disabled=not total):
            st.switch_page("pages/browse.py", query_params=selection.view.changed(page=1).to_query())
        st.download_button(
            "CSV",
            data=filtered_csv(run, selection.score.name, checkpoint, selection.seed, where),
            file_name=f"{dataset.id}-selection.csv",
            mime="text/csv",
            key="selection-csv",
            icon=":material/download:",
            on_click="ignore",
            disabled=total == 0,
            help=filtered_csv_note(run, total, "selected"),
        )
    draw_bulk(selection, dataset, run, checkpoint, total)
    draw_list(selection, run, checkpoint, total, narrow=True, above=_ABOVE)


def _draw_left(selection: Selection, dataset: Dataset, run: Run, checkpoint: float, kind: MapKind) -> None:
    view, where = selection.view, selection.where
    shown = replace(where, region=None) if where.region and where.region.map == kind.name else where
    total = questions.count(run, checkpoint, selection.seed, shown)
    known = [name for name in kind.colourings if _is_known(name, selection)]
    colour = view.colour if view.colour in known else known[0]
    colouring = colouring_of(colour, dataset.classes)
    chart = f"map-{kind.name}"
    ranking = run, checkpoint, selection.seed
    box = view.zoom or with_margin(questions.extent(*ranking, kind.x, kind.y))
    whole = total <= MOST_POINTS
    columns = dict.fromkeys([*SHOWN, colouring.column])
    limit = MOST_POINTS if whole else _SAMPLE
    points = questions.points(*ranking, kind.x, kind.y, tuple(columns), shown, limit, None if whole else view.zoom)
    grid = None if whole else questions.density(*ranking, kind.x, kind.y, shown, _GRID, box)
    with st.container(key="map-bar", horizontal=True, vertical_alignment="center", gap="small"):
        _choose_colour(known, colour)
        with st.popover("Filters", icon=":material/tune:", key="filters-popover"):
            draw_filters(selection, dataset, run, checkpoint)
        draw_tools(
            chart,
            _position_of(points, view.example),
            on_region=lambda corners: _drawn(kind, corners),
            on_zoom=lambda ends: change(zoom=_box(ends)),
            on_open=lambda row: change(example=row),
        )
    stamp = f"{run.id} {checkpoint} {selection.seed} {colour} {shown.to_query()} {view.zoom}"
    outline = _outline(kind, stamp, where.region)
    draw_map(
        map_figure(
            points, kind.axes, colouring, box=box, grid=grid, bins=_GRID, region=outline, height=_HEIGHT, dark=is_dark()
        ),
        title=kind.title,
        note=counted_words(total, len(points)),
        key=chart,
        table=noted(run, "the points of a map", lambda: points if grid is None else grid),
    )


def _choose_colour(known: Sequence[str], colour: str) -> None:
    with mirrored("map-colour", colour, width=190) as (key, default):
        st.selectbox(
            "Colours show",
            known,
            index=list(known).index(default),
            key=key,
            format_func=lambda name: f"Colour: {_COLOUR_TITLES.get(name) or catalogue.score(name).title}",
            label_visibility="collapsed",
            on_change=when_shown(key, lambda name: change(colour=name)),
        )


_COLOUR_TITLES = {"label": "given label", "trajectory": "type of learning", "decided": "decision"}


def _is_known(name: str, selection: Selection) -> bool:
    return name in _COLOUR_TITLES or name in selection.scores


def _position_of(points: pd.DataFrame, row: int | None) -> tuple[float, float] | None:
    open_ones = points[points["row"] == row]
    return None if open_ones.empty else (float(open_ones["x"].iloc[0]), float(open_ones["y"].iloc[0]))


def _outline(kind: MapKind, stamp: str, region: Region | None) -> Region | None:
    """The region to begin the chart with.

    What was drawn on the chart itself is on the screen already; with another outline in its figure the chart would be
    made anew, with a flash and without the outline as it was drawn.
    """
    own = region if region and region.map == kind.name else None
    key = f"outline-{kind.name}"
    known = st.session_state.get(key)
    if known is not None and known["stamp"] == stamp and known["drawn"] == own:
        begun: Region | None = known["begun"]
        return begun
    st.session_state[key] = {"stamp": stamp, "begun": own, "drawn": own}
    return own


def _drawn(kind: MapKind, corners: Sequence[Sequence[float]]) -> None:
    region = Region.simplified(kind.name, corners) if corners else None
    known = st.session_state.get(f"outline-{kind.name}")
    if known is not None:
        known["drawn"] = region
    where = replace(read_view().where, region=region)
    refine(where)
    change(example=None)


def _box(ends: Sequence[float]) -> Box | None:
    return (float(ends[0]), float(ends[1]), float(ends[2]), float(ends[3])) if len(ends) == 4 else None
