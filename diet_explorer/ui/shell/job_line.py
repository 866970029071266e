"""The running job as one line with a bar, on every page; it also brings in what has landed meanwhile."""

from __future__ import annotations

import streamlit as st

from diet_explorer.drawing import words
from diet_explorer.jobs.progress import JobProgress
from diet_explorer.scoring.progress import RunProgress
from diet_explorer.store.runs import ACTIVE
from diet_explorer.ui.drawing.markup import job_bar
from diet_explorer.ui.shell.boundary import error_boundary
from diet_explorer.ui.shell.delay import draw_delay
from diet_explorer.ui.shell.selection import Selection
from diet_explorer.ui.shell.view import run_page_again
from diet_explorer.ui.shell.workspace import open_workspace
from diet_explorer.workspace.ongoing import ongoing_work
from diet_explorer.workspace.run import Run

_EVERY_SECONDS = 2.0


def draw_job_line(selection: Selection) -> None:
    """Show the active run, else other work on the selected one; the page runs again when scores land or a job ends."""
    active = active_runs()
    if not active:
        if selection.run is not None and _other_work(selection.run) is not None:
            st.fragment(_live_work, run_every=_EVERY_SECONDS)(selection.run)
        return
    seen = _seen(active, selection.run)
    st.fragment(_live_line, run_every=_EVERY_SECONDS)(seen, selection.run.id if selection.run else None)


def active_runs() -> list[Run]:
    """Runs that wait or work, the one at work first."""
    runs = [run for run in open_workspace().runs() if run.status in ACTIVE]
    return sorted(runs, key=lambda run: (run.status != "running", run.record.created_at))


def describe_progress(progress: RunProgress) -> str:
    """Where a run is, how much of it is done, and how long it still takes."""
    if progress.status == "queued":
        return progress.describe()
    return f"{progress.describe()} · {words.share_done(progress.share, progress.seconds_left)}"


def _live_line(seen: str, selected: str | None) -> None:
    with error_boundary("job-error"):
        active = active_runs()
        chosen = open_workspace().run(selected) if selected else None
        if _seen(active, chosen) != seen:
            run_page_again()
        run, others = active[0], len(active) - 1
        progress = run.progress()
        more = f" (+ {others})" if others else ""
        title = f"Scoring {run.dataset.name}{more}"
        done = words.share_done(progress.share, progress.seconds_left)
        figure = "waiting" if progress.status == "queued" else done
        with st.container(key="job-line"):
            st.html(job_bar(title, figure, progress.share, describe_progress(progress)))
            draw_delay(progress.delay, in_a_line=True)


def _other_work(run: Run) -> tuple[str, JobProgress] | None:
    """What goes on for a run beside its scoring, titled."""
    return next(iter(ongoing_work(open_workspace(), run)), None)


def _live_work(run: Run) -> None:
    with error_boundary("job-error"):
        work = _other_work(run)
        if work is None:
            run_page_again()
            return
        with st.container(key="job-line"):
            title, progress = work
            waits = progress.state == "queued"
            figure = "waiting" if waits else words.share_done(progress.share, progress.seconds_left)
            st.html(job_bar(title, figure, progress.share, progress.stage))
            draw_delay(progress.delay, in_a_line=True)


def _seen(active: list[Run], selected: Run | None) -> str:
    """Changes when a run starts or ends, and when scores of the selected run land."""
    stamp = f"{selected.status} {selected.store.stamp()}" if selected else ""
    return f"{sorted((run.id, run.status) for run in active)} {stamp}"
