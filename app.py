"""The browser app: navigation and nothing else. Start it with `diet-explorer app`."""

from __future__ import annotations

import streamlit as st

from diet_explorer.ui.shell.navigation import ICON, draw_navigation

page = draw_navigation()
st.set_page_config(page_title=f"{page.title} · diet-explorer", page_icon=ICON, layout="wide", initial_sidebar_state=260)
page.run()
