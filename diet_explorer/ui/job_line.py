"""The running job as one line with a bar, on every page; it also brings in what has landed meanwhile."""

from __future__ import annotations

from typing import get_args

import streamlit as st

from diet_explorer.jobs.map_progress import MapProgress
from diet_explorer.run import Run
from diet_explorer.scoring.progress import RunProgress
from diet_explorer.store.embeddings import Representation
from diet_explorer.store.runs import ACTIVE
from diet_explorer.ui import library, words
from diet_explorer.ui.boundary import error_boundary
from diet_explorer.ui.markup import bar
from diet_explorer.ui.plain import escape
from diet_explorer.ui.selection import Selection

_EVERY_SECONDS = 2.0


def draw_job_line(selection: Selection) -> None:
    """Show the active run, else the map that is being drawn; the page runs again when scores land or a job ends."""
    active = active_runs()
    if not active:
        if selection.run is not None and _active_map(selection.run) is not None:
            st.fragment(_live_map, run_every=_EVERY_SECONDS)(selection.run)
        return
    seen = _seen(active, selection.run)
    st.fragment(_live_line, run_every=_EVERY_SECONDS)(seen, selection.run.id if selection.run else None)


def active_runs() -> list[Run]:
    """Runs that wait or work, the one at work first."""
    runs = [run for run in library.workspace().runs() if run.status in ACTIVE]
    return sorted(runs, key=lambda run: (run.status != "running", run.record.created_at))


def progress_words(progress: RunProgress) -> str:
    """Where a run is, in a few words."""
    if progress.status == "queued":
        return f"waiting, place {progress.queue_position}" if progress.queue_position else "waiting"
    busy = [seed for seed in progress.seeds if seed.state not in ("waiting", "done")]
    where = f"seed {busy[0].seed}, {busy[0].state}, epoch {busy[0].epoch:.2f}" if busy else "starting"
    left = f" · {words.duration(progress.seconds_left)} left" if progress.seconds_left is not None else ""
    return f"{where} · {words.percent(progress.share)}{left}"


def _short_words(progress: RunProgress) -> str:
    if progress.status == "queued":
        return "waiting"
    left = f" · {words.duration(progress.seconds_left)} left" if progress.seconds_left is not None else ""
    return f"{words.percent(progress.share)}{left}"


def _live_line(seen: str, selected: str | None) -> None:
    with error_boundary("job-error"):
        active = active_runs()
        chosen = library.workspace().run(selected) if selected else None
        if _seen(active, chosen) != seen:
            st.rerun()
        run, others = active[0], len(active) - 1
        progress = run.progress()
        more = f" (+ {others})" if others else ""
        with st.container(key="job-line"):
            st.html(
                f'<div class="de-job" role="status" title="{escape(progress_words(progress))}">'
                f"<p><span>Scoring {escape(run.dataset.name)}{more}</span><b>{escape(_short_words(progress))}</b></p>"
                f"{bar(progress.share)}</div>"
            )


def _active_map(run: Run) -> MapProgress | None:
    maps = (run.map_progress(which) for which in get_args(Representation))
    return next((progress for progress in maps if progress.is_active), None)


def _live_map(run: Run) -> None:
    with error_boundary("job-error"):
        progress = _active_map(run)
        if progress is None:
            st.rerun()
            return
        left = f" · {words.duration(progress.seconds_left)} left" if progress.seconds_left is not None else ""
        with st.container(key="job-line"):
            st.html(
                f'<div class="de-job" role="status" title="{escape(progress.stage)}"><p>'
                f"<span>Drawing an embedding map</span><b>{escape(words.percent(progress.share) + left)}</b></p>"
                f"{bar(progress.share)}</div>"
            )


def _seen(active: list[Run], selected: Run | None) -> str:
    """Changes when a run starts or ends, and when scores of the selected run land."""
    stamp = f"{selected.status} {selected.store.stamp()}" if selected else ""
    return f"{sorted((run.id, run.status) for run in active)} {stamp}"
