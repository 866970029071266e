"""Embedding map: what the model takes for alike, and who stands among strangers."""

from __future__ import annotations

import streamlit as st

from diet_explorer.analysis.region import MapName
from diet_explorer.drawing.maps import Axes
from diet_explorer.store.embeddings import Representation
from diet_explorer.ui.drawing.markup import chip
from diet_explorer.ui.maps.job import draw_map_job, draw_settings
from diet_explorer.ui.maps.page import MapKind, draw_map_page
from diet_explorer.ui.shell.bin import draw_menu
from diet_explorer.ui.shell.controls import draw_tabs
from diet_explorer.ui.shell.frame import run_scored_page
from diet_explorer.ui.shell.selection import Selection
from diet_explorer.workspace.dataset import Dataset
from diet_explorer.workspace.run import Run

_TITLES: dict[str, str] = {"tuned": "After training", "initial": "Before training"}
_COLOURINGS = ("label", "el2n", "confidence", "trajectory", "decided")
_LEGEND = 8


def body(selection: Selection, dataset: Dataset, run: Run, checkpoint: float) -> None:
    """Draw the map, or the job that draws it."""
    which: Representation = "initial" if selection.view.map == "initial" else "tuned"
    draw_tabs("map-which", _TITLES, which, field="map")
    progress = run.maps.progress(which)
    if progress.is_active or (progress.drawn is None and progress.state != "succeeded"):
        draw_map_job(run, which, progress)
        return
    name: MapName = "embedding-initial" if which == "initial" else "embedding-tuned"
    kind = MapKind(
        name=name,
        x=f"{name}.x",
        y=f"{name}.y",
        axes=Axes("", ""),
        title="Which examples stand among another class?",
        colourings=_COLOURINGS,
    )
    draw_map_page(selection, dataset, run, checkpoint, kind, lambda: _reading(selection, run, which))


def _reading(selection: Selection, run: Run, which: Representation) -> None:
    names = list(selection.colours)[:_LEGEND]
    legend = "".join(chip(name, selection.colours[name]) for name in names)
    when = "after training" if which == "tuned" else "before training"
    st.html(
        f'<div class="de-read"><div class="de-legend">{legend}</div><p></p>'
        f"<p><b>How to read it.</b> Each point is an example. Near each other are those whose texts the model {when} "
        "takes for alike; the axes have no meaning, nor have distances between far groups. An outline marks examples "
        "whose given label is not the predicted one.</p>"
        "<p><b>What to look for.</b> Points of one class inside a group of another: their label may be wrong, or the "
        "text is ambiguous. Small tight groups: near-duplicates.</p>"
        "<p><b>What to do.</b> Draw around points to list, compare and decide about them. A click on a point opens the "
        "example.</p></div>"
    )
    with st.container(horizontal=True, gap="small", key="map-actions"):
        with st.popover("Draw it again", icon=":material/tune:", key="map-again"):
            draw_settings(run, which, label="Draw again")
        draw_menu(f"map:{run.id}/{which}", f"{which} map", key="map", rename=False)


run_scored_page(
    "Embedding map",
    "See which examples the model takes for alike, and which stand among strangers.",
    body,
    "Every example by what the model takes for alike",
)
