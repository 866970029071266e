"""The job that draws an embedding map: its settings, its live progress, what went wrong."""

from __future__ import annotations

import streamlit as st

from diet_explorer.jobs.kinds.map import MapProgress
from diet_explorer.store.embeddings import Representation
from diet_explorer.store.runs import ACTIVE
from diet_explorer.ui.shell.boundary import error_boundary, show_failure
from diet_explorer.ui.shell.empty_states import skeleton
from diet_explorer.ui.shell.live_job import watch_job
from diet_explorer.workspace.run import Run

_TITLES: dict[Representation, str] = {"tuned": "after training", "initial": "before training"}
_EXPLANATIONS: dict[Representation, str] = {
    "tuned": "Near each other is what the trained model takes for alike. An example among those of another class may "
    "be mislabelled.",
    "initial": "Near each other is what the model took for alike before it saw any label: topics, style, length.",
}


def draw_map_job(run: Run, which: Representation, progress: MapProgress) -> None:
    """Draw what stands where the map will be: the button that draws it, its progress, or its error."""
    if progress.is_active:
        _watch(run, which)
        return
    left, _ = st.columns([11, 9], gap="medium")
    with left, st.container(key="map-start", gap="small"):
        if progress.state == "failed":
            show_failure(progress.error or "The map could not be drawn.", progress.remedy or "Draw it again.")
        title = "The map was cancelled" if progress.state == "cancelled" else f"No map {_TITLES[which]} yet"
        st.html(
            f'<div class="de-empty"><h2>{title}</h2><p>Here every example will be a point. {_EXPLANATIONS[which]} '
            "Drawing it runs in the background and takes from half a minute for a few thousand examples to some "
            "minutes for many.</p></div>"
        )
        draw_settings(run, which, label="Draw the map")


def draw_settings(run: Run, which: Representation, *, label: str) -> None:
    """Draw the settings and the button that queues the job."""
    with st.form(key=f"map-settings-{which}", border=False):
        first, second, third = st.columns(3, gap="small")
        neighbors = first.number_input(
            "Neighbours",
            2,
            200,
            15,
            help="Few show fine structure, many show the whole.",
            key=f"map-neighbours-{which}",
        )
        distance = second.number_input(
            "Least distance", 0.0, 1.0, 0.1, 0.05, help="How closely points may be packed.", key=f"map-distance-{which}"
        )
        seed = third.number_input("Seed", 0, 9999, 0, help="The same seed draws the same map.", key=f"map-seed-{which}")
        if st.form_submit_button(label, type="primary", icon=":material/scatter_plot:", disabled=run.status in ACTIVE):
            with error_boundary("map-start-error"):
                run.maps.draw(which, neighbors=int(neighbors), min_dist=float(distance), seed=int(seed))
                st.rerun()
    if run.status in ACTIVE:
        st.html('<p class="de-quiet">The map can be drawn once the run has ended.</p>')


def _watch(run: Run, which: Representation) -> None:
    left, right = st.columns([11, 9], gap="medium")
    with left:
        watch_job(
            "map",
            lambda: run.maps.progress(which),
            lambda progress: f"Map {_TITLES[which]}: {progress.stage or 'starting'}",
            lambda: run.maps.cancel(which),
            label="Cancel",
        )
        st.html(skeleton(400))
    with right:
        st.html(skeleton(520))
