"""The help page: one page of the documentation, and beside it the list of all."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path

import streamlit as st

from diet_explorer.drawing.plain import escape
from diet_explorer.errors import NotFoundError
from diet_explorer.ui.help.documents import SITE, TOPICS, Document, Picture, link, read_document
from diet_explorer.ui.shell.boundary import show_error
from diet_explorer.ui.shell.view import change

_SECTION_LEVEL = 2
_links = st.components.v2.component(
    "diet_explorer.help_links",
    html="<span></span>",
    js=Path(__file__).with_name("links.js").read_text(encoding="utf-8"),
)


def draw_text(place: str) -> Document | None:
    """Draw one page of the documentation.

    Parameters
    ----------
    place : str
        Its topic, with ``#`` and a section where that is meant.

    Returns
    -------
    Document or None
        None where there is no such page, which is said.
    """
    topic, _, section = place.partition("#")
    try:
        document = read_document(topic)
    except NotFoundError as error:
        show_error(error, key="no-help")
        return None
    with st.container(key="help-text"):
        for part in document.parts:
            if isinstance(part, Picture):
                st.html(_picture(part))
            else:
                st.markdown(part)
    _follow_links(document, place, section)
    return document


def draw_lists(document: Document | None, topic: str) -> None:
    """Draw the list of the page's sections, where it has several, and of all pages."""
    sections = [heading for heading in document.headings if heading.level == _SECTION_LEVEL] if document else []
    if len(sections) > 1:
        _list("On this page", [f"[{heading.title}]({link(topic, heading.anchor)})" for heading in sections])
    for group, topics in TOPICS.items():
        entries = topics.items()
        _list(group, [f"**{title}**" if name == topic else f"[{title}]({link(name)})" for name, title in entries])
    st.markdown(
        "Commands and the Python library are described where they are used: `diet-explorer COMMAND --help` in a "
        f"terminal, `help(run.audit)` in Python. [The site]({SITE}) has both as pages."
    )


def _picture(picture: Picture) -> str:
    """The picture with its words for screen readers, which Streamlit's own has not."""
    kind = {".svg": "svg+xml", ".png": "png"}[picture.path.suffix]
    source = f"data:image/{kind};base64,{b64encode(picture.path.read_bytes()).decode()}"
    return f'<img class="de-picture" alt="{escape(picture.words)}" src="{source}">'


def _list(title: str, entries: list[str]) -> None:
    st.header(title, anchor=False)
    st.markdown("\n".join(f"- {entry}" for entry in entries))


def _follow_links(document: Document, place: str, section: str) -> None:
    def followed() -> None:
        if st.session_state["help-links"].topic:
            change(topic=st.session_state["help-links"].topic)

    anchors = [heading.anchor for heading in document.headings]
    data = {
        "topic": place,
        "heading": anchors.index(section) if section in anchors else 0,
        "headings": len(anchors),
    }
    _links(key="help-links", data=data, height=1, on_topic_change=followed)
