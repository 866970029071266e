"""A job where its result will be: a bar that keeps itself up to date, and the button that cancels it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import streamlit as st

from diet_explorer.drawing import words
from diet_explorer.jobs.progress import JobProgress
from diet_explorer.ui.drawing.markup import job_bar
from diet_explorer.ui.shell.boundary import error_boundary
from diet_explorer.ui.shell.delay import draw_delay
from diet_explorer.ui.shell.view import run_page_again

_EVERY_SECONDS = 1.0

P = TypeVar("P", bound=JobProgress)


def watch_job(
    name: str, progress: Callable[[], P], title: Callable[[P], str], cancel: Callable[[], object], *, label: str
) -> None:
    """Draw a job until it ends; the page runs again then.

    Parameters
    ----------
    name : str
        Kind of the job; makes the keys of what is drawn.
    progress : callable
        Reads how far it is.
    title : callable
        What the line says of it.
    cancel : callable
        Called by the button.
    label : str
        Of the button.
    """
    st.fragment(_live, run_every=_EVERY_SECONDS)(name, progress, title, cancel, label)


def _live(
    name: str, progress: Callable[[], P], title: Callable[[P], str], cancel: Callable[[], object], label: str
) -> None:
    with error_boundary(f"{name}-progress-error"):
        current = progress()
        if not current.is_active:
            run_page_again()
        with st.container(key=f"{name}-progress", gap="small"):
            waits = current.state == "queued"
            figure = "waiting" if waits else words.share_done(current.share, current.seconds_left)
            st.html(job_bar(title(current), figure, current.share))
            draw_delay(current.delay)
            if st.button(label, key=f"cancel-{name}", icon=":material/stop:"):
                cancel()
                run_page_again()
