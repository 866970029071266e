"""What a page shows when something goes wrong: the message and the remedy, never a traceback."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from diet_explorer.drawing.plain import visible
from diet_explorer.errors import DietExplorerError, StoreAwayError
from diet_explorer.store.happenings import happened

logger = logging.getLogger(__name__)
LOOK_AGAIN_SECONDS = 5
MOMENT_SECONDS = 2.5
_PAGE = "error"


def show_error(error: DietExplorerError, *, key: str = "error") -> None:
    """Draw the two lines of an error; texts are shown as they are, without Markdown."""
    with st.container(key=key):
        show_failure(error.message, error.remedy)


def show_failure(message: str, remedy: str) -> None:
    """Draw what went wrong and what to do; texts are shown as they are, without Markdown."""
    st.error(f"**{as_text(message)}**\n\n{as_text(remedy)}", icon=":material/error:")


def as_text(text: str) -> str:
    """Escape what Streamlit's Markdown would interpret, so that a text reads as it was written."""
    text = visible(text)
    for character in "\\`*_{}[]()#+-.!|$~:<>&":
        text = text.replace(character, "\\" + character)
    return text.replace("\n", " ")


def _look_again(drawn: float) -> None:
    """Draw the page again, unless that was done a moment ago."""
    if time.monotonic() - drawn >= MOMENT_SECONDS:
        st.rerun()


@contextmanager
def timed(page: str) -> Iterator[None]:
    """Tell the metrics how long the block took that draws a page."""
    begun = time.perf_counter()
    try:
        yield
    finally:
        happened("page_rerun_seconds", time.perf_counter() - begun, page=page)


@contextmanager
def error_boundary(key: str = _PAGE) -> Iterator[None]:
    """Turn every exception of the block into a message on the page.

    A `DietExplorerError` shows its message and remedy; a whole page whose database or store is away is drawn again by
    itself until it is back. Anything else is written to the log with its
    traceback under a short reference, and the page names that reference.
    """
    try:
        yield
    except DietExplorerError as error:
        show_error(error, key=key)
        if key == _PAGE and isinstance(error, StoreAwayError):
            st.fragment(_look_again, run_every=LOOK_AGAIN_SECONDS)(time.monotonic())
    except Exception:
        reference = uuid.uuid4().hex[:8]
        logger.exception("Unexpected error on a page, reference %s", reference)
        with st.container(key=key):
            st.error(
                "**This part of the page could not be shown.**\n\n"
                f"The details are in the app's log (the terminal where it was started), under reference {reference}. "
                "Reload the page; if it happens again, report it with those lines.",
                icon=":material/error:",
            )
