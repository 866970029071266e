"""The guidelines of a dataset beside what is decided about, and what has changed in them since one looked."""

from __future__ import annotations

import streamlit as st

from diet_explorer.drawing import words
from diet_explorer.drawing.plain import escape
from diet_explorer.review.annotators import Identity
from diet_explorer.review.guidelines import GuidelineNews, Guidelines, changes
from diet_explorer.store.in_words import counted
from diet_explorer.ui.drawing.markdown import markdown_html
from diet_explorer.workspace.dataset import Dataset

_OPEN = "guidelines-are-open"
_READ = "guidelines-read"
_HEIGHT = 260
_MARKS = {"new": "ins", "gone": "del", "same": "span"}


def draw_guidelines(dataset: Dataset, who: Identity) -> str | None:
    """Draw the guidelines, open or closed as they were left, and what is new in them; uid of the version shown."""
    guidelines = dataset.guidelines
    if guidelines is None:
        return None
    news = dataset.ledger.guideline_news(who.name)
    if news is not None and st.session_state.get(_READ) != guidelines.uid:
        _draw_news(news)
    if guidelines.text:
        with st.expander(
            f"Guidelines · version {guidelines.version}",
            expanded=st.session_state.get(_OPEN, True),
            key="guidelines",
            icon=":material/menu_book:",
            on_change=_keep_open,
        ):
            with st.container(height=_HEIGHT if len(guidelines.text) > _HEIGHT else "content", border=False):
                st.html(markdown_html(guidelines.text))
            st.html(f'<p class="de-quiet">{escape(written_words(guidelines))}</p>')
    return guidelines.uid


def written_words(guidelines: Guidelines) -> str:
    """Who wrote a version, and when."""
    return f"by {guidelines.by}, {words.moment(guidelines.at)}"


def changes_html(before: Guidelines | None, after: Guidelines) -> str:
    """What has changed from one version to another, line by line."""
    lines = []
    for kind, line in changes("" if before is None else before.text, after.text):
        if kind == "between":
            lines.append('<li class="de-quiet" aria-label="lines without changes">⋯</li>')
        else:
            mark = _MARKS[kind]
            lines.append(f"<li><{mark}>{escape(line) or '&nbsp;'}</{mark}></li>")
    return f'<ul class="de-changes">{"".join(lines)}</ul>'


def _draw_news(news: GuidelineNews) -> None:
    """Draw that the guidelines are others than when somebody decided last, and what has changed."""
    now, before = news.now, news.before
    what = "There are guidelines now" if before is None else "The guidelines have changed"
    if not now.text:
        what = "The guidelines were taken away"
    skipped = 0 if before is None else now.version - before.version - 1
    more = f" ({counted(skipped + 1, 'version')})" if skipped else ""
    with st.container(key="guidelines-news", gap="small"):
        st.html(
            f'<div class="de-news" role="status"><p><b>{what} since your last decision</b>{more}, '
            f"{escape(written_words(now))}.</p>{changes_html(before, now)}</div>"
        )
        st.button("I have read it", key="guidelines-read-it", on_click=_keep_read, args=(now.uid,))


def _keep_open() -> None:
    st.session_state[_OPEN] = bool(st.session_state["guidelines"])


def _keep_read(uid: str) -> None:
    st.session_state[_READ] = uid
