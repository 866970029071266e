"""What a browser keeps for its next visits: a name, a pass, that the tour is over."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote

import streamlit as st

_keeper = st.components.v2.component(
    "diet_explorer.keep",
    html="<span></span>",
    js=Path(__file__).with_name("keep.js").read_text(encoding="utf-8"),
)


def kept(cookie: str) -> str:
    """What the browser brought under a name when it connected; empty where there was nothing."""
    return unquote(st.context.cookies.get(cookie, ""))


def keep(cookie: str, value: str) -> None:
    """Have the browser keep a value for a year; part of every view of a page on which it may be new."""
    _keeper(key=f"keep-{cookie}", data={"cookie": cookie, "value": value}, height=1)
